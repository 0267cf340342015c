package analysis

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// SuspicionCode is what seems wrong with a leg.
type SuspicionCode string

// The codes of suspicions.
const (
	// OneWayAudio: the leg has no talk while the others talk. One party wasn't
	// heard, or has only listened.
	OneWayAudio SuspicionCode = "one_way_audio"
	// AudioLost: the leg had talk, then its signal stopped for good while the
	// others talked on. It left the call, was muted, or its media broke.
	AudioLost SuspicionCode = "audio_lost"
)

// oneWayTalk is the talk of a dead leg that is taken for noise: 600 ms, and
// a thousandth of what the others talk.
const (
	oneWayTalk      = 600 * time.Millisecond
	oneWayTalkRatio = 1000
)

// Suspicion is something that seems wrong with a leg. Nobody can tell from the
// audio alone whether it is.
type Suspicion struct {
	Code SuspicionCode `json:"code"`
	Leg  string        `json:"leg"`
	// Since is the end of the leg's signal: 0 if there never was any talk.
	Since time.Duration `json:"since_ms"`
	// OthersTalk is the time since then in which another leg talks.
	OthersTalk time.Duration `json:"others_talk_ms"`
	// DigitalSilence: the samples are all the same; nothing was ever received.
	// Otherwise there is background noise, and nobody in front of it.
	DigitalSilence bool `json:"digital_silence"`
}

// suspect looks for legs that seem to be dead.
func (r *Conversation) suspect(o *VoiceOptions, t *talkCounter) {
	for c := range t.channels {
		v := &t.channels[c]
		p := &r.Parties[c]
		if others := t.othersTalk(c, 0); others >= o.OneWayTalk {
			if p.TalkTime <= oneWayTalk+others/oneWayTalkRatio {
				r.Suspicions = append(r.Suspicions, Suspicion{
					Code: OneWayAudio, Leg: p.Leg, OthersTalk: others, DigitalSilence: v.lastSignal == 0,
				})
				continue
			}
		}
		if others := t.othersTalk(c, v.lastSignal); others >= o.LostTalk {
			r.Suspicions = append(r.Suspicions, Suspicion{
				Code: AudioLost, Leg: p.Leg, Since: t.time(v.lastSignal), OthersTalk: others, DigitalSilence: true,
			})
		}
	}
}

// othersTalk is the time from a cell on in which another leg than this talks.
func (t *talkCounter) othersTalk(leg int, from int64) time.Duration {
	var sum, n, at int64
	for i := range t.events {
		e := &t.events[i]
		if int(e.leg) == leg {
			continue
		}
		if n > 0 {
			sum += max(int64(e.at)-max(at, from), 0)
		}
		at = int64(e.at)
		if e.start {
			n++
		} else {
			n--
		}
	}
	return t.time(sum)
}

// MarshalJSON implements json.Marshaler.
func (s Suspicion) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Suspicion) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, s) }
