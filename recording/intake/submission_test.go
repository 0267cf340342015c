package intake_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/task"
)

// TestFaultsWithoutACallID: a request is told what it must say, and not what has a default.
func TestFaultsWithoutACallID(t *testing.T) {
	t.Parallel()
	defaults := func(context.Context, callmodel.TenantID, callmodel.CallID) (intake.Defaults, error) {
		return intake.Defaults{Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}}}, nil
	}
	for name, c := range map[string]struct {
		body   string
		checks intake.Checks
		paths  []string
	}{
		"nothing":           {`{}`, intake.Checks{Defaults: defaults}, []string{"call_id", "legs"}},
		"all but the call":  {`{"legs":[{"name":"a","segments":[{"uri":"a.wav"}]}]}`, intake.Checks{Defaults: defaults}, []string{"call_id"}},
		"no outputs at all": {`{"legs":[{"name":"a","segments":[{"uri":"a.wav"}]}],"outputs":[]}`, intake.Checks{Defaults: defaults}, []string{"call_id", "outputs"}},
		"no defaults":       {`{}`, intake.Checks{}, []string{"call_id", "started_at", "legs", "outputs"}},
	} {
		var faults callmodel.FieldErrors
		err := callmodel.DecodeJSON([]byte(c.body), intake.NewDoor(c.checks, task.Kinds{}).Recording(t.Context(), "acme"))
		require.ErrorAs(t, err, &faults, name)
		var paths []string
		for _, f := range faults {
			paths = append(paths, f.Path)
		}
		require.ElementsMatch(t, c.paths, paths, name)
	}
}
