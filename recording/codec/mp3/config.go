package mp3

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
)

// Mode says how the bitrate behaves over time.
type Mode int

// The modes. CBR is the default.
const (
	CBR Mode = iota // every frame has the target bitrate
	ABR             // frames vary, the long-term average is the target
	VBR             // frames vary, EncoderOptions.VBRQuality is kept
)

// StereoMode says how two channels are coded.
type StereoMode int

// The stereo modes. StereoIndependent is the default: a call's legs on separate
// channels stay separate, so that neither is ever heard in the other.
const (
	StereoIndependent StereoMode = iota // left and right
	StereoJoint                         // frame by frame, mid and side where that needs fewer bits
)

// EncoderOptions are what layer III has beyond codec.Options. The zero value,
// like a nil pointer, is a constant bitrate with independent channels.
type EncoderOptions struct {
	// Mode is CBR, ABR or VBR. Default CBR.
	Mode Mode
	// VBRQuality is from 0, the best, to 9, the smallest; only used by VBR.
	// Default 0.
	VBRQuality int
	// Stereo is only used with two channels. Default StereoIndependent.
	Stereo StereoMode
	// LowpassHz is the highest frequency to encode. Default 0: chosen by sample
	// rate and bitrate.
	LowpassHz int
	// CRC protects every frame's header and side information with 16 bits.
	// Default false, as nearly all streams are.
	CRC bool
	// OmitInfo leaves the Info frame out. Players then can't know the exact
	// length, nor the delay to cut. Default false.
	OmitInfo bool
}

// SampleRates lists the valid sample rates in Hz, ascending.
func SampleRates() []int {
	return []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
}

// ValidBitrates lists the bitrates in bits per second that are valid at a sample
// rate in Hz, ascending; nil if the rate isn't valid.
func ValidBitrates(sampleRate int) []int {
	version, _, ok := findRate(sampleRate)
	if !ok {
		return nil
	}
	kbps := bitratesKbps[min(version, 1)][1:]
	bps := make([]int, len(kbps))
	for i, k := range kbps {
		bps[i] = k * 1000
	}
	return bps
}

// DefaultBitrate is the bitrate in bits per second used when none is given:
// that of clean telephone speech at low rates and of plain music at high ones.
// It is 0 for an invalid sample rate or number of channels.
func DefaultBitrate(sampleRate, channels int) int {
	if _, _, ok := findRate(sampleRate); !ok || channels < 1 || channels > 2 {
		return 0
	}
	perChannel := 64000
	switch {
	case sampleRate <= 16000:
		perChannel = 32000
	case sampleRate <= 24000:
		perChannel = 40000
	case sampleRate <= 32000:
		perChannel = 48000
	}
	return channels * perChannel
}

// Validate says whether New would take a format and options, without making an
// encoder, so that a plan can be refused when it is made. Its error is a
// [*codec.UnsupportedError].
func Validate(f *goaudio.Format, o codec.Options, m *EncoderOptions) error {
	_, err := newConfig(f, o, m)
	return err
}

// config is what an encoder works by, resolved.
type config struct {
	EncoderOptions
	channels     int
	version      int
	rateIndex    int
	bitrateIndex int
	frames       int64
	tags         []codec.Tag
}

func (c *config) lsf() int        { return min(c.version, 1) }
func (c *config) granules() int   { return 2 - c.lsf() }
func (c *config) sampleRate() int { return sampleRates[c.version][c.rateIndex] }
func (c *config) bitrate() int    { return 1000 * bitratesKbps[c.lsf()][c.bitrateIndex] }

func (c *config) bands() *bandTable { return &bandTables[c.version][c.rateIndex] }

// header is that of an ordinary frame at a bitrate index.
func (c *config) header(bitrateIndex int) header {
	h := header{version: c.version, rateIndex: c.rateIndex, bitrateIndex: bitrateIndex, protected: c.CRC}
	switch {
	case c.channels == 1:
		h.mode = modeMono
	case c.Stereo == StereoJoint:
		h.mode = modeJoint
	}
	return h
}

func findRate(sampleRate int) (version, index int, ok bool) {
	for v := range sampleRates {
		if i := slices.Index(sampleRates[v][:], sampleRate); i >= 0 {
			return v, i, true
		}
	}
	return 0, 0, false
}

func newConfig(f *goaudio.Format, o codec.Options, m *EncoderOptions) (*config, error) {
	if f == nil {
		return nil, unsupported("format: nil", "a format of 1 or 2 channels and a valid sample rate")
	}
	c := &config{channels: f.NumChannels, frames: o.Frames, tags: o.Tags}
	if m != nil {
		c.EncoderOptions = *m
	}
	var ok bool
	if c.version, c.rateIndex, ok = findRate(f.SampleRate); !ok {
		return nil, unsupported(fmt.Sprintf("sample rate %d Hz", f.SampleRate), nearest(SampleRates(), f.SampleRate, " Hz"))
	}
	if c.channels < 1 || c.channels > 2 {
		return nil, unsupported(fmt.Sprintf("channel count %d", c.channels), "1 or 2 channels")
	}
	if o.Frames < codec.FramesUnknown {
		return nil, unsupported(fmt.Sprintf("frame count %d", o.Frames), "0 or more, or FramesUnknown")
	}
	bitrate := o.BitrateBps
	if bitrate == 0 {
		bitrate = DefaultBitrate(f.SampleRate, c.channels)
	}
	c.bitrateIndex = 1 + slices.Index(ValidBitrates(f.SampleRate), bitrate)
	if c.bitrateIndex == 0 {
		return nil, unsupported(fmt.Sprintf("bitrate %d bit/s at %d Hz", bitrate, f.SampleRate),
			nearest(ValidBitrates(f.SampleRate), bitrate, " bit/s"))
	}
	return c, c.validateOptions()
}

func (c *config) validateOptions() error {
	switch {
	case c.Mode < CBR || c.Mode > VBR:
		return unsupported(fmt.Sprintf("mode %d", c.Mode), "CBR, ABR or VBR")
	case c.VBRQuality < 0 || c.VBRQuality > 9:
		return unsupported(fmt.Sprintf("VBR quality %d", c.VBRQuality), "0 to 9")
	case c.Stereo < StereoIndependent || c.Stereo > StereoJoint:
		return unsupported(fmt.Sprintf("stereo mode %d", c.Stereo), "StereoIndependent or StereoJoint")
	case c.LowpassHz < 0:
		return unsupported(fmt.Sprintf("lowpass %d Hz", c.LowpassHz), "0 for the default, or a frequency in Hz")
	}
	return nil
}

func unsupported(what, nearest string) error {
	return &codec.UnsupportedError{Codec: "mp3", What: what, Nearest: nearest}
}

// nearest names the valid values around v.
func nearest(valid []int, v int, unit string) string {
	i, _ := slices.BinarySearch(valid, v)
	var names []string
	for _, n := range valid[max(0, i-1):min(len(valid), i+1)] {
		names = append(names, strconv.Itoa(n))
	}
	return strings.Join(names, " or ") + unit
}
