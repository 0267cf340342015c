package goaudio

import (
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"
	gowav "github.com/go-audio/wav"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
)

// errFormat is the error for buffers without a usable format.
var errFormat = errors.New("goaudio: the buffer has no format with channels and a sample rate")

func usable(f *goaudio.Format) bool { return f != nil && f.NumChannels > 0 && f.SampleRate > 0 }

// FromInt is a Source of an IntBuffer's samples, scaled from SourceBitDepth
// (1 to 32; 0 means 16) to [-1, 1). The buffer is read as the Source is.
// Samples of 8 bits are signed here, as everywhere in an IntBuffer but straight
// out of go-audio's WAV decoder, whose 8-bit samples are unsigned.
func FromInt(b *goaudio.IntBuffer) (audio.Source, error) {
	if b == nil || !usable(b.Format) {
		return nil, errFormat
	}
	depth := b.SourceBitDepth
	if depth == 0 {
		depth = 16
	}
	if depth < 1 || depth > 32 {
		return nil, fmt.Errorf("goaudio: an IntBuffer of %d bits; 1 to 32 can be read", depth)
	}
	scale := 1 / float64(int64(1)<<(depth-1))
	return &buffer{format: *b.Format, samples: len(b.Data), at: func(i int) float32 {
		return float32(float64(b.Data[i]) * scale)
	}}, nil
}

// FromFloat is a Source of a FloatBuffer's samples, which are in [-1, 1].
func FromFloat(b *goaudio.FloatBuffer) (audio.Source, error) {
	if b == nil || !usable(b.Format) {
		return nil, errFormat
	}
	return &buffer{format: *b.Format, samples: len(b.Data), at: func(i int) float32 { return float32(b.Data[i]) }}, nil
}

// FromFloat32 is a Source of a Float32Buffer's samples, which are in [-1, 1].
func FromFloat32(b *goaudio.Float32Buffer) (audio.Source, error) {
	if b == nil || !usable(b.Format) {
		return nil, errFormat
	}
	return audio.NewSource(b.Format, b.Data), nil
}

// buffer reads samples by index.
type buffer struct {
	format  goaudio.Format
	samples int
	pos     int
	at      func(i int) float32
}

func (b *buffer) Format() *goaudio.Format { return &b.format }

func (b *buffer) Frames() int64 { return int64(b.samples / b.format.NumChannels) }

func (b *buffer) ReadFrames(dst []float32) (int, error) {
	ch := b.format.NumChannels
	n := min(len(dst), b.samples-b.pos) / ch
	if n == 0 {
		if b.samples-b.pos < ch {
			return 0, io.EOF
		}
		return 0, nil
	}
	for i := range n * ch {
		dst[i] = b.at(b.pos + i)
	}
	b.pos += n * ch
	return n, nil
}

// ReadInt reads the next frames of s into b and returns how many there were;
// 0, io.EOF at the end. b.Data, whose length says how many samples are wanted,
// is cut to what was read; the format is set; b.SourceBitDepth (0 means 16; at
// most 32) is the scale. Samples are rounded, and clipped if they must be.
func ReadInt(s audio.Source, b *goaudio.IntBuffer) (int, error) {
	if b.SourceBitDepth == 0 {
		b.SourceBitDepth = 16
	}
	if b.SourceBitDepth < 1 || b.SourceBitDepth > 32 {
		return 0, fmt.Errorf("goaudio: an IntBuffer of %d bits; 1 to 32 can be written", b.SourceBitDepth)
	}
	block := make([]float32, len(b.Data))
	n, err := s.ReadFrames(block)
	b.Format = s.Format()
	b.Data = b.Data[:n*b.Format.NumChannels]
	full := float64(int64(1) << (b.SourceBitDepth - 1))
	for i := range b.Data {
		b.Data[i] = quantize(float64(float64(block[i])*full), full)
	}
	return n, err
}

// ReadFloat is [ReadInt] for a FloatBuffer: samples are as they are in s.
func ReadFloat(s audio.Source, b *goaudio.FloatBuffer) (int, error) {
	block := make([]float32, len(b.Data))
	n, err := s.ReadFrames(block)
	b.Format = s.Format()
	b.Data = b.Data[:n*b.Format.NumChannels]
	for i := range b.Data {
		b.Data[i] = float64(block[i])
	}
	return n, err
}

// FromWAV is a Source of what a go-audio WAV decoder reads: linear PCM of 8, 16,
// 24 or 32 bits. It reads the PCM chunk in bulk; the decoder must not be used
// for anything else meanwhile. Other formats, and files in which go-audio finds
// no audio, are a [*codec.DecodeError].
func FromWAV(d *gowav.Decoder) (audio.Source, error) {
	// Not after IsValidFile: go-audio can't find the PCM chunk then.
	if !d.WasPCMAccessed() {
		if err := d.FwdToPCM(); err != nil {
			return nil, &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: "go-audio finds no PCM data", Err: err}
		}
	}
	switch {
	case d.PCMChunk == nil:
		return nil, &codec.DecodeError{Code: record.DefectUnreadableLeg, Detail: "go-audio finds no PCM data", Err: d.Err()}
	case d.WavAudioFormat != 1 && d.WavAudioFormat != 0xFFFE || d.BitDepth%8 != 0 || d.BitDepth == 0 || d.BitDepth > 32:
		return nil, &codec.DecodeError{
			Code:   record.DefectUnsupportedCodec,
			Detail: fmt.Sprintf("WAV format tag 0x%04X of %d bits; go-audio reads linear PCM of 8 to 32", d.WavAudioFormat, d.BitDepth),
		}
	}
	return wav.NewPCMSource(d.PCMChunk, d.Format(), int(d.BitDepth), int64(d.PCMSize))
}

func quantize(v, full float64) int {
	switch {
	case v != v: // NaN
		return 0
	case v >= full-1:
		return int(full - 1)
	case v <= -full:
		return int(-full)
	case v < 0:
		return -int(-v + 0.5)
	}
	return int(v + 0.5)
}
