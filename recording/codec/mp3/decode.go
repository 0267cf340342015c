package mp3

import (
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Decode is the [codec.Decoder] of MPEG audio layer III: MPEG-1, MPEG-2 and
// MPEG-2.5, 8 to 48 kHz, at constant and variable bitrates and of free format. Layers I and II are
// refused as an unsupported codec.
//
// A stream whose first frame is mono gives one channel, others two; frames with
// another number of channels are mixed or doubled. Samples are as the stream
// has them, which may be beyond full scale. The
// encoder's delay and padding are cut off where an Info frame states them, so
// that the Source is as long as what was encoded; streams that are joined, each with an
// Info frame, are each cut by their own. Tags that claim to be longer
// than the stream are no tags, if hint.Size is known. Bytes between frames, and
// frames that can't be decoded, are left out or replaced by silence so that the
// timeline stays right; both are a truncated defect with the frames lost. A
// frame can't be decoded if its side information or its codes are impossible,
// its CRC is wrong (in a stream that had right ones) or its part of the bit
// reservoir is missing.
func Decode(r io.Reader, hint codec.Hint) (audio.Source, []record.Defect, error) {
	s := &decoder{feed: newFeed(r, hint.Size), frames: -1}
	at, random := r.(io.ReaderAt)
	random = random && hint.Size >= 0
	err := s.open()
	if random && errors.Is(err, errNoFrame) && s.feed.tags {
		// A tag that claims more than there is of it has hidden the audio.
		s = &decoder{feed: newFeed(io.NewSectionReader(at, 0, hint.Size), hint.Size), frames: -1}
		s.feed.distrust = true
		if again := s.open(); !errors.Is(again, errNoFrame) {
			err = again
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if random {
		if n, err := countFrames(io.NewSectionReader(at, 0, hint.Size), hint.Size, s.feed.distrust); err == nil {
			s.frames = n
		}
	}
	return s, nil, nil
}

// errNoFrame is why a stream has no first frame.
var errNoFrame = errors.New("no MPEG layer III frame")

// countFrames counts the frames of audio that a stream gives, without decoding it.
func countFrames(r io.Reader, size int64, distrust bool) (int64, error) {
	f := newFeed(r, size)
	f.distrust = distrust
	if err := f.begin(); err != nil {
		return 0, err
	}
	var t trim
	for n := int64(0); ; {
		if err := f.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return n, nil
			}
			return n, err
		}
		tail, own := t.take(f)
		n += tail.length() + own.length()
	}
}

// synthesisDelay is the delay of the decoder's filter bank, in frames of audio.
const synthesisDelay = 528 + 1

// decoder is the Source.
type decoder struct {
	feed   *feed
	format goaudio.Format
	dec    *frameDecoder
	clips  *audio.ClipCounter
	frames int64 // in total; -1 if that isn't known

	pcm   [2 * 2 * granuleLines]float32 // a frame of the stream
	ready []float32                     // what of pcm isn't given yet
	trim  trim
	lost  int64 // frames of audio replaced by silence
	err   error
}

func (d *decoder) open() error {
	if err := d.feed.begin(); err != nil {
		return err
	}
	h := &d.feed.first
	d.format = goaudio.Format{NumChannels: h.channels(), SampleRate: h.sampleRate()}
	d.clips = audio.NewClipCounter(h.channels(), audio.FullScale16)
	d.dec = newFrameDecoder()
	return nil
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
		k := copy(dst[n*ch:want*ch], d.ready)
		d.ready = d.ready[k:]
		n += k / ch
	}
	if n == 0 {
		return 0, d.err
	}
	d.clips.Count(dst[:n*ch])
	return n, nil
}

// nextFrame decodes the stream's next frame into ready without what is delay or padding,
// or sets err.
func (d *decoder) nextFrame() bool {
	if err := d.feed.next(); err != nil {
		d.err = err
		return false
	}
	h := &d.feed.header
	frames := int64(h.samples())
	if !d.decode(h) {
		d.lost += frames
	}
	ch := d.format.NumChannels
	d.ready = matchChannels(&d.pcm, h.samples(), h.channels(), ch)
	tail, own := d.trim.take(d.feed)
	first := d.ready[int(tail.from)*ch : int(tail.to)*ch]
	rest := d.ready[int(own.from)*ch : int(own.to)*ch]
	if len(first) > 0 && len(rest) > 0 {
		rest = d.ready[:len(first)+copy(d.ready[len(first):], rest)]
	} else if len(first) > 0 {
		rest = first
	}
	d.ready = rest
	return true
}

// decode decodes the frame that the feed holds to pcm, and reports whether that
// went well.
func (d *decoder) decode(h *header) bool {
	if !d.feed.whole {
		d.dec.conceal(h, d.pcm[:])
		return false
	}
	if err := d.dec.decode(h, d.feed.side, d.feed.main, d.pcm[:]); err != nil {
		d.feed.freeKnown = false // its lengths were wrong, perhaps
		return false
	}
	return true
}

// matchChannels mixes or doubles the n frames of has channels at the beginning
// of pcm to want channels.
func matchChannels(pcm *[4 * granuleLines]float32, n, has, want int) []float32 {
	switch {
	case has > want:
		for i := range n {
			pcm[i] = (pcm[2*i] + pcm[2*i+1]) / 2
		}
	case has < want:
		for i := n - 1; i >= 0; i-- {
			pcm[2*i], pcm[2*i+1] = pcm[i], pcm[i]
		}
	}
	return pcm[:n*want]
}

// Defects implements [codec.DefectReporter].
func (d *decoder) Defects() []record.Defect {
	var out []record.Defect
	if d.lost > 0 || d.feed.dropped > 0 || d.feed.cut {
		detail := fmt.Sprintf("frames of audio that can't be decoded, silent here; %d bytes between frames were left out", d.feed.dropped)
		if h := d.feed.other; h != nil {
			detail += fmt.Sprintf(", among them MPEG audio at %d Hz, where the stream begins at %d Hz", h.sampleRate(), d.format.SampleRate)
		}
		if d.feed.cut {
			detail = "the file ends within a frame; " + detail
		}
		out = append(out, record.Defect{Code: record.DefectTruncated, Detail: detail, Count: d.lost})
	}
	if n := d.clips.Clipped(); n > 0 {
		out = append(out, record.Defect{
			Code: record.DefectClipped, Detail: "samples at full scale, 3 or more in a row", Count: n,
		})
	}
	return out
}
