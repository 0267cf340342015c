package analysis

import (
	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
)

// SilenceDBFS is the RMS level below which 10 ms are silent.
const SilenceDBFS = -60

// silencePower is the mean square at SilenceDBFS.
const silencePower = 1e-6

// LevelOptions configure [NewLevelMeter]. The zero value works.
type LevelOptions struct {
	// ClipLevel is the magnitude that is full scale, in (0, 1]. 0 means
	// audio.FullScale16. A leg that was µ-law or A-law reaches 0.980 or 0.984.
	ClipLevel float32
}

// Levels are measures of one channel. Levels in dB are relative to full scale,
// where a sine of full scale has an RMS level of -3.01 dBFS; to 0.01 dB and not
// below [FloorDBFS].
type Levels struct {
	RMSDBFS      float64 `json:"rms_dbfs"`
	PeakDBFS     float64 `json:"peak_dbfs"`      // of the samples
	TruePeakDBTP float64 `json:"true_peak_dbtp"` // ITU-R BS.1770-4, Annex 2: at four times the rate
	DCOffset     float64 `json:"dc_offset"`      // the mean, in [-1, 1], to 1e-6
	// ClippedRuns counts runs of at least audio.ClipRun samples at full scale, of one
	// sign; ClippedSamples are the samples in them.
	ClippedRuns    int64 `json:"clipped_runs"`
	ClippedSamples int64 `json:"clipped_samples"`
	// SilenceRatio is the part of the 10 ms cells whose RMS level, without
	// their DC, is below SilenceDBFS; DigitalSilenceRatio is the part in which the
	// samples are all the same, within a step of 16 bits.
	SilenceRatio        float64 `json:"silence_ratio"`
	DigitalSilenceRatio float64 `json:"digital_silence_ratio"`
	// OddSamples were NaN, infinite or beyond ±MaxSample.
	OddSamples int64 `json:"odd_samples,omitempty"`
}

// LevelMeter measures the levels of each channel.
type LevelMeter struct {
	in       *splitter
	channels []levelChannel
	scans    []cellScan
}

// NewLevelMeter makes a LevelMeter. o may be nil.
func NewLevelMeter(f *goaudio.Format, o *LevelOptions) (*LevelMeter, error) {
	m := &LevelMeter{}
	var err error
	if m.in, err = newSplitter(f, m.process); err != nil {
		return nil, err
	}
	m.channels = make([]levelChannel, f.NumChannels)
	m.scans = make([]cellScan, f.NumChannels)
	for c := range m.channels {
		m.channels[c].init(f.SampleRate, o)
		m.scans[c].init(f.SampleRate)
	}
	return m, nil
}

// WriteFrames implements [Tap].
func (m *LevelMeter) WriteFrames(src []float32) error { return m.in.write(src) }

// Finish implements [Tap].
func (m *LevelMeter) Finish() error {
	ended, err := m.in.finish()
	if ended {
		for c := range m.channels {
			m.channels[c].end()
		}
	}
	return err
}

// Result is the levels of each channel.
func (m *LevelMeter) Result() []Levels {
	out := make([]Levels, len(m.channels))
	for c := range out {
		out[c] = m.channels[c].result(m.in.odd[c])
	}
	return out
}

func (m *LevelMeter) process(planes [][]float32) error {
	for c, plane := range planes {
		m.channels[c].add(plane, m.scans[c].run(plane))
	}
	return nil
}

// levelChannel accumulates the levels of a channel.
type levelChannel struct {
	clip   float32
	frames int64
	sum    float64
	power  float64
	peak   float32

	cells, silent, digital int64

	run         int64 // of samples at full scale, positive or negative
	negative    bool
	clippedRuns int64
	clipped     int64

	truePeak truePeak
}

func (l *levelChannel) init(rate int, o *LevelOptions) {
	l.clip = audio.FullScale16
	if o != nil && o.ClipLevel > 0 && o.ClipLevel <= 1 {
		l.clip = o.ClipLevel
	}
	l.truePeak.init(cellFrames(rate))
}

// add takes a chunk and its cells.
func (l *levelChannel) add(x []float32, cells []cell) {
	at := 0
	for i := range cells {
		c := &cells[i]
		n := float64(c.frames)
		l.frames += int64(c.frames)
		l.sum += c.sum
		l.power += c.power
		l.peak = max(l.peak, c.peak())
		l.cells++
		mean := c.sum / n
		if c.power/n-float64(mean*mean) < silencePower {
			l.silent++
			if c.digital() {
				l.digital++
			}
		}
		if l.run > 0 || c.peak() >= l.clip {
			l.clips(x[at : at+c.frames])
		}
		l.truePeak.add(x, at, c.frames, c.peak())
		at += c.frames
	}
	l.truePeak.keep(x)
}

func (l *levelChannel) clips(x []float32) {
	for _, v := range x {
		full := v >= l.clip || v <= -l.clip
		if l.run > 0 && (!full || (v < 0) != l.negative) {
			l.endRun()
		}
		if full {
			l.run++
			l.negative = v < 0
		}
	}
}

func (l *levelChannel) endRun() {
	if l.run >= audio.ClipRun {
		l.clippedRuns++
		l.clipped += l.run
	}
	l.run = 0
}

func (l *levelChannel) end() { l.endRun(); l.truePeak.flush() }

func (l *levelChannel) result(odd int64) Levels {
	r := Levels{
		RMSDBFS: FloorDBFS, PeakDBFS: amplitudeDB(float64(l.peak)), TruePeakDBTP: amplitudeDB(float64(max(l.truePeak.peak, l.peak))),
		ClippedRuns: l.clippedRuns, ClippedSamples: l.clipped,
		SilenceRatio: ratio(l.silent, l.cells), DigitalSilenceRatio: ratio(l.digital, l.cells), OddSamples: odd,
	}
	if l.frames > 0 {
		r.RMSDBFS = dB(l.power/float64(l.frames), FloorDBFS)
		r.DCOffset = round(l.sum/float64(l.frames), 1e6)
	}
	return r
}

func amplitudeDB(x float64) float64 { return dB(float64(x*x), FloorDBFS) }
