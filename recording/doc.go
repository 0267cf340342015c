// Package recording makes finished recordings of a call's legs.
//
//	RecordingSpec ─▶ plan: open every leg, what is it, how long ─▶ LegsNotReadyError, absent, quarantined
//	                  │
//	                  ▼
//	leg ─ decode ─ downmix ─ stages ─ gain ─ redact ─ resample ─ place ─┬─ mix ─ limit ─┬─▶ encode ─▶ Objects.Put
//	leg ─ decode ─ downmix ─ stages ─ gain ─ redact ─ resample ─ place ─┤               └─▶ peaks ──▶ Objects.Put
//	                                                                    └─ merge ───────┬─▶ encode ─▶ Objects.Put
//	                                                                                    └─▶ taps, analysis
//	                  │
//	                  ▼
//	RecordingResult: status, legs with their SHA-256, outputs, defects ─▶ manifest ─▶ Objects.Put
//
// What happens to time on the way, all of it said in the spec:
//
//   - A leg's files stand where their offsets put them; where there is no file is
//     silence, and a gap in the result.
//   - A file whose header lies about its rate is read at the one that the spec
//     gives, or that its length in the call shows if the leg's CorrectRate is set.
//   - A leg whose clock ran 50 to 2,000 ppm off, by the spans that the call's
//     events give its segments, is resampled, all of it by the same ratio. What
//     is too short for any clock lacks audio: which segment, and where.
//   - Pauses and redactions are call time. They are silenced in the files, before
//     any filter could spread them, and once more on the frames of every output.
//     Pauses may be cut besides: every output loses the same stretch of the call,
//     and the result's timeline says where what is left stood.
//   - Legs may be levelled, each by one gain for the whole call.
//
// A leg that is still being written, by the time all of it has been read, isn't
// ready: nothing is put, and the job tries again. At its deadline what was there
// at first is recorded.
//
// A [Processor] holds no state between recordings, reads no clock, and gives
// the same bytes for the same spec and files, so a job may be run again at any
// time, on a machine of any kind. It reads the audio of a leg once, however many outputs are made of it,
// and once before that if silence is to be trimmed or legs levelled; it writes
// every output once, as a stream of known length. Its memory does not depend on the length
// of the call.
package recording
