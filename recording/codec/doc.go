// Package codec holds the contracts that every audio format implements, and
// the [Registry] that maps a format's name to its implementation. The formats
// themselves are in the packages below it: wav, g711, mp3, flac, opus (in ogg),
// goaudio.
//
//	bytes ── sniff ──▶ Decoder ──▶ audio.Source ──▶ … ──▶ Encoder ──▶ bytes
//	                      └─▶ defects: what was wrong with the file and was survived
//
// There is no global table of formats: a program builds the Registry it wants,
// and recording.BuiltinCodecs is the one with everything in this module.
package codec
