package analysis

import goaudio "github.com/go-audio/audio"

// Loudness is measured as ITU-R BS.1770-4 and EBU R128 (Tech 3341, 3342) say.
// Levels are to 0.01 and not below [FloorLUFS].
type Loudness struct {
	// IntegratedLUFS is gated at -70 LUFS and 10 LU below the mean, over blocks
	// of 400 ms that begin every 100 ms.
	IntegratedLUFS float64 `json:"integrated_lufs"`
	// RangeLU is from the 10th to the 95th percentile of 3 s windows that begin
	// every 100 ms, gated at -70 LUFS and 20 LU below their mean.
	RangeLU float64 `json:"range_lu"`
	// MaxMomentaryLUFS is of 400 ms, MaxShortTermLUFS of 3 s.
	MaxMomentaryLUFS float64 `json:"max_momentary_lufs"`
	MaxShortTermLUFS float64 `json:"max_short_term_lufs"`
}

// LoudnessResult is the loudness of a recording and of each channel by itself.
type LoudnessResult struct {
	// Programme is of all channels together: their powers are summed with the
	// weight 1. BS.1770 has 1.41 for surround channels, which calls don't have.
	Programme Loudness `json:"programme"`
	// Channels are each measured as a mono programme, which BS.1770 counts as
	// one channel: played by two loudspeakers it is 3 LU louder.
	Channels []Loudness `json:"channels"`
}

// LoudnessMeter measures loudness. It keeps 240 KB for each channel and for the
// whole, however long the recording is.
type LoudnessMeter struct {
	in     *splitter
	engine loudnessEngine
}

// NewLoudnessMeter makes a LoudnessMeter.
func NewLoudnessMeter(f *goaudio.Format) (*LoudnessMeter, error) {
	m := &LoudnessMeter{}
	var err error
	if m.in, err = newSplitter(f, m.process); err != nil {
		return nil, err
	}
	m.engine.init(f.SampleRate, f.NumChannels, f.NumChannels)
	return m, nil
}

// WriteFrames implements [Tap].
func (m *LoudnessMeter) WriteFrames(src []float32) error { return m.in.write(src) }

// Finish implements [Tap]. A block that isn't whole isn't measured.
func (m *LoudnessMeter) Finish() error {
	_, err := m.in.finish()
	return err
}

// Result is the loudness so far.
func (m *LoudnessMeter) Result() LoudnessResult { return m.engine.result() }

func (m *LoudnessMeter) process(planes [][]float32) error {
	m.engine.add(planes)
	return nil
}

// loudnessEngine weights channels and gates each by itself, and the first few
// of them together.
type loudnessEngine struct {
	rate     int64
	together int // channels that make up the programme
	filter   kFilter
	states   []kState
	hopPower []float64 // by channel, in the hop so far
	hop      int64     // hops done
	at       int64     // frames done
	next     int64     // frame at which the hop ends
	tracks   []loudnessTrack
}

func (e *loudnessEngine) init(rate, channels, together int) {
	*e = loudnessEngine{
		rate: int64(rate), together: together, filter: newKFilter(rate), states: make([]kState, channels),
		hopPower: make([]float64, channels), next: int64(rate) / 10, tracks: make([]loudnessTrack, channels+1),
	}
	for i := range e.tracks {
		e.tracks[i].blocks, e.tracks[i].short = new(gate), new(gate)
	}
}

func (e *loudnessEngine) add(planes [][]float32) {
	for at := 0; at < len(planes[0]); {
		n := min(len(planes[0])-at, int(e.next-e.at))
		for c := 0; c < len(planes); c += 2 {
			if c+1 == len(planes) {
				e.hopPower[c] += e.filter.power(&e.states[c], planes[c][at:at+n])
				break
			}
			a, b := e.filter.power2(&e.states[c], &e.states[c+1], planes[c][at:at+n], planes[c+1][at:at+n])
			e.hopPower[c] += a
			e.hopPower[c+1] += b
		}
		at += n
		e.at += int64(n)
		if e.at == e.next {
			e.endHop()
		}
	}
	for c := range e.states {
		e.states[c].dropFaded()
	}
}

// endHop ends 100 ms. Where those aren't whole frames, hops differ by one.
func (e *loudnessEngine) endHop() {
	frames := e.next - e.hop*e.rate/10
	all := 0.0
	for c, p := range e.hopPower {
		p /= float64(frames)
		e.tracks[c+1].add(p)
		if c < e.together {
			all += p
		}
		e.hopPower[c] = 0
	}
	e.tracks[0].add(all)
	e.hop++
	e.next = (e.hop + 1) * e.rate / 10
}

func (e *loudnessEngine) result() LoudnessResult {
	r := LoudnessResult{Programme: e.tracks[0].result(), Channels: make([]Loudness, len(e.tracks)-1)}
	for c := range r.Channels {
		r.Channels[c] = e.tracks[c+1].result()
	}
	return r
}

// loudnessTrack gates a series of hops.
type loudnessTrack struct {
	ring               [hopsPerShort]float64 // mean squares
	hops               int64
	blocks, short      *gate
	maxBlock, maxShort float64
}

func (t *loudnessTrack) add(power float64) {
	t.ring[t.hops%hopsPerShort] = power
	t.hops++
	if t.hops >= hopsPerBlock {
		p := t.last(hopsPerBlock)
		t.blocks.add(p)
		t.maxBlock = max(t.maxBlock, p)
	}
	if t.hops >= hopsPerShort {
		p := t.last(hopsPerShort)
		t.short.add(p)
		t.maxShort = max(t.maxShort, p)
	}
}

// last is the mean of the last n hops. It is summed anew each time, so that no
// rounding adds up.
func (t *loudnessTrack) last(n int64) float64 {
	sum := 0.0
	for k := t.hops - n; k < t.hops; k++ {
		sum += t.ring[k%hopsPerShort]
	}
	return sum / float64(n)
}

func (t *loudnessTrack) result() Loudness {
	return Loudness{
		IntegratedLUFS: lufs(t.blocks.integrated()), RangeLU: t.short.loudnessRange(),
		MaxMomentaryLUFS: lufs(t.maxBlock), MaxShortTermLUFS: lufs(t.maxShort),
	}
}
