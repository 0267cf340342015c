package storetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// WebhookStore is what [Webhooks] tests: the ports webhookhttp.Store and webhook.Queue,
// where the promises are written.
type WebhookStore interface {
	CreateWebhook(ctx context.Context, n webhooks.New) (webhooks.Endpoint, error)
	Webhook(ctx context.Context, t callmodel.TenantID, id string) (webhooks.Endpoint, error)
	Webhooks(ctx context.Context, t callmodel.TenantID, f webhooks.Filter) ([]webhooks.Endpoint, error)
	ChangeWebhook(ctx context.Context, c webhooks.Change) (webhooks.Endpoint, error)
	WebhookDeliveries(ctx context.Context, f webhooks.DeliveryFilter) ([]webhooks.Delivery, error)
	ReplayWebhook(ctx context.Context, r webhooks.Replay) (webhooks.Replayed, error)
	FanOut(ctx context.Context, r outbox.Reader, events []callmodel.OutboxEvent) (made int, err error)
	DueWebhooks(ctx context.Context, limit int) ([]webhooks.Due, error)
	ClaimDeliveries(ctx context.Context, c webhooks.Claim) (webhooks.Claimed, error)
	SettleDelivery(ctx context.Context, o webhooks.Outcome) error
	WebhookStats(ctx context.Context) (webhooks.Stats, error)
	// TellBucket writes an event of a bucket for each of its tenants that asks for it.
	TellBucket(ctx context.Context, b outbox.Bucket) error
}

// Webhooks is what webhookhttp.Store and webhook.Queue promise.
func Webhooks(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"KeepsWhatItIsGiven", withWebhooks(hookKept)},
		{"Refuses", withWebhooks(hookRefused)},
		{"Changes", withWebhooks(hookChanges)},
		{"Lists", withWebhooks(hookLists)},
		{"FansOutOnce", withWebhooks(hookFansOut)},
		{"ClaimsAtOnce", withWebhooks(hookAtOnce)},
		{"LeasesExpire", withWebhooks(hookLeases)},
		{"Health", withWebhooks(hookHealth)},
		{"GoneDisables", withWebhooks(hookGone)},
		{"Replays", withWebhooks(hookReplays)},
		{"SettingsHaveTheirs", withWebhooks(hookSettings)},
		{"EventsThatAreAskedFor", withWebhooks(hookEvents)},
	})
}

// withWebhooks runs test on a schema that keeps webhooks. One before keeps none, and says
// so; there is nothing to deliver.
func withWebhooks(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoWebhooks {
			test(t, e)
			return
		}
		_, create := e.Webhooks.CreateWebhook(t.Context(), NewWebhook("a"))
		_, read := e.Webhooks.Webhook(t.Context(), "acme", "wh-a")
		_, list := e.Webhooks.Webhooks(t.Context(), "acme", webhooks.Filter{})
		_, change := e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-a", Delete: true})
		for _, err := range []error{create, read, list, change} {
			requireCode(t, callmodel.CodeUnavailable, err)
			require.ErrorContains(t, err, "migrate up")
		}
		due, err := e.Webhooks.DueWebhooks(t.Context(), 0)
		require.NoError(t, err)
		require.Empty(t, due)
		stats, err := e.Webhooks.WebhookStats(t.Context())
		require.NoError(t, err)
		require.Zero(t, stats)
	}
}

// NewWebhook is an endpoint of the tenant "acme" that is told of recordings.
func NewWebhook(name string) webhooks.New {
	return webhooks.New{
		ID: "wh-" + name, TenantID: "acme", URL: "https://acme.example/" + name, Events: []string{"recording.*"}, Secret: webhooks.NewSecret(), Actor: "ann",
	}
}

// hookReader reads the outbox for webhooks.
func hookReader() outbox.Reader { return outbox.Reader{Name: "webhooks", Holder: "a", TTL: long} }

func (e Env) createHook(t *testing.T, n webhooks.New) webhooks.Endpoint {
	t.Helper()
	w, err := e.Webhooks.CreateWebhook(t.Context(), n)
	require.NoError(t, err)
	return w
}

func (e Env) hook(t *testing.T, id string) webhooks.Endpoint {
	t.Helper()
	w, err := e.Webhooks.Webhook(t.Context(), "acme", id)
	require.NoError(t, err)
	return w
}

// happen makes n recordings, each of which leaves an event, and their deliveries.
func (e Env) happen(t *testing.T, prefix string, n int) (made int) {
	t.Helper()
	for _, id := range names(prefix, n) {
		e.enqueue(t, Request(id))
		require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed(id)))
	}
	p := e.take(t, hookReader())
	events, err := e.Outbox.OutboxEvents(t.Context(), p.Through, 1000)
	require.NoError(t, err)
	made, err = e.Webhooks.FanOut(t.Context(), hookReader(), events)
	require.NoError(t, err)
	return made
}

func (e Env) claimHook(t *testing.T, id string, limit int, lease time.Duration) []webhooks.Task {
	t.Helper()
	got, err := e.Webhooks.ClaimDeliveries(t.Context(), webhooks.Claim{EndpointID: id, Limit: limit, Lease: lease})
	require.NoError(t, err)
	return got.Tasks
}

func (e Env) settle(t *testing.T, id string, k webhooks.Task, o webhooks.Outcome) {
	t.Helper()
	o.EndpointID, o.ID, o.Token = id, k.ID, k.Token
	require.NoError(t, e.Webhooks.SettleDelivery(t.Context(), o))
}

func (e Env) deliveries(t *testing.T, f webhooks.DeliveryFilter) []webhooks.Delivery {
	t.Helper()
	f.TenantID = "acme"
	all, err := e.Webhooks.WebhookDeliveries(t.Context(), f)
	require.NoError(t, err)
	return all
}

func hookKept(t *testing.T, e Env) {
	n := NewWebhook("a")
	n.Events, n.Form, n.Description = []string{"recording.completed", "job.*"}, webhooks.FormCallback, "billing"
	made := e.createHook(t, n)
	require.False(t, made.CreatedAt.IsZero())
	require.Equal(t, webhooks.Enabled, made.State)
	same(t, made, e.hook(t, "wh-a"))
	require.Equal(t, n.Events, made.Events)
	for _, of := range []struct {
		tenant callmodel.TenantID
		id     string
	}{{"umbrella", "wh-a"}, {"acme", "wh-none"}, {"acme", "\x00"}, {"", "wh-a"}} {
		_, err := e.Webhooks.Webhook(t.Context(), of.tenant, of.id)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: of.tenant, ID: of.id, Delete: true})
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Webhooks.WebhookDeliveries(t.Context(), webhooks.DeliveryFilter{TenantID: of.tenant, EndpointID: of.id})
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Webhooks.ReplayWebhook(t.Context(), webhooks.Replay{TenantID: of.tenant, EndpointID: of.id})
		require.ErrorIs(t, err, callmodel.ErrNotFound)
	}
	lines := e.actions(t, "acme", webhooks.AuditCreated)
	require.Len(t, lines, 1)
	require.Equal(t, map[string]string{"url": n.URL, "form": "callback", "events": "recording.completed,job.*"}, lines[0].Detail)
}

func hookRefused(t *testing.T, e Env) {
	for name, change := range map[string]func(n *webhooks.New){
		"no url":      func(n *webhooks.New) { n.URL = "" },
		"odd url":     func(n *webhooks.New) { n.URL = "ftp://acme.example/" },
		"password":    func(n *webhooks.New) { n.URL = "https://a:b@acme.example/" },
		"odd event":   func(n *webhooks.New) { n.Events = []string{"a b"} },
		"twice":       func(n *webhooks.New) { n.Events = []string{"a", "a"} },
		"odd form":    func(n *webhooks.New) { n.Form = "xml" },
		"bad tenant":  func(n *webhooks.New) { n.TenantID = "../x" },
		"no secret":   func(n *webhooks.New) { n.Secret = "" },
		"weak secret": func(n *webhooks.New) { n.Secret = "whsec_aGVsbG8=" },
	} {
		n := NewWebhook("b")
		change(&n)
		_, err := e.Webhooks.CreateWebhook(t.Context(), n)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%s: %v", name, err)
	}
	for _, name := range names("x", webhooks.MaxEndpoints) {
		e.createHook(t, NewWebhook(name))
	}
	_, err := e.Webhooks.CreateWebhook(t.Context(), NewWebhook("b"))
	requireCode(t, callmodel.CodeConflict, err)
}

func hookChanges(t *testing.T, e Env) {
	first := NewWebhook("a")
	made := e.createHook(t, first)
	url, off, on := "https://acme.example/new", webhooks.Disabled, webhooks.Enabled
	change := func(c webhooks.Change) webhooks.Endpoint {
		t.Helper()
		c.TenantID, c.ID, c.Actor = "acme", "wh-a", "ben"
		w, err := e.Webhooks.ChangeWebhook(t.Context(), c)
		require.NoError(t, err)
		same(t, w, e.hook(t, "wh-a"))
		return w
	}
	changed := change(webhooks.Change{URL: &url, Events: &[]string{"recording.*"}, Expected: made.Tag()})
	require.Equal(t, url, changed.URL)
	require.Equal(t, []string{"recording.*"}, changed.Events)
	require.Greater(t, changed.Version, made.Version)
	_, err := e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-a", URL: &url, Expected: made.Tag()})
	requireCode(t, callmodel.CodeConflict, err)

	second := webhooks.NewSecret()
	rotated := change(webhooks.Change{Secret: second, Grace: time.Hour})
	require.Equal(t, time.Hour, rotated.OldUntil.Sub(rotated.RotatedAt))
	e.happen(t, "c", 1)
	got, err := e.Webhooks.ClaimDeliveries(t.Context(), webhooks.Claim{EndpointID: "wh-a", Limit: 1, Lease: long})
	require.NoError(t, err)
	require.Len(t, got.Tasks, 1)
	require.Equal(t, second, got.Endpoint.Secret)
	require.Equal(t, first.Secret, got.Endpoint.Old)

	disabled := change(webhooks.Change{State: &off})
	require.Equal(t, webhooks.ReasonOperator, disabled.StateReason)
	require.Equal(t, disabled.Version, change(webhooks.Change{State: &off}).Version, "twice is once")
	require.Zero(t, e.happen(t, "d", 1), "it isn't told of what happens meanwhile")
	require.Empty(t, change(webhooks.Change{State: &on}).StateReason)
	for _, c := range []webhooks.Change{{State: new(webhooks.State)}, {Secret: "x"}, {Grace: -1}, {Form: new(webhooks.Form)}} {
		c.TenantID, c.ID = "acme", "wh-a"
		_, err = e.Webhooks.ChangeWebhook(t.Context(), c)
		requireCode(t, callmodel.CodeInvalid, err)
	}
	_, err = e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-a", Delete: true, Actor: "ben"})
	require.NoError(t, err)
	_, err = e.Webhooks.Webhook(t.Context(), "acme", "wh-a")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	require.Empty(t, e.claimHook(t, "wh-a", 10, long))
	for action, n := range map[string]int{
		webhooks.AuditChanged: 1, webhooks.AuditRotated: 1, webhooks.AuditDisabled: 1, webhooks.AuditEnabled: 1, webhooks.AuditDeleted: 1,
	} {
		lines := e.actions(t, "acme", action)
		require.Len(t, lines, n, action)
		require.NotContains(t, fmt.Sprint(lines), second.Reveal())
	}
}

func hookLists(t *testing.T, e Env) {
	for _, name := range names("a", 5) {
		e.createHook(t, NewWebhook(name))
	}
	other := NewWebhook("other")
	other.TenantID = "umbrella"
	e.createHook(t, other)
	page, err := e.Webhooks.Webhooks(t.Context(), "acme", webhooks.Filter{Limit: 3})
	require.NoError(t, err)
	require.Len(t, page, 3)
	rest, err := e.Webhooks.Webhooks(t.Context(), "acme", webhooks.Filter{After: page[2].ID})
	require.NoError(t, err)
	require.Len(t, rest, 2)
	require.Equal(t, "wh-a0004", rest[1].ID)
	none, err := e.Webhooks.Webhooks(t.Context(), "nobody", webhooks.Filter{})
	require.NoError(t, err)
	require.NotNil(t, none)
	require.Empty(t, none)
}

// hookFansOut: a delivery for each endpoint that wants the event, once, and none of what
// happened before the endpoint was made, or in another tenant.
func hookFansOut(t *testing.T, e Env) {
	require.Zero(t, e.happen(t, "before", 2))
	e.createHook(t, NewWebhook("all"))
	some := NewWebhook("some")
	some.Events = []string{"recording.absent"}
	e.createHook(t, some)
	other := NewWebhook("other")
	other.TenantID = "umbrella"
	e.createHook(t, other)
	require.Equal(t, 3, e.happen(t, "c", 3))
	events := e.outbox(t)
	n, err := e.Webhooks.FanOut(t.Context(), hookReader(), events[2:])
	require.NoError(t, err)
	require.Zero(t, n, "again is once")
	_, err = e.Webhooks.FanOut(t.Context(), outbox.Reader{Name: "webhooks", Holder: "b"}, events[2:])
	require.ErrorIs(t, err, callmodel.ErrLeaseLost)
	all := e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-all"})
	require.Len(t, all, 3)
	for i, v := range all {
		require.Equal(t, webhooks.EventID(events[2+i].Key), v.WebhookID)
		require.Equal(t, webhooks.Waiting, v.State)
		require.Equal(t, "recording.completed", v.Type)
		require.False(t, v.NextAt.IsZero())
	}
	require.EqualValues(t, 3, e.hook(t, "wh-all").Health.Waiting)
	require.Empty(t, e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-some"}))
	page := e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-all", After: all[0].ID, Limit: 1})
	require.Len(t, page, 1)
	require.Equal(t, all[1].ID, page[0].ID)
	require.Len(t, e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-all", From: all[0].EventAt, To: all[2].EventAt.Add(time.Hour)}), 3)
	require.Empty(t, e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-all", To: all[0].EventAt}))
}

// hookAtOnce: of many who claim at once each delivery is one's.
func hookAtOnce(t *testing.T, e Env) {
	e.createHook(t, NewWebhook("a"))
	require.Equal(t, 24, e.happen(t, "c", 24))
	due, err := e.Webhooks.DueWebhooks(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, []webhooks.Due{{EndpointID: "wh-a"}}, due)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]int{}
	for range 4 {
		wg.Go(func() {
			for {
				got, err := e.Webhooks.ClaimDeliveries(t.Context(), webhooks.Claim{EndpointID: "wh-a", Limit: 3, Lease: long})
				if !assert.NoError(t, err) || len(got.Tasks) == 0 {
					return
				}
				mu.Lock()
				for _, k := range got.Tasks {
					seen[k.ID]++
					assert.NotEmpty(t, k.Event.Body)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	// One that passed over what others had locked may have found nothing.
	for _, k := range e.claimHook(t, "wh-a", 100, long) {
		seen[k.ID]++
	}
	require.Len(t, seen, 24)
	for id, n := range seen {
		require.Equal(t, 1, n, id)
	}
	due, err = e.Webhooks.DueWebhooks(t.Context(), 0)
	require.NoError(t, err)
	require.Empty(t, due)
}

func hookLeases(t *testing.T, e Env) {
	e.createHook(t, NewWebhook("a"))
	e.happen(t, "c", 1)
	lost := e.claimHook(t, "wh-a", 1, short)
	require.Len(t, lost, 1)
	var again []webhooks.Task
	e.until(t, 2*short, func() bool { again = e.claimHook(t, "wh-a", 1, long); return len(again) == 1 })
	require.Equal(t, lost[0].ID, again[0].ID)
	require.ErrorIs(t, e.Webhooks.SettleDelivery(t.Context(), webhooks.Outcome{ID: lost[0].ID, Token: lost[0].Token, EndpointID: "wh-a", Delivered: true}), callmodel.ErrLeaseLost)
	e.settle(t, "wh-a", again[0], webhooks.Outcome{Delivered: true, Status: 204})
	require.ErrorIs(t, e.Webhooks.SettleDelivery(t.Context(), webhooks.Outcome{ID: again[0].ID, Token: again[0].Token, EndpointID: "wh-a", Delivered: true}), callmodel.ErrLeaseLost)
	require.ErrorIs(t, e.Webhooks.SettleDelivery(t.Context(), webhooks.Outcome{ID: 99, Token: 1, EndpointID: "wh-a"}), callmodel.ErrLeaseLost)
	v := e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-a", State: webhooks.Delivered})
	require.Len(t, v, 1)
	require.Equal(t, 1, v[0].Tries)
	require.Equal(t, 204, v[0].LastStatus)
	require.False(t, v[0].DeliveredAt.IsZero())
	require.True(t, v[0].NextAt.IsZero())
}

func hookHealth(t *testing.T, e Env) {
	e.createHook(t, NewWebhook("a"))
	e.happen(t, "c", 3)
	tasks := e.claimHook(t, "wh-a", 3, long)
	e.settle(t, "wh-a", tasks[0], webhooks.Outcome{Status: 500, Error: "answered 500 \x00", RetryIn: short})
	first := e.hook(t, "wh-a").Health
	require.False(t, first.FailingSince.IsZero())
	require.True(t, first.LastSuccessAt.IsZero())
	require.Equal(t, 500, first.LastStatus)
	require.Contains(t, first.LastError, "answered 500")
	require.EqualValues(t, 3, first.Waiting)
	e.settle(t, "wh-a", tasks[1], webhooks.Outcome{Error: "no such host"})
	require.Equal(t, first.FailingSince, e.hook(t, "wh-a").Health.FailingSince)
	stats, err := e.Webhooks.WebhookStats(t.Context())
	require.NoError(t, err)
	require.Len(t, stats.Failing, 1)
	require.Equal(t, "wh-a", stats.Failing[0].ID)
	require.EqualValues(t, 2, stats.Failing[0].Waiting)
	require.Zero(t, stats.Failing[0].SinceSuccess, "none has succeeded")
	require.EqualValues(t, 1, stats.Enabled)
	require.EqualValues(t, 2, stats.Waiting)
	failed := e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-a", State: webhooks.Failed})
	require.Len(t, failed, 1)
	require.Equal(t, tasks[1].ID, failed[0].ID)
	e.settle(t, "wh-a", tasks[2], webhooks.Outcome{Delivered: true, Status: 200})
	last := e.hook(t, "wh-a").Health
	require.True(t, last.FailingSince.IsZero())
	require.False(t, last.LastSuccessAt.IsZero())
	var again []webhooks.Task
	e.until(t, 2*short, func() bool { again = e.claimHook(t, "wh-a", 1, long); return len(again) == 1 })
	require.Equal(t, tasks[0].ID, again[0].ID)
	require.Equal(t, 1, again[0].Tries)
}

func hookGone(t *testing.T, e Env) {
	e.createHook(t, NewWebhook("a"))
	e.happen(t, "c", 2)
	tasks := e.claimHook(t, "wh-a", 1, long)
	e.settle(t, "wh-a", tasks[0], webhooks.Outcome{Status: 410, Error: "answered 410", Gone: true})
	w := e.hook(t, "wh-a")
	require.Equal(t, webhooks.Disabled, w.State)
	require.Equal(t, webhooks.ReasonGone, w.StateReason)
	require.Empty(t, e.claimHook(t, "wh-a", 1, long))
	lines := e.actions(t, "acme", webhooks.AuditDisabled)
	require.Len(t, lines, 1)
	require.Equal(t, "gone", lines[0].Detail["reason"])
	on := webhooks.Enabled
	_, err := e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: "wh-a", State: &on})
	require.NoError(t, err)
	require.Len(t, e.claimHook(t, "wh-a", 10, long), 1, "what waited goes on")
}

func hookReplays(t *testing.T, e Env) {
	e.createHook(t, NewWebhook("a"))
	e.happen(t, "c", 4)
	tasks := e.claimHook(t, "wh-a", 4, long)
	require.Len(t, tasks, 4)
	e.settle(t, "wh-a", tasks[0], webhooks.Outcome{Delivered: true, Status: 200})
	for _, k := range tasks[1:3] {
		e.settle(t, "wh-a", k, webhooks.Outcome{Status: 500, Error: "answered 500"})
	}
	all := e.deliveries(t, webhooks.DeliveryFilter{EndpointID: "wh-a"})
	replay := func(r webhooks.Replay) int {
		t.Helper()
		r.TenantID, r.EndpointID, r.Actor = "acme", "wh-a", "ann"
		n, err := e.Webhooks.ReplayWebhook(t.Context(), r)
		require.NoError(t, err)
		return n.Count
	}
	require.Zero(t, replay(webhooks.Replay{To: all[0].EventAt}))
	require.Equal(t, 2, replay(webhooks.Replay{From: all[0].EventAt}), "those that failed")
	require.Zero(t, replay(webhooks.Replay{}), "they wait")
	require.Equal(t, 1, replay(webhooks.Replay{IDs: []int64{all[0].ID, all[3].ID}}), "one that was delivered; one waits")
	again := e.claimHook(t, "wh-a", 10, long)
	require.Len(t, again, 3)
	for i, k := range again {
		require.Zero(t, k.Tries, "all its tries are before it")
		require.Equal(t, all[i].EventKey, k.Event.Key)
		e.settle(t, "wh-a", k, webhooks.Outcome{Delivered: true, Status: 200})
	}
	delivered := []webhooks.DeliveryState{webhooks.Delivered}
	require.Equal(t, 1, replay(webhooks.Replay{States: delivered, After: all[1].ID}), "behind the first two")
	done, err := e.Webhooks.ReplayWebhook(t.Context(), webhooks.Replay{TenantID: "acme", EndpointID: "wh-a", States: delivered})
	require.NoError(t, err)
	require.Equal(t, webhooks.Replayed{Count: 2, Last: all[1].ID}, done)
	lines := e.actions(t, "acme", webhooks.AuditReplayed)
	require.Len(t, lines, 4)
	require.Equal(t, "2", lines[0].Detail["deliveries"])
	for _, r := range []webhooks.Replay{
		{States: []webhooks.DeliveryState{webhooks.Waiting}}, {From: started, To: started}, {IDs: make([]int64, webhooks.MaxReplay+1)},
	} {
		r.TenantID, r.EndpointID = "acme", "wh-a"
		_, err := e.Webhooks.ReplayWebhook(t.Context(), r)
		requireCode(t, callmodel.CodeInvalid, err)
	}
}

// hookSettings: the webhooks of a tenant's settings are endpoints from when they stand
// there until they don't. Their secrets are nobody's until they are rotated.
func hookSettings(t *testing.T, e Env) {
	put := func(list ...users.Webhook) []webhooks.Endpoint {
		t.Helper()
		_, _, err := e.Users.PutTenant(t.Context(), users.Tenant{ID: "acme", Defaults: users.Defaults{Webhooks: list}}, users.Write{Actor: "ann"})
		require.NoError(t, err)
		all, err := e.Webhooks.Webhooks(t.Context(), "acme", webhooks.Filter{})
		require.NoError(t, err)
		return all
	}
	e.createHook(t, NewWebhook("own"))
	url := "https://acme.example/settings"
	all := put(users.Webhook{URL: url, Events: []string{"recording.completed"}}, users.Webhook{URL: url, Events: []string{"recording.absent"}})
	require.Len(t, all, 2)
	w := all[1]
	require.True(t, w.Settings)
	require.Equal(t, url, w.URL)
	require.Equal(t, []string{"recording.completed", "recording.absent"}, w.Events, "one for each URL")
	require.Equal(t, "ann", w.CreatedBy)
	require.Equal(t, 2, e.happen(t, "c", 1))
	require.Len(t, e.claimHook(t, w.ID, 1, long), 1)
	for _, c := range []webhooks.Change{{Delete: true}, {URL: &all[0].URL}, {Events: &[]string{"other"}}} {
		c.TenantID, c.ID = "acme", w.ID
		_, err := e.Webhooks.ChangeWebhook(t.Context(), c)
		requireCode(t, callmodel.CodeConflict, err)
		require.ErrorContains(t, err, "defaults.webhooks")
	}
	form, off, secret := webhooks.FormCallback, webhooks.Disabled, webhooks.NewSecret()
	_, err := e.Webhooks.ChangeWebhook(t.Context(), webhooks.Change{TenantID: "acme", ID: w.ID, URL: &w.URL, Events: &w.Events, Form: &form, State: &off, Secret: secret})
	require.NoError(t, err, "the rest is its own")

	all = put(users.Webhook{URL: url})
	require.Empty(t, all[1].Events)
	require.Equal(t, webhooks.FormCallback, all[1].Form, "what the settings don't say stays")
	require.Equal(t, webhooks.Disabled, all[1].State)
	require.Len(t, put(), 1, "that of nobody's settings stays")
	_, err = e.Webhooks.Webhook(t.Context(), "acme", w.ID)
	require.ErrorIs(t, err, callmodel.ErrNotFound)

	all = put(users.Webhook{URL: url})
	require.Len(t, all, 2)
	require.Equal(t, w.ID, all[1].ID)
	require.Equal(t, webhooks.Enabled, all[1].State, "it is a new one")
	require.Equal(t, 4, e.happen(t, "d", 1), "it is told of the job, too")
	got, err := e.Webhooks.ClaimDeliveries(t.Context(), webhooks.Claim{EndpointID: w.ID, Limit: 10, Lease: long})
	require.NoError(t, err)
	require.NotEqual(t, secret, got.Endpoint.Secret)
	require.Empty(t, got.Endpoint.Old.Reveal())
	require.NoError(t, e.Users.DeleteTenant(t.Context(), "acme", users.Write{Actor: "ann"}))
	_, err = e.Webhooks.Webhook(t.Context(), "acme", w.ID)
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	require.Len(t, e.actions(t, "acme", webhooks.AuditDeleted), 2)
}
