package origin_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
)

func ExampleSettings() {
	s := origin.Settings{Enabled: origin.User, Outputs: origin.Service, LevelLUFS: origin.Tenant}
	b, err := json.Marshal(s)
	fmt.Println(string(b), err)
	fmt.Println(s)
	// Output:
	// {"enabled":"user","outputs":"service","level_lufs":"tenant"} <nil>
	// enabled=user outputs=service level_lufs=tenant
}

// TestEverySettingHasASource: the settings are those of a call's recording.
func TestEverySettingHasASource(t *testing.T) {
	t.Parallel()
	var all origin.Settings
	v := reflect.ValueOf(&all).Elem()
	var names []string
	for i := range v.NumField() {
		v.Field(i).SetString("x")
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		names = append(names, name)
		assert.Contains(t, all.String(), name+"=x")
	}
	var want []string
	for f := range reflect.TypeFor[calls.RecordingPreference]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		want = append(want, name)
	}
	assert.ElementsMatch(t, append(want, "fallback"), names)
	assert.Empty(t, origin.Settings{}.String())
	b, err := json.Marshal(origin.Settings{})
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(b))
}
