package simulate

import "time"

// destination counts what one destination gets.
type destination struct {
	Destination

	gauge  gauge // of the calls at once
	second second
	calls  []int32 // by minute
	rates  []int32
	noRoom []int32

	demand       int // calls at once
	demandSecond second
	over         int64 // Unix nanoseconds since when the demand is over the limit; 0: it isn't
	overNanos    int64
}

// second counts the calls of one second of the clock.
type second struct {
	at int64 // Unix
	n  int
}

func (s *second) add(at int64) int {
	if s.at != at {
		*s = second{at: at}
	}
	s.n++
	return s.n
}

// begins counts a call that the destination gets.
func (d *destination) begins(unix int64, minute int) {
	d.Calls++
	rate := d.second.add(unix)
	d.PeakCPS = max(d.PeakCPS, rate)
	d.gauge.add(minute, 1)
	d.PeakConcurrent = max(d.PeakConcurrent, d.gauge.now)
	if minute >= 0 {
		d.calls, d.rates = at(d.calls, minute), at(d.rates, minute)
		d.calls[minute]++
		d.rates[minute] = max(d.rates[minute], int32(rate))
	}
}

// demandBegins counts a call that it would get without limits.
func (d *destination) demandBegins(nanos int64) {
	d.Demand++
	d.demand++
	d.DemandPeakConcurrent = max(d.DemandPeakConcurrent, d.demand)
	rate := d.demandSecond.add(nanos / 1e9)
	d.DemandPeakCPS = max(d.DemandPeakCPS, rate)
	if d.CPS > 0 && rate == d.CPS+1 {
		d.SecondsOverCPS++
	}
	if d.Concurrent > 0 && d.demand == d.Concurrent+1 {
		d.over = nanos
	}
}

func (d *destination) demandEnds(nanos int64) {
	d.demand--
	if d.Concurrent > 0 && d.demand == d.Concurrent {
		d.overNanos += nanos - d.over
	}
}

func (d *destination) finish() { d.Over = time.Duration(d.overNanos) }

// gauge is a level with its peak in every minute.
type gauge struct {
	now    int
	series []int32
}

// add changes the level. Minutes that have passed since then keep the level before.
func (g *gauge) add(minute, by int) {
	if minute >= 0 {
		g.fill(minute)
	}
	g.now += by
	if minute >= 0 {
		g.series[minute] = max(g.series[minute], int32(g.now))
	}
}

func (g *gauge) fill(minute int) {
	for len(g.series) <= minute {
		g.series = append(g.series, int32(g.now))
	}
}

func (g *gauge) minutes() int { return len(g.series) }

// at returns the list with room for index i.
func at(list []int32, i int) []int32 {
	for len(list) <= i {
		list = append(list, 0)
	}
	return list
}

// pad returns the list with n values.
func pad(list []int32, n int) []int32 {
	if n == 0 {
		return []int32{}
	}
	return at(list, n-1)
}
