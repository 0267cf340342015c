package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel/record"
)

func recorded(ms int64, frames ...int64) record.Result {
	r := record.Result{
		Status: record.StatusCompleted, Duration: time.Duration(ms) * time.Millisecond, Outputs: []record.OutputResult{{URL: "file:///a.wav"}},
	}
	for i, n := range frames {
		r.Legs = append(r.Legs, record.LegResult{Name: string(rune('a' + i)), Frames: n, Rate: 8000})
	}
	return r
}

func TestLoses(t *testing.T) {
	t.Parallel()
	before := recorded(2000, 16000, 8000)
	none := before
	none.Outputs = nil
	renamed := recorded(2000, 16000, 8000)
	renamed.Legs[1].Name = "c"
	resampled := recorded(2000, 16000, 16000)
	resampled.Legs[1].Rate = 16000
	unread := recorded(2000, 16000, 8000)
	unread.Legs[1].Rate = 0
	for name, c := range map[string]struct {
		r    record.Result
		says string
	}{
		"the same":                  {before, ""},
		"longer":                    {recorded(3000, 16000, 24000), ""},
		"longer, by a new leg":      {recorded(3000, 16000, 8000, 24000), ""},
		"its rate is known now":     {resampled, ""},
		"shorter":                   {recorded(1999, 16000, 8000), "1999 ms instead of 2000"},
		"a leg is shorter":          {recorded(3000, 24000, 7992), "leg b has 999 ms of audio instead of 1000"},
		"a leg went":                {recorded(3000, 24000, 0), "leg b has 0 ms"},
		"a leg can't be read":       {unread, "leg b has 0 ms"},
		"a leg isn't there":         {renamed, "leg b"},
		"absent":                    {record.Result{Status: record.StatusAbsent, Reason: record.ReasonNoMedia}, "absent, no_media"},
		"quarantined, with outputs": {record.Result{Status: record.StatusQuarantined, Outputs: before.Outputs}, "quarantined"},
		"without outputs":           {none, "no recording any more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.says == "" {
				assert.Empty(t, c.r.Loses(&before))
			} else {
				assert.Contains(t, c.r.Loses(&before), c.says)
			}
		})
	}
	assert.Empty(t, before.Loses(&unread), "of a leg without audio nothing can be lost")
}

// What loses nothing in two steps loses nothing in all, so a recording that was
// replaced often holds all that the first one did.
func TestLosesIsAnOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) record.Result {
			frames := rapid.SliceOfN(rapid.Int64Range(0, 3), 2, 2).Draw(t, name)
			return recorded(max(frames[0], frames[1]), frames...)
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		require.Empty(t, a.Loses(&a))
		if b.Loses(&a) == "" && c.Loses(&b) == "" {
			require.Empty(t, c.Loses(&a))
		}
	})
}

func TestHas(t *testing.T) {
	t.Parallel()
	r := recorded(1000, 8000)
	assert.False(t, r.Has(record.DefectLegGrowing))
	r.Defects = []record.Defect{{Code: record.DefectClipped}, {Code: record.DefectLegGrowing}}
	assert.True(t, r.Has(record.DefectLegGrowing))
}
