package opus

import (
	"fmt"
	"strconv"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
)

// MaxChannels is the most channels of a stream: one for each leg of a call.
// Streams of more than two are for ffmpeg and what is built on it, such as
// browsers: libopusfile, and so opusdec, doesn't know their mapping family.
const MaxChannels = 32

// Bitrates in bits per second for each channel.
const (
	MinChannelBitrate = 6000
	MaxChannelBitrate = 256000
)

// SampleRates lists the sample rates in Hz that Opus takes (RFC 6716 § 2),
// ascending.
func SampleRates() []int { return []int{8000, 12000, 16000, 24000, 48000} }

// Application is what the encoder is tuned for.
type Application int

// The applications.
const (
	Speech Application = iota // clear speech
	Audio                     // the closest to the input, for music on hold and the like
)

// EncoderOptions are what Opus has beyond codec.Options. The zero value, like a
// nil pointer, is the best encoding of speech.
type EncoderOptions struct {
	// Application is Speech or Audio. Default Speech.
	Application Application
	// Complexity is from 1, the fastest, to 10, the best. Default 0: 10.
	Complexity int
	// CBR gives every packet the same length. Default false: lengths vary, and
	// the bitrate is their mean.
	CBR bool
	// Independent codes the two channels of a stereo stream as two, so that
	// neither leg is ever heard in the other; the stream then has mapping family
	// 1, which not every player takes with two channels. Default false: one
	// coupled stream, which every player takes. More channels than two are
	// always independent.
	Independent bool
}

// DefaultBitrate is the bitrate in bits per second used when none is given: that
// of transparent speech at the rate. 0 for an invalid sample rate or number of
// channels.
func DefaultBitrate(sampleRate, channels int) int {
	if channels < 1 || channels > MaxChannels {
		return 0
	}
	switch sampleRate {
	case 8000, 12000:
		return 24000 * channels
	case 16000:
		return 32000 * channels
	case 24000:
		return 40000 * channels
	case 48000:
		return 48000 * channels
	}
	return 0
}

// config is what an encoder works by, resolved.
type config struct {
	EncoderOptions
	channels int
	rate     int
	bitrate  int
	frames   int64
	tags     []codec.Tag
}

func newConfig(f *goaudio.Format, o codec.Options, m *EncoderOptions) (*config, error) {
	c := &config{bitrate: o.BitrateBps, frames: o.Frames, tags: o.Tags}
	if m != nil {
		c.EncoderOptions = *m
	}
	if c.Complexity == 0 {
		c.Complexity = 10
	}
	if f == nil {
		return nil, unsupported("format of nil", fmt.Sprintf("1 to %d channels", MaxChannels))
	}
	c.channels, c.rate = f.NumChannels, f.SampleRate
	switch {
	case c.channels < 1 || c.channels > MaxChannels:
		return nil, unsupported(fmt.Sprintf("%d channels", c.channels), fmt.Sprintf("1 to %d", MaxChannels))
	case DefaultBitrate(c.rate, c.channels) == 0:
		return nil, unsupported(fmt.Sprintf("sample rate %d Hz", c.rate), "8000, 12000, 16000, 24000 or 48000 Hz")
	case o.BitDepth != 0:
		return nil, unsupported(strconv.Itoa(o.BitDepth)+" bits per sample", "none: Opus has no bit depth")
	case o.Frames < codec.FramesUnknown || o.Frames > 1<<50:
		return nil, unsupported(fmt.Sprintf("length of %d frames", o.Frames), "0 or more, or FramesUnknown")
	case c.Complexity < 1 || c.Complexity > 10:
		return nil, unsupported(fmt.Sprintf("complexity %d", c.Complexity), "1 to 10")
	case c.Application != Speech && c.Application != Audio:
		return nil, unsupported(fmt.Sprintf("application %d", c.Application), "Speech or Audio")
	}
	if c.bitrate == 0 {
		c.bitrate = DefaultBitrate(c.rate, c.channels)
	}
	if least, most := MinChannelBitrate*c.channels, MaxChannelBitrate*c.channels; c.bitrate < least || c.bitrate > most {
		return nil, unsupported(fmt.Sprintf("bitrate %d bit/s for %d channels", c.bitrate, c.channels),
			fmt.Sprintf("%d to %d bit/s", least, most))
	}
	return c, nil
}

// streams is the number of Opus streams, and how many of them are coupled pairs.
func (c *config) streams() (all, coupled int) {
	if c.channels == 2 && !c.Independent {
		return 1, 1
	}
	return c.channels, 0
}

func unsupported(what, nearest string) error {
	return &codec.UnsupportedError{Codec: "opus", What: what, Nearest: nearest}
}
