// Package stored has the kinds of job that work on recordings that are in the bucket:
//
//	verify      reads a recording's objects back, and holds them against their hashes
//	transcode   makes other formats of a recording
//	export      packs a call with all its recordings into a zip
//	rewrap      gives an encrypted recording the recipients that its tenant has now
//
// A job names a recording by its job, or by its call and its id, and a [Library] finds
// it among those of the job's own tenant. It never names a URL or a key. Another
// tenant's recording is told from none by nothing.
//
//	payload ─▶ Library.Find ─▶ the recording's job: its spec and result ─▶ objects
//	                │
//	                ├─ it isn't finished yet ─▶ the job waits, uncounted
//	                └─ there is none          ─▶ quarantined
//
// A job that names a call alone keeps to the recording that it meant first, whatever
// recordings the call gets while it waits: see [Source].
//
// So a job may be enqueued together with the end of its call, before its recording is
// made. What a kind makes is put create-only under keys that follow from the job alone:
// an attempt that is repeated meets its own objects.
//
// The results have a status in the words of recordings. A job of one that is "absent" or
// "completed_degraded" may be retried.
package stored
