// Package g726 decodes ITU-T Recommendation G.726: ADPCM of mono speech in 2, 3, 4 or
// 5 bits a sample, which is 16, 24, 32 or 40 kbit/s at 8000 Hz. G.721 is its 32 kbit/s,
// and G.723 of 1988 its 24 and 40 kbit/s.
//
//	bytes ─ unpack, either end first ─▶ codes ─▶ inverse quantiser ─▶ adaptive predictor ─▶ 14 bits
//
// The codes come packed in two ways: the first in the least significant bits of a byte
// (RFC 3551 § 4.5.4, and Sun's AU files) or in the most significant ones (ITU-T I.366.2
// Annex E, AAL2). The arithmetic is that of clause 4.2 of the Recommendation, and the
// output that of its Annex A, uniform PCM, so the samples are exact.
package g726
