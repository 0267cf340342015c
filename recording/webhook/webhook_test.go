package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

func options(holder string) webhook.Options {
	return webhook.Options{Holder: holder, TTL: time.Second, Poll: 5 * time.Millisecond, Timeout: 5 * time.Second, Allow: loopback()}
}

// TestTwoAtOnce: processes that deliver at once share the work, and each event reaches
// each endpoint once.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	a, b := newReceiver(t, nil), newReceiver(t, nil)
	n := create(t, db, "a", a.URL)
	create(t, db, "b", b.URL)
	const events = 60
	happen(t, db, "c", events)
	var all []*webhook.Deliverer
	for _, name := range []string{"x", "y"} {
		d := webhook.New(db, options(name))
		all = append(all, d)
		run(t, d)
	}
	require.Eventually(t, func() bool { return all[0].Counts().Delivered+all[1].Counts().Delivered == 2*events }, within, 5*time.Millisecond)
	happen(t, db, "d", 5)
	require.Eventually(t, func() bool { return len(a.all()) == events+5 && len(b.all()) == events+5 }, within, 5*time.Millisecond)
	ids := map[string]int{}
	for _, g := range a.all() {
		ids[verify(t, n.Secret, g, time.Time{})]++
	}
	require.Len(t, ids, events+5)
	kept, err := db.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	for i := range kept {
		require.Equal(t, 1, ids[webhooks.EventID(kept[i].Key)])
	}
}

// TestSlowReceiversHoldNobody: receivers that never answer take no place of the others',
// however many they are.
func TestSlowReceiversHoldNobody(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	var open, most atomic.Int64
	slow := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if n := open.Add(1); n > most.Load() {
			most.Store(n)
		}
		time.Sleep(250 * time.Millisecond)
		open.Add(-1) // before the answer, and so before the next try
		w.WriteHeader(http.StatusInternalServerError)
	})
	for _, name := range []string{"s1", "s2", "s3", "s4", "s5", "s6"} {
		create(t, db, name, slow.URL)
	}
	happen(t, db, "c", 8)
	o := options("x")
	o.Concurrency, o.PerEndpoint, o.Timeout, o.Schedule = 4, 2, within, []time.Duration{time.Millisecond, time.Millisecond, time.Hour}
	d := webhook.New(db, o)
	run(t, d)
	require.Eventually(t, func() bool { return d.Counts().Failed >= 12 }, within, time.Millisecond)
	good := newReceiver(t, nil)
	create(t, db, "good", good.URL)
	happen(t, db, "d", 20)
	require.Eventually(t, func() bool { return len(good.all()) == 20 }, within, time.Millisecond)
	stats, err := db.WebhookStats(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, stats.Failing)
	require.Positive(t, stats.Waiting, "the slow ones' wait still")
	require.LessOrEqual(t, most.Load(), int64(4))
}

// TestEndsInTime: a process that is to end gives up tries that take longer than it may.
func TestEndsInTime(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	began := make(chan struct{}, 1)
	slow := newReceiver(t, func(_ http.ResponseWriter, q *http.Request) {
		began <- struct{}{}
		<-q.Context().Done()
	})
	create(t, db, "slow", slow.URL)
	happen(t, db, "c", 1)
	o := options("x")
	o.Timeout, o.Drain = time.Hour, 10*time.Millisecond
	stop := run(t, webhook.New(db, o))
	<-began
	stop()
	v := deliveries(t, db, "wh-slow")
	require.Equal(t, webhooks.Waiting, v[0].State)
	require.Zero(t, v[0].Tries, "nobody knows what came of it")
}

// TestRotation: while the old secret is good deliveries are signed with both.
func TestRotation(t *testing.T) {
	t.Parallel()
	c := newClock()
	db := memdb.New(c.now)
	r := newReceiver(t, nil)
	first := create(t, db, "a", r.URL)
	second := webhooks.NewSecret()
	_, err := db.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-a", Secret: second, Grace: time.Hour})
	require.NoError(t, err)
	d := webhook.New(db, webhook.Options{Holder: "a", Now: c.now, Allow: loopback()})
	happen(t, db, "c", 1)
	require.NoError(t, d.Step(t.Context()))
	require.Len(t, r.all(), 1)
	verify(t, first.Secret, r.all()[0], c.now())
	verify(t, second, r.all()[0], c.now())
	c.advance(time.Hour)
	happen(t, db, "d", 1)
	require.NoError(t, d.Step(t.Context()))
	require.Len(t, r.all(), 2)
	verify(t, second, r.all()[1], c.now())
	require.Len(t, r.all()[1].header.Values("webhook-signature"), 1)
	require.NotContains(t, r.all()[1].header.Get("webhook-signature"), " ", "one signature alone")
}

// TestForms: the standard form has the event as it is in the outbox, the callback has the
// fields of hosted platforms.
func TestForms(t *testing.T) {
	t.Parallel()
	c := newClock()
	db := memdb.New(c.now)
	r, hosted := newReceiver(t, nil), newReceiver(t, nil)
	create(t, db, "a", r.URL)
	n := storetest.NewWebhook("hosted")
	n.URL, n.Form = hosted.URL, webhooks.FormCallback
	_, err := db.CreateWebhook(t.Context(), n)
	require.NoError(t, err)
	happen(t, db, "c", 1)
	d := webhook.New(db, webhook.Options{Holder: "a", Now: c.now, Allow: loopback()})
	require.NoError(t, d.Step(t.Context()))
	events, err := db.OutboxEvents(t.Context(), 0, 10)
	require.NoError(t, err)

	require.Len(t, r.all(), 1)
	require.Equal(t, "application/json", r.all()[0].header.Get("Content-Type"))
	var told struct {
		Type      string          `json:"type"`
		Timestamp time.Time       `json:"timestamp"`
		Data      json.RawMessage `json:"data"`
	}
	require.NoError(t, callmodel.DecodeJSON([]byte(r.all()[0].body), &told))
	require.Equal(t, "recording.completed", told.Type)
	require.True(t, told.Timestamp.Equal(events[0].At))
	require.Equal(t, string(events[0].Body), string(told.Data))

	require.Len(t, hosted.all(), 1)
	require.Equal(t, "application/x-www-form-urlencoded", hosted.all()[0].header.Get("Content-Type"))
	form, err := url.ParseQuery(hosted.all()[0].body)
	require.NoError(t, err)
	require.Equal(t, url.Values{
		"AccountSid": {"acme"}, "CallSid": {"c0000"}, "RecordingSid": {"c0000"}, "RecordingUrl": {"file:///bucket/c0000.v1.wav"},
		"RecordingDuration": {"60"}, "RecordingStatus": {"completed"}, "RecordingChannels": {"2"}, "EventType": {"recording.completed"},
		"Timestamp": {events[0].At.UTC().Format(time.RFC1123Z)},
	}, form)
	verify(t, n.Secret, hosted.all()[0], c.now())
}

// script verifies a delivery by the library of another language. It takes the secret, the
// headers and the body as JSON.
const script = `
const { Webhook } = require("standardwebhooks");
let text = "";
process.stdin.on("data", (d) => (text += d)).on("end", () => {
  const all = JSON.parse(text);
  for (const { secret, headers, body } of all) {
    const told = new Webhook(secret).verify(body, headers);
    if (told.type !== "recording.completed") throw new Error("another event: " + told.type);
    try {
      new Webhook(secret).verify(body.replace("acme", "evil"), headers);
    } catch {
      continue;
    }
    throw new Error("a changed body passed");
  }
  console.log("verified", all.length);
});`

// TestStandardWebhooksLibrary: npm's standardwebhooks takes what is delivered, with the
// secret as it was given, with its prefix and without, and with both secrets of a
// rotation. NODE_PATH is where it was installed.
func TestStandardWebhooksLibrary(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err == nil {
		err = exec.CommandContext(t.Context(), node, "-e", `require.resolve("standardwebhooks")`).Run()
	}
	if err != nil {
		const what = "standardwebhooks (npm install standardwebhooks@1.0.0, and its node_modules in NODE_PATH)"
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
			t.Fatalf("%s is not installed: %v", what, err)
		}
		t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: %s is not installed", what)
	}
	db := memdb.New(nil)
	r := newReceiver(t, nil)
	n := storetest.NewWebhook("a")
	n.URL, n.Secret = r.URL, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	_, err = db.CreateWebhook(t.Context(), n)
	require.NoError(t, err)
	second := webhooks.NewSecret()
	d := webhook.New(db, options("a"))
	type delivery struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	var all []delivery
	tell := func(prefix string, secrets ...webhooks.Secret) {
		t.Helper()
		happen(t, db, prefix, 1)
		require.NoError(t, d.Step(t.Context()))
		told := r.all()
		g := told[len(told)-1]
		for _, s := range secrets {
			all = append(all, delivery{s.Reveal(), map[string]string{
				"webhook-id": g.header.Get("webhook-id"), "webhook-timestamp": g.header.Get("webhook-timestamp"), "webhook-signature": g.header.Get("webhook-signature"),
			}, g.body})
		}
	}
	tell("c", n.Secret, "whsec_"+n.Secret)
	_, err = db.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-a", Secret: second, Grace: time.Hour})
	require.NoError(t, err)
	tell("d", n.Secret, second)
	in, err := json.Marshal(all)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "-e", script)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "verified 4\n", string(out))
}

// TestCallsAreTold: an endpoint that asks for calls is sent what happens to them, and one
// that asks for recordings alone isn't.
func TestCallsAreTold(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	r, other := newReceiver(t, nil), newReceiver(t, nil)
	n := storetest.NewWebhook("calls")
	n.URL, n.Events = r.URL, []string{"call.*"}
	_, err := db.CreateWebhook(t.Context(), n)
	require.NoError(t, err)
	create(t, db, "recordings", other.URL)
	c := calls.Call{ID: "c1", TenantID: "acme", State: calls.Routed, Type: calls.TypeVoice, CreatedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	_, err = db.CreateCall(t.Context(), calls.NewCall{Call: c, Actor: "pbx"})
	require.NoError(t, err)
	_, err = db.AppendEvent(t.Context(), "acme", "c1", calls.Event{ID: "1", Type: calls.EventAnswered}, "pbx", nil)
	require.NoError(t, err)
	run(t, webhook.New(db, options("a")))
	require.Eventually(t, func() bool { return len(r.all()) == 2 }, within, time.Millisecond)
	types := map[string]string{}
	for _, g := range r.all() {
		verify(t, n.Secret, g, time.Time{})
		var told struct {
			Type string `json:"type"`
			Data struct {
				Call calls.Call `json:"call"`
			} `json:"data"`
		}
		require.NoError(t, json.Unmarshal([]byte(g.body), &told))
		types[told.Type] = string(told.Data.Call.State)
	}
	require.Equal(t, map[string]string{"call.created": "routed", "call.answered": "answered"}, types)
	require.Empty(t, other.all())
}
