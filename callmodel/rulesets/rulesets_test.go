package rulesets_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/rulesets"
)

func TestShare(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]rulesets.Share{"0.01": 1, "5": 500, "99.99": 9999, "100": rulesets.AllCalls, "0": 0, "12.5": 1250} {
		s, err := rulesets.ParseShare(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, s)
		assert.Equal(t, text, s.String())
		b, err := json.Marshal(s)
		require.NoError(t, err)
		var again rulesets.Share
		require.NoError(t, json.Unmarshal(b, &again))
		assert.Equal(t, want, again)
	}
	for _, text := range []string{"", "-1", "0.001", "100.01", "1e1", "5%", "many"} {
		_, err := rulesets.ParseShare(text)
		require.Error(t, err, text)
	}
	var s rulesets.Share
	require.NoError(t, json.Unmarshal([]byte(`"0.25"`), &s))
	assert.Equal(t, rulesets.Share(25), s)
	require.Error(t, json.Unmarshal([]byte(`true`), &s))
}
