package storetest

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/users"
)

// Keeping is what [Retention] tests: the ports recordinghttp.Keeper and lifecycle.Holds,
// where the promises are written.
type Keeping interface {
	PlaceHold(ctx context.Context, h retention.Hold, actor string) (retention.Hold, error)
	Hold(ctx context.Context, t callmodel.TenantID, id retention.HoldID) (retention.Hold, error)
	Holds(ctx context.Context, f retention.HoldFilter) ([]retention.Hold, error)
	LiftHold(ctx context.Context, l retention.Lift) (retention.Hold, error)
	HeldBy(ctx context.Context, r retention.Recording) (*retention.HeldError, error)
	BeginErasure(ctx context.Context, b retention.Begin) (retention.Erasure, error)
	EndErasure(ctx context.Context, found retention.Erasure, worker string) (retention.Erasure, error)
	Expired(ctx context.Context, q retention.Due) (retention.DuePage, error)
	Erasures(ctx context.Context, t callmodel.TenantID, id callmodel.RecordingID) ([]retention.Erasure, error)
}

// Retention is what those promise who keep legal holds.
func Retention(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"HoldsArePlacedAndLifted", withKeeping(holdPlaced)},
		{"HoldsAreListed", withKeeping(holdsListed)},
		{"HoldsRefuse", withKeeping(holdRefused)},
		{"HeldBy", withKeeping(heldBy)},
		{"HoldsOnUsers", withKeeping(userHeld)},
		{"HoldsWarn", withKeeping(holdWarns)},
		{"Erasure", withKeeping(erasure)},
		{"ErasureOfAVersion", withKeeping(erasureOfVersion)},
		{"ErasureRefuses", withKeeping(erasureRefused)},
		{"Expired", withKeeping(expired)},
	})
}

// withKeeping runs test on a schema that keeps holds. One before keeps none, and says so.
func withKeeping(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoKeeping {
			test(t, e)
			return
		}
		_, place := e.Keeping.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: retention.HoldTenant, Reason: "case 7"}, "ann")
		_, list := e.Keeping.Holds(t.Context(), retention.HoldFilter{TenantID: "acme"})
		for _, err := range []error{place, list} {
			requireCode(t, callmodel.CodeUnavailable, err)
			require.ErrorContains(t, err, "migrate up")
		}
		held, err := e.Keeping.HeldBy(t.Context(), retention.Recording{TenantID: "acme", CallID: "c1"})
		require.NoError(t, err)
		require.Nil(t, held)
	}
}

func (e Env) place(t *testing.T, scope retention.HoldScope, subject string) retention.Hold {
	t.Helper()
	h, err := e.Keeping.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: scope, Subject: subject, Reason: "case 7"}, "ann")
	require.NoError(t, err)
	h.Warning = "" // it isn't kept
	return h
}

func (e Env) lift(t *testing.T, id retention.HoldID) {
	t.Helper()
	_, err := e.Keeping.LiftHold(t.Context(), retention.Lift{TenantID: "acme", ID: id, Actor: "bob", Reason: "case closed"})
	require.NoError(t, err)
}

func holdPlaced(t *testing.T, e Env) {
	h := e.place(t, retention.HoldCall, "c1")
	require.NotEmpty(t, h.ID)
	require.False(t, h.PlacedAt.IsZero())
	require.Equal(t, "ann", h.PlacedBy)
	got, err := e.Keeping.Hold(t.Context(), "acme", h.ID)
	require.NoError(t, err)
	same(t, h, got)
	_, err = e.Keeping.Hold(t.Context(), "beta", h.ID)
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, err = e.Keeping.LiftHold(t.Context(), retention.Lift{TenantID: "beta", ID: h.ID, Actor: "eve", Reason: "why not"})
	require.ErrorIs(t, err, callmodel.ErrNotFound)

	e.lift(t, h.ID)
	got, err = e.Keeping.Hold(t.Context(), "acme", h.ID)
	require.NoError(t, err)
	require.True(t, got.Lifted())
	require.Equal(t, "bob", got.LiftedBy)
	require.Equal(t, "case closed", got.LiftReason)
	_, err = e.Keeping.LiftHold(t.Context(), retention.Lift{TenantID: "acme", ID: h.ID, Actor: "bob", Reason: "again"})
	requireCode(t, callmodel.CodeConflict, err)

	placed, lifted := e.actions(t, "acme", retention.AuditHoldPlaced), e.actions(t, "acme", retention.AuditHoldLifted)
	require.Len(t, placed, 1)
	require.Len(t, lifted, 1)
	assert.Equal(t, "ann", placed[0].Actor)
	assert.Equal(t, string(h.ID), placed[0].Subject)
	assert.Equal(t, map[string]string{"scope": "call", "subject": "c1", "reason": "case 7"}, placed[0].Detail)
	assert.Equal(t, "bob", lifted[0].Actor)
	assert.Equal(t, "case closed", lifted[0].Detail["lift_reason"])
}

func holdsListed(t *testing.T, e Env) {
	a, b := e.place(t, retention.HoldCall, "c1"), e.place(t, retention.HoldNumber, "+12025550123")
	c := e.place(t, retention.HoldTenant, "")
	_, err := e.Keeping.PlaceHold(t.Context(), retention.Hold{TenantID: "beta", Scope: retention.HoldTenant, Reason: "theirs"}, "eve")
	require.NoError(t, err)
	e.lift(t, a.ID)
	list := func(f retention.HoldFilter) (ids []retention.HoldID) {
		t.Helper()
		f.TenantID = "acme"
		holds, err := e.Keeping.Holds(t.Context(), f)
		require.NoError(t, err)
		for _, h := range holds {
			ids = append(ids, h.ID)
		}
		return ids
	}
	require.ElementsMatch(t, []retention.HoldID{b.ID, c.ID}, list(retention.HoldFilter{}))
	all := list(retention.HoldFilter{Lifted: true})
	require.ElementsMatch(t, []retention.HoldID{a.ID, b.ID, c.ID}, all)
	require.IsNonDecreasing(t, all)
	require.Equal(t, []retention.HoldID{b.ID}, list(retention.HoldFilter{Scope: retention.HoldNumber}))
	require.Equal(t, []retention.HoldID{a.ID}, list(retention.HoldFilter{Lifted: true, Subject: "c1"}))
	require.Equal(t, all[1:2], list(retention.HoldFilter{Lifted: true, Limit: 1, After: all[0]}))
	_, err = e.Keeping.Holds(t.Context(), retention.HoldFilter{TenantID: "acme", Scope: "all"})
	requireCode(t, callmodel.CodeInvalid, err)
}

func holdRefused(t *testing.T, e Env) {
	for _, h := range []retention.Hold{
		{TenantID: "acme", Scope: "all", Reason: "case 7"},
		{TenantID: "acme", Scope: retention.HoldCall, Reason: "case 7"},
		{TenantID: "acme", Scope: retention.HoldCall, Subject: "c1"},
		{Scope: retention.HoldTenant, Reason: "case 7"},
	} {
		_, err := e.Keeping.PlaceHold(t.Context(), h, "ann")
		requireCode(t, callmodel.CodeInvalid, err)
	}
	h := e.place(t, retention.HoldTenant, "")
	_, err := e.Keeping.LiftHold(t.Context(), retention.Lift{TenantID: "acme", ID: h.ID, Actor: "bob"})
	requireCode(t, callmodel.CodeInvalid, err)
	_, err = e.Keeping.Hold(t.Context(), "acme", "no\x00hold")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
}

// heldBy: by each scope, in its tenant alone, until it is lifted; a recording whose call
// isn't stored is held by any hold on a user or a number.
func heldBy(t *testing.T, e Env) {
	n := NewCall("c1")
	n.Call.From.User, n.Call.To.User = "ann", "bob"
	_, err := e.Calls.CreateCall(t.Context(), n)
	require.NoError(t, err)
	held := func(tenant callmodel.TenantID, call calls.Call, rec callmodel.RecordingID) *retention.HeldError {
		t.Helper()
		h, err := e.Keeping.HeldBy(t.Context(), retention.Recording{TenantID: tenant, CallID: call.ID, RecordingID: rec})
		require.NoError(t, err)
		return h
	}
	require.Nil(t, held("acme", n.Call, "r1"))
	for subject, scope := range map[string]retention.HoldScope{
		"r1": retention.HoldRecording, "c1": retention.HoldCall, "ann": retention.HoldUser, "bob": retention.HoldUser,
		"+12025550123": retention.HoldNumber, "+12025550188": retention.HoldNumber, "": retention.HoldTenant,
	} {
		h := e.place(t, scope, subject)
		is := held("acme", n.Call, "r1")
		require.NotNil(t, is, "%s %s", scope, subject)
		assert.Equal(t, h.ID, is.Hold.ID)
		assert.False(t, is.Unsure)
		assert.ErrorContains(t, is, "case 7")
		require.Nil(t, held("beta", n.Call, "r1"))
		if scope == retention.HoldRecording {
			require.Nil(t, held("acme", n.Call, "r2"))
		}
		e.lift(t, h.ID)
		require.Nil(t, held("acme", n.Call, "r1"), "%s %s", scope, subject)
	}
	other := e.place(t, retention.HoldNumber, "+12025550199")
	require.Nil(t, held("acme", n.Call, "r1"))
	unsure := held("acme", calls.Call{ID: "gone"}, "r9")
	require.NotNil(t, unsure)
	require.True(t, unsure.Unsure)
	require.Equal(t, other.ID, unsure.Hold.ID)
}

// A hold on a user is on calls before it was stored, by the numbers that it has or had, but
// not on those by which another user was known.
func userHeld(t *testing.T, e Env) {
	before := NewCall("c1") // from +12025550123 to +12025550188, nobody's
	_, err := e.Calls.CreateCall(t.Context(), before)
	require.NoError(t, err)
	others := NewCall("c2")
	others.Call.From.User, others.Call.To.User = "cid", "dan"
	_, err = e.Calls.CreateCall(t.Context(), others)
	require.NoError(t, err)
	held := func(call callmodel.CallID) *retention.HeldError {
		t.Helper()
		h, err := e.Keeping.HeldBy(t.Context(), retention.Recording{TenantID: "acme", CallID: call, RecordingID: callmodel.RecordingID(call)})
		require.NoError(t, err)
		return h
	}
	hold := e.place(t, retention.HoldUser, "ann")
	require.Nil(t, held("c1"))
	put := func(dids ...string) {
		t.Helper()
		_, _, err := e.Users.PutUser(t.Context(), users.User{TenantID: "acme", ID: "ann", Numbers: users.Numbers{DIDs: dids}}, users.Write{Actor: "eve"})
		require.NoError(t, err)
	}
	put("+12025550199")
	require.Nil(t, held("c1"))
	put("+12025550188")
	for range 3 {
		is := held("c1")
		require.NotNil(t, is)
		require.Equal(t, hold.ID, is.Hold.ID)
		require.False(t, is.Unsure)
		require.Nil(t, held("c2"), "another user's")
		put() // and it had the number all the same
	}
	require.NoError(t, e.Users.DeleteUser(t.Context(), "acme", "ann", users.Write{Actor: "eve"}))
	require.NotNil(t, held("c1"))
	e.lift(t, hold.ID)
	require.Nil(t, held("c1"))
}

// Whoever places a hold on what there isn't is told, as holds may be placed in advance. Those
// of one moment keep their order.
func holdWarns(t *testing.T, e Env) {
	e.create(t, "c1")
	done := e.doneRecording(t, "r1")
	_, _, err := e.Users.PutUser(t.Context(), users.User{TenantID: "acme", ID: "ann"}, users.Write{Actor: "eve"})
	require.NoError(t, err)
	var last retention.HoldID
	warning := func(scope retention.HoldScope, subject string) string {
		t.Helper()
		h, err := e.Keeping.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: scope, Subject: subject, Reason: "case 7"}, "ann")
		require.NoError(t, err)
		require.Greater(t, h.ID, last)
		last = h.ID
		kept, err := e.Keeping.Hold(t.Context(), "acme", h.ID)
		require.NoError(t, err)
		require.Empty(t, kept.Warning)
		e.lift(t, h.ID)
		return h.Warning
	}
	for subject, scope := range map[string]retention.HoldScope{
		"ann": retention.HoldUser, "c1": retention.HoldCall, "r1": retention.HoldRecording, "+12025550199": retention.HoldNumber, "": retention.HoldTenant,
	} {
		assert.Empty(t, warning(scope, subject), "%s %s", scope, subject)
	}
	assert.Contains(t, warning(retention.HoldUser, "nobody"), "there is no user nobody")
	assert.Contains(t, warning(retention.HoldCall, "c9"), "there is no call c9 yet")
	assert.Contains(t, warning(retention.HoldRecording, "r9"), "there is no recording r9 yet")
	_, err = e.Keeping.BeginErasure(t.Context(), begin(&done, "by-1"))
	require.NoError(t, err)
	assert.Contains(t, warning(retention.HoldRecording, "r1"), "was deleted already")
}

// doneRecording is the job of a recording that is done, of a call that is stored.
func (e Env) doneRecording(t *testing.T, id string) ledger.Job {
	t.Helper()
	e.create(t, id)
	job := e.enqueue(t, Request(id))
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed(id)))
	return e.job(t, job)
}

func begin(j *ledger.Job, by callmodel.JobID) retention.Begin {
	return retention.Begin{Erasure: retention.Erasure{
		TenantID: j.TenantID, JobID: j.ID, ByJob: by, Kind: retention.KindErase, Reason: "asked for", Actor: "ann",
		Objects: []retention.Object{{Bucket: "mem://", Key: "acme/a", Bytes: 7, SHA256: "bb"}},
	}}
}

// erasure: when it begins the recording's URL is gone everywhere, and what is left says
// what was where; at its end there is one line and one event, however often it is repeated.
func erasure(t *testing.T, e Env) {
	j := e.doneRecording(t, "c1")
	e.enqueue(t, ledger.Request{Kind: "transcode", TenantID: "acme", CallID: "c1", Key: "t1", Payload: []byte("{}")})
	made := ledger.Outcome{Result: []byte(`{"status":"completed","outputs":[{"key":"acme/b","bytes":1,"sha256":"x"}]}`)}
	require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), made))
	before := len(e.outbox(t))
	b := begin(&j, "by-1")
	b.Derived = []string{"transcode/t1", "transcode/none"}
	begun, err := e.Keeping.BeginErasure(t.Context(), b)
	require.NoError(t, err)
	require.Equal(t, retention.Begun, begun.State)
	require.EqualValues(t, "c1", begun.RecordingID)
	require.False(t, begun.BegunAt.IsZero())
	again, err := e.Keeping.BeginErasure(t.Context(), b)
	require.NoError(t, err)
	same(t, begun, again)

	now := e.job(t, j.ID)
	require.Equal(t, ledger.Done, now.State)
	require.NotContains(t, string(now.Payload), ".wav", "the legs' files are not named any more")
	r := ResultOf(t, &now)
	require.Equal(t, record.StatusAbsent, r.Status)
	require.Equal(t, retention.ReasonErased, r.Reason)
	require.Empty(t, r.Outputs)
	c := e.call(t, "acme", "c1")
	require.Len(t, c.Recordings, 1)
	require.Empty(t, c.Recordings[0].URL)
	require.Equal(t, retention.ReasonErased, c.Recordings[0].Reason)
	requireCode(t, callmodel.CodeConflict, e.Jobs.Retry(t.Context(), j.ID, "ann"))
	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{Kind: "transcode"})
	require.NoError(t, err)
	require.NotContains(t, string(jobs[0].Result), "acme/b")
	_, created, err := e.Jobs.Enqueue(t.Context(), Request("c1"))
	require.NoError(t, err)
	require.False(t, created, "it isn't made again")
	require.Len(t, e.outbox(t), before)

	found := begun
	found.Objects = append(found.Objects, retention.Object{Bucket: "mem://", Key: "acme/a2"})
	found.Legs = []retention.Leg{{Name: "agent", Files: 1, End: retention.LegDeleted}}
	for range 2 {
		done, err := e.Keeping.EndErasure(t.Context(), found, "w")
		require.NoError(t, err)
		require.Equal(t, retention.Done, done.State)
		require.Len(t, done.Objects, 2)
		found = done
	}
	list, err := e.Keeping.Erasures(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, list, 1)
	same(t, found, list[0])
	for _, id := range []callmodel.RecordingID{"c2", "", "no\x00id"} {
		list, err = e.Keeping.Erasures(t.Context(), "acme", id)
		require.NoError(t, err)
		require.Empty(t, list)
	}
	lines := e.actions(t, "acme", retention.AuditErased)
	require.Len(t, lines, 1)
	require.Equal(t, "ann", lines[0].Actor)
	require.Equal(t, string(j.ID), lines[0].Subject)
	require.Contains(t, lines[0].Detail["objects"], "acme/a2")
	require.Len(t, e.actions(t, "acme", retention.AuditEraseBegun), 1)
	events := e.outbox(t)[before:]
	require.Len(t, events, 1)
	require.Equal(t, outbox.RecordingErased, events[0].Type)
	require.Contains(t, string(events[0].Body), "acme/a2")

	_, err = e.Keeping.BeginErasure(t.Context(), begin(&now, "by-2"))
	requireCode(t, callmodel.CodeGone, err)
}

// erasureOfVersion: another version takes the recording's place.
func erasureOfVersion(t *testing.T, e Env) {
	j := e.doneRecording(t, "c1")
	result := Result("c1")
	result.Outputs[0].URL = "file:///bucket/c1.v2.wav"
	doc, err := json.Marshal(result)
	require.NoError(t, err)
	spec := Spec("c1")
	spec.Redactions = []record.Redaction{{From: time.Second, To: 2 * time.Second}}
	payload, err := json.Marshal(spec)
	require.NoError(t, err)
	b := begin(&j, "by-1")
	b.Result, b.Spec, b.Erasure.Kind = doc, payload, retention.KindRedact
	begun, err := e.Keeping.BeginErasure(t.Context(), b)
	require.NoError(t, err)
	now := e.job(t, j.ID)
	require.Equal(t, "file:///bucket/c1.v2.wav", ResultOf(t, &now).URL())
	require.Len(t, SpecOf(t, &now).Redactions, 1)
	require.Equal(t, "file:///bucket/c1.v2.wav", e.call(t, "acme", "c1").Recordings[0].URL)
	_, err = e.Keeping.EndErasure(t.Context(), begun, "w")
	require.NoError(t, err)
	require.Len(t, e.actions(t, "acme", retention.AuditRedacted), 1)
	_, err = e.Keeping.BeginErasure(t.Context(), begin(&now, "by-2"))
	require.NoError(t, err, "it may be deleted then")
	list, err := e.Keeping.Erasures(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Len(t, list, 2)
}

// erasureRefused: what is held, what is being made, and what is another tenant's.
func erasureRefused(t *testing.T, e Env) {
	j := e.doneRecording(t, "c1")
	h := e.place(t, retention.HoldCall, "c1")
	_, err := e.Keeping.BeginErasure(t.Context(), begin(&j, "by-1"))
	requireCode(t, callmodel.CodeConflict, err)
	var held *retention.HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, h.ID, held.Hold.ID)
	require.NotEmpty(t, e.call(t, "acme", "c1").Recordings[0].URL)
	e.lift(t, h.ID)

	other := begin(&j, "by-1")
	other.Erasure.TenantID = "beta"
	_, err = e.Keeping.BeginErasure(t.Context(), other)
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, err = e.Keeping.EndErasure(t.Context(), retention.Erasure{TenantID: "acme", RecordingID: "c1", ByJob: "by-1"}, "w")
	require.ErrorIs(t, err, callmodel.ErrNotFound)

	running := e.enqueue(t, Request("c2"))
	l := e.one(t, "w")
	k := e.job(t, running)
	_, err = e.Keeping.BeginErasure(t.Context(), begin(&k, "by-2"))
	requireCode(t, callmodel.CodeConflict, err)
	require.NoError(t, e.Jobs.Release(t.Context(), l))
	_, err = e.Keeping.BeginErasure(t.Context(), begin(&k, "by-2"))
	require.NoError(t, err, "one that waits is never made")
	require.Empty(t, e.claim(t, ledger.Claim{Worker: "w", TTL: long}))
}

// expired: the recording's own time goes before its users', that before its tenant's, and
// that before the service's; what says nothing is kept for ever.
func expired(t *testing.T, e Env) {
	user := func(id string, days int) {
		t.Helper()
		_, _, err := e.Users.PutUser(t.Context(), users.User{TenantID: "acme", ID: users.ID(id), Preferences: users.Preferences{RetentionDays: days}}, users.Write{Actor: "ann"})
		require.NoError(t, err)
	}
	call := func(id, from, to string, change func(*record.Spec)) {
		t.Helper()
		n := NewCall(id)
		n.Call.From.User, n.Call.To.User = users.ID(from), users.ID(to)
		_, err := e.Calls.CreateCall(t.Context(), n)
		require.NoError(t, err)
		s := Spec(id)
		if change != nil {
			change(&s)
		}
		e.enqueue(t, RequestOf(s))
	}
	user("short", 5)
	user("long", 50)
	user("silent", 0)
	call("own-days", "long", "", func(s *record.Spec) { s.RetainDays = 1 })
	call("own-time", "short", "", func(s *record.Spec) { s.RetainUntil = s.StartedAt.AddDate(90, 0, 0) })
	call("short", "short", "silent", nil)
	call("both", "short", "long", nil)
	call("nobody", "", "stranger", nil)
	find := func(service time.Duration) map[string]string {
		t.Helper()
		found := map[string]string{}
		q := retention.Due{Service: service}
		for {
			page, err := e.Keeping.Expired(t.Context(), q)
			require.NoError(t, err)
			for _, x := range page.Expired {
				require.EqualValues(t, "acme", x.TenantID)
				found[string(x.RecordingID)] = x.By
			}
			if q.After = page.Next; page.End {
				return found
			}
		}
	}
	older := func(days int) {
		t.Helper()
		if d := time.Duration(days) * retention.Day; e.Advance != nil {
			e.Advance(d)
		} else {
			e.Older(t, d)
		}
	}
	require.Empty(t, find(0))
	if e.Advance == nil && e.Older == nil {
		return // its time can't be made over
	}
	older(10)
	want := map[string]string{"own-days": "recording", "short": "user short"}
	require.Equal(t, want, find(0))
	require.Equal(t, map[string]string{"own-days": "recording", "short": "user short", "nobody": "service"}, find(9*retention.Day))
	_, _, err := e.Users.PutTenant(t.Context(), users.Tenant{ID: "acme", Defaults: users.Defaults{RetentionDays: 20}}, users.Write{Actor: "ann"})
	require.NoError(t, err)
	require.Equal(t, want, find(9*retention.Day), "the tenant's goes before the service's")
	older(30)
	want["nobody"] = "tenant"
	require.Equal(t, want, find(0))
	older(30)
	want["both"] = "user long"
	require.Equal(t, want, find(0))

	jobs, err := e.Jobs.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	for i := range jobs {
		if jobs[i].Key == "short" || jobs[i].Key == "own-days" {
			_, err := e.Keeping.BeginErasure(t.Context(), begin(&jobs[i], "by-1"))
			require.NoError(t, err)
			delete(want, jobs[i].Key)
		}
	}
	require.Equal(t, want, find(0))
}
