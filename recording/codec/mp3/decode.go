package mp3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	goaudio "github.com/go-audio/audio"
	gomp3 "github.com/hajimehoshi/go-mp3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Decode is the [codec.Decoder] of MPEG audio layer III, over go-mp3: MPEG-1 and
// MPEG-2, 16 to 48 kHz. MPEG-2.5 (8, 11.025 and 12 kHz), free-format streams and
// layers I and II are refused as an unsupported codec.
//
// A stream whose first frame is mono gives one channel, others two; frames with
// another number of channels are mixed or doubled. The
// encoder's delay and padding are cut off where an Info frame states them, so
// that the Source is as long as what was encoded. Tags that claim to be longer
// than the file are no tags, if r is an io.ReaderAt and hint.Size is known. Bytes between frames, and
// frames that can't be decoded, are left out or replaced by silence so that the
// timeline stays right; both are a truncated defect with the frames lost.
//
// go-mp3 gets to see clean frames only: tags are dropped before it (it
// allocates by what they claim), each frame is handed over with the part of
// the bit reservoir that it needs (it decodes noise where that is missing, and
// miscounts padded frames at 22.05 kHz), and its panics end here.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []callmodel.Defect, error) {
	s := &decoder{feed: newFeed(r), frames: -1}
	at, random := r.(io.ReaderAt)
	random = random && hint.Size >= 0
	err := s.open()
	if random && errors.Is(err, errNoFrame) && s.feed.tags {
		// A tag that claims more than there is of it has hidden the audio.
		s = &decoder{feed: newFeed(io.NewSectionReader(at, 0, hint.Size)), frames: -1}
		s.feed.distrust = true
		err = s.open()
	}
	if err != nil {
		return nil, nil, err
	}
	if random {
		if n, err := countFrames(io.NewSectionReader(at, 0, hint.Size), s.feed.distrust); err == nil {
			s.frames = s.trimmed(n)
		}
	}
	return s, nil, nil
}

// errNoFrame is why a stream has no first frame.
var errNoFrame = errors.New("no MPEG layer III frame")

// countFrames counts the samples of a stream without decoding it.
func countFrames(r io.Reader, distrust bool) (int64, error) {
	f := newFeed(r)
	f.distrust = distrust
	if err := f.begin(); err != nil {
		return 0, err
	}
	n := int64(0)
	for {
		if err := f.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
		n += int64(f.first.samples())
	}
}

// synthesisDelay is the delay of the decoder's filter bank, in frames of audio.
const synthesisDelay = 528 + 1

// decoder is the Source.
type decoder struct {
	feed   *feed
	format goaudio.Format
	dec    *gomp3.Decoder
	clips  *audio.ClipCounter
	frames int64 // in total; -1 if that isn't known

	pcm     []byte // 16-bit stereo, of one frame of the stream
	ready   []byte // what of pcm isn't given yet
	decoded int64  // frames of the stream that were decoded
	skip    int64  // frames of audio to leave out still
	given   int64
	lost    int64 // frames of audio replaced by silence
	err     error
}

func (d *decoder) open() error {
	if err := d.feed.begin(); err != nil {
		return err
	}
	h := &d.feed.first
	if h.version == mpeg25 {
		return &codec.DecodeError{
			Code:   callmodel.DefectUnsupportedCodec,
			Detail: fmt.Sprintf("MPEG-2.5 layer III at %d Hz; MPEG-1 and MPEG-2 can be read", h.sampleRate()),
		}
	}
	d.format = goaudio.Format{NumChannels: h.channels(), SampleRate: h.sampleRate()}
	d.clips = audio.NewClipCounter(h.channels(), audio.FullScale16)
	d.pcm = make([]byte, 4*h.samples())
	if d.feed.gapless {
		d.skip = d.feed.delay + synthesisDelay
	}
	return nil
}

// padding is where the padding at the end begins and ends in the decoded audio,
// in frames: nowhere, if the stream doesn't tell. It may have more behind it.
func (d *decoder) padding() (from, to int64) {
	if !d.feed.gapless || d.feed.announced < 0 {
		return math.MaxInt64, math.MaxInt64
	}
	to = d.feed.announced * int64(d.feed.first.samples())
	return max(0, to-max(0, d.feed.padding-synthesisDelay)), to
}

// trimmed is the number of frames that are given of n that are decoded.
func (d *decoder) trimmed(n int64) int64 {
	from, to := d.padding()
	n -= max(0, min(n, to)-from)
	if d.feed.gapless {
		n -= d.feed.delay + synthesisDelay
	}
	return max(0, n)
}

// Format implements [audio.Source].
func (d *decoder) Format() *goaudio.Format { return &d.format }

// Frames implements [audio.Sized].
func (d *decoder) Frames() int64 { return d.frames }

// ReadFrames implements [audio.Source].
func (d *decoder) ReadFrames(dst []float32) (int, error) {
	ch := d.format.NumChannels
	want := len(dst) / ch
	n := 0
	for n < want && d.err == nil {
		if len(d.ready) == 0 && !d.nextFrame() {
			continue
		}
		if d.skip > 0 {
			k := min(d.skip, int64(len(d.ready)/4))
			d.ready = d.ready[4*k:]
			d.skip -= k
			continue
		}
		k := min(want-n, len(d.ready)/4)
		for i := range k {
			left := float32(int16(binary.LittleEndian.Uint16(d.ready[4*i:]))) / 32768
			right := float32(int16(binary.LittleEndian.Uint16(d.ready[4*i+2:]))) / 32768
			if ch == 1 {
				dst[n+i] = (left + right) / 2 // the same, but where a frame has two
				continue
			}
			dst[2*(n+i)], dst[2*(n+i)+1] = left, right
		}
		d.ready = d.ready[4*k:]
		n += k
	}
	if n == 0 {
		return 0, d.err
	}
	d.given += int64(n)
	d.clips.Count(dst[:n*ch])
	return n, nil
}

// nextFrame decodes the stream's next frame into ready without what is padding,
// or sets err.
func (d *decoder) nextFrame() bool {
	if err := d.feed.next(); err != nil {
		d.err = err
		return false
	}
	d.ready = d.pcm
	if !d.feed.whole || !d.decode() {
		clear(d.pcm)
		d.lost += int64(len(d.pcm) / 4)
		d.dec = nil
	}
	from, to := d.padding()
	if begin := d.decoded * int64(len(d.pcm)/4); begin < to {
		d.ready = d.ready[:4*max(0, min(from-begin, int64(len(d.ready)/4)))]
	}
	d.decoded++
	return true
}

// decode has go-mp3 decode the frame that the feed holds. It reports whether
// that went well: go-mp3 fails and panics on some damaged frames.
func (d *decoder) decode() (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	var err error
	if d.dec == nil {
		if d.dec, err = gomp3.NewDecoder(d.feed); err != nil {
			return false
		}
	}
	_, err = io.ReadFull(d.dec, d.pcm)
	return err == nil
}

// Defects implements [codec.DefectReporter].
func (d *decoder) Defects() []callmodel.Defect {
	var out []callmodel.Defect
	if d.lost > 0 || d.feed.dropped > 0 || d.feed.cut {
		detail := fmt.Sprintf("frames of audio that can't be decoded, silent here; %d bytes between frames were left out", d.feed.dropped)
		if d.feed.cut {
			detail = "the file ends within a frame; " + detail
		}
		out = append(out, callmodel.Defect{Code: callmodel.DefectTruncated, Detail: detail, Count: d.lost})
	}
	if n := d.clips.Clipped(); n > 0 {
		out = append(out, callmodel.Defect{
			Code: callmodel.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	return out
}
