// Package seam joins streams whose parameters change in the middle: what comes behind the
// seam is made to have the channels and the rate of what came before.
//
//	part of another format ─▶ channels ─▶ resampler ─▶ the first part's format
package seam

import (
	"fmt"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
)

// Conform is s with the channels and the sample rate of f. To one channel it is their mean;
// one channel becomes all of f's; of others the first ones are kept, and those that s lacks
// are silent. It has [Frames] of the frames of s. The error is that of a ratio of rates that
// can't be resampled.
func Conform(s audio.Source, f *goaudio.Format) (audio.Source, error) {
	switch {
	case f.NumChannels == 1:
		s = audio.Downmix(s)
	case s.Format().NumChannels != f.NumChannels:
		s = &channels{src: s, format: goaudio.Format{NumChannels: f.NumChannels, SampleRate: s.Format().SampleRate}}
	}
	if s.Format().SampleRate == f.SampleRate {
		return s, nil
	}
	filter, err := audio.NewResampleFilter(s.Format().SampleRate, f.SampleRate)
	if err != nil {
		return nil, err
	}
	return audio.Resample(s, filter)
}

// Fill fills dst, of so many channels, by a function that gives frames of one part and then
// goes to the next, which is when it gives none without an error. Only the last block of all
// is shorter than dst, as [audio.Source] has it.
func Fill(dst []float32, channels int, next func(dst []float32) (int, error)) (int, error) {
	want := len(dst) / channels
	n := 0
	for n < want {
		k, err := next(dst[n*channels : want*channels])
		n += k
		if err != nil {
			if n > 0 {
				return n, nil // it comes again
			}
			return 0, err
		}
	}
	return n, nil
}

// Frames is how many frames n of a rate, in Hz, become by Conform to another.
func Frames(n int64, from, to int) int64 {
	if from == to {
		return n
	}
	return audio.ResampledFrames(n, from, to)
}

// CanJoin reports whether Conform can make one rate, in Hz, of the other.
func CanJoin(from, to int) bool {
	const steepest = 256 // of audio.NewResampleFilter
	for _, hz := range []int{from, to} {
		if hz < audio.MinResampleRate || hz > audio.MaxResampleRate {
			return false
		}
	}
	return from <= steepest*to
}

// Name tells a format to people.
func Name(f *goaudio.Format) string {
	if f.NumChannels == 1 {
		return fmt.Sprintf("1 channel at %d Hz", f.SampleRate)
	}
	return fmt.Sprintf("%d channels at %d Hz", f.NumChannels, f.SampleRate)
}

// channels is a source with another number of channels.
type channels struct {
	src    audio.Source
	format goaudio.Format
	block  []float32
}

// Format implements [audio.Source].
func (c *channels) Format() *goaudio.Format { return &c.format }

// ReadFrames implements [audio.Source].
func (c *channels) ReadFrames(dst []float32) (int, error) {
	in, out := c.src.Format().NumChannels, c.format.NumChannels
	need := len(dst) / out * in
	if cap(c.block) < need {
		c.block = make([]float32, need)
	}
	block := c.block[:need]
	n, err := c.src.ReadFrames(block)
	for i := range n {
		from, to := block[i*in:(i+1)*in], dst[i*out:(i+1)*out]
		if in == 1 {
			for k := range to {
				to[k] = from[0]
			}
			continue
		}
		clear(to[copy(to, from):])
	}
	return n, err
}
