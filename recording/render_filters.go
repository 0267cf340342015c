package recording

import "github.com/switchtape/switchtape/recording/audio"

// ratePair is the rates of a resampling filter, Hz.
type ratePair struct{ in, out int }

// filters are the resampling filters of a recording. Each is designed once for all
// legs that need it.
type filters struct {
	plain   map[ratePair]*audio.ResampleFilter
	stretch map[ratePair]*audio.ResampleFilter // the last made for a leg with drift
	ahead   int                                // their look-ahead, frames
}

func newFilters() *filters {
	return &filters{plain: map[ratePair]*audio.ResampleFilter{}, stretch: map[ratePair]*audio.ResampleFilter{}}
}

// between is the filter between two rates; nil if they are the same.
func (f *filters) between(in, out int) (*audio.ResampleFilter, error) {
	key := ratePair{in, out}
	if in == out || f.plain[key] != nil {
		return f.plain[key], nil
	}
	made, err := audio.NewResampleFilter(in, out)
	if err != nil {
		return nil, err
	}
	f.plain[key] = made
	f.ahead = max(f.ahead, made.LookaheadFrames())
	return made, nil
}

// of is the filter that takes a segment to rate; nil if it needs none.
func (f *filters) of(s *timedSegment, rate int) (*audio.ResampleFilter, error) {
	c := s.leg.clock
	if c == nil {
		return f.between(s.rate, rate)
	}
	key := ratePair{s.rate, rate}
	from, to := c.ratio(s.rate, rate)
	var made *audio.ResampleFilter
	var err error
	if table := f.stretch[key]; table == nil {
		made, err = audio.NewStretchFilter(s.rate, rate, from, to)
	} else {
		made, err = table.Stretched(from, to)
	}
	if err != nil {
		return nil, err
	}
	f.stretch[key] = made
	f.ahead = max(f.ahead, made.LookaheadFrames())
	return made, nil
}
