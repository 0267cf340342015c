package analysis

import (
	"errors"
	"fmt"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel"
)

// Report is what an [Analyzer] found. Units are in the names: ms, dBFS, LUFS.
type Report struct {
	SampleRateHz int           `json:"sample_rate_hz"`
	Frames       int64         `json:"frames"`
	Duration     time.Duration `json:"duration_ms"`
	// Legs are the channels that are one party each, in order.
	Legs []LegReport `json:"legs"`
	// Mix is the channel after them, if there is one.
	Mix *ChannelReport `json:"mix,omitempty"`
	// Programme is the loudness of all legs together.
	Programme    Loudness     `json:"programme"`
	Conversation Conversation `json:"conversation"`
	// Alignment are the checks of pairs of legs.
	Alignment []Alignment `json:"alignment"`
	// Peaks is the waveform of all channels in audiowaveform's JSON, if asked for.
	Peaks *Waveform `json:"peaks,omitempty"`
}

// ChannelReport is about one channel.
type ChannelReport struct {
	Levels   Levels   `json:"levels"`
	Loudness Loudness `json:"loudness"`
}

// LegReport is about one leg; its talk is in the Conversation, at the same place.
type LegReport struct {
	Leg string `json:"leg"`
	ChannelReport
}

// AnalyzerOptions configure [NewAnalyzer]. The zero value works: every channel
// is a leg, there are no peaks, and the first two legs are checked for alignment.
type AnalyzerOptions struct {
	// HasMix: the last channel is the mix of the others, not a leg.
	HasMix bool
	// Voice configures talk and suspicions. Its Legs are the names of the legs,
	// without the mix.
	Voice VoiceOptions
	// Levels configures the levels.
	Levels LevelOptions
	// Peaks asks for the waveform. Nil: none.
	Peaks *PeaksOptions
	// AlignmentPairs are the legs to check, each a pair of channels. Nil: the
	// first two, if there are two. Empty: none.
	AlignmentPairs [][2]int
}

// Analyzer is a [Tap] that does everything in one pass.
type Analyzer struct {
	in     *splitter
	legs   int
	voice  VoiceOptions
	scans  []cellScan
	levels []levelChannel
	voices []voiceChannel
	loud   loudnessEngine
	peaks  *Peaks
	pairs  [][2]int
	aligns []alignEngine
}

// NewAnalyzer makes an Analyzer for blocks of one channel per leg, and perhaps
// one more for their mix. o may be nil.
func NewAnalyzer(f *goaudio.Format, o *AnalyzerOptions) (*Analyzer, error) {
	if o == nil {
		o = &AnalyzerOptions{}
	}
	a := &Analyzer{}
	var err error
	if a.in, err = newSplitter(f, a.process); err != nil {
		return nil, err
	}
	a.legs = f.NumChannels
	if o.HasMix {
		a.legs--
	}
	if a.legs < 1 {
		return nil, errors.New("analysis: a mix without legs")
	}
	if a.voice, err = o.Voice.withDefaults(a.legs); err != nil {
		return nil, err
	}
	a.scans = make([]cellScan, f.NumChannels)
	a.levels = make([]levelChannel, f.NumChannels)
	for c := range a.levels {
		a.scans[c].init(f.SampleRate)
		a.levels[c].init(f.SampleRate, &o.Levels)
	}
	a.voices = make([]voiceChannel, a.legs)
	for c := range a.voices {
		a.voices[c].init(a.voice.MaxSegments)
	}
	a.loud.init(f.SampleRate, f.NumChannels, a.legs)
	if err := a.addPeaks(f, o.Peaks); err != nil {
		return nil, err
	}
	return a, a.addPairs(f, o.AlignmentPairs)
}

func (a *Analyzer) addPeaks(f *goaudio.Format, o *PeaksOptions) error {
	if o == nil {
		return nil
	}
	opt, err := o.withDefaults()
	if err != nil {
		return err
	}
	a.peaks = &Peaks{options: opt}
	a.peaks.init(f)
	return nil
}

func (a *Analyzer) addPairs(f *goaudio.Format, pairs [][2]int) error {
	if pairs == nil && a.legs >= 2 {
		pairs = [][2]int{{0, 1}}
	}
	a.aligns = make([]alignEngine, len(pairs))
	for i, p := range pairs {
		if p[0] == p[1] || min(p[0], p[1]) < 0 || max(p[0], p[1]) >= a.legs {
			return fmt.Errorf("analysis: legs %d and %d can't be checked for alignment: there are %d legs", p[0], p[1], a.legs)
		}
		a.pairs = append(a.pairs, p)
		a.aligns[i].init(f.SampleRate)
	}
	return nil
}

// WriteFrames implements [Tap].
func (a *Analyzer) WriteFrames(src []float32) error { return a.in.write(src) }

// Finish implements [Tap].
func (a *Analyzer) Finish() error {
	ended, err := a.in.finish()
	if !ended {
		return err
	}
	for c := range a.levels {
		a.levels[c].end()
	}
	for c := range a.voices {
		a.voices[c].end()
	}
	if a.peaks != nil {
		a.peaks.end()
	}
	return err
}

func (a *Analyzer) process(planes [][]float32) error {
	for c, plane := range planes {
		cells := a.scans[c].run(plane)
		a.levels[c].add(plane, cells)
		if c < a.legs {
			a.voices[c].add(cells)
		}
	}
	a.loud.add(planes)
	if a.peaks != nil {
		if err := a.peaks.processCells(planes, a.scans); err != nil {
			return err
		}
	}
	for i, p := range a.pairs {
		a.aligns[i].add(planes[p[0]], planes[p[1]])
	}
	return nil
}

// Result is the report; whole after Finish. Its Peaks share the analyzer's
// memory.
func (a *Analyzer) Result() *Report {
	loud := a.loud.result()
	r := &Report{
		SampleRateHz: a.in.rate, Frames: a.in.frames, Duration: wholeMillis(a.in.frames, a.in.rate),
		Legs: make([]LegReport, a.legs), Programme: loud.Programme,
		Conversation: countConversation(&a.voice, a.voices, a.in.rate, a.in.frames),
		Alignment:    make([]Alignment, len(a.aligns)),
	}
	for c := range a.levels {
		one := ChannelReport{Levels: a.levels[c].result(a.in.odd[c]), Loudness: loud.Channels[c]}
		if c < a.legs {
			r.Legs[c] = LegReport{Leg: a.voice.Legs[c], ChannelReport: one}
		} else {
			r.Mix = &one
		}
	}
	for i, p := range a.pairs {
		r.Alignment[i] = a.aligns[i].result()
		r.Alignment[i].Legs = [2]string{a.voice.Legs[p[0]], a.voice.Legs[p[1]]}
	}
	if a.peaks != nil {
		r.Peaks = a.peaks.waveform(a.in.rate)
	}
	return r
}

// MarshalJSON implements json.Marshaler.
func (r Report) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(r) }

// UnmarshalJSON implements json.Unmarshaler.
func (r *Report) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, r) }
