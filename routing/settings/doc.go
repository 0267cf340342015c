// Package settings asks another service, over HTTP, how calls are recorded: the codec,
// bitrate, rate and layout of the files, what becomes of pauses and silence, and whether
// there is a recording at all.
//
//	                  ┌ first request ──────────────────▶┐
//	Settings ────────▶│ second, if the first is late    ─▶├─▶ checked answer
//	                  └ neither, if the breaker is open   │         │
//	                                                      ▼         ▼ kept
//	                        budget over, failed, garbage ──▶ last good answer about such a call
//	                                                               └ none ──▶ error: what the call's
//	                                                                 request, users and tenant say
//
// A call never waits longer than the budget, 150 ms, whatever the service does, and is
// never refused for it. The service must be idempotent: if it is asked twice about a call,
// either answer may be used.
//
// # What the service gets
//
// POST to the URL, Content-Type: application/json, Idempotency-Key: the call's id, a dot
// and the moment:
//
//	{
//	  "moment": "start", "tenant_id": "acme", "call_id": "c-1",
//	  "from": "+12025550123", "to": "+4930123456", "type": "voice", "direction": "inbound",
//	  "trunk": "carrier-7", "metadata": {"queue": "sales"},
//	  "user": "ann", "callee": "bob", "at": "2026-01-31T15:04:05Z"
//	}
//
// moment is "start", once the call was routed, or "end", before its recording is made; at
// is when that was. Numbers are normalised, and a caller that is withheld is "anonymous".
// user and callee are the users of the tenant that the caller and the callee are known to
// be. What is empty is left out. The service is never asked about emergency calls.
//
// # What it answers
//
// Status 200, application/json, at most 64 KiB, in the form of a call's own recording:
//
//	{
//	  "enabled": true,
//	  "outputs": [{"codec": "mp3", "layout": "stereo", "sample_rate_hz": 16000, "bitrate_bps": 32000}],
//	  "pause_mode": "cut", "pause_on_hold": true, "trim": {"threshold_dbfs": -50}, "level_lufs": -18
//	}
//
// What it leaves out it doesn't say: then the call's users say it, else its tenant, else
// the platform. What the call's own request says holds whatever the service answers, and
// so does a consent to be recorded that one of the users refused. An
// empty object, or status 204 without a body, says nothing.
//
// Everything else is no answer: another status, unknown fields, values that are out of
// their limits, outputs that can't be made.
package settings
