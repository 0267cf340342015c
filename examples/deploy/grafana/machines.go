package main

import "github.com/grafana/grafana-foundation-sdk/go/units"

// machinesUID is the dashboard of what other exporters show.
const machinesUID = "switchtape-machines"

// machines is about what Switchtape runs on, by the usual exporters: node_exporter and
// postgres_exporter.
func machines() board {
	return board{machinesUID, "Switchtape: nodes and PostgreSQL", "By node_exporter and postgres_exporter.", []row{
		{"Nodes", []panel{
			graph("Processors", units.PercentUnit, query{`1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval]))`, "{{instance}}"}),
			graph("Memory", units.PercentUnit, query{`1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes`, "{{instance}}"}),
			graph("Disks", units.PercentUnit, query{`1 - node_filesystem_avail_bytes{fstype!~"tmpfs|overlay|squashfs"} / node_filesystem_size_bytes{fstype!~"tmpfs|overlay|squashfs"}`, "{{instance}} {{mountpoint}}"}),
			graph("Time a write to disk takes", units.Seconds, query{`rate(node_disk_write_time_seconds_total[$__rate_interval]) / rate(node_disk_writes_completed_total[$__rate_interval])`, "{{instance}} {{device}}"}),
			graph("Network", units.BytesPerSecondIEC, query{`sum by (instance) (rate(node_network_receive_bytes_total{device!="lo"}[$__rate_interval]))`, "in, {{instance}}"}, query{`sum by (instance) (rate(node_network_transmit_bytes_total{device!="lo"}[$__rate_interval]))`, "out, {{instance}}"}),
			graph("Clock's offset", units.Seconds, query{`node_timex_offset_seconds`, "{{instance}}"}),
		}},
		{"PostgreSQL", []panel{
			graph("Up", number, query{`pg_up`, "{{instance}}"}),
			graph("Transactions a second", number, query{`sum by (instance) (rate(pg_stat_database_xact_commit[$__rate_interval]))`, "committed, {{instance}}"}, query{`sum by (instance) (rate(pg_stat_database_xact_rollback[$__rate_interval]))`, "rolled back, {{instance}}"}),
			graph("Connections", number, query{`sum by (instance, state) (pg_stat_activity_count)`, "{{instance}} {{state}}"}, query{`pg_settings_max_connections`, "at most, {{instance}}"}),
			graph("Longest transaction", units.Seconds, query{`max by (instance) (pg_stat_activity_max_tx_duration)`, "{{instance}}"}),
			graph("Locks", number, query{`sum by (instance, mode) (pg_locks_count)`, "{{instance}} {{mode}}"}),
			graph("Dead rows", number, query{`topk(5, pg_stat_user_tables_n_dead_tup)`, "{{instance}} {{relname}}"}),
			graph("Found in memory", units.PercentUnit, query{`sum by (instance) (rate(pg_stat_database_blks_hit[$__rate_interval])) / (sum by (instance) (rate(pg_stat_database_blks_hit[$__rate_interval])) + sum by (instance) (rate(pg_stat_database_blks_read[$__rate_interval])))`, "{{instance}}"}),
			graph("Standby behind", units.Seconds, query{`pg_replication_lag_seconds`, "{{instance}}"}),
			graph("Size", units.BytesIEC, query{`sum by (instance, datname) (pg_database_size_bytes)`, "{{instance}} {{datname}}"}),
		}},
	}}
}
