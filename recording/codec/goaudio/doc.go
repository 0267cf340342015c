// Package goaudio connects the buffers and decoders of github.com/go-audio with
// this module's Sources, both ways.
//
//	go-audio IntBuffer, FloatBuffer, Float32Buffer ─▶ audio.Source ─▶ the same buffers
//	go-audio wav.Decoder ─ bulk reads of its PCMChunk ─▶ audio.Source
//
// For WAV files prefer package wav: go-audio's decoder reads well-formed linear
// PCM only. It returns nothing for files whose data size is 0 or 0xFFFFFFFF or
// that have an odd chunk without its pad byte, and gives the codes of µ-law and
// A-law as if they were samples, which is refused here.
package goaudio
