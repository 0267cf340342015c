// Package opus encodes Opus in Ogg (RFC 6716, RFC 7845). The Ogg stream is made
// here; the packets are made by libopus, which this package calls through cgo:
// it is the only package of the module that does, and only if it is built with
//
//	go build -tags opus
//
// with cgo and libopus's headers (Debian: libopus-dev). Every other build has
// the package too, in pure Go; its encoders are then an error that says so.
//
//	frames ─▶ 20 ms blocks ─▶ libopus ─▶ packets ─▶ pages of 1 s ─▶ io.Writer
//	OpusHead: pre-skip ─┘ the last page's granule position: the exact end ─┘
//
// A player drops the encoder's delay at the beginning by the header's pre-skip,
// and what was padded at the end by the last granule position, so that it plays
// exactly the frames that were written.
//
// The same samples and options give the same bytes with the same libopus on the
// same kind of processor: libopus picks its inner loops by what the processor
// can do, and these may differ in the last bit of a float.
package opus
