package record_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

func TestRedactionsOfASpec(t *testing.T) {
	t.Parallel()
	spec := validSpec()
	leg := spec.Legs[0].Name
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	spec.Redactions = []record.Redaction{
		{From: 0, To: ms(1500)},
		{From: ms(2000), To: record.MaxSpan, Legs: []string{leg}, With: record.RedactWithTone},
		{From: ms(1), To: ms(2), With: record.RedactWithSilence},
	}
	require.NoError(t, spec.Validate())
	assert.True(t, spec.Redactions[0].Covers(leg))
	assert.True(t, spec.Redactions[1].Covers(leg))
	assert.False(t, spec.Redactions[1].Covers("nobody"))

	b, err := json.Marshal(spec)
	require.NoError(t, err)
	require.Contains(t, string(b), `"redactions":[{"from_ms":0,"to_ms":1500}`)
	var back record.Spec
	require.NoError(t, callmodel.DecodeJSON(b, &back))
	require.Equal(t, spec.Redactions, back.Redactions)

	spec.Redactions = []record.Redaction{
		{From: ms(-1), To: record.MaxSpan + 1},
		{From: ms(5), To: ms(5)},
		{From: ms(9), To: ms(5), Legs: []string{leg, "nobody"}, With: "beep"},
		{To: ms(5), Legs: slices.Repeat([]string{leg}, record.MaxLegs+1)},
	}
	err = spec.Validate()
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	require.Equal(t, []string{
		"redactions[0].from_ms", "redactions[0].to_ms", "redactions[1].to_ms", "redactions[2].to_ms",
		"redactions[2].legs[1]", "redactions[2].with", "redactions[3].legs",
	}, paths)

	spec.Redactions = slices.Repeat([]record.Redaction{{To: 1}}, 1001)
	require.ErrorContains(t, spec.Validate(), "must be at most 1000, are 1001")
	require.ErrorContains(t, callmodel.DecodeJSON([]byte(`{"redactions": [{"from": 1, "to_ms": "x"}]}`), &back), "did you mean from_ms?")
}

func TestGainOfALeg(t *testing.T) {
	t.Parallel()
	for gain, ok := range map[float64]bool{
		0: true, -60: true, 40: true, 3.5: true, -60.1: false, 40.1: false, math.Inf(1): false, math.NaN(): false,
	} {
		spec := validSpec()
		spec.Legs[0].GainDB = gain
		if err := spec.Validate(); ok {
			require.NoError(t, err, "%v", gain)
		} else {
			require.ErrorContains(t, err, "legs[0].gain_db: must be -60 to 40 dB", "%v", gain)
		}
	}
	b, err := json.Marshal(record.LegSpec{Name: "a"})
	require.NoError(t, err)
	require.NotContains(t, string(b), "gain_db")
}

func TestTrimOfASpec(t *testing.T) {
	t.Parallel()
	spec := validSpec()
	spec.Trim = &record.TrimSpec{}
	require.NoError(t, spec.Validate())
	spec.Trim = &record.TrimSpec{ThresholdDBFS: -60, Keep: record.MaxTrimKeep}
	require.NoError(t, spec.Validate())
	for _, dbfs := range []float64{50, -101, -5, math.NaN()} {
		spec.Trim = &record.TrimSpec{ThresholdDBFS: dbfs, Keep: -1}
		err := spec.Validate()
		require.ErrorContains(t, err, "trim.threshold_dbfs: must be -100 to -6 dBFS", "%v", dbfs)
		require.ErrorContains(t, err, "trim.keep_ms")
	}
	var back record.Spec
	require.ErrorContains(t, callmodel.DecodeJSON([]byte(`{"trim": {"keep": 1}}`), &back), "did you mean keep_ms?")
}
