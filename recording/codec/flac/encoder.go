package flac

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Version names the encoder in recordings' metadata, and in the comments of
// streams that have any.
const Version = "switchtape-flac/1"

// What a FLAC stream can hold (RFC 9639 § 8.2).
const (
	MaxChannels   = 8
	MaxSampleRate = 1<<20 - 1 // Hz
)

// writeSize is how many bytes are collected before they are written.
const writeSize = 64 << 10

// New is the [codec.NewEncoder] of FLAC: 1 to [MaxChannels] channels at 1 to
// [MaxSampleRate] Hz, of 16 bits, or 24 if the options say so.
//
// Samples are quantised as those of a WAV file of that depth are, so that audio
// that was 16-bit once is kept bit by bit. Options.Frames stands in the header;
// with FramesUnknown, or more than 2^36-1 frames, the total is the format's
// "unknown". Options.Tags become Vorbis comments, the names in capitals. The
// MD5 signature is left unknown: see the package's comment.
//
// The Encoder is a [codec.ClipReporter]. It writes about 64 KiB at a time.
func New(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	e := &encoder{w: w, depth: 16, put: audio.PutPCM16}
	switch o.BitDepth {
	case 0, 16:
	case 24:
		e.depth, e.put = 24, audio.PutPCM24
	default:
		return nil, unsupported(strconv.Itoa(o.BitDepth)+" bits per sample", "16 or 24")
	}
	switch {
	case f == nil:
		return nil, unsupported("format of nil", "1 to 8 channels")
	case f.NumChannels < 1 || f.NumChannels > MaxChannels:
		return nil, unsupported(fmt.Sprintf("%d channels", f.NumChannels), fmt.Sprintf("1 to %d", MaxChannels))
	case f.SampleRate < 1 || f.SampleRate > MaxSampleRate:
		return nil, unsupported(fmt.Sprintf("sample rate %d Hz", f.SampleRate), fmt.Sprintf("1 to %d Hz", MaxSampleRate))
	case o.BitrateBps != 0:
		return nil, unsupported(fmt.Sprintf("bitrate %d bit/s", o.BitrateBps), "none: it follows from the audio")
	case o.Frames < codec.FramesUnknown || o.Frames > 1<<42:
		return nil, unsupported(fmt.Sprintf("length of %d frames", o.Frames), "")
	}
	e.channels, e.rate = f.NumChannels, f.SampleRate
	e.Count = codec.Count{Codec: "flac", Channels: f.NumChannels, Frames: o.Frames}
	e.block = blockSize(e.rate)
	head, err := e.header(o.Tags)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(head); err != nil {
		return nil, err
	}
	e.allocate()
	return e, nil
}

func unsupported(what, nearest string) error {
	return &codec.UnsupportedError{Codec: "flac", What: what, Nearest: nearest}
}

type encoder struct {
	codec.Count

	w        io.Writer
	put      func(dst []byte, src []float32) (clipped int)
	channels int
	rate     int
	depth    uint // bits per sample
	block    int  // frames in a block

	clipped int64

	pcm         []byte    // a block's samples as PCM, interleaved
	planes      [][]int32 // by channel: history, then the block
	mid, side   []int32
	filled      int // frames in planes
	frameNumber uint64
	analyzer    *analyzer
	writer      bitWriter
	out         []byte // frames to be written
}

func (e *encoder) allocate() {
	e.pcm = make([]byte, e.block*e.channels*int(e.depth/8))
	planes := e.channels
	if e.channels == 2 {
		planes += 2
	}
	all := make([][]int32, planes)
	for i := range all {
		all[i] = make([]int32, history+e.block)
	}
	e.planes = all[:e.channels]
	if e.channels == 2 {
		e.mid, e.side = all[2], all[3]
	}
	e.analyzer = newAnalyzer(e.block)
	// The longest frame is one of verbatim subframes, one of them a bit deeper.
	longest := frameHeaderMax + (e.channels*(8+32+e.block*int(e.depth))+e.block)/8 + 1 + 2
	e.out = make([]byte, 0, writeSize+longest+slack)
}

// WriteFrames implements [codec.Encoder].
func (e *encoder) WriteFrames(src []float32) error {
	if err := e.Block(src); err != nil {
		return err
	}
	for len(src) > 0 {
		n := min(len(src)/e.channels, e.block-e.filled)
		e.fill(src[:n*e.channels])
		src = src[n*e.channels:]
		if e.filled < e.block {
			break
		}
		e.encodeBlock()
		if len(e.out) >= writeSize {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// fill quantises whole frames into the planes.
func (e *encoder) fill(src []float32) {
	n := len(src) / e.channels
	pcm := e.pcm[:len(src)*int(e.depth/8)]
	e.clipped += int64(e.put(pcm, src))
	at := history + e.filled
	e.filled += n
	if e.depth == 24 {
		for ch, plane := range e.planes {
			b := pcm[3*ch:]
			for i := range plane[at : at+n] {
				j := 3 * i * e.channels
				plane[at+i] = int32(uint32(b[j])<<8|uint32(b[j+1])<<16|uint32(b[j+2])<<24) >> 8
			}
		}
		return
	}
	switch e.channels {
	case 1:
		split1(e.planes[0][at:at+n], pcm)
	case 2:
		split2(e.planes[0][at:at+n], e.planes[1][at:at+n], pcm)
	default:
		for ch, plane := range e.planes {
			b := pcm[2*ch:]
			for i := range plane[at : at+n] {
				plane[at+i] = int32(int16(binary.LittleEndian.Uint16(b[2*i*e.channels:])))
			}
		}
	}
}

func split1(dst []int32, pcm []byte) {
	for i := range dst {
		if len(pcm) < 2 {
			return
		}
		dst[i] = int32(int16(binary.LittleEndian.Uint16(pcm)))
		pcm = pcm[2:]
	}
}

func split2(left, right []int32, pcm []byte) {
	right = right[:len(left)]
	for i := range left {
		if len(pcm) < 4 {
			return
		}
		v := binary.LittleEndian.Uint32(pcm)
		left[i], right[i] = int32(int16(v)), int32(v)>>16
		pcm = pcm[4:]
	}
}

func (e *encoder) flush() error {
	if e.Err == nil && len(e.out) > 0 {
		_, e.Err = e.w.Write(e.out)
	}
	e.out = e.out[:0]
	return e.Err
}

// Finish implements [codec.Encoder].
func (e *encoder) Finish() error {
	if done, err := e.End(); done {
		return err
	}
	if e.filled > 0 {
		e.encodeBlock()
	}
	return e.flush()
}

// Clipped implements [codec.ClipReporter].
func (e *encoder) Clipped() int64 { return e.clipped }
