// Package g711 converts between linear samples and the two companding laws of
// telephony, ITU-T Recommendation G.711: µ-law and A-law.
//
//	µ-law / A-law bytes ─ table of 256 ─▶ float32 or int16
//	float32 or int16 ─ sign, segment, step ─▶ bytes
//
// Linear samples are 16-bit: the 14-bit range of µ-law scaled by 4 (±32124) and
// the 13-bit range of A-law scaled by 8 (±32256), as in ITU-T G.191.
// Containers are in package wav.
package g711
