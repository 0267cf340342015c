package recording

import (
	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/audio"
)

// wire builds the pipeline from the segments to the buses. It returns the
// timelines by leg, at the rate of the first bus.
func (p *Processor) wire(pl *plan, buses []*bus) ([]*audio.Timeline, error) {
	w := wiring{pl: pl, filters: map[[2]int]*audio.ResampleFilter{}, stretch: map[[2]int]*audio.ResampleFilter{}, users: map[int]int{}}
	for _, b := range buses {
		if w.users[b.legRate] == 0 {
			w.rates = append(w.rates, b.legRate)
		}
		w.users[b.legRate]++
		w.fastest = max(w.fastest, b.rate)
	}
	w.block = p.block
	first := make([]*audio.Timeline, len(pl.legs))
	byBus := make([][]audio.Source, len(buses))
	for i, l := range pl.legs {
		timelines, err := w.leg(l)
		if err != nil {
			return nil, err
		}
		first[i] = timelines[w.rates[0]]
		for _, rate := range w.rates {
			line := pl.silenced(l, l.heard(timelines[rate]))
			branches := audio.Tee(line, w.users[rate], w.skew(rate))
			for j, b := range buses {
				if b.legRate == rate {
					byBus[j] = append(byBus[j], branches[0])
					branches = branches[1:]
				}
			}
		}
	}
	for j, b := range buses {
		if err := w.filter(b.legRate, b.rate); err != nil {
			return nil, err
		}
		if err := b.join(byBus[j], w.filters[[2]int{b.legRate, b.rate}]); err != nil {
			return nil, err
		}
		samples := p.block * b.channels
		b.free = make(chan *block, blocksPerBus)
		for range blocksPerBus {
			b.free <- &block{room: make([]float32, samples), free: b.free}
		}
	}
	return first, nil
}

// join mixes or merges the legs. after is the filter that takes a mix to the
// bus's rate; nil if the legs have it.
func (b *bus) join(legs []audio.Source, after *audio.ResampleFilter) error {
	if b.mono {
		sum, err := audio.Mix(legs...)
		if err == nil && after != nil {
			sum, err = audio.Resample(sum, after)
		}
		if err != nil {
			return err
		}
		b.src = audio.Limit(sum)
		return nil
	}
	for len(legs) < b.channels { // a stereo recording of one leg
		silence, err := audio.Place(mono(b.rate), b.total, nil)
		if err != nil {
			return err
		}
		legs = append(legs, silence)
	}
	merged, err := audio.Merge(legs...)
	b.src = merged
	return err
}

func mono(rate int) *goaudio.Format { return &goaudio.Format{NumChannels: 1, SampleRate: rate} }

type wiring struct {
	pl      *plan
	block   int
	fastest int   // the highest rate of the buses
	rates   []int // distinct rates, in order of the buses
	users   map[int]int
	filters map[[2]int]*audio.ResampleFilter
	stretch map[[2]int]*audio.ResampleFilter // the last made for a drifting leg
	ahead   int                              // their look-ahead
}

// skew bounds what a tee at rate must hold: branches go in step by blocks, with
// the filters' and limiters' look-ahead between them.
func (w *wiring) skew(rate int) int {
	ahead := w.ahead
	for _, f := range w.filters {
		ahead = max(ahead, f.LookaheadFrames())
	}
	return 4*(w.block*rate/w.fastest+ahead+w.block) + 65536
}

// leg puts the leg's segments on a timeline for each rate.
func (w *wiring) leg(l *leg) (map[int]*audio.Timeline, error) {
	placed := make(map[int][]audio.Segment, len(w.rates))
	for _, s := range l.segments {
		if s.frames == 0 {
			continue
		}
		filters := make([]*audio.ResampleFilter, len(w.rates))
		for i, rate := range w.rates {
			var err error
			if filters[i], err = w.filterFor(s, rate); err != nil {
				return nil, err
			}
		}
		src, err := w.pl.conditioned(s)
		if err != nil {
			return nil, err
		}
		branches := audio.Tee(src, len(w.rates), w.skew(s.format.SampleRate))
		for i, rate := range w.rates {
			src := branches[i]
			if filters[i] != nil {
				var err error
				if src, err = audio.Resample(src, filters[i]); err != nil {
					return nil, err
				}
			}
			placed[rate] = append(placed[rate], audio.Segment{Source: src, OffsetFrames: audio.FramesIn(w.pl.offset(s), rate)})
		}
	}
	timelines := make(map[int]*audio.Timeline, len(w.rates))
	for _, rate := range w.rates {
		t, err := audio.Place(mono(rate), w.pl.frames(rate), placed[rate])
		if err != nil {
			return nil, err
		}
		timelines[rate] = t
	}
	return timelines, nil
}

// filterFor is the filter that takes a segment to rate; nil for none.
func (w *wiring) filterFor(s *segment, rate int) (*audio.ResampleFilter, error) {
	in := s.format.SampleRate
	key := [2]int{in, rate}
	c := s.leg.clock
	if c == nil {
		err := w.filter(in, rate)
		return w.filters[key], err
	}
	from, to := c.frames(in, rate)
	table := w.stretch[key]
	var f *audio.ResampleFilter
	var err error
	if table == nil {
		f, err = audio.NewStretchFilter(in, rate, from, to)
	} else {
		f, err = table.Stretched(from, to)
	}
	if err == nil {
		w.stretch[key] = f
		w.ahead = max(w.ahead, f.LookaheadFrames())
	}
	return f, err
}

// filter designs the filter between two rates, once for all legs.
func (w *wiring) filter(in, out int) error {
	key := [2]int{in, out}
	if in == out || w.filters[key] != nil {
		return nil
	}
	f, err := audio.NewResampleFilter(in, out)
	w.filters[key] = f
	return err
}
