package ops

// serviceMetrics are about how work comes in and goes out, and about the processes.
func serviceMetrics() []Section {
	spool, source, reader := label("spool", "its directory"), label("source", "the subscription's URL, without a password"), label("reader", "the topic's name in the database")
	tenant, webhook := label("tenant", "whose it is"), label("webhook", "its id")
	pool := label("pool", "`calls` (on SQLite its one writer), `read` (SQLite's readers), `replica`, `emergency`")
	const spools, intake, publish, guarded = "worker with `--spool`", "all with `--intake`", "all with `--publish`", "API with keys or tokens"
	const delivers, hooks = "API without `--no-webhooks`, worker with `--webhooks`", "API, worker with `--webhooks`"
	return []Section{
		{"Spools, brokers and webhooks", []Definition{
			{"switchtape_spool_calls_total", Counter, "Calls of a spool, by what became of them: handed over, known to the ledger before, or refused.", []Label{
				spool, label("outcome", "`handed_over`, `known`, `refused`"),
			}, false, spools},
			{"switchtape_spool_late_legs_total", Counter, "Legs that came after their calls were handed over, and aren't recorded.", []Label{spool}, false, spools},
			{"switchtape_spool_overflows_total", Counter, "Times that the system's queue of notifications overflowed; the sweep found what there was.", []Label{spool}, false, spools},
			{"switchtape_spool_pending_calls", Gauge, "Calls of a spool that aren't handed over yet.", []Label{spool}, false, spools},
			{"switchtape_spool_left_files", Gauge, "Files of a spool of which no call is made: they fit no pattern, are links, or their tenant isn't mapped.", []Label{spool}, false, spools},
			{"switchtape_spool_unreadable_directories", Gauge, "Directories of a spool that couldn't be read at the last look.", []Label{spool}, false, spools},
			{"switchtape_intake_received_total", Counter, "Messages that a broker delivered, again ones included.", []Label{source}, false, intake},
			{"switchtape_intake_taken_total", Counter, "Messages that became jobs.", []Label{source}, false, intake},
			{"switchtape_intake_doubles_total", Counter, "Messages whose job was there already.", []Label{source}, false, intake},
			{"switchtape_intake_dead_total", Counter, "Messages that could not be taken and are dead letters.", []Label{source}, false, intake},
			{"switchtape_intake_let_go_total", Counter, "Messages that were given back to their broker.", []Label{source}, false, intake},
			{"switchtape_intake_unacked_total", Counter, "Acknowledgements that the broker did not confirm.", []Label{source}, false, intake},
			{"switchtape_intake_away_seconds", Gauge, "For how long no messages can be received as the broker is away or refuses; 0 if they can.", []Label{source}, false, intake},
			{"switchtape_published_events_total", Counter, "Events of the outbox that this process has published.", []Label{reader}, false, publish},
			{"switchtape_publish_failures_total", Counter, "Attempts at publishing an event that failed.", []Label{reader}, false, publish},
			{"switchtape_publish_away_seconds", Gauge, "For how long no events can be published; 0 if they can.", []Label{reader}, false, publish},
			{"switchtape_webhook_tries_total", Counter, "Tries at delivering webhooks that this process has made, by what they came to.", []Label{label("result", "`delivered` or `failed`")}, false, delivers},
			{"switchtape_webhook_given_up_total", Counter, "Deliveries that this process has given up: no try was left.", nil, false, delivers},
			{"switchtape_webhooks", Gauge, "Webhooks, by state.", []Label{label("state", "`enabled` or `disabled`")}, true, hooks},
			{"switchtape_webhook_deliveries_waiting", Gauge, "Deliveries of webhooks that wait; 100000 may be more.", nil, true, hooks},
			{"switchtape_webhook_oldest_due_seconds", Gauge, "How long the delivery has been due that has been longest.", nil, true, hooks},
			{"switchtape_webhook_failing_seconds", Gauge, "For how long a webhook's receiver has failed, of those that fail, at most 100.", []Label{tenant, webhook}, true, hooks},
			{"switchtape_webhook_success_age_seconds", Gauge, "How long ago such a receiver last took one; left out if it never has.", []Label{tenant, webhook}, true, hooks},
			{"switchtape_webhook_waiting", Gauge, "Deliveries that wait for such a receiver; 100000 may be more.", []Label{tenant, webhook}, true, hooks},
		}},
		{"Security", []Definition{
			{"switchtape_refused_requests_total", Counter, "Requests that the authentication refused, by why.", []Label{
				label("reason", "`wrong_key` (answered 401), `address_limited` (too many wrong keys from there), `key_limited`, `unchecked` (the keys can't be looked up)"),
			}, false, guarded},
			{"switchtape_wrong_keys_total", Counter, "Requests that came with an API key that is none.", nil, false, guarded},
			{"switchtape_limited_addresses", Gauge, "Addresses that sent so many wrong keys that more are answered 429.", nil, false, guarded},
			{"switchtape_audit_unsealed_seconds", Gauge, "For how long this process could not seal the audit log, or look whether others had.", nil, false, inAPI},
			{"switchtape_certificate_expiry_timestamp_seconds", Gauge, "Unix time at which the certificate in use expires.", nil, false, "API with `--tls-cert`"},
		}},
		{"Processes and databases", []Definition{
			{"switchtape_build_info", Gauge, "1, with what this process was built from and what it is.", []Label{
				label("program", "`switchtape-api`, `switchtape-worker`, `switchtape serve`"),
				label("lane", "`both`, `high` or `low`; empty of a worker"),
				label("version", "that of the module, or else the commit"), label("go", "the version of Go"),
			}, false, everywhere},
			{"switchtape_db_connections", Gauge, "Connections to the database, by whether they are in use.", []Label{pool, label("state", "`in_use` or `idle`")}, false, everywhere},
			{"switchtape_db_connections_limit", Gauge, "Connections that there may be at most.", []Label{pool}, false, everywhere},
			{"switchtape_db_connection_waits_total", Counter, "Times that a connection had to be waited for.", []Label{pool}, false, everywhere},
			{"switchtape_db_connection_wait_seconds_total", Counter, "Time that connections were waited for.", []Label{pool}, false, everywhere},
			{"switchtape_db_replica_used", Gauge, "Whether the database's replica is asked for lists and reports: 0 while it is away or too far behind.", nil, false, "API with `--db-replica`"},
			{"switchtape_db_replica_lag_seconds", Gauge, "How far behind the database its replica was when it was asked last.", nil, false, "API with `--db-replica`"},
		}},
	}
}
