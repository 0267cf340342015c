package ops

// recordingMetrics are about recordings, the jobs that make them, and the promise.
func recordingMetrics() []Section {
	attempt := label("outcome", "`done`, `published` (a later version may follow), `waiting`, `failed`, `quarantined`, `released` (by a drain), `lost` (its lease was)")
	kind := label("kind", "`record`, `transcode`, `verify`, `export`, `rewrap`, `command`, `delete-legs`, `erase-recording`, `redact-recording`, `data-export`, and a program's own")
	host, software := label("host", "the queue of the jobs; `other` beyond 200 pairs of it and its software"), label("software", "as jobs name it; `other`, too")
	bucket := label("bucket", "its URL")
	window := label("window", "`1h`, `6h`, `3d`, `28d`")
	const promise = "API, but for `--lane high`"
	return []Section{
		{"The promise", []Definition{
			{"switchtape_promise_burn_rate", Gauge, "How fast the budget of late and missing recordings is spent: 1 spends it in 28 days.", []Label{window}, true, promise},
			{"switchtape_promise_kept_ratio", Gauge, "Share of the ended calls to be recorded whose URL was there in time, or that had nothing to record.", []Label{window}, true, promise},
			{"switchtape_promise_budget_left", Gauge, "Share of the budget of 28 days that is left; below 0 it is overspent.", nil, true, promise},
			{"switchtape_promised_calls", Gauge, "Ended calls to be recorded, by what became of their recording.", []Label{
				window, label("outcome", "`waiting`, `explained`, `unexplained`, `recorded`, `absent`, `quarantined`"),
			}, true, promise},
			{"switchtape_unexplained_calls", Gauge, "Calls that should have a recording and have none, of which it isn't named why, up to 10,000; it should be 0.", nil, true, promise},
			{"switchtape_promise_age_seconds", Gauge, "How long ago the database last told of the promise; -1 if it never did.", nil, false, promise},
			{"switchtape_mismatches", Gauge, "Mismatches that the last whole comparison has found and not mended, by kind; see switchtape verify --kinds.", []Label{
				label("kind", "those of `switchtape verify --kinds`"),
			}, false, "those with `--verify-every`"},
			{"switchtape_mismatches_mended", Gauge, "Mismatches that the last whole comparison has found and mended, by kind.", []Label{
				label("kind", "those of `switchtape verify --kinds`"),
			}, false, "those with `--verify-every`"},
			{"switchtape_compared_seconds", Gauge, "How long ago the last whole comparison came to its end; -1 if this process has made none.", nil, false, "those with `--verify-every`"},
		}},
		{"Jobs and queues", []Definition{
			{"switchtape_jobs", Gauge, "Jobs in the ledger, by kind and state.", []Label{kind, label("state", "`queued`, `running`, `done`, `quarantined`")}, true, everywhere},
			{"switchtape_oldest_queued_job_seconds", Gauge, "How long the oldest job that can run has been able to.", nil, true, everywhere},
			{"switchtape_jobs_age_seconds", Gauge, "How long ago the jobs were counted: they are at each scrape, unless that kept the database busy for more than a twentieth of the time.", nil, false, everywhere},
			{"switchtape_unserved_queues", Gauge, "Queues with jobs that can run and that no living worker serves. 0 in all processes but the one that looks after them.", nil, false, everywhere},
			{"switchtape_unserved_jobs", Gauge, "Jobs that can run in such queues. 0 in all processes but that one.", nil, false, everywhere},
			{"switchtape_job_attempts_total", Counter, "Attempts at jobs of every kind, by how they ended.", []Label{kind, attempt}, false, inWorker},
			{"switchtape_job_duration_seconds", Histogram, "Time of the attempts by which jobs were done, by kind.", []Label{kind}, false, inWorker},
			{"switchtape_running_jobs", Gauge, "Jobs that this process works on.", nil, false, inWorker},
			{"switchtape_hanging_attempts", Gauge, "Attempts at recordings that were abandoned, as they didn't end in their time, and still haven't.", nil, false, inWorker},
			{"switchtape_ledger_unanswered_seconds", Gauge, "For how long the ledger has not answered this process's worker; 0 while it does.", nil, false, inWorker},
		}},
		{"Recordings", []Definition{
			{"switchtape_recording_attempts_total", Counter, "Attempts at recording jobs, by how they ended.", []Label{
				attempt, label("status", "`completed`, `completed_degraded`, `absent`, `quarantined`; empty of attempts without a result"),
			}, false, inWorker},
			{"switchtape_recording_duration_seconds", Histogram, "Time to make and store a recording.", nil, false, inWorker},
			{"switchtape_recording_age_seconds", Histogram, "Time from a job's enqueueing to its first recording, by the worker's clock.", nil, false, inWorker},
			{"switchtape_recording_speed_ratio", Histogram, "How many times faster than the call lasted an attempt read, mixed, encoded and stored its recording.", nil, false, inWorker},
			{"switchtape_recorded_audio_seconds_total", Counter, "Length of the recordings made.", nil, false, inWorker},
			{"switchtape_recorded_bytes_total", Counter, "Size of the objects stored.", nil, false, inWorker},
			{"switchtape_recording_defects_total", Counter, "Defects of finished recordings.", []Label{label("code", "those of defects.md, as `leg_missing`")}, false, inWorker},
			{"switchtape_unreadable_recordings_total", Counter, "Requests for a recording, or a share of one, that couldn't be served as what is stored is damaged, or as there is no key for it.", []Label{
				label("code", "`recording_damaged`, `key_missing`"),
			}, false, "API"},
			{"switchtape_host_recordings_total", Counter, "Finished recordings, by the telephone server whose queue they were in, and its software.", []Label{
				host, software, label("status", "`completed`, `completed_degraded`, `absent`, `quarantined`"),
			}, false, inWorker},
			{"switchtape_host_legs_total", Counter, "Legs of finished recordings, by the telephone server whose queue they were in, and its software.", []Label{host, software}, false, inWorker},
			{"switchtape_host_defects_total", Counter, "Defects of finished recordings, by the telephone server whose queue they were in and the name and version of its software.", []Label{
				label("code", "the defects' codes"), host, software,
			}, false, inWorker},
		}},
		{"Buckets and disks", []Definition{
			{"switchtape_upload_duration_seconds", Histogram, "Time from an object's last byte being encoded to its being in the bucket, by how it ended.", []Label{
				bucket, label("outcome", "`stored`, `existed` (the same bytes were there), `failed`"),
			}, false, inWorker},
			{"switchtape_uploaded_bytes_total", Counter, "Bytes of the objects that were uploaded, not of those that were there.", []Label{bucket}, false, inWorker},
			{"switchtape_bucket_away_seconds", Gauge, "For how long the bucket of the recordings, or their backup, has been away and its jobs parked; 0 if it isn't.", []Label{bucket}, false, inWorker},
			{"switchtape_legs_away_seconds", Gauge, "For how long the directory or bucket of the legs has been away, or refused a leg that is there, or a leg may be elsewhere as this worker isn't named for its queue; 0 if none is.", nil, false, inWorker},
			{"switchtape_legs_disk_free_bytes", Gauge, "What is free on the disk of the legs.", nil, false, "worker with legs on a disk"},
			{"switchtape_legs_disk_size_bytes", Gauge, "The size of the disk of the legs; 0 while it can't be looked at.", nil, false, "worker with legs on a disk"},
			{"switchtape_legs_disk_reserve_bytes", Gauge, "What must be free on the disk of the legs for a recording to be begun.", nil, false, "worker with legs on a disk"},
			{"switchtape_legs_disk_full_in_seconds", Gauge, "When the disk of the legs is full, if it goes on as in the last six hours; +Inf if it isn't filling.", nil, false, "worker with legs on a disk"},
			{"switchtape_spool_disk_free_bytes", Gauge, "What is free on the disk on which large recordings wait for their upload.", nil, false, "worker with `--spool-reserve`"},
			{"switchtape_spool_disk_reserve_bytes", Gauge, "What must be free on that disk for a recording to be begun.", nil, false, "worker with `--spool-reserve`"},
			{"switchtape_legs_deleted_total", Counter, "Files of legs that this process has deleted.", nil, false, "worker with `--legs-keep`"},
			{"switchtape_legs_deleted_bytes_total", Counter, "Bytes of the legs that this process has deleted.", nil, false, "worker with `--legs-keep`"},
		}},
		{"Holds and shares", []Definition{
			{"switchtape_legal_holds", Gauge, "Legal holds in force, of all tenants. Deletions, redactions and exports are jobs: see switchtape_jobs and switchtape_job_attempts_total by kind.", nil, true, inAPI},
			{"switchtape_share_requests_total", Counter, "Requests for the audio of share links, by what they came to.", []Label{
				label("outcome", "`opened`, `continued` (of the same client, as players ask in ranges), `ended` (the link has expired, was revoked or is used up), `gone` (its recording was deleted), `unknown` (no link has that token), `failed`"),
			}, false, "API with `--share-url`"},
		}},
	}
}
