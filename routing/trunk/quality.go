package trunk

import (
	"math"
	"sync/atomic"
	"time"
)

const (
	windowBuckets = 15
	// levelStep is how much of the score, 0 to 1000, is one level.
	levelStep = 50
	// neutralLevel is the level of an unknown destination: one that answers half of
	// its calls, after 5 s, for 2 minutes each.
	neutralLevel = 500 / levelStep
	// sure is how many standard errors the score must be away for its level to follow.
	sure = 3.0
)

// Weights and half-way points of the score.
const (
	asrWeight, acdWeight, pddWeight = 600.0, 200.0, 200.0
	acdHalf                         = 120.0 // seconds that are worth half
	pddHalf                         = 5.0
)

// sample is a count of attempts.
type sample struct {
	attempts, answered int
	ended              int
	talk               time.Duration
	delays             int
	delay              time.Duration
}

func (s *sample) add(o *sample) {
	s.attempts += o.attempts
	s.answered += o.answered
	s.ended += o.ended
	s.talk += o.talk
	s.delays += o.delays
	s.delay += o.delay
}

// score returns the score, 0 to 1000, and its standard error:
//
//	600·ASR + 200·ACD/(ACD + 120 s) + 200·5 s/(5 s + PDD)
//
// ASR and ACD are those of ITU-T E.411 and E.437, and PDD lasts until ringing or the
// answer. A term that was not measured counts half.
func (s *sample) score() (score, err float64) {
	n := float64(max(s.attempts, 1))
	asr := float64(s.answered) / n
	// One more of either kind keeps the error of 0 % and 100 % above 0.
	p := (float64(s.answered) + 1) / (n + 2)
	score, variance := asrWeight*asr, asrWeight*asrWeight*p*(1-p)/n
	acd, pdd := 0.5, 0.5
	if s.ended > 0 {
		mean := s.talk.Seconds() / float64(s.ended)
		acd = mean / (mean + acdHalf)
	}
	if s.delays > 0 {
		pdd = pddHalf / (pddHalf + s.delay.Seconds()/float64(s.delays))
	}
	// Durations deviate by about their mean, as exponential ones do.
	for _, part := range [2]struct {
		weight, value float64
		n             int
	}{{acdWeight, acd, s.ended}, {pddWeight, pdd, s.delays}} {
		score += part.weight * part.value
		spread := part.weight * part.value * (1 - part.value)
		variance += spread * spread / float64(max(part.n, 1))
	}
	return score, math.Sqrt(variance)
}

// quality is the quality of a destination. Writers hold its lock; readers don't.
type quality struct {
	level atomic.Int32 // less neutralLevel, so that the zero value is neutral

	buckets [windowBuckets]sample
	bucket  int64 // number of the latest one
	looked  int64 // when the level was last looked at
	changed int64 // when it last changed
	upwards bool  // which way
	hold    time.Duration
}

// seen returns the level that decisions see.
func (q *quality) seen() int { return int(q.level.Load()) + neutralLevel }

// record adds a sample and reports whether the level changed.
func (q *quality) record(now int64, s sample, o *Options) bool {
	q.turn(now, o)
	q.buckets[q.bucket%windowBuckets].add(&s)
	if now-q.looked < int64(o.Window)/windowBuckets/4 {
		return false
	}
	q.looked = now
	return q.follow(now, o)
}

// turn clears the buckets that have left the window.
func (q *quality) turn(now int64, o *Options) {
	current := now / (int64(o.Window) / windowBuckets)
	for range min(current-q.bucket, windowBuckets) {
		q.bucket++
		q.buckets[q.bucket%windowBuckets] = sample{}
	}
	q.bucket = max(q.bucket, current)
}

func (q *quality) window() sample {
	var s sample
	for i := range q.buckets {
		s.add(&q.buckets[i])
	}
	return s
}

// follow sets the level by the score, if it may change. It reports whether it did.
func (q *quality) follow(now int64, o *Options) bool {
	q.hold = max(q.hold, o.Hold)
	s := q.window()
	if s.attempts < o.MinSample || q.changed != 0 && now-q.changed < int64(q.hold) {
		return false
	}
	score, err := s.score()
	level := q.seen()
	off := score - float64(level*levelStep)
	if math.Abs(off) <= levelStep/2+max(levelStep/4, sure*err) {
		return false
	}
	next := int(math.Round(score / levelStep))
	upwards := next > level
	switch {
	case q.changed == 0:
	case upwards != q.upwards:
		q.hold = min(2*q.hold, o.MaxHold)
	case now-q.changed > 4*int64(q.hold):
		q.hold = max(q.hold/2, o.Hold) // it has been quiet
	}
	q.level.Store(int32(next - neutralLevel))
	q.changed, q.upwards = now, upwards
	// The sample was taken under the old level, perhaps with another load, and says
	// little about the new one.
	q.buckets = [windowBuckets]sample{}
	return true
}
