package task_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// greeting is the payload of a kind of the tests' own.
type greeting struct {
	Name  string `json:"name"`
	Times int    `json:"times"`
}

func (g *greeting) Validate() error {
	var e callmodel.FieldErrors
	if g.Name == "" {
		e.Add("name", "is missing")
	}
	if g.Times < 0 {
		e.Add("times", "must be 0 or more")
	}
	return e.Err()
}

func request(kind, payload string) *ledger.Request {
	return &ledger.Request{Kind: kind, TenantID: "acme", Key: "k1", Payload: json.RawMessage(payload)}
}

func paths(t *testing.T, err error) (at []string) {
	t.Helper()
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	for _, f := range faults {
		at = append(at, f.Path)
	}
	return at
}

func TestCheck(t *testing.T) {
	t.Parallel()
	kinds, err := task.NewKinds(
		task.Of[greeting]("greet", nil),
		task.Kind{Name: "anything"},
		task.Recordings(func(s record.Spec) error {
			if s.Outputs[0].Codec == record.CodecMP3 {
				return callmodel.FieldErrors{{Path: "outputs[0]", Message: "there is no codec for it"}}
			}
			return nil
		}),
	)
	require.NoError(t, err)
	require.Equal(t, []string{"anything", "greet", "record"}, kinds.Names())
	require.Empty(t, kinds.Doing().Names())

	for name, c := range map[string]struct {
		kind, payload string
		at            []string
	}{
		"sound":         {kind: "greet", payload: `{"name": "Ada", "times": 3}`},
		"its own":       {kind: "greet", payload: `{"times": -1}`, at: []string{"payload.name", "payload.times"}},
		"unknown field": {kind: "greet", payload: `{"name": "Ada", "shout": true}`, at: []string{"payload.shout"}},
		"wrong type":    {kind: "greet", payload: `{"name": "Ada", "times": "3"}`, at: []string{"payload.times"}},
		"no JSON":       {kind: "greet", payload: `{"name"`, at: []string{"payload"}},
		"nothing":       {kind: "greet", at: []string{"payload"}},
		"unknown kind":  {kind: "wave", payload: `{}`, at: []string{"kind"}},
		"no kind":       {payload: `{}`, at: []string{"kind"}},
		"unchecked":     {kind: "anything", payload: `[1]`},
		"no spec":       {kind: record.Kind, payload: `7`, at: []string{"spec"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := kinds.Check(request(c.kind, c.payload))
			if c.at == nil {
				require.NoError(t, err)
				return
			}
			require.Equal(t, c.at, paths(t, err))
		})
	}
	require.ErrorContains(t, task.Kinds{}.Check(request("greet", `{}`)), "no kinds here")

	spec := record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1", StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Legs: []record.LegSpec{record.NewLeg("agent", "a.wav")},
		Outputs: []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutMono}},
	}
	job, err := record.NewJob(spec, "", 0)
	require.NoError(t, err)
	require.Equal(t, []string{"outputs[0]"}, paths(t, kinds.Check(&job)))
}

func TestKindsAreNamed(t *testing.T) {
	t.Parallel()
	_, err := task.NewKinds(task.Kind{Name: "a"}, task.Kind{Name: "b/c"}, task.Kind{}, task.Kind{Name: "a"})
	require.Equal(t, []string{"kinds[1]", "kinds[2]", "kinds[3]"}, paths(t, err))

	kinds, err := task.NewKinds(task.Kind{Name: "a"}, task.Of("b", func(context.Context, *task.Job, struct{}) (any, error) { return nil, nil }))
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, kinds.Doing().Names())
	some, err := kinds.Only("b")
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, some.Names())
	_, ok := some.Of("a")
	require.False(t, ok)
	_, err = kinds.Only("a", "z")
	require.ErrorContains(t, err, `"z" is not one of a, b`)
}

func TestDo(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	told := ledger.Outcome{Result: json.RawMessage(`1`), Reason: "so"}
	for name, c := range map[string]struct {
		payload string
		result  any
		err     error
		want    string
	}{
		"a result":      {payload: `{"name": "Ada"}`, result: greeting{Name: "Ada", Times: 1}, want: `{"name":"Ada","times":1}`},
		"none":          {payload: `{"name": "Ada"}`},
		"an outcome":    {payload: `{"name": "Ada"}`, result: told, want: `1`},
		"an error":      {payload: `{"name": "Ada"}`, err: boom},
		"no JSON of it": {payload: `{"name": "Ada"}`, result: func() {}},
		"unreadable":    {payload: `{"nom": "Ada"}`, err: task.ErrUndecodable},
		"invalid":       {payload: `{}`, err: task.ErrUndecodable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind := task.Of("greet", func(_ context.Context, j *task.Job, g greeting) (any, error) {
				require.Equal(t, "Ada", g.Name)
				require.EqualValues(t, 7, j.Token)
				return c.result, c.err
			})
			r := request("greet", c.payload)
			o, err := kind.Do(t.Context(), &task.Job{Job: ledger.Job{ID: "j1", Payload: r.Payload}, Token: 7})
			var permanent *callmodel.PermanentError
			switch {
			case errors.Is(c.err, task.ErrUndecodable), c.result != nil && c.want == "":
				require.ErrorAs(t, err, &permanent)
			case c.err != nil:
				require.ErrorIs(t, err, boom)
				require.NotErrorAs(t, err, &permanent)
			default:
				require.NoError(t, err)
				require.Equal(t, c.want, string(o.Result))
			}
		})
	}
}
