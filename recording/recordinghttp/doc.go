// Package recordinghttp is the recording service as an http.Handler that any
// server can mount: media files in, a job in the ledger, a recording's URL out.
//
//	POST /v1/recordings                       enqueue a recording of files that exist, or will
//	GET  /v1/recordings/jobs                  the tenant's jobs: ?state= &queue= &limit= &after=,
//	                                          &status= &code= &since= &until= &call_id=,
//	                                          ?call=none: those of no call that is stored
//	GET  /v1/recordings/jobs/{id}             one job, with its result
//	GET  /v1/recordings/jobs/{id}/media       the recording: ?output= &codec=
//	POST /v1/recordings/jobs/{id}/retry       put a job back that is quarantined, absent or degraded
//	POST /v1/recordings/jobs/retry            put many back: {"status": "absent", "code": "leg_missing",
//	                                          "queue", "since", "until", "limit": 100, "dry_run": true}
//	POST /v1/recordings/jobs/move             move those of a queue: {"from", "to", "state": "queued",
//	                                          "limit": 100, "dry_run": true}
//	GET  /v1/recordings/queues                the queues of the tenant's jobs, and who serves them
//	POST /v1/recordings/jobs/{id}/quarantine  set a job aside: {"reason": "…"}
//	POST /v1/recordings/jobs/{id}/erase       delete the recording, for good: {"reason": "…"}
//	POST /v1/recordings/jobs/{id}/redact      redact it: {"redactions": [{"from_ms", "to_ms", "legs"}], "reason"}
//	GET  /v1/recordings/jobs/{id}/erasures    what was deleted of it, when, for whom and why
//	GET  /v1/dead-letters                     messages that came by a broker and could not be taken
//	GET  /v1/dead-letters/{id}                one of them, with what it says and why
//	POST /v1/dead-letters/{id}/replay         take it, through the same check
//	POST /v1/dead-letters/{id}/discard        let it go
//
//	POST /v1/holds                            place a legal hold: {"scope": "call", "subject", "reason"}
//	GET  /v1/holds                            the tenant's holds: ?scope= &subject= &lifted= &limit= &after=
//	GET  /v1/holds/{id}                       one of them
//	POST /v1/holds/{id}/lift                  lift it: {"reason": "…"}
//
//	POST /v1/jobs                             enqueue a job of another kind: {"kind", "key", "payload",
//	                                          "call_id", "queue", "priority"}
//	GET  /v1/jobs                             the tenant's jobs of every kind, or of ?kind=, as above
//	GET  /v1/jobs/{id}                        one job, with its result
//	GET  /v1/jobs/{id}/media                  what it has made: ?output= &codec=
//	POST /v1/jobs/{id}/retry                  put a job back that is quarantined, or of which its kind says
//	                                          that more can come
//	POST /v1/jobs/{id}/quarantine             set a job aside: {"reason": "…"}
//	POST /v1/jobs/retry, /v1/jobs/move        as those of recordings, with a "kind", or of every kind
//	GET  /v1/jobs/queues                      the queues of every kind, or of ?kind=
//
// A recording's body is a [record.Spec] of which the call's id and the legs are enough:
// the recording's id is the call's then, and Options.Defaults says when it began and what
// is made of it. Beside its fields it has an
// optional "queue" and "priority" (0 to 9). The queue is the host name of the telephone
// server that has the legs, and says which workers see them: only a worker that is
// named for it takes a leg for missing. Without it the job is in the queue "default",
// whose legs every worker of that queue must see, as in one bucket. The recording
// is made of legs in the directory of the tenant's, where Options.LegsBelow says that it
// has one. It is checked at the door, with what the codecs can do, and every fault is
// reported at once. The same recording again gives the same job; another
// recording under a recording id that is taken is refused. A call's own recording has
// the call's id, unless that is taken when the call ends: it is made in any case.
//
// A job of another kind has a key of its tenant's and kind's own, and a payload in the
// form of the kind: see Options.Kinds. The same job again gives the same job; another one
// under its key is refused.
//
//	POST ─▶ check ─▶ ledger row ─▶ 202 {"job_id", "recording_id", "created"}
//	                     ┊ a worker makes it
//	GET …/media ─▶ 307 to a signed URL, or the bytes themselves, with ranges
//
// A job that is "published" has its recording already, of which a later version may
// follow: a leg is missing or still being written. Its media is that version until
// then.
//
// A job that is retried keeps the recording that it has made, if any, until a later
// version takes its place that loses nothing of it.
//
// The handler owns no listener and does no authentication: the host puts a
// callmodel.Principal in the request's context, and everything here is within
// its tenant. Another tenant's job looks like none. Errors are
// application/problem+json.
package recordinghttp
