package analysis

import (
	"fmt"
	"strconv"
	"time"

	goaudio "github.com/go-audio/audio"
)

// The defaults of [VoiceOptions].
const (
	DefaultMaxSegments    = 100_000
	DefaultListedSegments = 10_000
	DefaultOneWayTalk     = 10 * time.Second
	DefaultLostTalk       = 30 * time.Second
)

// VoiceOptions configure [NewVoiceDetector]. The zero value works.
type VoiceOptions struct {
	// Legs are the names of the channels. Nil: "0", "1" …
	Legs []string
	// MaxSegments bounds the talk segments kept of a leg, 8 bytes each. If there are
	// more, those with short gaps between them become one. 0 means
	// DefaultMaxSegments; the least is 2.
	MaxSegments int
	// ListedSegments bounds the segments that a result lists of a leg, in the
	// same way; it changes no other figure. 0 means DefaultListedSegments,
	// negative none.
	ListedSegments int
	// OneWayTalk is how long the other legs must talk, alone or together, for
	// a leg without talk to be suspected. 0 means DefaultOneWayTalk.
	OneWayTalk time.Duration
	// LostTalk is how long they must talk after a leg's signal has stopped
	// for good. 0 means DefaultLostTalk.
	LostTalk time.Duration
}

func (o *VoiceOptions) withDefaults(channels int) (VoiceOptions, error) {
	var v VoiceOptions
	if o != nil {
		v = *o
	}
	if v.Legs == nil {
		v.Legs = make([]string, channels)
		for i := range v.Legs {
			v.Legs[i] = strconv.Itoa(i)
		}
	}
	if len(v.Legs) != channels {
		return v, fmt.Errorf("analysis: %d names of legs for %d channels", len(v.Legs), channels)
	}
	if v.MaxSegments == 0 {
		v.MaxSegments = DefaultMaxSegments
	}
	if v.MaxSegments < 2 {
		return v, fmt.Errorf("analysis: at most %d segments; the least is 2", v.MaxSegments)
	}
	if v.ListedSegments == 0 {
		v.ListedSegments = DefaultListedSegments
	}
	if v.OneWayTalk == 0 {
		v.OneWayTalk = DefaultOneWayTalk
	}
	if v.LostTalk == 0 {
		v.LostTalk = DefaultLostTalk
	}
	return v, nil
}

// VoiceDetector finds who talks when. Each channel is a leg. It tells signal from
// background, not words from other sounds: music, ringing that changes and key
// tones of 80 ms or more count as talk, too.
type VoiceDetector struct {
	in       *splitter
	options  VoiceOptions
	scans    []cellScan
	channels []voiceChannel
}

// NewVoiceDetector makes a VoiceDetector. o may be nil.
func NewVoiceDetector(f *goaudio.Format, o *VoiceOptions) (*VoiceDetector, error) {
	d := &VoiceDetector{}
	var err error
	if d.in, err = newSplitter(f, d.process); err != nil {
		return nil, err
	}
	if d.options, err = o.withDefaults(f.NumChannels); err != nil {
		return nil, err
	}
	d.scans = make([]cellScan, f.NumChannels)
	d.channels = make([]voiceChannel, f.NumChannels)
	for c := range d.channels {
		d.scans[c].init(f.SampleRate)
		d.channels[c].init(d.options.MaxSegments)
	}
	return d, nil
}

// WriteFrames implements [Tap].
func (d *VoiceDetector) WriteFrames(src []float32) error { return d.in.write(src) }

// Finish implements [Tap]: it decides the last seconds.
func (d *VoiceDetector) Finish() error {
	ended, err := d.in.finish()
	if ended {
		for c := range d.channels {
			d.channels[c].end()
		}
	}
	return err
}

// Result is who talked when.
func (d *VoiceDetector) Result() Conversation {
	return countConversation(&d.options, d.channels, d.in.rate, d.in.frames)
}

func (d *VoiceDetector) process(planes [][]float32) error {
	for c, plane := range planes {
		d.channels[c].add(d.scans[c].run(plane))
	}
	return nil
}
