// Package recording makes finished recordings of a call's legs.
//
//	RecordingSpec ─▶ plan: open every leg, what is it, how long ─▶ LegsNotReadyError, absent, quarantined
//	                  │
//	                  ▼
//	leg ─ decode ─ downmix ─ gain ─ redact ─ resample ─ place ─┬─ mix ─ limit ─┬─▶ encode ─▶ Objects.Put
//	leg ─ decode ─ downmix ─ gain ─ redact ─ resample ─ place ─┤               └─▶ encode ─▶ Objects.Put
//	                                                           └─ merge ─────────▶ encode ─▶ Objects.Put
//	                  │
//	                  ▼
//	RecordingResult: status, legs with their SHA-256, outputs, defects
//
// A [Processor] holds no state between recordings, reads no clock, and gives
// the same bytes for the same spec and files, so a job may be run again at any
// time. It reads the audio of a leg once, however many outputs are made of it,
// and once before that if silence is to be trimmed; it writes every output
// once, as a stream of known length. Its memory does not depend on the length
// of the call.
package recording
