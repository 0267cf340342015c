package analysis

import (
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// counts is the conversation by brute force, cell by cell of 10 ms at 8 kHz.
func counts(lists [][]span, cells int64) (silence, overlap int64, talk, over []int64, dead int64) {
	talk, over = make([]int64, len(lists)), make([]int64, len(lists))
	run := int64(0)
	for k := range cells {
		var who []int
		for leg, list := range lists {
			for _, s := range list {
				if int64(s.from) <= k && k < int64(s.to) {
					who = append(who, leg)
				}
			}
		}
		run++
		if len(who) == 0 {
			silence++
			dead = max(dead, run)
		} else {
			run = 0
		}
		if len(who) > 1 {
			overlap++
		}
		for _, leg := range who {
			talk[leg]++
			if len(who) > 1 {
				over[leg]++
			}
		}
	}
	return silence, overlap, talk, over, dead
}

func told(t *testing.T, lists [][]span, cells int64) Conversation {
	t.Helper()
	channels := make([]voiceChannel, len(lists))
	names := make([]string, len(lists))
	for c := range channels {
		channels[c].talk.list = lists[c]
		channels[c].total, channels[c].lastSignal = cells, cells
		names[c] = strconv.Itoa(c)
	}
	o, err := (&VoiceOptions{Legs: names}).withDefaults(len(lists))
	require.NoError(t, err)
	return countConversation(&o, channels, 8000, cells*80)
}

func TestConversationEqualsBruteForce(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		lists := make([][]span, 1+r.IntN(4))
		cells := int64(200 + r.IntN(2000))
		for leg := range lists {
			for at := int64(r.IntN(300)); ; {
				to := at + 8 + int64(r.IntN(200))
				if to > cells {
					break
				}
				lists[leg] = append(lists[leg], span{uint32(at), uint32(to)})
				at = to + 24 + int64(r.IntN(300))
			}
		}
		c := told(t, lists, cells)
		silence, overlap, talk, over, dead := counts(lists, cells)
		assert.Equal(t, silence*10, c.Silence.Milliseconds())
		assert.Equal(t, overlap*10, c.Overlap.Milliseconds())
		assert.Equal(t, dead*10, (c.DeadAir.End - c.DeadAir.Start).Milliseconds())
		for leg, p := range c.Parties {
			assert.Equal(t, talk[leg]*10, p.TalkTime.Milliseconds())
			assert.Equal(t, over[leg]*10, p.Overlap.Milliseconds())
			assert.Len(t, p.Talk, len(lists[leg]))
			for _, s := range p.Talk {
				assert.LessOrEqual(t, s.End-s.Start, p.LongestMonologue.End-p.LongestMonologue.Start)
			}
		}
	}
}

func TestConversationFigures(t *testing.T) {
	t.Parallel()
	c := told(t, [][]span{
		{{0, 300}, {400, 600}, {1000, 1500}, {1600, 1700}},
		{{450, 500}, {700, 900}, {1400, 1550}, {2300, 2400}},
	}, 3000)
	a, b := c.Parties[0], c.Parties[1]
	assert.Equal(t, TalkSegment{0, 6 * time.Second}, a.LongestMonologue, "a pause of 1 s and a backchannel are within it")
	assert.Equal(t, TalkSegment{7 * time.Second, 9 * time.Second}, b.LongestMonologue)
	assert.EqualValues(t, 2, b.Interruptions)
	assert.Zero(t, a.Interruptions)
	assert.EqualValues(t, 2, a.Responses, "at 10 s and at 16 s")
	assert.Equal(t, 750*time.Millisecond, a.MeanResponse)
	assert.EqualValues(t, 1, b.Responses, "at 7 s; at 23 s it is too late")
	assert.Equal(t, time.Second, b.MeanResponse)
	assert.Equal(t, TalkSegment{17 * time.Second, 23 * time.Second}, c.DeadAir)
}

// However much talk there is, segments stay within their bound.
func TestSegmentsAreBounded(t *testing.T) {
	t.Parallel()
	s := segmenter{max: 64, bridge: bridgeCells}
	for k := range int64(1_000_000) {
		if k%100 < 20+k/7%13 {
			s.active(k, true)
		}
	}
	s.end()
	assert.LessOrEqual(t, len(s.list), 64)
	assert.Greater(t, len(s.list), 1)
	for i, seg := range s.list[1:] {
		assert.Less(t, s.list[i].to, seg.from)
	}
	te := talkCounter{size: 80, rate: 8000, frames: 80_000_000}
	assert.LessOrEqual(t, len(te.list(s.list, 5)), 5)
	assert.Len(t, te.list(s.list, 1), 1)
	assert.Empty(t, te.list(s.list, -1))
}

// Two channels at once give the same as each by itself.
func TestWeightedPowerOfTwoChannels(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(5, 6))
	x, y := make([]float32, 4001), make([]float32, 4001)
	for i := range x {
		x[i], y[i] = r.Float32()-0.5, r.Float32()-0.5
	}
	f := newKFilter(8000)
	var a, b, c, d kState
	px, py := f.power2(&a, &b, x, y)
	assert.Equal(t, [2]float64{f.power(&c, x), f.power(&d, y)}, [2]float64{px, py})
	assert.Equal(t, []kState{c, d}, []kState{a, b})
}

// BS.1770-4, tables 1 and 2.
func TestKFilterAt48kHz(t *testing.T) {
	t.Parallel()
	f := newKFilter(48000)
	for _, c := range [][2]float64{
		{1.53512485958697, f.b0},
		{-2.69169618940638, f.b1},
		{1.19839281085285, f.b2},
		{-1.69065929318241, f.a1},
		{0.73248077421585, f.a2},
		{-1.99004745483398, f.c1},
		{0.99007225036621, f.c2},
	} {
		assert.InDelta(t, c[0], c[1], 1e-13)
	}
}
