package mp3

import (
	"io"
	"math"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
)

// Encoder is a layer III encoder. It is a [codec.Encoder] and not safe for
// concurrent use.
type Encoder struct {
	config    config
	framer    framer
	channel   [2]channelState
	buffered  int   // samples of the next block that have come
	blocks    int   // blocks analysed
	granule   int   // granules of the frame that are ready
	coded     int64 // frames of audio written so far
	mpeg      int64 // MPEG frames made
	nonFinite int64
	rate      rateControl
	shaper    shaper
	frame     [2][2]spectrum // by granule and channel
	scratch   [granuleLines]float32
	scratch2  [granuleLines]float32
	side      sideInfo
	main      bitWriter
	head      bitWriter
	err       error
	finished  bool
}

// channelState is one channel between samples and lines.
type channelState struct {
	polyphase polyphase
	blocks    [3]block // ring of the last ones, by block number
	silent    [3]bool
	thirds    [3][3]float32 // energy of each third of the blocks
	ahead     transient
	wasShort  bool // ahead.short of the granule that is being settled
	blockType int  // of the last granule that was settled
}

// New is a [codec.NewEncoder]: layer III at a constant bitrate with independent
// channels. Use [NewEncoder] for more.
func New(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	e, err := NewEncoder(w, f, o, nil)
	if err != nil {
		return nil, err // and not a nil *Encoder
	}
	return e, nil
}

// NewEncoder makes an encoder that writes to w: the ID3v2 tag, if o.Tags isn't
// empty, and the Info frame at once, the rest as frames of audio come in. f is
// the format of the frames, and of the stream: 1 or 2 channels at one of
// [SampleRates]. o.BitrateBps is one of [ValidBitrates], or 0 for
// [DefaultBitrate]. If o.Frames is codec.FramesUnknown, the stream can't say how
// long it is, and players may play up to 2304 frames of silence with it.
// A nil m is the zero EncoderOptions.
func NewEncoder(w io.Writer, f *goaudio.Format, o codec.Options, m *EncoderOptions) (*Encoder, error) {
	c, err := newConfig(f, o, m)
	if err != nil {
		return nil, err
	}
	e := &Encoder{config: *c}
	e.framer.w = w
	e.framer.buf = make([]byte, 0, 4*flushBytes)
	e.main.buf = make([]byte, 0, 4096)
	e.head.buf = make([]byte, 0, 64)
	e.rate.init(c)
	e.shaper.init(c)
	e.buffered = leadIn
	tag, err := id3v2(o.Tags)
	if err != nil {
		return nil, err
	}
	e.framer.addFrame(tag, 0)
	if !c.OmitInfo {
		e.framer.addFrame(c.infoFrame(e.rate.lowpassHz), 0)
	}
	if err := e.framer.flush(true); err != nil {
		return nil, err
	}
	return e, nil
}

// NonFinite is the number of samples so far that were NaN or infinite, and were
// encoded as silence.
func (e *Encoder) NonFinite() int64 { return e.nonFinite }

// WriteFrames encodes interleaved frames; see [codec.Encoder].
func (e *Encoder) WriteFrames(src []float32) error {
	if e.err != nil {
		return e.err
	}
	if e.finished {
		return codec.ErrFinished
	}
	if len(src)%e.config.channels != 0 {
		e.err = unsupported("a block that ends within a frame", "a whole number of frames")
		return e.err
	}
	for len(src) > 0 {
		n := min(len(src)/e.config.channels, granuleLines-e.buffered)
		for ch := range e.config.channels {
			dst := e.channel[ch].polyphase.samples[historySamples+e.buffered:]
			e.deinterleave(dst[:n], src[ch:])
		}
		src = src[n*e.config.channels:]
		e.buffered += n
		e.coded += int64(n)
		if e.buffered == granuleLines {
			if e.err = e.encodeBlock(); e.err != nil {
				return e.err
			}
		}
	}
	return nil
}

// deinterleave takes every e.config.channels'th sample of src to dst, clipped, with
// silence for what is not a number.
func (e *Encoder) deinterleave(dst, src []float32) {
	const one = 0x3f800000 // the bits of 1; greater numbers, Inf and NaN have greater ones
	j := 0
	for i := range dst {
		v := src[j]
		j += e.config.channels
		if math.Float32bits(v)&^(1<<31) > one {
			v = e.limit(v)
		}
		dst[i] = v
	}
}

func (e *Encoder) limit(v float32) float32 {
	switch {
	case v != v || v > math.MaxFloat32 || v < -math.MaxFloat32:
		e.nonFinite++
		return 0
	case v > 0:
		return 1
	}
	return -1
}

// Finish writes what is left; see [codec.Encoder]. The stream is then complete,
// and w is still open.
func (e *Encoder) Finish() error {
	if e.err != nil || e.finished {
		return e.err
	}
	e.finished = true
	if e.config.frames != codec.FramesUnknown && e.coded != e.config.frames {
		e.err = codec.ErrFrameCount
		return e.err
	}
	total, _ := frameTotal(e.coded, granuleLines*e.config.granules())
	for int64(e.blocks) < total*int64(e.config.granules()) {
		for ch := range e.config.channels {
			clear(e.channel[ch].polyphase.samples[historySamples+e.buffered:])
		}
		if e.err = e.encodeBlock(); e.err != nil {
			return e.err
		}
	}
	if e.err = e.settleGranule(true); e.err != nil {
		return e.err
	}
	e.framer.stuff(0)
	e.err = e.framer.flush(true)
	return e.err
}

// encodeBlock analyses the 576 frames that have come, and encodes the granule
// before, now that it is known what follows it.
func (e *Encoder) encodeBlock() error {
	n := e.blocks % 3
	for ch := range e.config.channels {
		c := &e.channel[ch]
		c.silent[n] = c.polyphase.analyze(&c.blocks[n])
		c.thirds[n] = c.polyphase.thirds
	}
	e.blocks++
	e.buffered = 0
	if e.blocks == 1 {
		e.detectTransients()
		return nil
	}
	return e.settleGranule(false)
}
