// Package gsm decodes GSM 06.10 full-rate speech (ETSI EN 300 961, which
// repeats GSM 06.10): 8000 Hz mono at 13 kbit/s, 160 samples in 260 bits. It is
// what older PBXs and voice mail systems record, bare or as "wav49".
//
//	260 bits ─▶ codewords ─▶ RPE pulses ─▶ long-term filter ─▶ short-term filter ─▶ de-emphasis
//
// The arithmetic is that of the standard's clause 5, in 16-bit integers with
// saturation, so the samples are exact and the same on every machine.
package gsm
