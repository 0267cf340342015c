// Package g722 decodes ITU-T Recommendation G.722 in its mode 1: 64 kbit/s, mono,
// 16000 Hz, two samples of 14 bits a byte. It is what wideband telephones speak, and
// what PBXs record of them without a header.
//
//	byte ─┬─ 6 bits ─▶ lower sub-band's ADPCM ─┐
//	      └─ 2 bits ─▶ higher sub-band's ADPCM ┴─▶ QMF ─▶ 2 samples
//
// The arithmetic is that of clause 6 of the Recommendation, in 16-bit integers with
// saturation, so the samples are exact and the same on every machine.
package g722
