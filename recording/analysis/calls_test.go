package analysis_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// caller makes calls of two legs out of real utterances, with noise.
type caller struct {
	r     *rand.Rand
	talk  [2][][]float32
	noise [2][]float32 // 0 dBFS, 30 s for each leg; stretches of it are used
	legs  [2][]float32 // of the last call
	both  []float32
}

func newCaller(t testing.TB, seed uint64) *caller {
	t.Helper()
	r := newRand(seed)
	return &caller{r: r, talk: utterances(t), noise: [2][]float32{gaussian(r, 240000, 0), gaussian(r, 240000, 0)}}
}

// call takes turns for about seconds of talk: the legs, and where each talks.
// Levels differ by up to 25 dB, and the noise is snr below the talk; at 99 there
// is none.
func (c *caller) call(seconds float64, snr float64) (legs [2][]float32, truth [2][][2]int) {
	var at [2]int
	for i := range legs {
		legs[i] = c.legs[i][:0]
	}
	now, talked := c.r.IntN(16000), [2]int{}
	gain := [2]float64{math.Pow(10, -25*c.r.Float64()/20), math.Pow(10, -25*c.r.Float64()/20)}
	who := c.r.IntN(2)
	for float64(min(talked[0], talked[1])) < seconds*8000 {
		u := c.talk[who][c.r.IntN(len(c.talk[who]))]
		legs[who] = pad(legs[who], now)
		for _, v := range u {
			legs[who] = append(legs[who], v*float32(gain[who]))
		}
		truth[who] = append(truth[who], [2]int{now, now + len(u)})
		talked[who] += len(u)
		at[who] = now + len(u)
		now = at[who] + c.r.IntN(8000)
		who = 1 - who
	}
	for i := range legs {
		legs[i] = pad(legs[i], now)
		if snr < 99 {
			c.add(i, legs[i], 10*math.Log10(power(c.talk[i][0]))+20*math.Log10(gain[i])-snr)
		}
	}
	c.legs = legs
	return legs, truth
}

func pad(leg []float32, n int) []float32 {
	for len(leg) < n {
		leg = append(leg, 0)
	}
	return leg
}

// merge quantises the legs and interleaves them in memory that is used again.
func (c *caller) merge(legs [2][]float32) []float32 {
	quantise(legs)
	c.both = c.both[:0]
	for i, v := range legs[0] {
		c.both = append(c.both, v, legs[1][i])
	}
	return c.both
}

// add adds noise of a level to a leg.
func (c *caller) add(who int, leg []float32, dBFS float64) {
	g := float32(math.Pow(10, dBFS/20))
	noise := c.noise[who]
	for at := c.r.IntN(len(noise)); len(leg) > 0; at = 0 {
		n := min(len(noise)-at, len(leg))
		for i, v := range noise[at : at+n] {
			leg[i] += g * v
		}
		leg = leg[n:]
	}
}

func power(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return sum / float64(len(x))
}

// quantise makes 16 bit samples of a leg, as files have.
func quantise(legs [2][]float32) [][]float32 {
	for _, leg := range legs {
		for i, v := range leg {
			leg[i] = float32(int32(min(max(v, -1), 1)*32767+32768.5)-32768) / 32768
		}
	}
	return legs[:]
}

var snrs = []float64{10, 15, 20, 30, 99}

// keen makes the calls shorter in which faults can be suspected, as the
// generated ones are.
func keen() *analysis.VoiceOptions {
	return &analysis.VoiceOptions{OneWayTalk: 5 * time.Second, LostTalk: 8 * time.Second}
}

// cases is how many calls a test makes: a thousand with SWITCHTAPE_LONG_TESTS=1.
func cases() int {
	switch {
	case os.Getenv("SWITCHTAPE_LONG_TESTS") == "1":
		return 1000 / slow
	case testing.Short():
		return 100 / slow
	}
	return 400 / slow
}

// No clean call is suspected of anything.
func TestNoFalseAlarms(t *testing.T) {
	t.Parallel()
	c := newCaller(t, 1)
	calls := cases()
	alarms := 0
	for i := range calls {
		legs, _ := c.call(8, snrs[i%len(snrs)])
		got := converse(t, 2, 8000, c.merge(legs), keen())
		if len(got.Suspicions) > 0 {
			alarms++
			t.Logf("call %d, SNR %v dB: %+v", i, snrs[i%len(snrs)], got.Suspicions)
		}
	}
	assert.LessOrEqual(t, alarms*1000, calls, "false alarms in %d calls", calls)
}

// deadLegs are the ways in which nobody is on a leg.
var deadLegs = []struct {
	name    string
	digital bool
	spoil   func(c *caller, leg []float32)
}{
	{"zeros", true, func(_ *caller, leg []float32) { clear(leg) }},
	{"A-law silence", true, func(_ *caller, leg []float32) { fill(leg, 8./32768) }},
	{"a constant", true, func(_ *caller, leg []float32) { fill(leg, -0.1) }},
	{"comfort noise", false, func(c *caller, leg []float32) { clear(leg); c.add(0, leg, -75+30*c.r.Float64()) }},
	{"noise that begins late", false, func(c *caller, leg []float32) {
		clear(leg)
		c.add(0, leg[len(leg)/3:], -40)
	}},
	{"noise that stops and goes", false, func(c *caller, leg []float32) {
		clear(leg)
		c.add(0, leg, -45)
		for at := 0; at < len(leg); at += 32000 {
			clear(leg[at:min(at+400, len(leg))])
		}
	}},
	{"hum", false, func(c *caller, leg []float32) {
		copy(leg, recordingtest.Sine(len(leg), 8000, 50+10*float64(c.r.IntN(2)), 0.05, 0))
		c.add(0, leg, -65)
	}},
	{"clicks", false, func(c *caller, leg []float32) {
		clear(leg)
		c.add(0, leg, -70)
		for range 6 {
			at := c.r.IntN(len(leg) - 100)
			for i := range 40 {
				leg[at+i] += float32(0.5 * math.Pow(0.8, float64(i)))
			}
		}
	}},
}

func fill(leg []float32, v float32) {
	for i := range leg {
		leg[i] = v
	}
}

// Of 1,000 calls with a dead or lost leg, at least 99 % are named rightly: the
// code, the leg, and whether there was any signal.
func TestDeadLegsAreFound(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	c := newCaller(t, 2)
	calls := cases()
	missed := map[string]int{}
	right := 0
	for i := range calls {
		legs, _ := c.call(14, snrs[i/10%len(snrs)])
		dead := c.r.IntN(2)
		want := analysis.Suspicion{Leg: fmt.Sprint(dead)}
		what := "lost"
		if k := i % (len(deadLegs) + 2); k < len(deadLegs) {
			deadLegs[k].spoil(c, legs[dead])
			want.Code, want.DigitalSilence, what = analysis.OneWayAudio, deadLegs[k].digital, deadLegs[k].name
		} else { // it stops, after some talk and before the other's last 12 s
			kept := [2][]float32{slices.Clone(legs[0]), slices.Clone(legs[1])}
			more, _ := c.call(13, 99)
			clear(more[dead])
			for j := range legs {
				legs[j] = slices.Concat(kept[j], more[j])
			}
			want.Code, want.DigitalSilence = analysis.AudioLost, true
		}
		got := converse(t, 2, 8000, c.merge(legs), keen())
		if len(got.Suspicions) == 1 {
			s := got.Suspicions[0]
			if s.Code == want.Code && s.Leg == want.Leg && s.DigitalSilence == want.DigitalSilence {
				right++
				continue
			}
		}
		missed[what]++
		t.Logf("call %d, %s, SNR %v dB: want %+v, got %+v", i, what, snrs[i/10%len(snrs)], want, got.Suspicions)
	}
	assert.GreaterOrEqual(t, right*100, calls*99, "missed: %v", missed)
}

// At every SNR, nearly all talk that is found in the clean call is found, and
// hardly anything outside of the utterances.
func TestTalkIsFoundInNoise(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	for _, c := range []struct{ snr, found, outside float64 }{
		{99, 1, 0}, {20, 0.9, 0.002}, {30, 0.97, 0.002}, {15, 0.83, 0.002}, {10, 0.72, 0.002}, {5, 0.4, 0.002},
	} {
		if slow > 1 && c.snr != 99 && c.snr != 20 {
			continue // the race detector has seen it all by then; fewer calls would prove nothing
		}
		t.Run(fmt.Sprint(c.snr, " dB"), func(t *testing.T) {
			t.Parallel()
			var clean, both, outside, silence float64
			for i := range 10 {
				// The same call with and without noise.
				legs, truth := newCaller(t, uint64(i)).call(10, 99)
				want := converse(t, 2, 8000, merge(quantise(legs), 0, 0), nil)
				legs, _ = newCaller(t, uint64(i)).call(10, c.snr)
				got := converse(t, 2, 8000, merge(quantise(legs), 0, 0), nil)
				for leg := range 2 {
					talk, truly := cells(got.Parties[leg].Talk, len(legs[leg])/80), cells(want.Parties[leg].Talk, len(legs[leg])/80)
					inside := make([]bool, len(talk))
					for _, u := range truth[leg] {
						for k := max(u[0]/80-5, 0); k < min(u[1]/80+5, len(inside)); k++ {
							inside[k] = true
						}
					}
					for k := range talk {
						switch {
						case truly[k] && talk[k]:
							both++
							clean++
						case truly[k]:
							clean++
						case !inside[k]:
							silence++
							if talk[k] {
								outside++
							}
						}
					}
				}
			}
			t.Logf("found %.3f, outside %.4f", both/clean, outside/silence)
			assert.GreaterOrEqual(t, both/clean, c.found)
			assert.LessOrEqual(t, outside/silence, c.outside)
		})
	}
}

func cells(talk []analysis.TalkSegment, n int) []bool {
	out := make([]bool, n)
	for _, s := range talk {
		for k := s.Start.Milliseconds() / 10; k < min(s.End.Milliseconds()/10, int64(n)); k++ {
			out[k] = true
		}
	}
	return out
}
