// Package flac writes and reads FLAC, the Free Lossless Audio Codec of RFC 9639.
//
//	float32 blocks ─▶ 16 or 24 bits ─▶ blocks of 1024 to 4096 frames ─▶ left/right, mid/side …
//	   ─▶ each channel: constant · verbatim · fixed · linear prediction ─▶ Rice codes ─▶ frame ─▶ io.Writer
//	io.Reader ─▶ metadata, within bounds ─▶ frames (mewkiz/flac) ─▶ audio.Source
//
// The encoder is our own. It is told the number of frames beforehand, never
// seeks, holds one block, and allocates nothing while it runs. Its output is a
// function of the samples alone: the same on every machine, and however the
// samples were cut into blocks. To that end every product that is added to
// something in floating point is converted explicitly, which forbids fused
// multiply-add, and logarithms and cosines are computed here instead of by the
// machine's library.
//
// What it decides, and how:
//
//	blocks      by the sample rate alone, about 100 ms
//	channels    by the mean second difference of left, right, mid and side
//	predictor   Levinson-Durbin over a Tukey window, order by expected bits;
//	            a fixed polynomial where that promises less
//	Rice codes  every partition order down to 64 samples; parameters by each
//	            partition's mean, then exactly
//
// The MD5 signature of the audio stands in the header, before the audio, and so
// can't be known by an encoder that doesn't seek: it is left at zero, which RFC
// 9639 § 8.2 defines as unknown. Each frame has its CRC-16 nevertheless, and a
// recording's manifest the hash of the whole file.
package flac
