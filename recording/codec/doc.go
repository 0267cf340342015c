// Package codec holds the contracts that every audio format implements, and
// the [Registry] that maps a format's name to its implementation. The formats
// themselves are in the packages below it: wav, au, mp3, flac, opus (in ogg), goaudio,
// and the encodings of telephony that have no file of their own: g711, g722, g726,
// gsm, vox.
//
//	bytes ── sniff ──▶ Decoder ──▶ audio.Source ──▶ … ──▶ Encoder ──▶ bytes
//	                      └─▶ defects: what was wrong with the file and was survived
//
// There is no global table of formats: a program builds the Registry it wants,
// and recording.BuiltinCodecs is the one with everything in this module.
package codec
