// Package au reads Sun's and NeXT's audio files (.au, .snd; "The Audio File Format", Sun
// Microsystems, au(5)): a header of 24 bytes or more, all of it big-endian, then samples.
// What is read is G.711, linear PCM and floats in every width, G.722 and G.726. Files that
// were joined are one recording.
//
//	bytes ─ header ─▶ encoding, rate, channels ─▶ wav.DecodeRaw ─▶ audio.Source
package au
