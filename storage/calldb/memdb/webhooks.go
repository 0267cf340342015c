package memdb

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

type (
	// hooks is what the store keeps of webhooks.
	hooks struct {
		endpoints  []*webhooks.Stored // in the order of their ids
		deliveries []*delivery        // by id, from 1
		made       map[deliveryKey]bool
	}
	deliveryKey struct {
		endpoint string
		event    int64
	}
	delivery struct {
		webhooks.Delivery

		event, token int64
		next         time.Time
	}
)

func newHooks() hooks { return hooks{made: map[deliveryKey]bool{}} }

// CreateWebhook implements webhookhttp.Store.
func (s *Store) CreateWebhook(ctx context.Context, n webhooks.New) (webhooks.Endpoint, error) {
	if err := cmp.Or(ctx.Err(), n.Validate()); err != nil {
		return webhooks.Endpoint{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := 0
	for _, e := range s.hooks.endpoints {
		if e.TenantID == n.TenantID && !e.Settings {
			there++
		}
	}
	if there >= webhooks.MaxEndpoints {
		return webhooks.Endpoint{}, storeform.TooManyWebhooks(n.TenantID)
	}
	e := storeform.NewWebhook(&n, s.clock())
	e.Events = slices.Clone(e.Events)
	s.hooks.endpoints = append(s.hooks.endpoints, &e)
	slices.SortFunc(s.hooks.endpoints, func(a, b *webhooks.Stored) int { return strings.Compare(a.ID, b.ID) })
	s.line(storeform.WebhookLine(webhooks.AuditCreated, &e.Endpoint, e.CreatedBy))
	return copied(e.Endpoint), nil
}

// webhook is the endpoint, of the tenant's unless that is "".
func (s *Store) webhook(t callmodel.TenantID, id string) *webhooks.Stored {
	for _, e := range s.hooks.endpoints {
		if e.ID == id && (t == "" || e.TenantID == t) {
			return e
		}
	}
	return nil
}

// shownWebhook is the endpoint as it is shown.
func (s *Store) shownWebhook(e *webhooks.Stored) webhooks.Endpoint {
	shown := copied(e.Endpoint)
	for _, v := range s.hooks.deliveries {
		if v.EndpointID == e.ID && v.State == webhooks.Waiting && shown.Health.Waiting < webhooks.WaitingAtMost {
			shown.Health.Waiting++
		}
	}
	return shown
}

// Webhook implements webhookhttp.Store.
func (s *Store) Webhook(ctx context.Context, t callmodel.TenantID, id string) (webhooks.Endpoint, error) {
	if err := ctx.Err(); err != nil {
		return webhooks.Endpoint{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.webhook(t, id); e != nil && t != "" {
		return s.shownWebhook(e), nil
	}
	return webhooks.Endpoint{}, callmodel.ErrNotFound
}

// Webhooks implements webhookhttp.Store.
func (s *Store) Webhooks(ctx context.Context, t callmodel.TenantID, f webhooks.Filter) ([]webhooks.Endpoint, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []webhooks.Endpoint{}
	for _, e := range s.hooks.endpoints {
		if e.TenantID == t && e.ID > f.After && len(all) < storeform.JobsLimit(f.Limit) {
			all = append(all, s.shownWebhook(e))
		}
	}
	return all, nil
}

// ChangeWebhook implements webhookhttp.Store.
func (s *Store) ChangeWebhook(ctx context.Context, c webhooks.Change) (webhooks.Endpoint, error) {
	if err := cmp.Or(ctx.Err(), c.Validate()); err != nil {
		return webhooks.Endpoint{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.webhook(c.TenantID, c.ID)
	if e == nil || c.TenantID == "" {
		return webhooks.Endpoint{}, callmodel.ErrNotFound
	}
	after := *e
	lines, err := storeform.ChangeWebhook(&after, &c, s.clock())
	if err != nil {
		return webhooks.Endpoint{}, err
	}
	shown := s.shownWebhook(&after)
	if c.Delete {
		lines = []callmodel.AuditEvent{storeform.WebhookLine(webhooks.AuditDeleted, &after.Endpoint, storeform.Text(c.Actor, storeform.MaxText))}
		s.hooks.endpoints = slices.DeleteFunc(s.hooks.endpoints, func(o *webhooks.Stored) bool { return o == e })
	} else {
		after.Events = slices.Clone(after.Events)
		*e = after
	}
	for i := range lines {
		s.line(lines[i])
	}
	return shown, nil
}

// WebhookDeliveries implements webhookhttp.Store.
func (s *Store) WebhookDeliveries(ctx context.Context, f webhooks.DeliveryFilter) ([]webhooks.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.TenantID == "" || s.webhook(f.TenantID, f.EndpointID) == nil {
		return nil, callmodel.ErrNotFound
	}
	all := []webhooks.Delivery{}
	for _, v := range s.hooks.deliveries {
		if v.EndpointID == f.EndpointID && v.ID > f.After && (f.State == "" || v.State == f.State) && within(v.EventAt, f.From, f.To) &&
			len(all) < storeform.JobsLimit(f.Limit) {
			shown := copied(v.Delivery)
			if v.State == webhooks.Waiting {
				shown.NextAt = v.next
			}
			all = append(all, shown)
		}
	}
	return all, nil
}

func within(at, from, to time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
}

// ReplayWebhook implements webhookhttp.Store.
func (s *Store) ReplayWebhook(ctx context.Context, r webhooks.Replay) (webhooks.Replayed, error) {
	if err := cmp.Or(ctx.Err(), r.Validate()); err != nil {
		return webhooks.Replayed{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.webhook(r.TenantID, r.EndpointID)
	if e == nil || r.TenantID == "" {
		return webhooks.Replayed{}, callmodel.ErrNotFound
	}
	var done webhooks.Replayed
	for _, v := range s.hooks.deliveries {
		if v.EndpointID != e.ID || v.ID <= r.After || !slices.Contains(r.States, v.State) || len(r.IDs) > 0 && !slices.Contains(r.IDs, v.ID) ||
			!within(v.EventAt, r.From, r.To) || done.Count == webhooks.MaxReplay {
			continue
		}
		v.State, v.Tries, v.next, v.token, v.DeliveredAt = webhooks.Waiting, 0, s.clock(), v.token+1, time.Time{}
		done.Count, done.Last = done.Count+1, v.ID
	}
	if done.Count > 0 {
		line := storeform.WebhookLine(webhooks.AuditReplayed, &e.Endpoint, storeform.Text(r.Actor, storeform.MaxText))
		line.Detail["deliveries"] = strconv.Itoa(done.Count)
		s.line(line)
	}
	return done, nil
}

// FanOut implements webhook.Queue.
func (s *Store) FanOut(ctx context.Context, r outbox.Reader, events []callmodel.OutboxEvent) (int, error) {
	if err := cmp.Or(ctx.Err(), storeform.CheckReader(&r)); err != nil || len(events) == 0 {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.intake.places[r.Name]
	if p == nil || p.holder != r.Holder {
		return 0, callmodel.ErrLeaseLost
	}
	p.through, p.until = max(p.through, events[len(events)-1].ID), s.clock().Add(r.TTL)
	made := 0
	for i := range events {
		e := &events[i]
		for _, w := range s.hooks.endpoints {
			k := deliveryKey{w.ID, e.ID}
			if w.TenantID != e.TenantID || w.State != webhooks.Enabled || !w.Wants(e.Type) || e.At.Before(w.CreatedAt) || s.hooks.made[k] {
				continue
			}
			s.hooks.made[k] = true
			s.hooks.deliveries = append(s.hooks.deliveries, &delivery{Delivery: webhooks.Delivery{
				ID: int64(len(s.hooks.deliveries)) + 1, EndpointID: w.ID, WebhookID: webhooks.EventID(e.Key), EventKey: e.Key, Type: e.Type,
				Subject: e.Subject, EventAt: e.At, State: webhooks.Waiting,
			}, event: e.ID, next: s.clock()})
			made++
		}
	}
	return made, nil
}

// due are the endpoint's deliveries that can be tried, those first that are due longest.
func (s *Store) due(endpoint string) []*delivery {
	var all []*delivery
	for _, v := range s.hooks.deliveries {
		if v.EndpointID == endpoint && v.State == webhooks.Waiting && !v.next.After(s.clock()) {
			all = append(all, v)
		}
	}
	slices.SortStableFunc(all, func(a, b *delivery) int { return a.next.Compare(b.next) })
	return all
}

// DueWebhooks implements webhook.Queue.
func (s *Store) DueWebhooks(ctx context.Context, limit int) ([]webhooks.Due, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []webhooks.Due
	since := map[string]time.Time{}
	for _, e := range s.hooks.endpoints {
		if due := s.due(e.ID); e.State == webhooks.Enabled && len(due) > 0 {
			all = append(all, webhooks.Due{EndpointID: e.ID, Failing: !e.Health.FailingSince.IsZero()})
			since[e.ID] = due[0].next
		}
	}
	slices.SortStableFunc(all, func(a, b webhooks.Due) int { return since[a.EndpointID].Compare(since[b.EndpointID]) })
	return all[:min(len(all), storeform.DueLimit(limit))], nil
}

// ClaimDeliveries implements webhook.Queue.
func (s *Store) ClaimDeliveries(ctx context.Context, c webhooks.Claim) (webhooks.Claimed, error) {
	if err := ctx.Err(); err != nil {
		return webhooks.Claimed{}, err
	}
	storeform.CheckDeliveriesClaim(&c)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.webhook("", c.EndpointID)
	if e == nil || e.State != webhooks.Enabled {
		return webhooks.Claimed{}, nil
	}
	got := webhooks.Claimed{Endpoint: *e}
	for _, v := range s.due(e.ID) {
		if len(got.Tasks) == c.Limit {
			break
		}
		v.token++
		v.next = s.clock().Add(c.Lease)
		got.Tasks = append(got.Tasks, webhooks.Task{ID: v.ID, Token: v.token, Tries: v.Tries, Event: copied(s.outbox[v.event-1])})
	}
	slices.SortFunc(got.Tasks, func(a, b webhooks.Task) int { return cmp.Compare(a.Event.ID, b.Event.ID) })
	return got, nil
}

// SettleDelivery implements webhook.Queue.
func (s *Store) SettleDelivery(ctx context.Context, o webhooks.Outcome) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.ID < 1 || o.ID > int64(len(s.hooks.deliveries)) {
		return callmodel.ErrLeaseLost
	}
	v := s.hooks.deliveries[o.ID-1]
	if v.token != o.Token || v.EndpointID != o.EndpointID || v.State != webhooks.Waiting {
		return callmodel.ErrLeaseLost
	}
	now, reason := s.clock(), storeform.Text(o.Error, webhooks.MaxError)
	v.Tries++
	v.LastAt, v.LastStatus, v.LastError, v.next = now, o.Status, reason, now.Add(o.RetryIn)
	switch {
	case o.Delivered:
		v.State, v.DeliveredAt = webhooks.Delivered, now
	case o.RetryIn <= 0:
		v.State = webhooks.Failed
	}
	e := s.webhook("", o.EndpointID)
	if e == nil {
		return nil
	}
	if o.Delivered {
		e.Health.LastSuccessAt, e.Health.FailingSince = now, time.Time{}
		return nil
	}
	if e.Health.FailingSince.IsZero() {
		e.Health.FailingSince = now
	}
	e.Health.LastStatus, e.Health.LastError = o.Status, reason
	if o.Gone && e.State == webhooks.Enabled {
		s.line(storeform.WebhookGone(&e.Endpoint))
		e.Version++
	}
	return nil
}

// WebhookStats implements webhook.Queue.
func (s *Store) WebhookStats(ctx context.Context) (webhooks.Stats, error) {
	if err := ctx.Err(); err != nil {
		return webhooks.Stats{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var q webhooks.Stats
	now := s.clock()
	for _, e := range s.hooks.endpoints {
		if e.State != webhooks.Enabled {
			q.Disabled++
			continue
		}
		q.Enabled++
		waiting := s.shownWebhook(e).Health.Waiting
		q.Waiting = min(q.Waiting+waiting, webhooks.WaitingAtMost)
		if due := s.due(e.ID); len(due) > 0 {
			q.Oldest = max(q.Oldest, now.Sub(due[0].next))
		}
		if since := e.Health.FailingSince; !since.IsZero() {
			f := webhooks.FailingEndpoint{TenantID: e.TenantID, ID: e.ID, For: now.Sub(since), Waiting: waiting}
			if at := e.Health.LastSuccessAt; !at.IsZero() {
				f.SinceSuccess = now.Sub(at)
			}
			q.Failing = append(q.Failing, f)
		}
	}
	slices.SortStableFunc(q.Failing, func(a, b webhooks.FailingEndpoint) int { return cmp.Compare(b.For, a.For) })
	q.Failing = q.Failing[:min(len(q.Failing), webhooks.MaxFailing)]
	return q, nil
}

// settingsWebhooks brings the webhooks of a tenant's settings to what those say.
func (s *Store) settingsWebhooks(entry *storeform.Entry, actor string) {
	var want []users.Webhook
	if doc, err := entry.TenantDocument(); err == nil && !entry.Gone {
		want = doc.Defaults.Webhooks
	}
	have := map[string]webhooks.Stored{}
	for _, e := range s.hooks.endpoints {
		if e.TenantID == entry.Tenant && e.Settings {
			have[e.ID] = *e
		}
	}
	changed, lines := storeform.SettingsWebhooks(entry.Tenant, have, want, s.clock(), actor)
	for i := range changed {
		s.hooks.endpoints = slices.DeleteFunc(s.hooks.endpoints, func(o *webhooks.Stored) bool { return o.ID == changed[i].ID })
		if changed[i].State != storeform.WebhookDeleted {
			s.hooks.endpoints = append(s.hooks.endpoints, &changed[i])
		}
	}
	slices.SortFunc(s.hooks.endpoints, func(a, b *webhooks.Stored) int { return strings.Compare(a.ID, b.ID) })
	for i := range lines {
		s.line(lines[i])
	}
}
