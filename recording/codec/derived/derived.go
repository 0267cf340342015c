// Package derived holds the outputs of a recording that are about its audio:
// waveform peaks in audiowaveform's formats, and the analysis of a call as
// JSON. To a pipeline they are encoders like those of audio. So they are made in
// the same read, from the same samples, and are redacted like them.
package derived

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/codec"
)

// The versions of the outputs: they change when the same samples would give
// other bytes.
const (
	PeaksVersion    = "switchtape-peaks/1"
	AnalysisVersion = "switchtape-analysis/1"
)

// FitRate is the sample rate, in Hz, at which audio of rate hz is measured: its
// own, or the lowest that a measure takes.
func FitRate(hz int) int { return max(hz, analysis.MinSampleRateHz) }

// NewPeaksJSON is the [codec.NewEncoder] of a waveform in audiowaveform's JSON,
// version 2, with the minimum and the maximum of every channel. It uses
// Options.Frames, which must be known, Options.SamplesPerPixel, and
// Options.BitDepth: 8, or 16.
func NewPeaksJSON(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	return newPeaks(w, f, o, analysis.PeaksJSON)
}

// NewPeaksDAT is as [NewPeaksJSON], in audiowaveform's binary format.
func NewPeaksDAT(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	return newPeaks(w, f, o, analysis.PeaksDAT)
}

func newPeaks(w io.Writer, f *goaudio.Format, o codec.Options, format analysis.PeaksFormat) (codec.Encoder, error) {
	name := "peaks-" + string(format)
	if err := measurable(name, f); err != nil {
		return nil, err
	}
	if o.Frames < 0 {
		return nil, &codec.UnsupportedError{Codec: name, What: "length that isn't known", Nearest: "Options.Frames"}
	}
	p, err := analysis.NewPeaksWriter(w, f, format, o.Frames, &analysis.PeaksOptions{SamplesPerPixel: o.SamplesPerPixel, Bits: o.BitDepth})
	if err != nil {
		return nil, &codec.UnsupportedError{Codec: name, What: err.Error()}
	}
	return &tap{Tap: p}, nil
}

// measurable refuses a format that the taps can't measure, and names the nearest
// one that they can.
func measurable(name string, f *goaudio.Format) error {
	switch {
	case f.SampleRate < analysis.MinSampleRateHz || f.SampleRate > analysis.MaxSampleRateHz:
		return &codec.UnsupportedError{
			Codec: name, What: fmt.Sprintf("sample rate %d Hz", f.SampleRate),
			Nearest: fmt.Sprintf("%d Hz", min(max(f.SampleRate, analysis.MinSampleRateHz), analysis.MaxSampleRateHz)),
		}
	case f.NumChannels < 1 || f.NumChannels > analysis.MaxChannels:
		return &codec.UnsupportedError{
			Codec: name, What: fmt.Sprintf("number of channels %d", f.NumChannels), Nearest: fmt.Sprintf("1 to %d", analysis.MaxChannels),
		}
	}
	return nil
}

// tap is an analysis.Tap with the errors of an encoder.
type tap struct{ analysis.Tap }

func (t *tap) WriteFrames(src []float32) error { return translate(t.Tap.WriteFrames(src)) }
func (t *tap) Finish() error                   { return translate(t.Tap.Finish()) }

func translate(err error) error {
	switch {
	case errors.Is(err, analysis.ErrFinished):
		return codec.ErrFinished
	case errors.Is(err, analysis.ErrFrameCount):
		return codec.ErrFrameCount
	}
	return err
}

// Analysis is the encoder that [NewAnalysis] makes.
type Analysis struct {
	analyzer *analysis.Analyzer
	w        io.Writer
	frames   int64 // announced
	written  int64
	channels int
	err      error
	done     bool
}

// NewAnalysis is the [codec.NewEncoder] of an [analysis.Report] as JSON, with a
// line feed at the end. Every channel is a leg of the name that
// Options.ChannelNames gives it, and every pair of the first eight is checked
// for alignment. It writes nothing until Finish.
func NewAnalysis(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
	if err := measurable("analysis", f); err != nil {
		return nil, err
	}
	names := o.ChannelNames
	if len(names) != f.NumChannels {
		names = nil
	}
	a, err := analysis.NewAnalyzer(f, &analysis.AnalyzerOptions{
		Voice: analysis.VoiceOptions{Legs: names}, AlignmentPairs: pairs(f.NumChannels),
	})
	if err != nil {
		return nil, &codec.UnsupportedError{Codec: "analysis", What: err.Error()}
	}
	return &Analysis{analyzer: a, w: w, frames: o.Frames, channels: f.NumChannels}, nil
}

// pairs are the legs to hold against one another: in a conference everybody may
// hear everybody, but the pairs grow with the square of the legs.
func pairs(legs int) [][2]int {
	const most = 8
	list := [][2]int{}
	for a := range min(legs, most) {
		for b := a + 1; b < min(legs, most); b++ {
			list = append(list, [2]int{a, b})
		}
	}
	return list
}

// WriteFrames implements [codec.Encoder].
func (a *Analysis) WriteFrames(src []float32) error {
	switch {
	case a.done:
		return codec.ErrFinished
	case a.err == nil:
		a.err = translate(a.analyzer.WriteFrames(src))
		a.written += int64(len(src) / a.channels)
	}
	return a.err
}

// Finish implements [codec.Encoder]: it writes the report.
func (a *Analysis) Finish() error {
	if a.done || a.err != nil {
		return a.err
	}
	if a.frames >= 0 && a.written != a.frames {
		a.err = codec.ErrFrameCount
		return a.err
	}
	if a.err = a.analyzer.Finish(); a.err != nil {
		return a.err
	}
	var b []byte
	if b, a.err = json.MarshalIndent(a.analyzer.Result(), "", "  "); a.err != nil {
		return a.err
	}
	if _, a.err = a.w.Write(append(b, '\n')); a.err != nil {
		return a.err
	}
	a.done = true
	return nil
}

// Report is what was found; whole after Finish.
func (a *Analysis) Report() *analysis.Report { return a.analyzer.Result() }
