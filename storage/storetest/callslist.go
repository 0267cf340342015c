package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// found are the ids of a tenant's calls that the filter selects, over all pages.
func (e Env) found(t *testing.T, tenant callmodel.TenantID, f calls.Filter) []string {
	t.Helper()
	ids := []string{}
	for {
		page, err := e.Calls.Calls(t.Context(), tenant, f)
		require.NoError(t, err)
		for _, c := range page.Calls {
			ids = append(ids, string(c.ID))
		}
		if f.Before = page.Next; f.Before == "" {
			return ids
		}
		require.Less(t, len(ids), 10_000)
	}
}

// odd is text that no database and no pattern may take for its own.
const odd = "100%_\" \\ \x00 ' <&> \u2028 π"

func search(t *testing.T, e Env) {
	for i, change := range []func(*calls.Call){
		func(c *calls.Call) { c.Direction, c.Trunk = calls.Outbound, "t1" },
		func(c *calls.Call) { c.Trunk, c.Metadata = "t1", map[string]string{"order": "7", "shop": "b"} },
		func(c *calls.Call) { c.Metadata = map[string]string{"order": "7", "shop": "a", odd: odd} },
		func(c *calls.Call) { c.Metadata = map[string]string{"trunk": "t1", "direction": "outbound"} },
		func(c *calls.Call) { c.From.Number, c.Trunk = c.To.Number, "T1" },
		func(c *calls.Call) {
			c.Metadata = map[string]string{"order": strings.Repeat("é", calls.MaxMetadataValue/2), strings.Repeat("k", calls.MaxMetadataKey): ""}
		},
	} {
		n := NewCall(fmt.Sprint("c", i))
		n.Call.Direction, n.Call.CreatedAt = "", started.Add(time.Duration(i)*time.Second)
		change(&n.Call)
		_, err := e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
		n.Call.TenantID = "umbrella"
		_, err = e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	to := NewCall("").Call.To.Number
	pair := func(kv ...string) calls.Filter {
		f := calls.Filter{Metadata: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			f.Metadata[kv[i]] = kv[i+1]
		}
		return f
	}
	both := pair("order", "7")
	both.Trunk = "t1"
	for name, c := range map[string]struct {
		f    calls.Filter
		want []string
	}{
		"direction":         {calls.Filter{Direction: calls.Outbound}, []string{"c0"}},
		"no such direction": {calls.Filter{Direction: calls.Internal}, nil},
		"trunk":             {calls.Filter{Trunk: "t1"}, []string{"c1", "c0"}},
		"trunk, other case": {calls.Filter{Trunk: "T1"}, []string{"c4"}},
		"trunk and way":     {calls.Filter{Trunk: "t1", Direction: calls.Outbound}, []string{"c0"}},
		"pair":              {pair("order", "7"), []string{"c2", "c1"}},
		"part of a pair":    {pair("order", ""), nil},
		"two pairs":         {pair("order", "7", "shop", "a"), []string{"c2"}},
		"odd":               {pair(odd, odd), []string{"c2"}},
		"longest":           {pair("order", strings.Repeat("é", calls.MaxMetadataValue/2)), []string{"c5"}},
		"empty value":       {pair(strings.Repeat("k", calls.MaxMetadataKey), ""), []string{"c5"}},
		"pair named trunk":  {pair("trunk", "t1"), []string{"c3"}},
		"pair and trunk":    {both, []string{"c1"}},
		"from itself":       {calls.Filter{Number: to}, []string{"c5", "c4", "c3", "c2", "c1", "c0"}},
		"number and trunk":  {calls.Filter{Number: to, Trunk: "T1"}, []string{"c4"}},
		"time":              {calls.Filter{Trunk: "t1", Since: started.Add(time.Second)}, []string{"c1"}},
		"time before":       {calls.Filter{Number: to, Until: started.Add(time.Second)}, []string{"c0"}},
	} {
		for _, tenant := range []callmodel.TenantID{"acme", "umbrella"} {
			require.Equal(t, append([]string{}, c.want...), e.found(t, tenant, c.f), name)
			c.f.Limit = 1
			require.Equal(t, append([]string{}, c.want...), e.found(t, tenant, c.f), name+", one at a time")
		}
		require.Empty(t, e.found(t, "nobody", c.f), name)
	}
}

// A cursor is a place in time: it goes on from there while calls come, and with
// another filter.
func searchGoesOn(t *testing.T, e Env) {
	add := func(id string, after time.Duration) {
		n := NewCall(id)
		n.Call.CreatedAt, n.Call.Trunk = started.Add(after), "t1"
		if after%2 == 0 {
			n.Call.Metadata = map[string]string{"even": "yes"}
		}
		_, err := e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	for i, id := range names("c", 10) {
		add(id, time.Duration(i)*time.Microsecond)
	}
	for _, f := range []calls.Filter{{Limit: 3}, {Limit: 3, Trunk: "t1"}, {Limit: 3, Number: NewCall("").Call.To.Number}} {
		page, err := e.Calls.Calls(t.Context(), "acme", f)
		require.NoError(t, err)
		last := page.Calls[2].ID
		add(fmt.Sprintf("new%s%s", f.Trunk, f.Number[min(1, len(f.Number)):]), time.Second)
		f.Before = page.Next
		rest := e.found(t, "acme", f)
		require.True(t, slices.IsSortedFunc(rest, func(a, b string) int { return strings.Compare(b, a) }), "%v", rest)
		require.Less(t, rest[0], string(last))
		require.Equal(t, "c0000", rest[len(rest)-1])

		f.Trunk, f.Number, f.Metadata = "", "", map[string]string{"even": "yes"}
		for _, id := range e.found(t, "acme", f) {
			require.Less(t, id, string(last), "of another list")
		}
	}
}

func foundByKey(t *testing.T, e Env) {
	for _, c := range []struct{ id, key, answer string }{
		{"c1", "k1", `{"id":"c1","state":"routed"}`},
		{"c2", "k2", `{"status":404,"call_id":"c2"}`},
		{"c3", "k3", `told nothing`},
	} {
		n := NewCall(c.id)
		n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = c.key, "aa", 201, []byte(c.answer)
		_, err := e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	by := func(key string) calls.Filter { return calls.Filter{IdempotencyKey: key} }
	require.Equal(t, []string{"c1"}, e.found(t, "acme", by("k1")))
	require.Equal(t, []string{"c2"}, e.found(t, "acme", by("k2")))
	for _, key := range []string{"k3", "k4", "K1", "\x00", strings.Repeat("k", 1000)} {
		require.Empty(t, e.found(t, "acme", by(key)), "%.9q", key)
	}
	require.Empty(t, e.found(t, "umbrella", by("k1")), "a key is its tenant's")
	with := by("k1")
	with.State = calls.Ended
	require.Empty(t, e.found(t, "acme", with))
}

// recordingStates: a call shows its recordings from when they are due, and is found by
// where they stand.
func recordingStates(t *testing.T, e Env) {
	result := func(s record.Status) ledger.Outcome {
		r := Result("x")
		switch s {
		case record.StatusCompleted:
			r.Defects = nil
		case record.StatusAbsent, record.StatusQuarantined:
			r.Outputs, r.Reason = nil, "none"
		case record.StatusCompletedDegraded:
		}
		r.Status = s
		return Outcome(r)
	}
	end := func(id callmodel.CallID) calls.Call {
		e.event(t, id, calls.Event{ID: "1", Type: calls.EventAnswered, At: started})
		return e.event(t, id, calls.Event{ID: "2", Type: calls.EventEnded, At: started.Add(time.Second), Legs: Spec(string(id)).Legs})
	}
	for _, s := range []record.Status{record.StatusCompleted, record.StatusCompletedDegraded, record.StatusAbsent, record.StatusQuarantined} {
		id := callmodel.CallID(s)
		e.create(t, string(id))
		ended := end(id)
		require.Len(t, ended.Recordings, 1, "the event's answer shows it")
		same(t, e.call(t, "acme", id), ended)
		require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), result(s)))
	}
	e.create(t, "goes_on")
	not := NewCall("not_recorded")
	not.Call.Recording = nil
	_, err := e.Calls.CreateCall(t.Context(), not)
	require.NoError(t, err)
	require.Empty(t, end("not_recorded").Recordings)
	lost := NewCall("lost")
	lost.Call.State, lost.Call.AnsweredAt, lost.Call.EndedAt = calls.Ended, started, started.Add(time.Second)
	_, err = e.Calls.CreateCall(t.Context(), lost)
	require.NoError(t, err)
	e.create(t, "waits")
	end("waits")
	e.create(t, "published")
	end("published")
	waits := e.one(t, "w")
	require.NoError(t, e.Jobs.Publish(t.Context(), e.one(t, "w"), Completed("x"), long))

	for state, want := range map[calls.RecordingState][]string{
		calls.RecordingNone:        {"not_recorded", "goes_on"},
		calls.RecordingMissing:     {"lost"},
		calls.RecordingPending:     {"waits", "published"},
		calls.RecordingCompleted:   {"completed"},
		calls.RecordingDegraded:    {"completed_degraded"},
		calls.RecordingAbsent:      {"absent"},
		calls.RecordingQuarantined: {"quarantined"},
	} {
		require.Equal(t, want, e.found(t, "acme", calls.Filter{Recording: state}), state)
		require.Empty(t, e.found(t, "umbrella", calls.Filter{Recording: state}))
		require.Equal(t, want[:1], e.found(t, "acme", calls.Filter{Recording: state, Metadata: NewCall("").Call.Metadata})[:1])
	}
	pending := e.call(t, "acme", "waits").Recordings
	require.Len(t, pending, 1)
	same(t, calls.Recording{RecordingID: "waits", JobID: waits.Job.ID, State: string(calls.RecordingPending)}, pending[0])
	rec := e.stays(t, "published", "x")
	require.Equal(t, string(calls.RecordingPending), rec.State)
	require.Equal(t, string(calls.RecordingCompleted), e.call(t, "acme", "completed").Recordings[0].State)

	// What a person puts back is pending, and still what it was.
	aside := e.call(t, "acme", "quarantined").Recordings[0]
	require.NoError(t, e.Jobs.Retry(t.Context(), aside.JobID, "ann"))
	again := e.call(t, "acme", "quarantined").Recordings
	require.Len(t, again, 1)
	require.Equal(t, string(calls.RecordingPending), again[0].State)
	require.Equal(t, record.StatusQuarantined, again[0].Status)
	require.Empty(t, e.found(t, "acme", calls.Filter{Recording: calls.RecordingQuarantined}))
}
