package storetest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
)

// CallStore is what callservice.CallStore promises, with the jobs and audit
// lines that its transactions write.
func CallStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"CreateReadsBack", createReadsBack},
		{"CreateConflict", createConflict},
		{"IdempotencyKeys", idempotencyKeys},
		{"IdempotencyKeysAtOnce", idempotencyAtOnce},
		{"TenantsAreApart", tenantsApart},
		{"EventsMoveTheCall", eventsMove},
		{"EventTwice", eventTwice},
		{"EventWithoutTime", eventWithoutTime},
		{"IllegalMoveChangesNothing", illegalMove},
		{"EndedEnqueues", endedEnqueues},
		{"EndedSettled", endedSettled},
		{"LiveControl", liveControl},
		{"EndedRefusedEnqueuesNothing", endedRefused},
		{"EndedBesideASubmittedRecording", endedBesideSubmitted},
		{"JobsWithAnEvent", jobsWithAnEvent},
		{"EventsAtOnce", eventsAtOnce},
		{"Pages", pages},
		{"Filters", filters},
		{"Search", search},
		{"SearchGoesOn", searchGoesOn},
		{"FoundByKey", foundByKey},
		{"RecordingStates", recordingStates},
	})
}

func createReadsBack(t *testing.T, e Env) {
	c := e.create(t, "c1")
	got := e.call(t, "acme", "c1")
	same(t, c, got)
	require.True(t, got.CreatedAt.Equal(started), "to the nanosecond")
	lines := e.actions(t, "acme", callmodel.AuditCallCreated)
	require.Len(t, lines, 1)
	require.Equal(t, "api-key-1", lines[0].Actor)
	require.Equal(t, "c1", lines[0].Subject)

	n := NewCall("c2")
	n.Call.State, n.Call.Decision, n.Call.CreatedAt = calls.Rejected, nil, time.Time{}
	_, err := e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Len(t, e.actions(t, "acme", callmodel.AuditCallRejected), 1)
	require.False(t, e.call(t, "acme", "c2").CreatedAt.IsZero(), "the database's clock")

	n = NewCall("../c3")
	_, err = e.Calls.CreateCall(t.Context(), n)
	requireCode(t, callmodel.CodeInvalid, err)
}

func createConflict(t *testing.T, e Env) {
	c := e.create(t, "c1")
	n := NewCall("c1")
	n.Call.Priority, n.IdempotencyKey, n.RequestSHA256, n.StatusCode = 9, "k", "s", 201
	_, err := e.Calls.CreateCall(t.Context(), n)
	requireCode(t, callmodel.CodeConflict, err)
	same(t, c, e.call(t, "acme", "c1"))
	require.Len(t, e.actions(t, "acme", callmodel.AuditCallCreated), 1)
	r, err := e.Calls.Replay(t.Context(), "acme", "k", "s")
	require.NoError(t, err)
	require.Nil(t, r, "the key of a refused call is free")
}

func idempotencyKeys(t *testing.T, e Env) {
	r, err := e.Calls.Replay(t.Context(), "acme", "k1", "aa")
	require.NoError(t, err)
	require.Nil(t, r)

	body := []byte("{\"id\":\"c1\", \"odd\": \"\x00\xff\"}\n")
	n := NewCall("c1")
	n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = "k1", "aa", 201, body
	r, err = e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Nil(t, r)

	n.Call.ID, n.Response, n.StatusCode = "c2", []byte("other"), 200
	r, err = e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, &calls.StoredResponse{StatusCode: 201, Body: body}, r, "the same bytes")
	_, err = e.Calls.Call(t.Context(), "acme", "c2")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	r, err = e.Calls.Replay(t.Context(), "acme", "k1", "aa")
	require.NoError(t, err)
	require.Equal(t, body, r.Body)

	n.RequestSHA256 = "bb"
	_, err = e.Calls.CreateCall(t.Context(), n)
	require.ErrorIs(t, err, callmodel.ErrIdempotencyMismatch)
	_, err = e.Calls.Replay(t.Context(), "acme", "k1", "bb")
	require.ErrorIs(t, err, callmodel.ErrIdempotencyMismatch)
	require.Len(t, e.actions(t, "acme", callmodel.AuditCallCreated), 1)

	// Another tenant's key of the same name is another key.
	r, err = e.Calls.Replay(t.Context(), "umbrella", "k1", "bb")
	require.NoError(t, err)
	require.Nil(t, r)
	n.Call.TenantID = "umbrella"
	r, err = e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Nil(t, r)

	n.IdempotencyKey = string(make([]byte, 1000))
	_, err = e.Calls.CreateCall(t.Context(), n)
	requireCode(t, callmodel.CodeInvalid, err)
}

func idempotencyAtOnce(t *testing.T, e Env) {
	const many = 12
	var mu sync.Mutex
	fresh := 0
	var wg sync.WaitGroup
	for _, name := range names("c", many) {
		wg.Go(func() {
			n := NewCall(name)
			n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = "k", "aa", 201, []byte(name)
			r, err := e.Calls.CreateCall(t.Context(), n)
			assert.NoError(t, err)
			if r == nil {
				mu.Lock()
				fresh++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, fresh)
	page, err := e.Calls.Calls(t.Context(), "acme", calls.Filter{})
	require.NoError(t, err)
	require.Len(t, page.Calls, 1)
}

func tenantsApart(t *testing.T, e Env) {
	c := e.create(t, "c1")
	for _, other := range []callmodel.TenantID{"umbrella", "ACME", "acme'--", "", "\x00"} {
		_, err := e.Calls.Call(t.Context(), other, "c1")
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Calls.AppendEvent(t.Context(), other, "c1", calls.Event{ID: "e1", Type: calls.EventRinging}, "x", nil)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Calls.CallEvents(t.Context(), other, "c1")
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		page, err := e.Calls.Calls(t.Context(), other, calls.Filter{})
		require.NoError(t, err)
		require.Empty(t, page.Calls)
		lines, err := e.Audit.AuditEvents(t.Context(), other, 0, 100)
		require.NoError(t, err)
		require.Empty(t, lines)
	}
	same(t, c, e.call(t, "acme", "c1"))

	// A tenant can't learn which ids others use: its own are its own.
	n := NewCall("c1")
	n.Call.TenantID, n.Call.Priority = "umbrella", 9
	_, err := e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	require.Equal(t, 3, e.call(t, "acme", "c1").Priority)
	require.Equal(t, 9, e.call(t, "umbrella", "c1").Priority)

	// And a recording finds its own tenant's call.
	spec := Spec("c1")
	spec.TenantID = "umbrella"
	e.enqueue(t, RequestOf(spec))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed("c1")))
	require.Empty(t, e.call(t, "acme", "c1").Recordings)
	require.Len(t, e.call(t, "umbrella", "c1").Recordings, 1)
	require.Empty(t, e.actions(t, "acme", callmodel.AuditJobCompleted))
}

func eventsMove(t *testing.T, e Env) {
	e.create(t, "c1")
	at := started.Add(time.Second)
	events := []calls.Event{
		{ID: "e1", Type: calls.EventRinging, At: at},
		{ID: "e2", Type: calls.EventFailed, At: at.Add(1), Cause: &calls.Cause{SIP: 503}},
		{ID: "e0", Type: calls.EventRinging, At: at.Add(2)},
		{ID: "e9", Type: calls.EventAnswered, At: at.Add(3)},
	}
	want := NewCall("c1").Call
	for _, ev := range events {
		_, err := want.Apply(ev, Defaults())
		require.NoError(t, err)
		same(t, want, e.event(t, "c1", ev))
		same(t, want, e.call(t, "acme", "c1"))
	}
	got, err := e.Calls.CallEvents(t.Context(), "acme", "c1")
	require.NoError(t, err)
	same(t, events, got)
	lines := e.actions(t, "acme", callmodel.AuditCallEvent)
	require.Len(t, lines, 4)
	require.Equal(t, "pbx-1", lines[0].Actor)
	_, err = e.Calls.CallEvents(t.Context(), "acme", "c2")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
}

func eventTwice(t *testing.T, e Env) {
	e.create(t, "c1")
	ringing := calls.Event{ID: "e1", Type: calls.EventRinging, At: started.Add(time.Second)}
	first := e.event(t, "c1", ringing)
	same(t, first, e.event(t, "c1", ringing))
	changed := calls.Event{ID: "e1", Type: calls.EventAnswered, At: started.Add(time.Minute)}
	same(t, first, e.event(t, "c1", changed), "the id was seen")
	ended := calls.Event{ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec("c1").Legs}
	last := e.event(t, "c1", ended)
	same(t, last, e.event(t, "c1", ended), "even though nothing can move an ended call")
	got, err := e.Calls.CallEvents(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Len(t, e.actions(t, "acme", callmodel.AuditCallEvent), 2)
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobEnqueued), 1)

	e.create(t, "c2")
	ringing2 := ringing
	require.Equal(t, calls.Ringing, e.event(t, "c2", ringing2).State, "event ids count within their call")
}

func eventWithoutTime(t *testing.T, e Env) {
	e.create(t, "c1")
	c := e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventRinging})
	require.False(t, c.RingingAt.IsZero())
	events, err := e.Calls.CallEvents(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.True(t, events[0].At.Equal(c.RingingAt))
}

func illegalMove(t *testing.T, e Env) {
	e.create(t, "c1")
	at := started.Add(time.Minute)
	before := e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: at})
	_, err := e.Calls.AppendEvent(t.Context(), "acme", "c1", calls.Event{ID: "e2", Type: calls.EventRinging, At: at}, "x", Defaults())
	requireIllegal(t, err)
	_, err = e.Calls.AppendEvent(t.Context(), "acme", "c1", calls.Event{ID: "e/3", Type: "sung", At: at}, "x", Defaults())
	requireCode(t, callmodel.CodeInvalid, err)
	_, err = e.Calls.AppendEvent(t.Context(), "acme", "c1", calls.Event{ID: "e4", Type: calls.EventEnded, At: started}, "x", Defaults())
	requireCode(t, callmodel.CodeInvalid, err)
	same(t, before, e.call(t, "acme", "c1"))
	events, err := e.Calls.CallEvents(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Len(t, e.actions(t, "acme", callmodel.AuditCallEvent), 1)
	require.Empty(t, e.actions(t, "acme", callmodel.AuditJobEnqueued))
}

// liveControl: what is told while a call goes on shapes its recording, whatever the
// order in which it comes.
func liveControl(t *testing.T, e Env) {
	e.create(t, "c1")
	e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	at := func(s int) time.Time { return started.Add(time.Duration(s) * time.Second) }
	e.event(t, "c1", calls.Event{ID: "e3", Type: calls.EventRecordingResumed, At: at(20)})
	e.event(t, "c1", calls.Event{ID: "e2", Type: calls.EventRecordingPaused, At: at(10)})
	e.event(t, "c1", calls.Event{ID: "e2", Type: calls.EventRecordingPaused, At: at(10)})
	c := e.event(t, "c1", calls.Event{ID: "e4", Type: calls.EventTransferred, At: at(30), Host: "pbx-7"})
	require.Equal(t, calls.Answered, c.State)
	require.Len(t, c.Controls, 3)
	e.event(t, "c1", calls.Event{ID: "e5", Type: calls.EventRecordingPaused, At: at(50)})
	e.event(t, "c1", calls.Event{ID: "e6", Type: calls.EventEnded, At: at(60), Legs: Spec("c1").Legs, Pauses: []record.Pause{{From: time.Second, To: 2 * time.Second}}})
	_, err := e.Calls.AppendEvent(t.Context(), "acme", "c1", calls.Event{ID: "e7", Type: calls.EventRecordingPaused, At: at(40)}, "x", Defaults())
	requireIllegal(t, err)
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, "pbx-7", jobs[0].Queue)
	spec, err := record.SpecOf(&jobs[0])
	require.NoError(t, err)
	require.Equal(t, []record.Pause{
		{From: time.Second, To: 2 * time.Second}, {From: 10 * time.Second, To: 20 * time.Second}, {From: 50 * time.Second, To: record.MaxSpan},
	}, spec.Pauses)
}

func endedEnqueues(t *testing.T, e Env) {
	e.create(t, "c1")
	e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	c := e.event(t, "c1", calls.Event{
		ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec("c1").Legs, Host: "pbx-9",
	})
	require.Equal(t, calls.Ended, c.State)
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	require.Equal(t, "pbx-9", jobs[0].Queue)
	require.Equal(t, 3, jobs[0].Priority)
	require.Equal(t, ledger.Queued, jobs[0].State)
	same(t, Spec("c1"), SpecOf(t, &jobs[0]))
	lines := e.actions(t, "acme", callmodel.AuditJobEnqueued)
	require.Len(t, lines, 1)
	require.Equal(t, "pbx-1", lines[0].Actor)

	// A call that is not to be recorded makes no job.
	n := NewCall("c2")
	n.Call.Recording = nil
	_, err = e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	e.event(t, "c2", calls.Event{ID: "e1", Type: calls.EventEnded, At: started.Add(time.Minute)})
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobEnqueued), 1)
}

// endedSettled: how a call is recorded may be known at its end only. The call and its job
// have it, and who said so; the job is that of one who submitted the same recording.
func endedSettled(t *testing.T, e Env) {
	made := NewCall("c1")
	made.Call.Recording, made.Call.SettingsFrom = nil, origin.Settings{Enabled: origin.User, Fallback: "timeout"}
	_, err := e.Calls.CreateCall(t.Context(), made)
	require.NoError(t, err)
	require.Equal(t, made.Call.SettingsFrom, e.call(t, "acme", "c1").SettingsFrom)
	require.Equal(t, "enabled=user fallback=timeout", e.actions(t, "acme", callmodel.AuditCallCreated)[0].Detail["settings_from"])
	e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	settled := calls.Settled{
		Recording: &record.Preference{Enabled: true, Outputs: Spec("c1").Outputs},
		From:      origin.Settings{Enabled: origin.Service, Outputs: origin.Tenant},
	}
	ended := calls.Event{ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec("c1").Legs, Settled: &settled}
	e.event(t, "c1", ended)
	c := e.call(t, "acme", "c1")
	require.Equal(t, settled.Recording, c.Recording)
	require.Equal(t, settled.From, c.SettingsFrom)
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	want := Spec("c1")
	want.SettingsFrom = settled.From
	same(t, want, SpecOf(t, &jobs[0]))
	lines := e.actions(t, "acme", callmodel.AuditCallEvent)
	require.Equal(t, "enabled=service outputs=tenant", lines[len(lines)-1].Detail["settings_from"])

	e.create(t, "c2")
	e.event(t, "c2", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	e.enqueue(t, RequestOf(Spec("c2")))
	ended.Legs = Spec("c2").Legs
	e.event(t, "c2", ended)
	jobs, err = e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, 2)
}

// endedRefused: the job can't be made, so the call doesn't move either.
func endedRefused(t *testing.T, e Env) {
	e.create(t, "c1")
	before := e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	legs := slices.Concat(Spec("c1").Legs, []record.LegSpec{{Name: "third", Segments: []record.SegmentSpec{{URI: "x.wav"}}}})
	ended := calls.Event{ID: "e2", Type: calls.EventEnded, At: started.Add(time.Minute), Legs: legs}
	_, err := e.Calls.AppendEvent(t.Context(), "acme", "c1", ended, "x", []record.OutputSpec{{Codec: "tape", Layout: record.LayoutMono}})
	requireCode(t, callmodel.CodeInvalid, err)
	same(t, before, e.call(t, "acme", "c1"))
	ended.Legs = Spec("c1").Legs
	require.Equal(t, calls.Ended, e.event(t, "c1", ended).State, "the event's id is still free")
}

func eventsAtOnce(t *testing.T, e Env) {
	e.create(t, "c1")
	e.event(t, "c1", calls.Event{ID: "e1", Type: calls.EventAnswered, At: started})
	var mu sync.Mutex
	moved := 0
	var wg sync.WaitGroup
	for _, id := range names("e", 10) {
		wg.Go(func() {
			_, err := e.Calls.AppendEvent(t.Context(), "acme", "c1", calls.Event{
				ID: "x" + id, Type: calls.EventEnded, At: started.Add(time.Minute), Legs: Spec("c1").Legs,
			}, "pbx", Defaults())
			if err == nil {
				mu.Lock()
				moved++
				mu.Unlock()
				return
			}
			var illegal *callmodel.TransitionError
			assert.ErrorAs(t, err, &illegal)
		})
	}
	wg.Wait()
	require.Equal(t, 1, moved)
	require.Len(t, e.actions(t, "acme", callmodel.AuditJobEnqueued), 1)
	events, err := e.Calls.CallEvents(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, events, 2)
}

func pages(t *testing.T, e Env) {
	const n = 23
	for i, name := range names("c", n) {
		c := NewCall(name)
		c.Call.CreatedAt = started.Add(time.Duration(i/3) * time.Second) // ties too
		_, err := e.Calls.CreateCall(t.Context(), c)
		require.NoError(t, err)
	}
	var seen []callmodel.CallID
	for before := ""; ; {
		page, err := e.Calls.Calls(t.Context(), "acme", calls.Filter{Limit: 5, Before: before})
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Calls), 5)
		for _, c := range page.Calls {
			seen = append(seen, c.ID)
		}
		if page.Next == "" {
			break
		}
		before = page.Next
		late := NewCall("late" + string(seen[len(seen)-1]))
		late.Call.CreatedAt = started.Add(time.Hour)
		_, err = e.Calls.CreateCall(t.Context(), late) // newer calls don't shift the pages
		require.NoError(t, err)
		require.Less(t, len(seen), 100)
	}
	want := make([]callmodel.CallID, n)
	for i, name := range names("c", n) {
		want[n-1-i] = callmodel.CallID(name)
	}
	require.Equal(t, want, seen)

	for _, bad := range []string{"rubbish", "!", "MQ", string(make([]byte, 5000))} {
		_, err := e.Calls.Calls(t.Context(), "acme", calls.Filter{Before: bad})
		requireCode(t, callmodel.CodeInvalid, err)
	}
	page, err := e.Calls.Calls(t.Context(), "acme", calls.Filter{Limit: n + 10})
	require.NoError(t, err)
	require.Empty(t, page.Next)
}

func filters(t *testing.T, e Env) {
	for i, name := range names("c", 6) {
		c := NewCall(name)
		if i < 2 {
			c.Call.From.Number = "+12025550111"
		}
		if i == 2 {
			c.Call.To.Number = "+12025550111"
		}
		_, err := e.Calls.CreateCall(t.Context(), c)
		require.NoError(t, err)
	}
	e.event(t, "c0001", calls.Event{ID: "e", Type: calls.EventAnswered})
	count := func(f calls.Filter) int {
		page, err := e.Calls.Calls(t.Context(), "acme", f)
		require.NoError(t, err)
		return len(page.Calls)
	}
	require.Equal(t, 6, count(calls.Filter{}))
	require.Equal(t, 3, count(calls.Filter{Number: "+12025550111"}))
	require.Equal(t, 1, count(calls.Filter{Number: "+12025550111", State: calls.Answered}))
	require.Equal(t, 5, count(calls.Filter{State: calls.Routed}))
	require.Equal(t, 0, count(calls.Filter{Number: "' OR 1=1 --\x00"}))
	require.Equal(t, 6, count(calls.Filter{Since: started, Until: started.Add(time.Microsecond)}))
	require.Equal(t, 0, count(calls.Filter{Until: started}))
	require.Equal(t, 0, count(calls.Filter{Since: started.Add(time.Second)}))
}
