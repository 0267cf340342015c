package ops

// callMetrics are about calls, decisions and those who make them.
func callMetrics() []Section {
	outcome := label("outcome", "`routed`, or the code of the error: `no_route`, `no_capacity`, …")
	fallback := label("fallback", "why the decision service did not decide: `timeout`, `connection`, `status`, `garbage`, `too_large`, `breaker`, `busy`, `cancelled`, `emergency`; empty if it did, or there is none")
	reason := label("reason", "why it did not answer, as `fallback` above; empty if it did")
	hedged := label("hedged", "`yes` if a second request was sent, else `no`")
	tenant, destination := label("tenant", "whose rule set it is in"), label("destination", "its id in the rule set")
	const decider, settings = "API with `--decider-url`", "API with `--settings-url`"
	return []Section{
		{"Calls and lanes", []Definition{
			{"switchtape_http_request_duration_seconds", Histogram, "Time to answer an HTTP request of the API.", []Label{
				label("route", "the route's pattern, as `POST /v1/calls`; `other` for requests that have none or were refused before"),
				label("code", "the status of the answer"),
			}, false, inAPI},
			{"switchtape_emergency_call_duration_seconds", Histogram, "Time to take an emergency call: to route it and to have it in the journal.", nil, false, inAPI},
			{"switchtape_lane_limit", Gauge, "Requests that are served at once at most now, emergency calls aside.", nil, false, inAPI},
			{"switchtape_lane_in_flight", Gauge, "Requests that are being served, emergency calls aside.", nil, false, inAPI},
			{"switchtape_lane_queued", Gauge, "Requests that wait for their turn.", nil, false, inAPI},
			{"switchtape_lane_tenants", Gauge, "Tenants whose requests are being served or wait.", nil, false, inAPI},
			{"switchtape_lane_refused_total", Counter, "Requests that got no turn, by why.", []Label{
				label("reason", "`queue_full`, `tenant_queue_full`, `displaced`, `waited_too_long`, `client_gone`"),
			}, false, inAPI},
			{"switchtape_unstored_emergency_calls", Gauge, "Emergency calls that were answered and are not stored yet: the depth of their journal.", nil, false, inAPI},
			{"switchtape_unstored_calls", Gauge, "Other calls that were answered without the database and are not stored yet.", nil, false, inAPI},
			{"switchtape_unstored_events", Gauge, "Events that were accepted and are not stored yet.", nil, false, inAPI},
			{"switchtape_refused_events_total", Counter, "Events that were accepted while the database was away and could not be applied.", nil, false, inAPI},
			{"switchtape_journal_failures_total", Counter, "Writes to the journal that failed: what was answered then was in memory alone.", nil, false, inAPI},
			{"switchtape_journal_sync_failures_total", Counter, "How often the journal's disk failed to sync.", nil, false, "API with `--journal`"},
			{"switchtape_journal_reserve_bytes", Gauge, "Disk space that the journal holds for what is to come.", nil, false, "API with `--journal`"},
		}},
		{"Decisions and rules", []Definition{
			{"switchtape_decisions_total", Counter, "Calls that were routed, by who decided, why the decision service did not, and how it came out.", []Label{
				label("source", "`rules`, `decider`, `cache`, `emergency`"), fallback, outcome,
			}, false, inAPI},
			{"switchtape_ruleset_decisions_total", Counter, "Calls that rules decided, by which version did, and how it came out.", []Label{
				label("version", "`active` or `canary`"), outcome,
			}, false, inAPI},
			{"switchtape_rulesets", Gauge, "Tenants with a rule set in service.", nil, false, inAPI},
			{"switchtape_ruleset_canaries", Gauge, "Tenants with a canary in service.", nil, false, inAPI},
			{"switchtape_rulesets_from_snapshot", Gauge, "Tenants whose rule set in service is from the snapshot, not confirmed by the database.", nil, false, inAPI},
			{"switchtape_ruleset_snapshot_failures_total", Counter, "How often the snapshot of the rules could not be written.", nil, false, inAPI},
			{"switchtape_users", Gauge, "Users that calls are decided by, in memory.", nil, false, inAPI},
			{"switchtape_users_age_seconds", Gauge, "How long ago everything was known of the users that there is; -1 before they are loaded.", nil, false, inAPI},
			{"switchtape_destination_calls", Gauge, "Calls that the destination carries, as far as this process knows.", []Label{tenant, destination}, false, inAPI},
			{"switchtape_destination_up", Gauge, "Whether the destination works: 1 up, 0.5 probing, 0 down.", []Label{tenant, destination}, false, inAPI},
			{"switchtape_destination_quality_level", Gauge, "Quality level of the destination, 0 to 20.", []Label{tenant, destination}, false, inAPI},
			{"switchtape_destination_changes_total", Counter, "Changes of a destination's health or quality level.", []Label{
				tenant, destination, label("what", "`health` or `quality`"),
			}, false, inAPI},
		}},
		{"External services", []Definition{
			{"switchtape_decider_duration_seconds", Histogram, "Time that calls waited for the decision service, by who answered in the end, and why the service did not.", []Label{
				label("source", "`decider`, `cache`, `rules`"), reason, hedged,
			}, false, decider},
			{"switchtape_decider_breaker_open", Gauge, "Whether the decision service is not asked because it failed too often.", nil, false, decider},
			{"switchtape_settings_duration_seconds", Histogram, "Time that calls waited for the settings service, by when they asked, whose answer they got, and why the service had none.", []Label{
				label("moment", "`start` or `end`"), label("source", "whose settings count: `service`, `cache`, or `none`"), reason, hedged,
			}, false, settings},
			{"switchtape_settings_breaker_open", Gauge, "Whether the settings service is not asked because it failed too often.", nil, false, settings},
			{"switchtape_settings_kept_answers", Gauge, "Answers of the settings service that are kept for when it has none.", nil, false, settings},
		}},
	}
}
