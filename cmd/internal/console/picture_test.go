package console

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/recording/analysis"
)

// What is marked of a conversation: long silence, the first and the last as well, overlap,
// and a party that is heard no more.
func TestTalkMarks(t *testing.T) {
	t.Parallel()
	const s = time.Second
	talk := func(leg string, ends ...time.Duration) analysis.PartyTalk {
		p := analysis.PartyTalk{Leg: leg}
		for i := 0; i < len(ends); i += 2 {
			p.Talk = append(p.Talk, analysis.TalkSegment{Start: ends[i], End: ends[i+1]})
		}
		return p
	}
	mark := func(from, to float64, kind, label string) region {
		return region{From: from, To: to, Kind: kind, Label: label, Channel: -1}
	}
	for name, c := range map[string]struct {
		of   analysis.Conversation
		want []region
	}{
		"nobody ever": {analysis.Conversation{Duration: 10 * s, Parties: []analysis.PartyTalk{talk("a"), talk("b")}}, []region{mark(0, 10, "silence", "nobody talks")}},
		"in turns": {
			analysis.Conversation{Duration: 20 * s, Parties: []analysis.PartyTalk{talk("a", 4*s, 6*s), talk("b", 6*s, 12*s)}},
			[]region{mark(0, 4, "silence", "nobody talks"), mark(12, 20, "silence", "nobody talks")},
		},
		"at once": {
			analysis.Conversation{Duration: 10 * s, Parties: []analysis.PartyTalk{talk("a", 0, 5*s, 7*s, 10*s), talk("b", 4*s, 8*s), talk("c", 4500*time.Millisecond, 4600*time.Millisecond)}},
			[]region{mark(4, 5, "overlap", "several talk"), mark(7, 8, "overlap", "several talk")},
		},
		"too short to tell": {
			analysis.Conversation{Duration: 6 * s, Parties: []analysis.PartyTalk{talk("a", 1*s, 3*s), talk("b", 2700*time.Millisecond, 5*s)}},
			[]region{},
		},
		"one is gone": {
			analysis.Conversation{Duration: 10 * s, Parties: []analysis.PartyTalk{talk("a", 0, 10*s), talk("b", 0, 400*time.Millisecond)}, Suspicions: []analysis.Suspicion{{Code: analysis.OneWayAudio, Leg: "b", Since: s}}},
			[]region{mark(1, 10, "gap", "b: one way audio")},
		},
	} {
		assert.Equal(t, c.want, talkMarks(&c.of), name)
	}
	var many analysis.Conversation
	var ends []time.Duration
	for i := range 5000 {
		from := time.Duration(i) * 10 * s
		ends = append(ends, from, from+s+time.Duration(i)*time.Millisecond)
	}
	many.Duration, many.Parties = 50_000*s, []analysis.PartyTalk{talk("a", ends...)}
	assert.Len(t, talkMarks(&many), maxMarks, "a page draws no more")
}
