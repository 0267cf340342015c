package callmodel_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

// timed has durations in both units, and one that JSON doesn't give a unit.
type timed struct {
	Offset time.Duration `json:"offset_ms,omitzero"`
	Total  time.Duration `json:"total_seconds"`
	Plain  time.Duration `json:"plain"`
	Name   string        `json:"name,omitempty"`
	Inner  []timedInner  `json:"inner,omitempty"`
}

type timedInner struct {
	At time.Duration `json:"at_ms"`
}

func (t timed) MarshalJSON() ([]byte, error)       { return callmodel.MarshalDurations(t) }
func (t *timed) UnmarshalJSON(b []byte) error      { return callmodel.UnmarshalDurations(b, t) }
func (t timedInner) MarshalJSON() ([]byte, error)  { return callmodel.MarshalDurations(t) }
func (t *timedInner) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, t) }

func TestDurationsHaveTheUnitOfTheirName(t *testing.T) {
	t.Parallel()
	in := timed{Offset: 1500 * time.Microsecond, Total: 90 * time.Second, Plain: 7, Inner: []timedInner{{At: -2 * time.Second}, {At: 1}}}
	const text = `{"offset_ms":1.5,"total_seconds":90,"plain":7,"inner":[{"at_ms":-2000},{"at_ms":0.000001}]}`
	b, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, text, string(b))

	var out timed
	require.NoError(t, json.Unmarshal(b, &out))
	assert.Equal(t, in, out)
	out = timed{}
	require.NoError(t, callmodel.DecodeJSON(b, &out))
	assert.Equal(t, in, out, "the strict decoder reads them by itself")

	b, err = json.Marshal(timed{Name: "x"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"total_seconds":0,"plain":0,"name":"x"}`, string(b), "omitzero holds")
	out = timed{Offset: 5, Name: "kept"}
	require.NoError(t, json.Unmarshal([]byte(`{"total_seconds":1}`), &out))
	assert.Equal(t, timed{Offset: 5, Total: time.Second, Name: "kept"}, out, "fields that aren't named stay")
}

func TestDurationsAreNumbersWithinBounds(t *testing.T) {
	t.Parallel()
	for text, why := range map[string]string{
		`{"offset_ms":"2s"}`:               "milliseconds",
		`{"offset_ms":1e99}`:               "30 days",
		`{"total_seconds":2592001}`:        "30 days, in seconds",
		`{"inner":[{"at_ms":2592000001}]}`: "30 days",
	} {
		var out timed
		require.ErrorContains(t, json.Unmarshal([]byte(text), &out), why, text)
		err := callmodel.DecodeJSON([]byte(text), &out)
		require.ErrorContains(t, err, why, text)
		assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	}
	var out timed
	require.ErrorContains(t, callmodel.DecodeJSON([]byte(`{"inner":[{"at_ms":1,"bogus":2}]}`), &out), "inner[0].bogus: is not a known field",
		"a struct with durations is read as strictly as any")
	_, err := callmodel.MarshalDurations(5)
	require.Error(t, err)
}

// outer embeds a struct with durations.
type outer struct {
	timedInner

	Files []string `json:"files"`
}

func (o outer) MarshalJSON() ([]byte, error)  { return callmodel.MarshalDurations(o) }
func (o *outer) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, o) }

func TestEmbeddedDurations(t *testing.T) {
	t.Parallel()
	in := outer{timedInner{At: time.Second}, []string{"a"}}
	b, err := json.Marshal(in)
	require.NoError(t, err)
	assert.JSONEq(t, `{"at_ms":1000,"files":["a"]}`, string(b))
	var out outer
	require.NoError(t, json.Unmarshal(b, &out))
	assert.Equal(t, in, out)
	out = outer{}
	require.NoError(t, callmodel.DecodeJSON(b, &out))
	assert.Equal(t, in, out)
}
