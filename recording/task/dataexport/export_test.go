package dataexport_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage/storetest"
)

const (
	alice = "+493012345678"
	bob   = "+493087654321"
	carol = "+493011112222"
)

// why counts what is missing, by its reason.
func why(list []dataexport.Missing) map[string]int {
	n := map[string]int{}
	for _, m := range list {
		n[m.Why]++
	}
	return n
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]dataexport.Payload{
		"of: \"\"":      {},
		"call_id: \"\"": {Of: dataexport.OfCall},
		"number":        {Of: dataexport.OfNumber, Number: "030 123"},
		"call_id: goes": {Of: dataexport.OfTenant, CallID: "c1"},
		"number, since": {Of: dataexport.OfTenant, Since: begun},
		"until":         {Of: dataexport.OfNumber, Number: alice, Since: begun, Until: begun},
		"part_bytes":    {Of: dataexport.OfTenant, PartBytes: 1},
		"keep_days":     {Of: dataexport.OfTenant, KeepDays: 91},
	} {
		err := p.Validate()
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), name)
		require.ErrorContains(t, err, name)
	}
	p := dataexport.Payload{Of: dataexport.OfNumber, Number: alice, Since: begun}
	require.NoError(t, p.Validate())
}

// TestCall: an export of a call has its record, events, jobs, every object of them, also of
// versions that the ledger doesn't name any more, and the lines and deliveries about it.
func TestCall(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	hook, err := h.db.CreateWebhook(t.Context(), webhooks.New{
		ID: webhooks.NewID(), TenantID: "acme", URL: "https://hooks.example.com", Secret: webhooks.NewSecret(), Actor: "ann",
	})
	require.NoError(t, err)
	n := newCall("acme", "c1", alice, bob, begun)
	n.Call.Metadata = map[string]string{"odd": "</h1><script>alert(1)</script>"}
	h.end(t, n, "agent.wav", "customer.wav")
	h.end(t, newCall("acme", "c2", alice, carol, begun), "agent.wav")
	h.work(t)
	made := h.recorded(t, "acme", "c1")
	h.recorded(t, "acme", "c2")
	other := h.job(t, "acme", "c1", stored.KindTranscode, "t1", stored.TranscodePayload{
		Recording: stored.Source{CallID: "c1"}, Outputs: []record.OutputSpec{{Codec: record.CodecFLAC, Layout: record.LayoutMono}},
	})
	require.Equal(t, ledger.Done, h.ends(t, other).State)
	spec, err := record.SpecOf(&made)
	require.NoError(t, err)
	old := spec.Key(spec.Outputs[0])
	old.Version = 7
	info, err := h.store.Put(t.Context(), old, record.ObjectMeta{}, func(w io.Writer) error {
		_, err := w.Write([]byte("an earlier version"))
		return err
	})
	require.NoError(t, err)
	h.fanOut(t)

	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"})
	require.Equal(t, record.StatusCompleted, e.Status, e.Missing)
	require.Len(t, e.Parts, 1)
	o := h.open(t, &e)
	require.Empty(t, o.missing)

	var call calls.Call
	require.NoError(t, json.Unmarshal(o.files["calls/c1/call.json"], &call))
	require.Equal(t, "r1", call.Decision.Rule)
	var events []calls.Event
	require.NoError(t, json.Unmarshal(o.files["calls/c1/events.json"], &events))
	require.Len(t, events, 2)
	require.Contains(t, o.files, "calls/c1/jobs/"+string(made.ID)+".json")
	require.Contains(t, o.files, "calls/c1/jobs/"+string(other)+".json")
	require.Empty(t, o.names("calls/c2"))
	// What the bucket has of the call is in the export, and nothing else.
	prefix := old.String()[:strings.LastIndexByte(old.String(), '/')+1]
	var want, have []string
	for _, key := range h.keys(t, prefix) {
		want = append(want, sum(h.read(t, key)))
	}
	for _, name := range o.names("calls/c1/recordings/") {
		have = append(have, sum(o.files[name]))
	}
	require.ElementsMatch(t, want, have)
	require.Len(t, have, 5, "mulaw, peaks, manifest, the transcoded one, and the earlier version")
	require.Contains(t, have, info.SHA256)
	require.EqualValues(t, 5, e.Counts.Objects)

	actions := map[string]bool{}
	for _, line := range lines[callmodel.AuditEvent](t, &o, "audit/") {
		actions[line.Action] = true
		require.Contains(t, []string{"c1", string(made.ID), string(other)}, line.Subject)
	}
	for _, a := range []string{callmodel.AuditCallCreated, callmodel.AuditCallEvent, callmodel.AuditJobEnqueued, callmodel.AuditJobCompleted} {
		require.True(t, actions[a], a)
	}
	told := lines[webhooks.Delivery](t, &o, "deliveries/"+hook.ID)
	require.NotEmpty(t, told)
	for _, d := range told {
		require.NotEqual(t, "c2", d.Subject)
	}
	for _, page := range append(o.pages, string(h.read(t, e.Page.Object))) {
		require.NotContains(t, page, "<script")
		require.Contains(t, page, "Export of call c1")
	}
	var whole struct {
		Parts  []dataexport.Part
		Counts dataexport.Counts
	}
	require.NoError(t, json.Unmarshal(h.read(t, e.Index.Object), &whole))
	require.Equal(t, e.Parts, whole.Parts)
	require.Equal(t, e.Counts, whole.Counts)
	require.Equal(t, "part-0001.zip", dataexport.PartName(1))
	require.Equal(t, &e.Parts[0].Stored, e.File("part-0001.zip"))
	require.Equal(t, &e.Index, e.File("index.json"))
	require.Nil(t, e.File("part-0002.zip"))
	require.Nil(t, e.File("part-0001.json"))

	again := h.exportAsOf(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"}, e.AsOf)
	require.Equal(t, e.Parts, again.Parts, "what is there is not made again")

	none := h.export(t, "other", "x1", dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"})
	require.Equal(t, record.StatusAbsent, none.Status, "another tenant's call is none")
	require.Empty(t, none.Parts)
}

// fanOut makes the deliveries of all events that there are.
func (h *house) fanOut(t *testing.T) {
	t.Helper()
	r := outbox.Reader{Name: "webhooks", Holder: "test", TTL: time.Minute}
	_, err := h.db.TakeOutbox(t.Context(), r)
	require.NoError(t, err)
	events, err := h.db.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	_, err = h.db.FanOut(t.Context(), r, events)
	require.NoError(t, err)
}

// TestMissing: what couldn't be had is told, one by one.
func TestMissing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for _, id := range []string{"whole", "erased", "changed"} {
		h.end(t, newCall("acme", id, alice, bob, begun), "agent.wav")
	}
	h.end(t, newCall("acme", "absent", alice, bob, begun), "nothing.wav")
	h.work(t)
	h.recorded(t, "acme", "whole")
	h.recorded(t, "acme", "absent")
	erased, changed := h.recorded(t, "acme", "erased"), h.recorded(t, "acme", "changed")
	r, err := record.NewJob(record.Spec{
		TenantID: "acme", CallID: "pending", RecordingID: "pending", StartedAt: begun,
		Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")}, Outputs: []record.OutputSpec{{Codec: record.CodecMulaw, Layout: record.LayoutMono}},
	}, "elsewhere", 0)
	require.NoError(t, err)
	_, _, err = h.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	gone, err := record.ResultOf(&erased)
	require.NoError(t, err)
	_, err = h.store.Erase(t.Context(), gone.Outputs[0].Key, func(string) bool { return true })
	require.NoError(t, err)
	other, err := record.ResultOf(&changed)
	require.NoError(t, err)
	path := h.store.LocalPath(other.Outputs[0].Key)
	require.NoError(t, os.Chmod(path, 0o600))
	require.NoError(t, os.WriteFile(path, []byte("something else"), 0o600))

	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfTenant})
	require.Equal(t, record.StatusCompletedDegraded, e.Status)
	o := h.open(t, &e)
	n := why(o.missing)
	require.Equal(t, 1, n[dataexport.MissingObject])
	require.Equal(t, 1, n[dataexport.MissingDamaged])
	require.Equal(t, 1, n[dataexport.MissingAbsent])
	require.Equal(t, 1, n[dataexport.MissingPending])
	for _, m := range o.missing {
		require.NotEmpty(t, m.Detail, m.Why)
		require.EqualValues(t, n[m.Why], e.Missing[m.Why])
		switch m.Why {
		case dataexport.MissingObject:
			require.Equal(t, gone.Outputs[0].Key, m.Object)
			require.Equal(t, gone.Outputs[0].SHA256, m.SHA256)
			require.Equal(t, callmodel.CallID("erased"), m.CallID)
		case dataexport.MissingDamaged:
			require.Equal(t, other.Outputs[0].Key, m.Object)
		}
	}
}

// TestErased: a recording that was deleted says so of itself.
func TestErased(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.end(t, newCall("acme", "c1", alice, bob, begun), "agent.wav")
	leases, err := h.db.Claim(t.Context(), ledger.Claim{Worker: "w"})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	gone, err := record.Outcome(record.Result{Status: record.StatusAbsent, Reason: "erased"})
	require.NoError(t, err)
	require.NoError(t, h.db.Complete(t.Context(), leases[0], gone))
	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"})
	require.Equal(t, map[string]int64{dataexport.MissingErased: 1}, e.Missing)
	o := h.open(t, &e)
	require.Equal(t, callmodel.CallID("c1"), o.missing[0].CallID)
}

// TestTenant: all of a tenant's data is in parts of a bounded size, each once, and nothing
// of another's.
func TestTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, _, err := h.db.PutUser(t.Context(), users.User{TenantID: "acme", ID: "u1", Numbers: users.Numbers{DIDs: []string{alice}}}, users.Write{Actor: "ann"})
	require.NoError(t, err)
	_, _, err = h.db.PutUser(t.Context(), users.User{TenantID: "other", ID: "u2", Numbers: users.Numbers{DIDs: []string{bob}}}, users.Write{Actor: "ann"})
	require.NoError(t, err)
	ids := []string{"a", "b", "c", "d", "e"}
	for i, id := range ids {
		h.end(t, newCall("acme", id, alice, bob, begun.Add(time.Duration(i)*time.Minute)), "agent.wav")
		h.end(t, newCall("other", id, alice, bob, begun), "agent.wav")
	}
	h.work(t)
	for _, id := range ids {
		h.recorded(t, "acme", id)
		h.recorded(t, "other", id)
	}
	// A recording that was handed in by itself.
	s := record.Spec{
		TenantID: "acme", CallID: "alone", RecordingID: "alone", StartedAt: begun,
		Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")}, Outputs: []record.OutputSpec{{Codec: record.CodecMulaw, Layout: record.LayoutMono}},
	}
	r, err := record.NewJob(s, "", 0)
	require.NoError(t, err)
	alone, _, err := h.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	h.ends(t, alone)

	link, _ := storetest.NewShare("a")
	_, err = h.db.CreateShare(t.Context(), link)
	require.NoError(t, err)
	held, err := h.db.PlaceHold(t.Context(), retention.Hold{TenantID: "acme", Scope: retention.HoldCall, Subject: ids[0], Reason: "case 7"}, "ann")
	require.NoError(t, err)

	const bound = 100_000 // less than a recording
	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfTenant, PartBytes: bound})
	require.Equal(t, record.StatusCompleted, e.Status, e.Missing)
	require.Greater(t, len(e.Parts), len(ids))
	o := h.open(t, &e)
	for _, id := range ids {
		require.Contains(t, o.files, "calls/"+id+"/call.json")
		require.Len(t, o.names("calls/"+id+"/recordings/"), 3)
	}
	require.Len(t, o.names("jobs/"+string(alone)+"/recordings/"), 2)
	require.EqualValues(t, 5, e.Counts.Calls)
	require.EqualValues(t, 6, e.Counts.Recordings)
	require.EqualValues(t, 1, e.Counts.Users)
	for name, b := range o.files {
		require.NotContains(t, string(b), `"other"`, name)
	}
	require.NotEmpty(t, lines[callmodel.AuditEvent](t, &o, "audit/"))
	links := lines[shares.Share](t, &o, "shares/")
	require.Len(t, links, 1)
	require.Equal(t, link.ID, links[0].ID)
	require.Equal(t, []retention.Hold{held}, lines[retention.Hold](t, &o, "holds/"))
	for name, b := range o.files {
		require.NotContains(t, string(b), link.Hash, "%s: no token, nor its hash", name)
	}
	for _, key := range h.keys(t, "other/") {
		require.NotContains(t, key, "/exports/")
	}
}

// TestNumber: an export of a number has its calls in the time, those alone, and the users
// who have it.
func TestNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, _, err := h.db.PutUser(t.Context(), users.User{TenantID: "acme", ID: "u1", Numbers: users.Numbers{DIDs: []string{alice}}}, users.Write{Actor: "ann"})
	require.NoError(t, err)
	_, _, err = h.db.PutUser(t.Context(), users.User{TenantID: "acme", ID: "u2", Numbers: users.Numbers{DIDs: []string{bob}}}, users.Write{Actor: "ann"})
	require.NoError(t, err)
	for _, n := range []calls.NewCall{
		newCall("acme", "from", alice, bob, begun),
		newCall("acme", "to", carol, alice, begun.Add(time.Hour)),
		newCall("acme", "early", alice, bob, begun.Add(-time.Hour)),
		newCall("acme", "late", alice, bob, begun.Add(2*time.Hour)),
		newCall("acme", "others", carol, bob, begun),
		newCall("other", "theirs", alice, bob, begun),
	} {
		_, err := h.db.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	e := h.export(t, "acme", "x1", dataexport.Payload{Of: dataexport.OfNumber, Number: alice, Since: begun, Until: begun.Add(2 * time.Hour)})
	o := h.open(t, &e)
	var have []string
	for _, name := range o.names("calls/") {
		if id, ok := strings.CutSuffix(strings.TrimPrefix(name, "calls/"), "/call.json"); ok {
			have = append(have, id)
		}
	}
	require.ElementsMatch(t, []string{"from", "to"}, have)
	found := lines[users.User](t, &o, "users/")
	require.Len(t, found, 1)
	require.Equal(t, users.ID("u1"), found[0].ID)
	var about []string
	for _, l := range lines[callmodel.AuditEvent](t, &o, "audit/") {
		about = append(about, l.Subject)
	}
	slices.Sort(about)
	require.Equal(t, []string{"from", "to", "u1"}, about)
	require.Contains(t, o.pages[0], "GDPR, article 15(4)")

	none := h.export(t, "acme", "x2", dataexport.Payload{Of: dataexport.OfNumber, Number: "+4930999999"})
	require.Equal(t, record.StatusAbsent, none.Status)
}

// stopping is a place that fails after some objects.
type stopping struct {
	dataexport.Place

	left int
}

var errStopped = errors.New("stopped")

func (s *stopping) PutNamed(ctx context.Context, name string, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if s.left--; s.left < 0 {
		return record.ObjectInfo{}, errStopped
	}
	return s.Place.PutNamed(ctx, name, m, write)
}

// TestStopped: wherever an export is stopped, between its parts and their notes, it goes on
// behind the last part that was noted, and comes to the same.
func TestStopped(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	h := newHouse(t)
	for i := range 8 {
		n := newCall("acme", string(rune('a'+i)), alice, bob, begun.Add(time.Duration(i)*time.Minute))
		n.Call.Metadata = map[string]string{"noise": noise(100 << 10)}
		_, err := h.db.CreateCall(t.Context(), n)
		require.NoError(t, err)
	}
	now, err := h.db.Now(t.Context())
	require.NoError(t, err)
	request := func(key, attempt string) *dataexport.Request {
		return &dataexport.Request{
			TenantID: "acme", Key: key, Attempt: attempt, AsOf: now, Payload: dataexport.Payload{Of: dataexport.OfTenant, PartBytes: dataexport.MinPartBytes},
		}
	}
	whole, err := h.exporter().Export(t.Context(), h.store, request("whole", "1"))
	require.NoError(t, err)
	require.Greater(t, len(whole.Parts), 3)
	for stop := range 2*len(whole.Parts) + 2 {
		key := "x" + string(rune('a'+stop))
		_, err := h.exporter().Export(t.Context(), &stopping{h.store, stop}, request(key, "1"))
		require.ErrorIs(t, err, errStopped)
		e, err := h.exporter().Export(t.Context(), h.store, request(key, "2"))
		require.NoError(t, err)
		require.Equal(t, whole.Counts, e.Counts)
		o := h.open(t, &e)
		require.Len(t, o.names("calls/"), 16)
		kept := 0
		for _, p := range e.Parts {
			if strings.Contains(p.Object, ".1.zip") {
				kept++
			}
		}
		require.Equal(t, min(stop/2, len(e.Parts)), kept, "what was noted stays")
	}
	// Attempts that make a part each.
	again := request("bit-by-bit", "1")
	again.AtOnce = 1
	for n := 1; ; n++ {
		e, err := h.exporter().Export(t.Context(), h.store, again)
		if err == nil {
			require.Equal(t, whole.Counts, e.Counts)
			require.Len(t, e.Parts, n)
			require.Len(t, whole.Parts, n)
			break
		}
		waits, ok := errors.AsType[*callmodel.RetryAfterError](err)
		require.True(t, ok, err)
		require.Equal(t, time.Second, waits.After)
	}
	// A slower attempt that has stored a part which another has noted.
	_, err = h.exporter().Export(t.Context(), &forgetful{h.store}, request("whole", "3"))
	_, waits := errors.AsType[*callmodel.RetryAfterError](err)
	require.True(t, waits, err)
}

// forgetful is a place that shows no notes, as to an attempt that began before they were
// there.
type forgetful struct{ dataexport.Place }

func (forgetful) Open(context.Context, string) (io.ReadCloser, error) { return nil, fs.ErrNotExist }

// noise is text that can't be made smaller.
func noise(n int) string {
	b := make([]byte, n/2)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return hex.EncodeToString(b)
}
