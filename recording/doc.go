// Package recording makes finished recordings of a call's legs.
//
// [Processor.Process] goes through seven phases. Each makes a value of the values
// before it, and the files are named by them:
//
//	open     every leg's files: what are they, how long ─▶ LegsNotReadyError
//	  ▼
//	timing   places in the call, true rates, clocks
//	  ▼
//	scan     silence at the ends, loudness; only if the spec asks for it
//	  ▼
//	cut      the parts of the call that outputs hold
//	  ▼
//	outputs  the rate, channels and length of every output ─▶ FieldErrors
//	  ▼
//	render   read the legs once, write every output ─▶ Objects.Put
//	  ▼
//	report   status, legs with their SHA-256, gaps, outputs, defects ─▶ manifest ─▶ Objects.Put
//
// What render does with the audio:
//
//	leg ─ decode ─ downmix ─ stages ─ gain ─ redact ─ resample ─ place ─┬─ mix ─ limit ─┬─▶ encode
//	leg ─ decode ─ downmix ─ stages ─ gain ─ redact ─ resample ─ place ─┤               └─▶ peaks
//	                                                                    └─ merge ───────┬─▶ encode
//	                                                                                    └─▶ taps, analysis
//
// What happens to time on the way is all said in the spec:
//
//   - A leg's files are where their offsets put them. Where there is no file, there
//     is silence, and a gap in the result.
//   - A file whose header has a wrong rate is read at the one that the spec gives;
//     or, if the leg's CorrectRate is set, at the one that its length in the call
//     shows.
//   - The spans that the call's events give a leg's segments show how its clock
//     ran. A leg whose clock ran 50 to 2,000 ppm off is resampled, all of it by the
//     same ratio. A segment that is too short for any clock lacks audio; a defect
//     says which segment, and where.
//   - Pauses and redactions are call time. They are silenced in the files, before
//     any filter could spread them, and once more on the frames of every output.
//     Pauses may be cut besides: every output loses the same stretch of the call,
//     and the result's timeline says where the rest was.
//   - Legs may be levelled, each by one gain for the whole call.
//
// A leg whose file has grown by the time all of it was read isn't ready: nothing
// is put, and the job tries again. At its deadline the recording is made of what
// was there at first.
//
// A [Processor] holds no state between recordings and reads no clock. It gives the
// same bytes for the same spec and files on every machine, so a job may be run
// again at any time. It reads the audio of a leg once, however many outputs are
// made of it, and once before that if silence is to be trimmed or legs levelled.
// It writes every output once, as a stream of known length. Its memory does not
// depend on the length of the call.
package recording
