package analysis_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 77)) }

func converse(t testing.TB, channels, rate int, samples []float32, o *analysis.VoiceOptions) analysis.Conversation {
	t.Helper()
	d, err := analysis.NewVoiceDetector(format(channels, rate), o)
	require.NoError(t, err)
	write(t, d, channels, 4096, samples)
	return d.Result()
}

// The sample call's legs take turns at their offsets and talk at once without.
func TestSampleCallTakesTurns(t *testing.T) {
	t.Parallel()
	c := converse(t, 2, 8000, sampleCall(t, samplecall.CustomerOffset), &analysis.VoiceOptions{Legs: []string{"agent", "customer"}})
	assert.Zero(t, c.Overlap)
	assert.Empty(t, c.Suspicions)
	agent, customer := c.Parties[0], c.Parties[1]
	assert.Equal(t, "agent", agent.Leg)
	assert.EqualValues(t, 5, agent.Turns)
	assert.InDelta(t, 23200, agent.TalkTime.Milliseconds(), 600)
	assert.InDelta(t, 16800, customer.TalkTime.Milliseconds(), 600)
	assert.InDelta(t, 7400, agent.LongestMonologue.End.Milliseconds(), 100)
	assert.EqualValues(t, 4, agent.Responses)
	assert.EqualValues(t, 5, customer.Responses)
	assert.Zero(t, agent.Interruptions+customer.Interruptions)
	for _, p := range c.Parties {
		assert.Equal(t, c.Duration, p.TalkTime+p.Silence)
	}
	assert.InDelta(t, c.Duration.Milliseconds(), agent.TalkTime.Milliseconds()+customer.TalkTime.Milliseconds()+c.Silence.Milliseconds(), 2)

	wrong := converse(t, 2, 8000, sampleCall(t, 0), nil)
	assert.Greater(t, wrong.Overlap.Milliseconds(), int64(6000))
	assert.Positive(t, wrong.Parties[0].Interruptions+wrong.Parties[1].Interruptions)
}

// utterances cuts both sample legs at their digital pauses.
func utterances(t testing.TB) (out [2][][]float32) {
	t.Helper()
	for i, leg := range [][]float32{pcm(t, samplecall.Agent()), pcm(t, samplecall.Customer())} {
		from, quiet := -1, 0
		for at, v := range leg {
			if v != 0 {
				if from < 0 {
					from = at
				}
				quiet = 0
				continue
			}
			quiet++
			if from >= 0 && quiet == 2400 {
				if at-quiet-from > 8000 {
					out[i] = append(out[i], leg[from:at-quiet+1])
				}
				from = -1
			}
		}
		if from >= 0 && len(leg)-from > 8000 {
			out[i] = append(out[i], leg[from:len(leg)-quiet])
		}
	}
	return out
}
