package intake_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
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

// spanOf is a tracer whose every span has one traceparent.
type spanOf string

func (s spanOf) Start(ctx context.Context, name string) (context.Context, tracing.Span) {
	return tracing.Start(ctx, nil, name)
}
func (s spanOf) Within(ctx context.Context, _ string) context.Context { return ctx }
func (s spanOf) Traceparent(context.Context) string                   { return string(s) }

// TestJobsCarryTheirTrace: a recording's job names the span that asked for it, whoever asks
// again in another trace gets the same job, and no request says it in its body.
func TestJobsCarryTheirTrace(t *testing.T) {
	t.Parallel()
	const first, again = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	const body = `{"call_id":"c","recording_id":"r","started_at":"2026-03-01T12:00:00Z","legs":[{"name":"a","segments":[{"uri":"a.wav"}]}],"outputs":[{"codec":"wav","layout":"mono"}]}`
	db := memdb.New(nil)
	read := func(trace, body string) (intake.Asked, error) {
		return intake.NewDoor(intake.Checks{Tracer: spanOf(trace)}, task.Kinds{}).Read(t.Context(), "", "acme", []byte(body), "test")
	}
	var ids []callmodel.JobID
	for _, trace := range []string{first, again, ""} {
		a, err := read(trace, body)
		require.NoError(t, err)
		id, _, err := intake.Enqueue(t.Context(), db, &a)
		require.NoError(t, err)
		ids = append(ids, id)
	}
	require.Equal(t, []callmodel.JobID{ids[0], ids[0], ids[0]}, ids)
	job, err := db.Job(t.Context(), ids[0])
	require.NoError(t, err)
	spec, err := record.SpecOf(&job)
	require.NoError(t, err)
	require.Equal(t, first, spec.Traceparent)
	_, err = read("", strings.Replace(body, `"call_id"`, `"traceparent":"`+again+`","call_id"`, 1))
	require.ErrorContains(t, err, "traceparent")
}
