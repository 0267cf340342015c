package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	gomp3 "github.com/hajimehoshi/go-mp3"
	"github.com/mewkiz/flac"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/manifest"
)

// decoded is what somebody else's decoder finds in an output, beside what ours finds.
type decoded struct {
	File string `json:"file"`
	// Decoder is whose it is; "" if nobody's could be used.
	Decoder string `json:"decoder,omitempty"`
	OK      bool   `json:"ok"` // nothing that was compared differs
	Problem string `json:"problem,omitempty"`
	// Unchecked is what couldn't be compared, and why; "" if all was.
	Unchecked string `json:"unchecked,omitempty"`
	Frames    int64  `json:"frames"` // that both decoders gave alike
	// MaxDifference is the largest difference between two samples, of full scale.
	MaxDifference float64 `json:"max_difference"`
}

// foreign is a decoder of somebody else's.
type foreign interface {
	// readFrames is that of audio.Source.
	readFrames(block []float32) (int, error)
	// rest says how many frames may follow those of the recording, as padding.
	rest() (least, most int64)
}

const (
	// exact and rounded are the differences of samples that are allowed, of full scale.
	// go-mp3 rounds to 16 bits in several steps.
	exact   = 0
	rounded = 4.0 / 32768
	// mp3Delay is the delay of a layer III decoder, in frames, which streams don't tell
	// (LAME's tag: the encoder's is told alone).
	mp3Delay = 529
	// mpeg1Rate is the lowest sample rate of MPEG-1, in Hz: ISO 11172-3, 2.4.2.3.
	mpeg1Rate = 32000
	// mpeg2Rate is that of MPEG-2: ISO 13818-3. Those below are an extension of it.
	mpeg2Rate = 16000
)

// deepVerify decodes the sound files of the manifest with other decoders than ours, and
// compares lengths and samples. A file that can't be opened is a problem in it; the error
// is that of the context.
func deepVerify(ctx context.Context, m *manifest.Manifest, open manifest.Opener) ([]decoded, error) {
	list := []decoded{}
	for i := range m.Outputs {
		o := &m.Outputs[i]
		if !o.Codec.Audio() {
			continue
		}
		d := decoded{File: o.File}
		if err := d.compare(ctx, o, open); err != nil {
			if ctx.Err() != nil {
				return list, ctx.Err()
			}
			d.Problem = err.Error()
		}
		d.OK = d.Problem == ""
		list = append(list, d)
	}
	return list, nil
}

// compare decodes the output with both decoders at once.
func (d *decoded) compare(ctx context.Context, o *manifest.Output, open manifest.Opener) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", d.Decoder, p)
		}
	}()
	var begin func(r io.Reader, o *manifest.Output, walked *mp3.StreamInfo) (foreign, float64, error)
	var walked mp3.StreamInfo
	switch o.Codec {
	case record.CodecMP3:
		if walked, err = walk(ctx, o, open); err != nil {
			return err
		}
		if o.Rate < mpeg2Rate {
			d.Unchecked = fmt.Sprintf("its frames were walked and not decoded: go-mp3 can't read MPEG-2.5, which %d Hz are", o.Rate)
			d.Frames = walked.Frames
			return nil
		}
		if o.Rate == 22050 {
			d.Unchecked = "its samples were not compared: go-mp3 misreads padded frames at 22050 Hz"
		}
		d.Decoder, begin = "go-mp3", newGoMP3
	case record.CodecFLAC:
		d.Decoder, begin = "mewkiz/flac", newMewkiz
	default:
		d.Unchecked = fmt.Sprintf("no other decoder of %s is in this program", o.Codec)
		return nil
	}
	ours, err := open(ctx, o.File)
	if err != nil {
		return err
	}
	defer ours.Close() //nolint:errcheck // only read from
	theirs, err := open(ctx, o.File)
	if err != nil {
		return err
	}
	defer theirs.Close() //nolint:errcheck // only read from
	f, tolerance, err := begin(onlyReader{theirs}, o, &walked)
	if err != nil {
		return fmt.Errorf("%s can't read it: %w", d.Decoder, err)
	}
	src, _, err := recording.BuiltinCodecs().Decode(ours, codec.Hint{Size: o.Bytes})
	if err != nil {
		return err
	}
	if d.Unchecked != "" {
		tolerance = math.Inf(1)
	}
	return d.sideBySide(ctx, src, f, o, tolerance)
}

// onlyReader hides what else a file can do: go-mp3 would read one that can seek twice.
type onlyReader struct{ io.Reader }

// walk walks the frames of an MP3 file.
func walk(ctx context.Context, o *manifest.Output, open manifest.Opener) (mp3.StreamInfo, error) {
	f, err := open(ctx, o.File)
	if err != nil {
		return mp3.StreamInfo{}, err
	}
	defer f.Close() //nolint:errcheck // only read from
	info, err := mp3.Walk(f)
	if err == nil && (info.Frames != o.Frames || info.SampleRate != o.Rate || info.Channels != o.Channels) {
		err = fmt.Errorf("its frames hold %d frames of %d channels at %d Hz, the manifest says %d of %d at %d",
			info.Frames, info.Channels, info.SampleRate, o.Frames, o.Channels, o.Rate)
	}
	return info, err
}

// sideBySide compares what both decoders give, and their lengths with the manifest.
func (d *decoded) sideBySide(ctx context.Context, ours audio.Source, theirs foreign, o *manifest.Output, tolerance float64) error {
	const blockFrames = 4096
	a, b := make([]float32, blockFrames*o.Channels), make([]float32, blockFrames*o.Channels)
	for d.Frames < o.Frames {
		if err := ctx.Err(); err != nil {
			return err
		}
		want := int(min(blockFrames, o.Frames-d.Frames)) * o.Channels
		if n, err := fill(ours.ReadFrames, a[:want], o.Channels); err != nil {
			return fmt.Errorf("our decoder gives %d frames, the manifest says %d: %w", d.Frames+int64(n), o.Frames, err)
		}
		if n, err := fill(theirs.readFrames, b[:want], o.Channels); err != nil {
			return fmt.Errorf("%s gives %d frames, the manifest says %d: %w", d.Decoder, d.Frames+int64(n), o.Frames, err)
		}
		for i, v := range a[:want] {
			diff := math.Abs(float64(max(-1, min(v, 32767.0/32768))) - float64(max(-1, min(b[i], 32767.0/32768))))
			if o.Codec == record.CodecFLAC {
				diff = math.Abs(float64(v) - float64(b[i]))
			}
			if diff > tolerance {
				return fmt.Errorf("frame %d of channel %d is %g by our decoder and %g by %s", d.Frames+int64(i/o.Channels), i%o.Channels, v, b[i], d.Decoder)
			}
			if !math.IsInf(tolerance, 1) {
				d.MaxDifference = max(d.MaxDifference, diff)
			}
		}
		d.Frames += int64(want / o.Channels)
	}
	return d.ends(ours, theirs, o)
}

// ends checks that nothing follows the recording, but for the padding of the format.
func (d *decoded) ends(ours audio.Source, theirs foreign, o *manifest.Output) error {
	block := make([]float32, 1024*o.Channels)
	if n, err := ours.ReadFrames(block); n > 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("our decoder gives more than the %d frames of the manifest: %w", o.Frames, err)
	}
	least, most := theirs.rest()
	var rest int64
	for rest <= most {
		n, err := theirs.readFrames(block)
		rest += int64(n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%s, behind the recording: %w", d.Decoder, err)
		}
	}
	if rest < least || rest > most {
		return fmt.Errorf("%s gives %d frames behind the %d of the manifest, and the padding is %d", d.Decoder, rest, o.Frames, least)
	}
	return nil
}

// fill reads the whole block, and says how many frames there were if there were fewer.
func fill(read func([]float32) (int, error), block []float32, channels int) (frames int, err error) {
	for len(block) > 0 {
		n, err := read(block)
		frames += n
		block = block[n*channels:]
		if errors.Is(err, io.EOF) && len(block) > 0 {
			return frames, io.ErrUnexpectedEOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return frames, err
		}
	}
	return frames, nil
}

// goMP3 is go-mp3, which gives two channels of 16 bits, with the Info frame, the delays and
// the padding.
type goMP3 struct {
	d        *gomp3.Decoder
	channels int
	bytes    []byte
	after    int64 // frames behind the recording
}

const goMP3FrameBytes = 4 // two channels of 16 bits

func newGoMP3(r io.Reader, o *manifest.Output, walked *mp3.StreamInfo) (foreign, float64, error) {
	d, err := gomp3.NewDecoder(r)
	if err != nil {
		return nil, 0, err
	}
	if d.SampleRate() != o.Rate {
		return nil, 0, fmt.Errorf("it finds %d Hz, the manifest says %d", d.SampleRate(), o.Rate)
	}
	spf := int64(1152) // frames in an MPEG frame: ISO 11172-3, 2.4.2.1
	if o.Rate < mpeg1Rate {
		spf = 576
	}
	all, before := walked.MPEGFrames, int64(walked.DelayFrames+mp3Delay)
	if walked.InfoFrame != "" {
		all, before = all+1, before+spf
	}
	if _, err := io.CopyN(io.Discard, d, before*goMP3FrameBytes); err != nil {
		return nil, 0, fmt.Errorf("before the recording: %w", err)
	}
	return &goMP3{d: d, channels: o.Channels, after: all*spf - before - o.Frames}, rounded, nil
}

func (g *goMP3) rest() (least, most int64) { return g.after, g.after }

func (g *goMP3) readFrames(block []float32) (int, error) {
	want := len(block) / g.channels * goMP3FrameBytes
	if len(g.bytes) < want {
		g.bytes = make([]byte, want)
	}
	n, err := io.ReadFull(g.d, g.bytes[:want])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	frames := n / goMP3FrameBytes
	for i := range frames {
		for c := range g.channels {
			block[i*g.channels+c] = float32(int16(binary.LittleEndian.Uint16(g.bytes[goMP3FrameBytes*i+2*c:]))) / 32768
		}
	}
	return frames, err
}

// mewkiz is mewkiz/flac.
type mewkiz struct {
	s        *flac.Stream
	channels int
	scale    float32
	left     [][]int32 // of the frame that was read last, a channel each
}

func newMewkiz(r io.Reader, o *manifest.Output, _ *mp3.StreamInfo) (foreign, float64, error) {
	s, err := flac.New(r)
	if err != nil {
		return nil, 0, err
	}
	if i := s.Info; int(i.SampleRate) != o.Rate || int(i.NChannels) != o.Channels {
		return nil, 0, fmt.Errorf("it finds %d channels at %d Hz, the manifest says %d at %d", i.NChannels, i.SampleRate, o.Channels, o.Rate)
	}
	return &mewkiz{s: s, channels: o.Channels, scale: 1 / float32(int64(1)<<(s.Info.BitsPerSample-1))}, exact, nil
}

func (m *mewkiz) rest() (least, most int64) { return 0, 0 }

func (m *mewkiz) readFrames(block []float32) (int, error) {
	for len(m.left) == 0 || len(m.left[0]) == 0 {
		f, err := m.s.ParseNext()
		if err != nil {
			return 0, err
		}
		if len(f.Subframes) != m.channels {
			return 0, fmt.Errorf("a frame has %d channels instead of %d", len(f.Subframes), m.channels)
		}
		m.left = m.left[:0]
		for _, sub := range f.Subframes {
			m.left = append(m.left, sub.Samples)
		}
	}
	n := min(len(block)/m.channels, len(m.left[0]))
	for c, samples := range m.left {
		for i, v := range samples[:n] {
			block[i*m.channels+c] = float32(v) * m.scale
		}
		m.left[c] = samples[n:]
	}
	return n, nil
}

// print prints it as a line.
func (d *decoded) print(s cli.Streams) {
	switch {
	case !d.OK:
		s.Printf("  DIFFERS   %s: %s\n", d.File, d.Problem)
	case d.Decoder == "":
		s.Printf("  unchecked %s: %s\n", d.File, d.Unchecked)
	default:
		s.Printf("  decoded   %s  by %s, %d frames", d.File, d.Decoder, d.Frames)
		if d.Unchecked == "" {
			s.Printf(", samples within %.1f of 32768", d.MaxDifference*32768)
		} else {
			s.Printf("; %s", d.Unchecked)
		}
		s.Printf("\n")
	}
}

// anyDiffers reports whether a file was decoded otherwise.
func anyDiffers(list []decoded) bool {
	for i := range list {
		if !list[i].OK {
			return true
		}
	}
	return false
}
