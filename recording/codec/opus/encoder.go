package opus

import (
	"io"
	"math"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/ogg"
)

const (
	packetsPerSecond = 50 // of 20 ms, for which Opus is made (RFC 6716 § 2.1.4)
	packetGranules   = granuleRate / packetsPerSecond
	// packetBytes is room for a packet of one stream (RFC 6716 § 3.2: at most
	// 1275 bytes of a frame) with its own length in it.
	packetBytes = 1500
)

// coder makes the packets.
type coder interface {
	// encode encodes 20 ms of interleaved frames to out and returns its length.
	encode(pcm []float32, out []byte) (int, error)
	// lookahead is the delay in frames of the input.
	lookahead() int
}

// New is the [codec.NewEncoder] of Opus in Ogg: speech at the best quality. Use
// [NewEncoder] for more.
func New(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	e, err := NewEncoder(w, f, o, nil)
	if err != nil {
		return nil, err // and not a nil *Encoder
	}
	return e, nil
}

// NewEncoder makes an encoder that writes to w: the headers at once, then a page
// for each second. f is 1 to [MaxChannels] channels at one of [SampleRates]: one
// or two channels become a stream that every player takes (mapping family 0),
// more of them independent streams (family 255). o.BitrateBps is from
// [MinChannelBitrate] to [MaxChannelBitrate] a channel, or 0 for
// [DefaultBitrate]; o.Tags become comments, the names in capitals. A nil m is
// the zero EncoderOptions. In a build without libopus the error is that of
// [Unavailable].
func NewEncoder(w io.Writer, f *goaudio.Format, o codec.Options, m *EncoderOptions) (*Encoder, error) {
	if err := Unavailable(); err != nil {
		return nil, err
	}
	c, err := newConfig(f, o, m)
	if err != nil {
		return nil, err
	}
	coder, err := newCoder(c)
	if err != nil {
		return nil, err
	}
	e := &Encoder{
		count: codec.Count{Codec: "opus", Channels: c.channels, Frames: c.frames}, coder: coder, channels: c.channels,
		preSkip:          coder.lookahead() * (granuleRate / c.rate),
		granulesPerFrame: int64(granuleRate / c.rate),
		pcm:              make([]float32, c.rate/packetsPerSecond*c.channels),
		packet:           make([]byte, packetBytes*c.channels),
	}
	if err := e.begin(w, c); err != nil {
		return nil, err
	}
	return e, nil
}

// Encoder is an Opus encoder. It is a [codec.Encoder] and a
// [codec.ClipReporter], and not safe for concurrent use. It holds no memory
// outside Go's.
type Encoder struct {
	count codec.Count

	coder            coder
	ogg              *ogg.Writer
	channels         int
	preSkip          int   // at 48 kHz
	granulesPerFrame int64 // 48 kHz / the rate

	pcm    []float32 // a packet's samples
	filled int       // samples in pcm
	packet []byte
	// frames
	packets int64
	clipped int64
}

// begin writes the two headers, each on pages of its own (RFC 7845 § 3).
func (e *Encoder) begin(w io.Writer, c *config) error {
	head := c.head(e.preSkip)
	tags, err := c.tagsPacket()
	if err != nil {
		return err
	}
	e.ogg = ogg.NewWriter(w, c.serial(head, tags))
	for _, header := range [][]byte{head, tags} {
		if err := e.ogg.WritePacket(header, 0); err != nil {
			return err
		}
		if err := e.ogg.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// WriteFrames implements [codec.Encoder].
func (e *Encoder) WriteFrames(src []float32) error {
	if err := e.count.Block(src); err != nil {
		return err
	}
	for len(src) > 0 {
		n := copy(e.pcm[e.filled:], src)
		e.clipped += limit(e.pcm[e.filled : e.filled+n])
		e.filled += n
		src = src[n:]
		if e.filled == len(e.pcm) {
			if e.count.Err = e.encode(e.granules(), false); e.count.Err != nil {
				return e.count.Err
			}
		}
	}
	return nil
}

// limit clips samples to [-1, 1], makes silence of what is no number, and
// returns how many it clipped.
func limit(s []float32) (clipped int64) {
	for i, x := range s {
		switch {
		case x >= -1 && x <= 1:
		case x != x || x > math.MaxFloat32 || x < -math.MaxFloat32:
			s[i] = 0
		case x > 1:
			s[i] = 1
			clipped++
		default:
			s[i] = -1
			clipped++
		}
	}
	return clipped
}

// granules is the position after the packet that is next.
func (e *Encoder) granules() int64 { return (e.packets + 1) * packetGranules }

// encode encodes pcm to a packet that ends at granule.
func (e *Encoder) encode(granule int64, last bool) error {
	n, err := e.coder.encode(e.pcm, e.packet)
	if err != nil {
		return err
	}
	e.filled = 0
	e.packets++
	if err := e.ogg.WritePacket(e.packet[:n], granule); err != nil {
		return err
	}
	if e.packets%packetsPerSecond == 0 && !last {
		return e.ogg.Flush()
	}
	return nil
}

// Finish implements [codec.Encoder]. It pads with silence until the encoder has
// given all, and states the exact end (RFC 7845 § 4.4).
func (e *Encoder) Finish() error {
	if done, err := e.count.End(); done {
		return err
	}
	end := int64(e.preSkip) + e.count.Written*e.granulesPerFrame
	for e.count.Err == nil && e.packets*packetGranules < end {
		clear(e.pcm[e.filled:])
		last := e.granules() >= end
		e.count.Err = e.encode(min(e.granules(), end), last)
	}
	if e.count.Err == nil {
		e.count.Err = e.ogg.Close()
	}
	return e.count.Err
}

// Clipped implements [codec.ClipReporter].
func (e *Encoder) Clipped() int64 { return e.clipped }
