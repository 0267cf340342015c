package analysis_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func align(t testing.TB, rate int, legs [][]float32) analysis.Alignment {
	t.Helper()
	c, err := analysis.NewAlignmentCheck(format(2, rate), 0, 1)
	require.NoError(t, err)
	write(t, c, 2, 1000, merge(legs, 0, 0))
	return c.Result()
}

// leak adds from, lag frames later and scaled, to a copy of to.
func leak(to, from []float32, lag int, gain float32) []float32 {
	out := append([]float32(nil), to...)
	for i := range out {
		if j := i - lag; j >= 0 && j < len(from) {
			out[i] += gain * from[j]
		}
	}
	return out
}

// shift makes a leg begin n frames later; earlier if n is negative.
func shift(leg []float32, n int) []float32 {
	out := make([]float32, len(leg))
	for i := range out {
		if j := i - n; j >= 0 && j < len(leg) {
			out[i] = leg[j]
		}
	}
	return out
}

func TestAlignment(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name             string
		lagAB, lagBA     int // of the echoes; 0 and gain 0 for none
		gainAB, gainBA   float32
		late             int // by how much the second leg is misplaced
		wantAB, wantBA   bool
		wantDisagreement int64
	}{
		{"nothing", 0, 0, 0, 0, 0, false, false, 0},
		{"nothing, misplaced", 0, 0, 0, 0, 800, false, false, 0},
		{"crosstalk both ways", 0, 0, 0.1, 0.1, 0, true, true, 0},
		{"echo one way", 960, 0, 0.1, 0, 0, true, false, 960},
		{"echo the other way", 0, 1200, 0, 0.1, 0, false, true, -1200},
		{"echo both ways, misplaced late", 400, 400, 0.1, 0.1, 777, true, true, 777},
		{"crosstalk both ways, misplaced early", 3, 3, 0.05, 0.05, -1601, true, true, -1601},
		{"faint crosstalk", 0, 0, 0.03, 0.03, 13, true, true, 13},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			legs, _ := newCaller(t, uint64(100+i)).call(30, 45)
			n := min(len(legs[0]), len(legs[1]))
			a := leak(legs[0][:n], legs[1], c.lagBA, c.gainBA)
			b := shift(leak(legs[1][:n], legs[0], c.lagAB, c.gainAB), c.late)
			got := align(t, 8000, [][]float32{a, b})
			t.Logf("%+v", got)
			assert.Equal(t, c.wantAB, got.Heard[0].Detected)
			assert.Equal(t, c.wantBA, got.Heard[1].Detected)
			assert.Equal(t, c.wantAB || c.wantBA, got.Detected)
			assert.InDelta(t, c.wantDisagreement, got.DisagreementFrames, 1)
			if c.wantAB {
				assert.InDelta(t, c.lagAB+c.late, got.Heard[0].LagFrames, 1)
			}
			if c.wantBA {
				assert.InDelta(t, c.lagBA-c.late, got.Heard[1].LagFrames, 1)
			}
		})
	}
}

func TestAlignmentAtOtherRates(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{16000, 44100, 48000} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			t.Parallel()
			legs, _ := newCaller(t, 9).call(12, 45)
			f, err := audio.NewResampleFilter(8000, rate)
			require.NoError(t, err)
			var up [2][]float32
			for i := range legs {
				s, err := audio.Resample(audio.NewSource(format(1, 8000), legs[i]), f)
				require.NoError(t, err)
				up[i] = recordingtest.ReadAll(t, s)
			}
			got := align(t, rate, [][]float32{up[0], leak(up[1], up[0], rate/10, 0.1)})
			require.True(t, got.Detected, "%+v", got)
			assert.InDelta(t, rate/10, got.DisagreementFrames, float64(rate/8000))
			assert.InDelta(t, 100*time.Millisecond, got.Disagreement, float64(200*time.Microsecond))
		})
	}
}

// Legs that have nothing of each other are hardly ever taken for aligned.
func TestAlignmentFalseAlarms(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	alarms := 0
	const calls = 60 / slow
	c := newCaller(t, 1000)
	for i := range calls {
		legs, _ := c.call(20, snrs[i%len(snrs)])
		if got := align(t, 8000, quantise(legs)); got.Detected {
			alarms++
			t.Logf("%+v", got)
		}
	}
	assert.Zero(t, alarms)
}

func TestAlignmentNeedsTwoChannels(t *testing.T) {
	t.Parallel()
	for _, p := range [][2]int{{0, 0}, {-1, 0}, {0, 2}} {
		_, err := analysis.NewAlignmentCheck(format(2, 8000), p[0], p[1])
		assert.Error(t, err)
	}
}
