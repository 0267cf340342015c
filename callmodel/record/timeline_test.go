package record_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// The fields of the timeline survive JSON, and are left out where they say nothing.
func TestTimelineOfASpec(t *testing.T) {
	t.Parallel()
	spec := validSpec()
	plain, err := json.Marshal(&spec)
	require.NoError(t, err)
	ms := func(n float64) time.Duration { return time.Duration(n * 1e6) }
	for _, field := range []string{"pause", "level", "span_ms\":0", "correct_rate"} {
		require.NotContains(t, string(plain), field)
	}
	spec.Legs[0].CorrectRate = true
	spec.Legs[0].Segments[0].Span, spec.Legs[0].Segments[0].SampleRateHz = ms(1500), 16000
	spec.Pauses = []record.Pause{{From: ms(5), To: ms(6.5)}, {To: ms(5.5)}}
	spec.PauseMode = record.PauseCut
	spec.LevelLUFS, spec.LevelMaxGainDB = -23, 12
	spec.StartedAt = spec.StartedAt.UTC()
	require.NoError(t, spec.Validate())
	b, err := json.Marshal(&spec)
	require.NoError(t, err)
	var back record.Spec
	require.NoError(t, callmodel.DecodeJSON(b, &back))
	require.Equal(t, spec, back)
	for _, part := range []string{
		`"span_ms":1500`, `"sample_rate_hz":16000`, `"correct_rate":true`, `"pauses":[{"from_ms":5,"to_ms":6.5}`,
		`"pause_mode":"cut"`, `"level_lufs":-23`, `"level_max_gain_db":12`,
	} {
		require.Contains(t, string(b), part)
	}
}

func TestFaultsOfTheTimeline(t *testing.T) {
	t.Parallel()
	spec := validSpec()
	const five = time.Duration(5e6)
	spec.Legs[0].Segments[0].Span, spec.Legs[0].Segments[0].SampleRateHz = -1, 8
	spec.Legs[1].Segments[0].Span, spec.Legs[1].Segments[0].SampleRateHz = record.MaxSpan+1, 1<<20
	spec.Pauses = []record.Pause{{From: -1, To: record.MaxSpan + 1}, {From: five, To: five}, {From: 1, To: 2}}
	spec.PauseMode, spec.LevelLUFS, spec.LevelMaxGainDB = "mute", -41, 41
	var faults callmodel.FieldErrors
	require.ErrorAs(t, spec.Validate(), &faults)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	require.Equal(t, []string{
		"legs[0].segments[0].span_ms", "legs[0].segments[0].sample_rate_hz",
		"legs[1].segments[0].span_ms", "legs[1].segments[0].sample_rate_hz",
		"pauses[0].from_ms", "pauses[0].to_ms", "pauses[1].to_ms", "pause_mode", "level_lufs", "level_max_gain_db",
	}, paths)
	require.ErrorContains(t, faults, "did you mean 8000?")

	spec = validSpec()
	spec.LevelMaxGainDB = 3
	require.ErrorContains(t, spec.Validate(), "without level_lufs")
	for _, bad := range []float64{-9.9, 3, math.NaN(), math.Inf(-1)} {
		spec.LevelLUFS = bad
		require.ErrorContains(t, spec.Validate(), "level_lufs: must be -40 to -10 LUFS", "%v", bad)
	}
	spec.LevelLUFS, spec.LevelMaxGainDB = -10, math.NaN()
	require.ErrorContains(t, spec.Validate(), "level_max_gain_db")
	spec = validSpec()
	spec.Pauses = slices.Repeat([]record.Pause{{To: 1}}, record.MaxPauses+1)
	require.ErrorContains(t, spec.Validate(), "must be at most 1000, are 1001")
}
