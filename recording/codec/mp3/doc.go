// Package mp3 encodes and decodes MPEG audio layer III: MPEG-1 (ISO/IEC
// 11172-3), MPEG-2 at the low sampling frequencies (ISO/IEC 13818-3) and the
// widespread "2.5" extension of it to 8, 11.025 and 12 kHz. It needs no cgo,
// keeps a bounded amount of state whatever the length of the call, and allocates
// nothing once it runs. [Walk] checks a finished stream without decoding it.
//
//	float32 frames ─▶ polyphase filter, 32 bands ─▶ MDCT, long or short ─▶ alias butterflies
//	   ─▶ (M/S) ─▶ bits for each granule ─▶ quantise, count bits ◀─▶ global gain, scale factors
//	   ─▶ Huffman code ─▶ bit reservoir ─▶ frames ─▶ io.Writer
//
// The first frame is an Info frame (Xing for a variable rate) that carries the
// frame count and the encoder's delay and padding, so that a player reports and
// plays exactly the frames that went in. An ID3v2.4 tag comes before it when
// there are tags to embed.
//
// Stereo keeps the two channels apart unless told otherwise, because a phone
// call's legs are two different people: they share the bits by need, and a
// silent leg costs next to nothing.
//
// The same samples and options give the same bytes, and the same stream the same
// samples, on every machine: nothing is fused, and sines and powers are computed
// by package exactmath. A test compares the sums of streams, and of all else that
// makes recordings, on
//
//	amd64   GOAMD64=v1 (the default)   vector instructions of AVX and AVX2
//	amd64   GOAMD64=v1                 the same switched off, as on older processors
//	amd64   GOAMD64=v1, -tags purego   plain Go
//	amd64   GOAMD64=v3                 where compilers may fuse
//	arm64   emulated by QEMU           where compilers may fuse
//
// and another one looks for fused instructions in what the compiler makes for the
// last two.
//
// [Decode] goes the way back with the same tables and windows. Its samples are
// those that the standard's sums give in double precision, within 2e-6 of full
// scale. The tests hold both directions against other implementations: ffmpeg
// and mpg123 at every rate, and hajimehoshi/go-mp3 for what that can, which is
// MPEG-1 and MPEG-2 from 16 kHz on.
package mp3
