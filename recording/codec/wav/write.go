package wav

import (
	"encoding/binary"
	"fmt"
	"io"
	"strconv"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/g711"
)

// Version names the encoders of this package in recordings' metadata.
const Version = "switchtape-wav/1"

// rf64From is the file size above which the header is an RF64 one.
const rf64From = 0xFFFFFFFF

// NewPCM is the [codec.NewEncoder] of linear PCM: 16 bits, or 24 if the options
// say so. With FramesUnknown the sizes in the header are 0xFFFFFFFF, as other
// programs write to a pipe. Tags are not embedded.
func NewPCM(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	e := &encoder{tag: tagPCM, bytes: 2, put: audio.PutPCM16}
	switch o.BitDepth {
	case 0, 16:
	case 24:
		e.bytes, e.put = 3, audio.PutPCM24
	default:
		return nil, &codec.UnsupportedError{
			Codec: "wav", What: strconv.Itoa(o.BitDepth) + " bits per sample", Nearest: "16 or 24",
		}
	}
	return e.start(w, "wav", f, o)
}

// NewMulaw is the [codec.NewEncoder] of ITU-T G.711 µ-law in a WAV file.
func NewMulaw(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	e := &encoder{tag: tagMulaw, bytes: 1, put: g711.Mulaw.EncodeTable().Encode}
	return e.start(w, "mulaw", f, o)
}

// NewAlaw is the [codec.NewEncoder] of ITU-T G.711 A-law in a WAV file.
func NewAlaw(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	e := &encoder{tag: tagAlaw, bytes: 1, put: g711.Alaw.EncodeTable().Encode}
	return e.start(w, "alaw", f, o)
}

// writeSize is how many bytes are handed to the writer at a time, at most.
const writeSize = 128 << 10

type encoder struct {
	codec.Count

	w        io.Writer
	tag      uint16
	bytes    int // of a sample
	channels int
	put      func(dst []byte, src []float32) (clipped int)
	clipped  int64
	buf      []byte
}

func (e *encoder) start(w io.Writer, name string, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	switch {
	case f == nil:
		return nil, &codec.UnsupportedError{
			Codec: name, What: "format of nil", Nearest: fmt.Sprintf("1 to %d channels", MaxChannels),
		}
	case f.NumChannels < 1 || f.NumChannels > MaxChannels:
		return nil, &codec.UnsupportedError{
			Codec: name, What: fmt.Sprintf("%d channels", f.NumChannels), Nearest: fmt.Sprintf("1 to %d", MaxChannels),
		}
	case f.SampleRate < audio.MinResampleRate || f.SampleRate > audio.MaxResampleRate:
		return nil, &codec.UnsupportedError{
			Codec: name, What: fmt.Sprintf("sample rate %d Hz", f.SampleRate),
			Nearest: fmt.Sprintf("%d to %d Hz", audio.MinResampleRate, audio.MaxResampleRate),
		}
	case o.BitrateBps != 0:
		return nil, &codec.UnsupportedError{
			Codec: name, What: fmt.Sprintf("bitrate %d bit/s", o.BitrateBps), Nearest: "none: it follows from the rate",
		}
	case e.tag != tagPCM && o.BitDepth != 0 && o.BitDepth != 8:
		return nil, &codec.UnsupportedError{
			Codec: name, What: strconv.Itoa(o.BitDepth) + " bits per sample", Nearest: "8",
		}
	case o.Frames < codec.FramesUnknown || o.Frames > 1<<50:
		return nil, &codec.UnsupportedError{Codec: name, What: fmt.Sprintf("length of %d frames", o.Frames)}
	}
	e.w, e.channels = w, f.NumChannels
	e.Count = codec.Count{Codec: name, Channels: f.NumChannels, Frames: o.Frames}
	if _, err := w.Write(e.header(f.SampleRate)); err != nil {
		return nil, err
	}
	e.buf = make([]byte, 0, writeSize)
	return e, nil
}

// header is everything before the samples.
func (e *encoder) header(rate int) []byte {
	le := binary.LittleEndian
	fmtSize, factSize := 16, 0
	if e.tag != tagPCM {
		// Formats other than PCM have cbSize and a fact chunk (RIFF 1.0, § WAVE).
		fmtSize, factSize = 18, 12
	}
	frameBytes := e.bytes * e.channels
	data := e.Frames * int64(frameBytes)
	riff := 4 + 8 + int64(fmtSize) + int64(factSize) + 8 + data + data&1
	big := e.Frames >= 0 && riff+8 > rf64From
	samples := uint32(0xFFFFFFFF)
	riff32, data32 := samples, samples
	if e.Frames >= 0 && !big {
		riff32, data32, samples = uint32(riff), uint32(data), uint32(e.Frames)
	}
	h := make([]byte, 0, 128)
	if big {
		riff += 8 + 28
		h = append(h, "RF64"...)
		h = le.AppendUint32(h, 0xFFFFFFFF)
		h = append(h, "WAVEds64"...)
		h = le.AppendUint32(h, 28)
		h = le.AppendUint64(h, uint64(riff))
		h = le.AppendUint64(h, uint64(data))
		h = le.AppendUint64(h, uint64(e.Frames))
		h = le.AppendUint32(h, 0) // no table of further sizes
	} else {
		h = append(h, "RIFF"...)
		h = le.AppendUint32(h, riff32)
		h = append(h, "WAVE"...)
	}
	h = append(h, "fmt "...)
	h = le.AppendUint32(h, uint32(fmtSize))
	h = le.AppendUint16(h, e.tag)
	h = le.AppendUint16(h, uint16(e.channels))
	h = le.AppendUint32(h, uint32(rate))
	h = le.AppendUint32(h, uint32(rate*frameBytes))
	h = le.AppendUint16(h, uint16(frameBytes))
	h = le.AppendUint16(h, uint16(8*e.bytes))
	if fmtSize == 18 {
		h = le.AppendUint16(h, 0)
		h = append(h, "fact"...)
		h = le.AppendUint32(h, 4)
		h = le.AppendUint32(h, samples)
	}
	h = append(h, "data"...)
	return le.AppendUint32(h, data32)
}

// WriteFrames implements [codec.Encoder].
func (e *encoder) WriteFrames(src []float32) error {
	if err := e.Block(src); err != nil {
		return err
	}
	for len(src) > 0 {
		room := (cap(e.buf) - len(e.buf)) / e.bytes
		if room == 0 {
			if err := e.flush(); err != nil {
				return err
			}
			continue
		}
		n := min(room, len(src))
		at := len(e.buf)
		e.buf = e.buf[:at+n*e.bytes]
		e.clipped += int64(e.put(e.buf[at:], src[:n]))
		src = src[n:]
	}
	return nil
}

func (e *encoder) flush() error {
	if e.Err == nil && len(e.buf) > 0 {
		_, e.Err = e.w.Write(e.buf)
	}
	e.buf = e.buf[:0]
	return e.Err
}

// Finish implements [codec.Encoder].
func (e *encoder) Finish() error {
	if done, err := e.End(); done {
		return err
	}
	if e.Written*int64(e.bytes*e.channels)&1 != 0 {
		if cap(e.buf) == len(e.buf) {
			if err := e.flush(); err != nil {
				return err
			}
		}
		e.buf = append(e.buf, 0) // chunks are padded to an even size
	}
	return e.flush()
}

// Clipped is how many samples did not fit and were clipped so far.
func (e *encoder) Clipped() int64 { return e.clipped }
