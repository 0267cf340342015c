package analysis_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// Example analyses a call of two legs, of which the second is dead.
func Example() {
	agent := talk(15 * 8000)
	a, err := analysis.NewAnalyzer(format(2, 8000), &analysis.AnalyzerOptions{
		Voice: analysis.VoiceOptions{Legs: []string{"agent", "customer"}},
		Peaks: &analysis.PeaksOptions{SamplesPerPixel: 40000, Bits: 8},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	block := make([]float32, 0, 2*160)
	for _, v := range agent {
		block = append(block, v, 0)
		if len(block) == cap(block) {
			if err := a.WriteFrames(block); err != nil {
				fmt.Println(err)
				return
			}
			block = block[:0]
		}
	}
	if err := a.Finish(); err != nil {
		fmt.Println(err)
		return
	}
	r := a.Result()
	fmt.Println(r.Duration.Milliseconds(), "ms, peak", r.Legs[0].Levels.PeakDBFS, "dBFS")
	for _, s := range r.Conversation.Suspicions {
		fmt.Println(s.Code, s.Leg, "digital silence:", s.DigitalSilence)
	}
	peaks, err := json.Marshal(r.Peaks)
	fmt.Println(string(peaks), err)
	// Output:
	// 15000 ms, peak -6.02 dBFS
	// one_way_audio customer digital silence: true
	// {"version":2,"channels":2,"sample_rate":8000,"samples_per_pixel":40000,"bits":8,"length":3,"data":[-64,64,0,0,-64,64,0,0,-64,64,0,0]} <nil>
}

// talk is a tone in syllables, four in a second, with a pause after each.
func talk(frames int) []float32 {
	out := make([]float32, frames)
	for i := range out {
		if i%2000 < 1500 {
			out[i] = [4]float32{0.25, 0.5, -0.25, -0.5}[i/2%4] * float32(i%2000%500+1) / 500
		}
	}
	return out
}

// The report of the sample call is the same on every machine.
func TestReportIsDeterministic(t *testing.T) {
	t.Parallel()
	call := sampleCall(t, samplecall.CustomerOffset)
	a, err := analysis.NewAnalyzer(format(2, 8000), &analysis.AnalyzerOptions{Peaks: &analysis.PeaksOptions{}})
	require.NoError(t, err)
	write(t, a, 2, 0, call)
	r := a.Result()
	js, err := json.Marshal(r)
	require.NoError(t, err)
	sum := sha256.Sum256(js)
	t.Logf("%s", js[:min(len(js), 3000)])
	assert.Equal(t, reportSHA256, hex.EncodeToString(sum[:]), "a change of the figures: if it is meant, put the new sum here")
	assert.Zero(t, r.Legs[1].Levels.PeakDBFS, "the customer's leg reaches full scale")
	assert.False(t, r.Alignment[0].Detected)
}

const reportSHA256 = "6f3b16b08cdc04969db68acb1e8a2d952a7e0152b0e46cdb5a0150d4aeec2172"

// The taps together equal the analyzer, and a mix is measured but isn't a leg.
func TestAnalyzerEqualsItsTaps(t *testing.T) {
	t.Parallel()
	call := sampleCall(t, 0)[:2*8000*20]
	three := make([]float32, 0, len(call)/2*3)
	mix := make([]float32, 0, len(call)/2)
	for i := 0; i < len(call); i += 2 {
		m := (call[i] + call[i+1]) / 2
		three = append(three, call[i], call[i+1], m)
		mix = append(mix, m)
	}
	a, err := analysis.NewAnalyzer(format(3, 8000), &analysis.AnalyzerOptions{HasMix: true, Peaks: &analysis.PeaksOptions{}})
	require.NoError(t, err)
	write(t, a, 3, 4096, three)
	r := a.Result()
	require.Len(t, r.Legs, 2)
	require.Len(t, r.Alignment, 1)
	assert.Equal(t, converse(t, 2, 8000, call, nil), r.Conversation)
	legs := loudness(t, 2, 8000, call)
	assert.Equal(t, legs.Programme, r.Programme)
	for c, l := range levels(t, 2, 8000, call) {
		assert.Equal(t, l, r.Legs[c].Levels)
		assert.Equal(t, legs.Channels[c], r.Legs[c].Loudness)
	}
	require.NotNil(t, r.Mix)
	assert.Equal(t, levels(t, 1, 8000, mix)[0], r.Mix.Levels)
	assert.Equal(t, loudness(t, 1, 8000, mix).Programme, r.Mix.Loudness)
	assert.Equal(t, peaksOracle(3, 256, false, three), r.Peaks.Data)
}

// A day takes no more memory than its peaks and segments.
func TestMemoryOfALongCall(t *testing.T) {
	if testing.Short() || slow > 1 {
		t.Skip("SKIPPED under -short and the race detector, which the ordinary run makes up for: it takes minutes there")
	}
	a, err := analysis.NewAnalyzer(format(2, 8000), nil)
	require.NoError(t, err)
	call := sampleCall(t, 0)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	require.NoError(t, a.WriteFrames(call))
	before := heap()
	for range 3 * 3600 / 49 {
		require.NoError(t, a.WriteFrames(call))
	}
	assert.Less(t, float64(heap())-float64(before), 1e6, "bytes more after 3 hours")
	require.NoError(t, a.Finish())
	assert.Greater(t, a.Result().Duration, int64(3*3600_000-60_000))
}
