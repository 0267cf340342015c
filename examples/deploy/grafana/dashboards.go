package main

import "github.com/grafana/grafana-foundation-sdk/go/units"

// boards are the dashboards.
func boards() []board {
	return []board{fleet(), lanes(), workers(), stores(), security(), machines()}
}

// A number, of things or of things a second.
const number = units.Short

func graph(title, unit string, queries ...query) panel {
	return panel{Title: title, Unit: unit, Queries: queries}
}

func value(title, unit, expr string) panel {
	return panel{Title: title, Unit: unit, Now: true, Queries: []query{{expr, ""}}}
}

// quantiles are those of a histogram of one or more processes.
func quantiles(histogram, selector string) []query {
	var list []query
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		list = append(list, query{"histogram_quantile(" + q + ", sum by (le) (rate(" + histogram + "_bucket" + selector + "[$__rate_interval])))", "p" + q[2:]})
	}
	return list
}

// perSecond is a counter's rate by labels.
func perSecond(counter, by string) string {
	return "sum by (" + by + ") (rate(" + counter + "[$__rate_interval]))"
}

func fleet() board {
	return board{"switchtape-fleet", "Switchtape: fleet and promise", "Whether every call to be recorded gets its recording, and which processes there are.", []row{
		{"Now", []panel{
			value("Kept in 28 days", units.PercentUnit, `min(switchtape_promise_kept_ratio{window="28d"})`),
			value("Budget left", units.PercentUnit, `min(switchtape_promise_budget_left)`),
			value("Calls without a recording, unexplained", number, `max(switchtape_unexplained_calls)`),
			value("Oldest job", units.Seconds, `max(switchtape_oldest_queued_job_seconds)`),
			value("Jobs that wait", number, `sum(max by (kind) (switchtape_jobs{state="queued"}))`),
			value("Jobs set aside", number, `sum(max by (kind) (switchtape_jobs{state="quarantined"}))`),
		}},
		{"The promise", []panel{
			graph("How fast the budget is spent", number, query{`max by (window) (switchtape_promise_burn_rate)`, "{{window}}"}),
			graph("What became of the calls of the last 6 hours", number, query{`max by (outcome) (switchtape_promised_calls{window="6h"})`, "{{outcome}}"}),
			graph("Hang-up to URL", units.Seconds, quantiles("switchtape_recording_age_seconds", "")...),
			graph("Mismatches of calls, ledger and bucket", number,
				query{`max by (kind) (switchtape_mismatches)`, "{{kind}}"},
				query{`max by (kind) (switchtape_mismatches_mended)`, "{{kind}}, mended"}),
			graph("Since they were compared, since the promise was asked for", units.Seconds,
				query{`min(switchtape_compared_seconds >= 0)`, "compared"}, query{`min(switchtape_promise_age_seconds)`, "promise"}),
		}},
		{"Traffic and processes", []panel{
			graph("Calls a second", number, query{perSecond("switchtape_decisions_total", "source"), "{{source}}"}),
			graph("Recordings a second", number, query{perSecond(`switchtape_recording_attempts_total{outcome="done"}`, "status"), "{{status}}"}),
			graph("Processes", number, query{`count by (program, lane, version) (switchtape_build_info)`, "{{program}} {{lane}} {{version}}"}),
			graph("Targets that are down", number, query{`count(up{job=~"switchtape.*"} == 0) or vector(0)`, "down"}),
			graph("Processors in use", number, query{`sum by (program) (rate(process_cpu_seconds_total[$__rate_interval]) * on (instance) group_left (program) switchtape_build_info)`, "{{program}}"}),
			graph("Memory", units.BytesIEC, query{`max by (program) (process_resident_memory_bytes * on (instance) group_left (program) switchtape_build_info)`, "{{program}}, the largest"}),
		}},
	}}
}

func lanes() board {
	const requests = "switchtape_http_request_duration_seconds"
	return board{"switchtape-calls", "Switchtape: calls and lanes", "How requests are answered, emergency calls first, and who decides.", []row{
		{"Emergency calls", []panel{
			graph("Emergency calls a second", number, query{"sum(rate(switchtape_emergency_call_duration_seconds_count[$__rate_interval]))", "calls"}),
			graph("Time to take one", units.Seconds, quantiles("switchtape_emergency_call_duration_seconds", "")...),
			graph("In the journal, not stored yet", number,
				query{`max by (instance) (switchtape_unstored_emergency_calls)`, "emergency calls, {{instance}}"},
				query{`max by (instance) (switchtape_unstored_calls)`, "other calls, {{instance}}"},
				query{`max by (instance) (switchtape_unstored_events)`, "events, {{instance}}"}),
			graph("Refused by processes for emergency calls alone", number, query{
				`sum by (code) (rate(` + requests + `_count{route="POST /v1/calls",code=~"429|5.."}[$__rate_interval]) * on (instance) group_left (lane) switchtape_build_info{lane="high"}) or vector(0)`, "{{code}}",
			}),
			graph("Journal that could not be written", number,
				query{"sum(rate(switchtape_journal_failures_total[$__rate_interval]))", "writes"},
				query{"sum(rate(switchtape_journal_sync_failures_total[$__rate_interval]))", "syncs"},
				query{"sum(rate(switchtape_refused_events_total[$__rate_interval]))", "events that could not be applied"}),
			graph("What the journal holds on its disk", units.BytesIEC, query{"min by (instance) (switchtape_journal_reserve_bytes)", "reserve, {{instance}}"}),
		}},
		{"Requests", []panel{
			graph("Requests a second, by route", number, query{perSecond(requests+"_count", "route"), "{{route}}"}),
			graph("Errors a second", number, query{`sum by (code) (rate(` + requests + `_count{code=~"4..|5.."}[$__rate_interval])) or vector(0)`, "{{code}}"}),
			graph("Time to answer for a call", units.Seconds, quantiles(requests, `{route="POST /v1/calls"}`)...),
			graph("Places of the normal lane", number,
				query{"sum(switchtape_lane_limit)", "limit"}, query{"sum(switchtape_lane_in_flight)", "in use"},
				query{"sum(switchtape_lane_queued)", "wait"}, query{"max(switchtape_lane_tenants)", "tenants"}),
			graph("Refused for want of room", number, query{perSecond("switchtape_lane_refused_total", "reason"), "{{reason}}"}),
		}},
		{"Decisions", []panel{
			graph("Decisions a second", number, query{perSecond("switchtape_decisions_total", "source, outcome"), "{{source}}: {{outcome}}"}),
			graph("By version of the rules", number, query{perSecond("switchtape_ruleset_decisions_total", "version, outcome"), "{{version}}: {{outcome}}"}),
			graph("Rule sets", number,
				query{"max(switchtape_rulesets)", "in service"}, query{"max(switchtape_ruleset_canaries)", "canaries"},
				query{"max(switchtape_rulesets_from_snapshot)", "from a snapshot"}, query{"sum(rate(switchtape_ruleset_snapshot_failures_total[$__rate_interval]))", "snapshots that failed"}),
			graph("Decision service", units.Seconds, quantiles("switchtape_decider_duration_seconds", "")...),
			graph("Who decided in its place, and why", number, query{perSecond("switchtape_decider_duration_seconds_count", "source, reason"), "{{source}} {{reason}}"}),
			graph("Settings service", units.Seconds, quantiles("switchtape_settings_duration_seconds", "")...),
			graph("Whose settings counted, and why", number, query{perSecond("switchtape_settings_duration_seconds_count", "source, reason"), "{{source}} {{reason}}"},
				query{"max(switchtape_settings_kept_answers)", "answers kept"}),
			graph("Services that are not asked", number, query{"max by (instance) (switchtape_decider_breaker_open)", "decision, {{instance}}"}, query{"max by (instance) (switchtape_settings_breaker_open)", "settings, {{instance}}"}),
			graph("Users in memory", number, query{"max(switchtape_users)", "users"}, query{"max(switchtape_users_age_seconds)", "age in seconds"}),
		}},
		{"Destinations", []panel{
			graph("Up", number, query{"min by (tenant, destination) (switchtape_destination_up)", "{{tenant}} {{destination}}"}),
			graph("Calls", number, query{"sum by (tenant, destination) (switchtape_destination_calls)", "{{tenant}} {{destination}}"}),
			graph("Quality level", number, query{"min by (tenant, destination) (switchtape_destination_quality_level)", "{{tenant}} {{destination}}"}),
			graph("Changes", number, query{perSecond("switchtape_destination_changes_total", "tenant, destination, what") + " or vector(0)", "{{tenant}} {{destination}} {{what}}"}),
		}},
	}}
}

func workers() board {
	return board{"switchtape-workers", "Switchtape: recording workers", "What is recorded, how fast, and what is wrong with the legs, by telephone server.", []row{
		{"Jobs", []panel{
			graph("Attempts a second", number, query{perSecond("switchtape_job_attempts_total", "kind, outcome"), "{{kind}}: {{outcome}}"}),
			graph("Jobs at work", number, query{"sum by (instance) (switchtape_running_jobs)", "{{instance}}"}),
			graph("Time of a job", units.Seconds, query{"histogram_quantile(0.95, sum by (kind, le) (rate(switchtape_job_duration_seconds_bucket[$__rate_interval])))", "p95 {{kind}}"}),
			graph("Attempts that hang", number, query{"sum by (instance) (switchtape_hanging_attempts)", "{{instance}}"}),
			graph("Ledger without an answer", units.Seconds, query{"max by (instance) (switchtape_ledger_unanswered_seconds)", "{{instance}}"}),
		}},
		{"Recordings", []panel{
			graph("How attempts end", number, query{perSecond("switchtape_recording_attempts_total", "outcome, status"), "{{outcome}} {{status}}"}),
			graph("Time to make and store one", units.Seconds, quantiles("switchtape_recording_duration_seconds", "")...),
			graph("Times faster than the call", number, quantiles("switchtape_recording_speed_ratio", "")...),
			graph("Audio made, in seconds a second", number, query{"sum(rate(switchtape_recorded_audio_seconds_total[$__rate_interval]))", "audio"}),
			graph("Objects", units.BytesPerSecondIEC, query{"sum(rate(switchtape_recorded_bytes_total[$__rate_interval]))", "made"}),
		}},
		{"Telephone servers", []panel{
			graph("Recordings", number, query{perSecond("switchtape_host_recordings_total", "host, status"), "{{host}}: {{status}}"}),
			graph("Legs", number, query{perSecond("switchtape_host_legs_total", "host"), "{{host}}"}),
			graph("Defects", number, query{perSecond("switchtape_recording_defects_total", "code") + " or vector(0)", "{{code}}"}),
			graph("Defects by server and software", number, query{perSecond("switchtape_host_defects_total", "host, software, code") + " or vector(0)", "{{host}} {{software}} {{code}}"}),
			graph("Place of the legs away", units.Seconds, query{"max by (instance) (switchtape_legs_away_seconds)", "{{instance}}"}),
		}},
	}}
}

func stores() board {
	return board{"switchtape-storage", "Switchtape: storage and queues", "Buckets, disks, the ledger, and what comes in and goes out.", []row{
		{"Buckets", []panel{
			graph("Uploads a second", number, query{perSecond("switchtape_upload_duration_seconds_count", "bucket, outcome"), "{{bucket}}: {{outcome}}"}),
			graph("Time of an upload", units.Seconds, quantiles("switchtape_upload_duration_seconds", "")...),
			graph("Uploaded", units.BytesPerSecondIEC, query{perSecond("switchtape_uploaded_bytes_total", "bucket"), "{{bucket}}"}),
			graph("Parked", units.Seconds, query{"max by (bucket) (switchtape_bucket_away_seconds)", "{{bucket}}"}),
		}},
		{"Disks", []panel{
			graph("Free on the disks of the legs", units.BytesIEC, query{"switchtape_legs_disk_free_bytes", "{{instance}}"}, query{"switchtape_legs_disk_reserve_bytes", "reserve, {{instance}}"}),
			graph("Used of the disks of the legs", units.PercentUnit, query{"1 - switchtape_legs_disk_free_bytes / switchtape_legs_disk_size_bytes", "{{instance}}"}),
			graph("Full in", units.Seconds, query{"switchtape_legs_disk_full_in_seconds", "{{instance}}"}),
			graph("Free on the disks of uploads to come", units.BytesIEC, query{"switchtape_spool_disk_free_bytes", "{{instance}}"}, query{"switchtape_spool_disk_reserve_bytes", "reserve, {{instance}}"}),
			graph("Legs deleted a second", number, query{"sum(rate(switchtape_legs_deleted_total[$__rate_interval]))", "files"}),
			graph("Room made by it", units.BytesPerSecondIEC, query{"sum(rate(switchtape_legs_deleted_bytes_total[$__rate_interval]))", "legs"}),
		}},
		{"Deletions, holds and shares", []panel{
			graph("Deletions and exports a second", number, query{`sum by (kind, outcome) (rate(switchtape_job_attempts_total{kind=~"erase-recording|redact-recording|delete-legs|data-export"}[$__rate_interval]))`, "{{kind}}: {{outcome}}"}),
			graph("Legal holds", number, query{"max(switchtape_legal_holds)", "in force"}),
			graph("Requests of share links a second", number, query{perSecond("switchtape_share_requests_total", "outcome"), "{{outcome}}"}),
		}},
		{"Ledger and database", []panel{
			graph("Jobs", number, query{`max by (kind, state) (switchtape_jobs{state!="done"})`, "{{kind}}: {{state}}"}),
			graph("Oldest job that can run", units.Seconds, query{"max(switchtape_oldest_queued_job_seconds)", "oldest"}, query{"max(switchtape_jobs_age_seconds)", "age of these figures"}),
			graph("Queues without a worker", number, query{"max(switchtape_unserved_queues)", "queues"}, query{"max(switchtape_unserved_jobs)", "jobs"}),
			graph("Connections", number, query{"sum by (pool, state) (switchtape_db_connections)", "{{pool}} {{state}}"}, query{"sum by (pool) (switchtape_db_connections_limit)", "{{pool}} at most"}),
			graph("Requests that wait for a connection", number, query{perSecond("switchtape_db_connection_wait_seconds_total", "pool"), "{{pool}}"}),
			graph("Waits a second", number, query{perSecond("switchtape_db_connection_waits_total", "pool"), "{{pool}}"}),
			graph("Replica", units.Seconds, query{"max by (instance) (switchtape_db_replica_lag_seconds)", "behind, {{instance}}"}, query{"min by (instance) (switchtape_db_replica_used)", "used, {{instance}}"}),
		}},
		{"Spools", []panel{
			graph("Calls a second", number, query{perSecond("switchtape_spool_calls_total", "spool, outcome"), "{{spool}}: {{outcome}}"}),
			graph("Calls that wait", number, query{"sum by (spool) (switchtape_spool_pending_calls)", "{{spool}}"}),
			graph("Files of no call", number, query{"sum by (spool) (switchtape_spool_left_files)", "{{spool}}"}, query{"sum by (spool) (switchtape_spool_unreadable_directories)", "unreadable, {{spool}}"}),
			graph("Late legs, overflows", number, query{perSecond("switchtape_spool_late_legs_total", "spool"), "late, {{spool}}"}, query{perSecond("switchtape_spool_overflows_total", "spool"), "overflows, {{spool}}"}),
		}},
		{"Brokers and webhooks", []panel{
			graph("Messages a second", number,
				query{perSecond("switchtape_intake_received_total", "source"), "received, {{source}}"}, query{perSecond("switchtape_intake_taken_total", "source"), "taken, {{source}}"},
				query{perSecond("switchtape_intake_doubles_total", "source"), "twice, {{source}}"}, query{perSecond("switchtape_intake_dead_total", "source"), "dead, {{source}}"},
				query{perSecond("switchtape_intake_let_go_total", "source"), "given back, {{source}}"}, query{perSecond("switchtape_intake_unacked_total", "source"), "unconfirmed, {{source}}"}),
			graph("Events a second", number, query{perSecond("switchtape_published_events_total", "reader"), "published, {{reader}}"}, query{perSecond("switchtape_publish_failures_total", "reader"), "failed, {{reader}}"}),
			graph("Brokers away", units.Seconds, query{"max by (source) (switchtape_intake_away_seconds)", "{{source}}"}, query{"min by (reader) (switchtape_publish_away_seconds)", "{{reader}}"}),
			graph("Webhooks a second", number, query{perSecond("switchtape_webhook_tries_total", "result"), "{{result}}"}, query{"sum(rate(switchtape_webhook_given_up_total[$__rate_interval]))", "given up"}),
			graph("Deliveries that wait", number, query{"max(switchtape_webhook_deliveries_waiting)", "all"}, query{"max by (tenant, webhook) (switchtape_webhook_waiting)", "{{tenant}} {{webhook}}"}),
			graph("Oldest delivery that is due", units.Seconds, query{"max(switchtape_webhook_oldest_due_seconds)", "oldest"}),
			graph("Webhooks", number, query{"max by (state) (switchtape_webhooks)", "{{state}}"}),
			graph("Receivers that fail", units.Seconds, query{"max by (tenant, webhook) (switchtape_webhook_failing_seconds) or vector(0)", "{{tenant}} {{webhook}}"},
				query{"max by (tenant, webhook) (switchtape_webhook_success_age_seconds)", "since success, {{tenant}} {{webhook}}"}),
		}},
	}}
}

func security() board {
	const requests = "switchtape_http_request_duration_seconds"
	return board{"switchtape-security", "Switchtape: security", "Who is refused and why, the audit log, certificates.", []row{
		{"Now", []panel{
			value("Addresses that guess keys", number, "sum(switchtape_limited_addresses)"),
			value("Audit log not sealed for", units.Seconds, "min(switchtape_audit_unsealed_seconds)"),
			value("First certificate expires in", units.Seconds, "min(switchtape_certificate_expiry_timestamp_seconds) - time()"),
		}},
		{"Refusals", []panel{
			graph("By the authentication", number, query{perSecond("switchtape_refused_requests_total", "reason"), "{{reason}}"}),
			graph("Wrong keys a second", number, query{perSecond("switchtape_wrong_keys_total", "instance"), "{{instance}}"}),
			graph("Answered 401, 403, 404 and 429", number, query{`sum by (code, route) (rate(` + requests + `_count{code=~"401|403|404|429"}[$__rate_interval])) or vector(0)`, "{{code}} {{route}}"}),
			graph("Refused for want of room", number, query{perSecond("switchtape_lane_refused_total", "reason"), "{{reason}}"}),
			graph("Dead letters a second", number, query{perSecond("switchtape_intake_dead_total", "source"), "{{source}}"}),
		}},
	}}
}
