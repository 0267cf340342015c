package callmodel_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
)

type anything struct {
	S string            `json:"s"`
	N float64           `json:"n"`
	B bool              `json:"b"`
	L []string          `json:"l"`
	M map[string]string `json:"m"`
	A *anything         `json:"a"`
	Z []anything        `json:"z"`
}

// FuzzStrictAgainstTheLibrary: what is accepted means what encoding/json takes it for,
// and what isn't JSON is refused.
func FuzzStrictAgainstTheLibrary(f *testing.F) {
	for _, s := range []string{
		`{"s":"a\"b\\","n":1.5e3,"b":true,"l":["x","\u00e9\ud83d\ude00",""],"m":{"k}":"v]","":"\\"},"a":{"z":[{},{"s":"]"}]}}`,
		" { \"s\" : \"\t\" } ", `{"s":"x"}{`, `[1,2`, `{"a":null,"z":[]}`, "{\"s\"\n:\r\"x\" , \"l\" : [ \"a\" , \"b\" ] }", `{"s":"\ud800"}`,
		strings.Repeat(`{"a":`, 31) + "{}" + strings.Repeat("}", 31), strings.Repeat(`{"a":`, 33) + "{}" + strings.Repeat("}", 33),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got anything
		err := callmodel.DecodeJSON(data, &got)
		if !json.Valid(data) {
			require.Error(t, err)
			return
		}
		if err != nil {
			return // stricter
		}
		var want anything
		require.NoError(t, json.Unmarshal(data, &want))
		assert.Equal(t, want, got, "%q", data)
	})
}
