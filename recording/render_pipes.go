package recording

import (
	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
)

// pipes lead from the legs' files to the buses.
type pipes struct {
	call   *timedCall
	stages []Stage
	block  int                       // frames, of the fastest bus
	scan   scanned                   // whose gains the legs get
	meters []*analysis.LoudnessMeter // one for each leg; nil: loudness isn't measured
	// findDropouts: the files are searched for dropouts while they are read.
	findDropouts bool
	// findBursts: they are searched for bursts of noise at their ends, which are silence
	// where loudness is measured.
	findBursts bool

	// What connect makes.
	timelines []*audio.Timeline // of the legs, at the rate of the first bus
	dropouts  map[*timedSegment]*audio.DropoutDetector
	bursts    map[*timedSegment]*audio.EndBurst

	filters *filters
	fastest int   // the highest rate of the buses
	rates   []int // of legs: those that the buses need, in their order
}

// connect leads every leg to every bus.
func (p *pipes) connect(buses []*bus) error {
	p.filters, p.dropouts = newFilters(), map[*timedSegment]*audio.DropoutDetector{}
	p.bursts = map[*timedSegment]*audio.EndBurst{}
	users := map[int]int{} // buses, by the rate of their legs
	for _, b := range buses {
		if users[b.legRate] == 0 {
			p.rates = append(p.rates, b.legRate)
		}
		users[b.legRate]++
		p.fastest = max(p.fastest, b.rate)
	}
	legs := make([][]audio.Source, len(buses))
	for i, l := range p.call.legs {
		timelines, err := p.placed(i)
		if err != nil {
			return err
		}
		p.timelines = append(p.timelines, timelines[p.rates[0]])
		for _, rate := range p.rates {
			var line audio.Source = timelines[rate]
			if p.meters != nil { // before tones replace what is redacted
				line = &metered{Source: line, meter: p.meters[i]}
			}
			branches := audio.Tee(p.call.silenced(l, line), users[rate], p.skew(rate))
			for j, b := range buses {
				if b.legRate == rate {
					legs[j] = append(legs[j], branches[0])
					branches = branches[1:]
				}
			}
		}
	}
	for j, b := range buses {
		after, err := p.filters.between(b.legRate, b.rate)
		if err != nil {
			return err
		}
		if err := b.join(legs[j], after); err != nil {
			return err
		}
		b.makeBlocks(p.block)
	}
	return nil
}

// skew bounds how many frames a tee at rate must hold: its branches go in step by
// blocks, with the filters' and limiters' look-ahead between them.
func (p *pipes) skew(rate int) int {
	return 4*(p.block*rate/p.fastest+p.filters.ahead+p.block) + 65536
}

// placed puts leg i's segments on a timeline for each rate.
func (p *pipes) placed(i int) (map[int]*audio.Timeline, error) {
	segments := make(map[int][]audio.Segment, len(p.rates))
	for _, s := range p.call.legs[i].withAudio {
		filters := make([]*audio.ResampleFilter, len(p.rates))
		for k, rate := range p.rates {
			var err error
			if filters[k], err = p.filters.of(s, rate); err != nil {
				return nil, err
			}
		}
		src, err := p.prepared(s, p.scan.gainDB(i))
		if err != nil {
			return nil, err
		}
		branches := audio.Tee(src, len(p.rates), p.skew(s.rate))
		for k, rate := range p.rates {
			src := branches[k]
			if filters[k] != nil {
				if src, err = audio.Resample(src, filters[k]); err != nil {
					return nil, err
				}
			}
			segments[rate] = append(segments[rate], audio.Segment{Source: src, OffsetFrames: audio.FramesIn(s.at, rate)})
		}
	}
	timelines := make(map[int]*audio.Timeline, len(p.rates))
	for _, rate := range p.rates {
		t, err := audio.Place(mono(rate), p.call.frames(rate), segments[rate])
		if err != nil {
			return nil, err
		}
		timelines[rate] = t
	}
	return timelines, nil
}

// prepared is the segment's audio in one channel, changed by stages and gain, and
// without what is redacted or was paused.
func (p *pipes) prepared(s *timedSegment, levelDB float64) (audio.Source, error) {
	src, err := throughStages(p.stages, s.leg.spec, audio.Downmix(s.Source(s.rate)), s.Frames)
	if err != nil {
		return nil, err
	}
	gainDB := s.leg.spec.GainDB + levelDB
	if gainDB != 0 {
		src = audio.Gain(src, audio.FromDecibels(gainDB))
	}
	src = audio.Redact(src, p.call.silencesIn(s))
	if p.findBursts && s.rate >= minDropoutRate {
		b := audio.FindEndBurst(src, s.Frames, p.meters != nil)
		p.bursts[s] = b
		src = b
	}
	if p.findDropouts && s.rate >= minDropoutRate {
		d := audio.NewDropoutDetector(s.rate, audio.FromDecibels(gainDB))
		p.dropouts[s] = d
		src = &dropoutSource{Source: src, detector: d}
	}
	return src, nil
}

func mono(rate int) *goaudio.Format { return &goaudio.Format{NumChannels: 1, SampleRate: rate} }
