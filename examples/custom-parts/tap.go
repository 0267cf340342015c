package main

import (
	"errors"
	"math"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
)

// silence is a Tap that measures the longest stretch in which every sample of
// every leg stays below a level.
type silence struct {
	channels, rate int
	level          float32
	run, longest   int64 // frames
	err            error
}

func newSilence(f *goaudio.Format, dBFS float64) *silence {
	return &silence{channels: f.NumChannels, rate: f.SampleRate, level: audio.FromDecibels(dBFS)}
}

// WriteFrames implements [analysis.Tap].
func (s *silence) WriteFrames(src []float32) error {
	if s.err == nil && len(src)%s.channels != 0 {
		s.err = analysis.ErrPartialFrame
	}
	if s.err != nil {
		return s.err
	}
	for ; len(src) > 0; src = src[s.channels:] {
		s.run++
		for _, x := range src[:s.channels] {
			if float32(math.Abs(float64(x))) >= s.level {
				s.run = 0
			}
		}
		s.longest = max(s.longest, s.run)
	}
	return nil
}

// Finish implements [analysis.Tap].
func (s *silence) Finish() error {
	if s.err == nil {
		s.err = analysis.ErrFinished
	}
	if errors.Is(s.err, analysis.ErrFinished) {
		return nil
	}
	return s.err
}

// Result is how long the longest silence was.
func (s *silence) Result() time.Duration {
	return time.Duration(s.longest) * time.Second / time.Duration(s.rate)
}
