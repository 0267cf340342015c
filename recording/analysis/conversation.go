package analysis

import (
	"cmp"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// How conversations are counted, in cells of 10 ms.
const (
	monologuePause = 200 // a pause that doesn't end a monologue
	backchannel    = 100 // talk of another that doesn't end it either: "mhm", "yes"
	interruptAfter = 30  // how long another must have talked
	interruptFor   = 30  // how long both must talk
	responseWithin = 500 // later talk isn't a response
)

// Conversation is who talked when. Times count from the first frame, in whole
// milliseconds; a leg talks within its segments.
type Conversation struct {
	Duration time.Duration `json:"duration_ms"`
	// Silence is the time in which nobody talks, Overlap that in which two
	// or more do.
	Silence time.Duration `json:"silence_ms"`
	Overlap time.Duration `json:"overlap_ms"`
	// DeadAir is the longest time in which nobody talks.
	DeadAir TalkSegment `json:"dead_air"`
	Parties []PartyTalk `json:"parties"`
	// Suspicions are what seems wrong with the legs, by leg; empty if nothing does.
	Suspicions []Suspicion `json:"suspicions"`
}

// TalkSegment is a stretch of time.
type TalkSegment struct {
	Start time.Duration `json:"start_ms"`
	End   time.Duration `json:"end_ms"`
}

// PartyTalk is the part of one leg in a conversation.
type PartyTalk struct {
	Leg       string        `json:"leg"`
	TalkTime  time.Duration `json:"talk_ms"`
	TalkRatio float64       `json:"talk_ratio"` // of the duration, in [0, 1]
	Silence   time.Duration `json:"silence_ms"` // the rest of the duration
	Overlap   time.Duration `json:"overlap_ms"` // of its talk, while another talks
	Turns     int64         `json:"turns"`      // segments of talk
	// LongestMonologue goes on over pauses of up to 2 s in which no other talks
	// for 1 s or more.
	LongestMonologue TalkSegment `json:"longest_monologue"`
	// Interruptions are how often it began to talk when another had talked for
	// 300 ms, and both went on for 300 ms.
	Interruptions int64 `json:"interruptions"`
	// Responses are how often it was the first to talk, within 5 s, after
	// another had stopped; MeanResponse the mean pause before, 0 without any.
	Responses    int64         `json:"responses"`
	MeanResponse time.Duration `json:"mean_response_ms"`
	// Talk lists the segments, in order.
	Talk []TalkSegment `json:"talk"`
}

// talkEvent is where a segment of a leg begins or ends.
type talkEvent struct {
	at    uint32
	to    uint32 // of a beginning: the end
	leg   int16
	start bool
}

// countConversation counts who talked when.
func countConversation(o *VoiceOptions, channels []voiceChannel, rate int, frames int64) Conversation {
	t := &talkCounter{size: int64(cellFrames(rate)), rate: int64(rate), frames: frames, channels: channels}
	r := Conversation{
		Duration: wholeMillis(frames, rate), Parties: make([]PartyTalk, len(channels)), Suspicions: []Suspicion{},
	}
	t.merge()
	t.sweep(&r)
	for c := range channels {
		p := &r.Parties[c]
		p.Leg = o.Legs[c]
		list := channels[c].talk.list
		p.Turns = int64(len(list))
		p.Silence = r.Duration - p.TalkTime
		p.TalkRatio = ratio(int64(p.TalkTime), int64(r.Duration))
		p.LongestMonologue = t.monologue(c)
		p.Talk = t.list(list, o.ListedSegments)
	}
	r.suspect(o, t)
	return r
}

// talkCounter turns segments of talk into the figures of a conversation.
type talkCounter struct {
	size, rate, frames int64
	channels           []voiceChannel
	events             []talkEvent
}

// time is when a cell begins; not after the end.
func (t *talkCounter) time(at int64) time.Duration {
	return wholeMillis(min(at*t.size, t.frames), int(t.rate))
}

func (t *talkCounter) segment(from, to int64) TalkSegment {
	return TalkSegment{t.time(from), t.time(to)}
}

// merge puts the events of all legs in order, ends before beginnings.
func (t *talkCounter) merge() {
	for c := range t.channels {
		for _, seg := range t.channels[c].talk.list {
			t.events = append(t.events, talkEvent{seg.from, seg.to, int16(c), true}, talkEvent{seg.to, 0, int16(c), false})
		}
	}
	slices.SortFunc(t.events, func(a, b talkEvent) int {
		if a.at != b.at {
			return cmp.Compare(a.at, b.at)
		}
		if a.start != b.start {
			if b.start {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.leg, b.leg)
	})
}

// sweep goes through the call once.
func (t *talkCounter) sweep(r *Conversation) {
	end := (t.frames + t.size - 1) / t.size
	talk, over := make([]int64, len(t.channels)), make([]int64, len(t.channels))
	waited := make([]int64, len(t.channels))
	talking := make([]*talkEvent, len(t.channels))
	var n int
	var at, silence, overlap, deadFrom, deadTo int64
	lastLeg := -1 // the one that talked last, while nobody talks
	pass := func(to int64) {
		switch {
		case n == 0:
			silence += to - at
			if to-at > deadTo-deadFrom {
				deadFrom, deadTo = at, to
			}
		case n > 1:
			overlap += to - at
		}
		for c, e := range talking {
			if e != nil {
				talk[c] += to - at
				if n > 1 {
					over[c] += to - at
				}
			}
		}
		at = to
	}
	for i := range t.events {
		e := &t.events[i]
		before := at
		pass(int64(e.at))
		if !e.start {
			talking[e.leg] = nil
			n--
			lastLeg = int(e.leg)
			continue
		}
		if n == 0 && lastLeg >= 0 && lastLeg != int(e.leg) && at-before <= responseWithin {
			r.Parties[e.leg].Responses++
			waited[e.leg] += at - before
		}
		if interrupts(e, talking) {
			r.Parties[e.leg].Interruptions++
		}
		talking[e.leg] = e
		n++
	}
	pass(max(end, at))
	r.Silence, r.Overlap, r.DeadAir = t.time(silence), t.time(overlap), t.segment(deadFrom, deadTo)
	for c := range r.Parties {
		p := &r.Parties[c]
		p.TalkTime, p.Overlap = t.time(talk[c]), t.time(over[c])
		if p.Responses > 0 {
			p.MeanResponse = t.time(waited[c] / p.Responses)
		}
	}
}

// interrupts reports whether e begins within the talk of another.
func interrupts(e *talkEvent, talking []*talkEvent) bool {
	for _, other := range talking {
		if other != nil && int64(e.at)-int64(other.at) >= interruptAfter &&
			min(int64(other.to), int64(e.to))-int64(e.at) >= interruptFor {
			return true
		}
	}
	return false
}

// monologue is the longest of a leg.
func (t *talkCounter) monologue(leg int) TalkSegment {
	var best, run span
	next := 0           // event
	others := uint32(0) // the latest end of another's talk that ends a monologue
	for _, seg := range t.channels[leg].talk.list {
		for ; next < len(t.events) && t.events[next].at < seg.from; next++ {
			e := &t.events[next]
			if e.start && int(e.leg) != leg && int64(e.to)-int64(e.at) >= backchannel {
				others = max(others, e.to)
			}
		}
		if run.to == 0 || others > run.to || int64(seg.from)-int64(run.to) > monologuePause {
			run.from = seg.from
		}
		run.to = seg.to
		if run.cells() > best.cells() {
			best = run
		}
	}
	return t.segment(int64(best.from), int64(best.to))
}

// list is at most limit segments; those with the smallest gaps are joined.
func (t *talkCounter) list(all []span, limit int) []TalkSegment {
	if limit < 0 {
		return []TalkSegment{}
	}
	if len(all) > limit {
		s := segmenter{max: 2 * max(limit, 1), bridge: bridgeCells, list: slices.Clone(all)}
		s.join()
		all = s.list
	}
	out := make([]TalkSegment, len(all))
	for i, seg := range all {
		out[i] = t.segment(int64(seg.from), int64(seg.to))
	}
	return out
}

// MarshalJSON implements json.Marshaler.
func (c Conversation) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(c) }

// UnmarshalJSON implements json.Unmarshaler.
func (c *Conversation) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, c) }

// MarshalJSON implements json.Marshaler.
func (t TalkSegment) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(t) }

// UnmarshalJSON implements json.Unmarshaler.
func (t *TalkSegment) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, t) }

// MarshalJSON implements json.Marshaler.
func (p PartyTalk) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(p) }

// UnmarshalJSON implements json.Unmarshaler.
func (p *PartyTalk) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, p) }
