package storeform

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// SuccessWithin is how exactly it is known when a delivery last succeeded.
const SuccessWithin = time.Second

// MaxDeliveries bounds one claim of deliveries.
const MaxDeliveries = 100

// WebhookLine is the audit line of what was done with an endpoint.
func WebhookLine(action string, e *webhooks.Endpoint, actor string) callmodel.AuditEvent {
	detail := map[string]string{"url": e.URL, "form": string(e.Form)}
	if len(e.Events) > 0 {
		detail["events"] = strings.Join(e.Events, ",")
	}
	return callmodel.AuditEvent{TenantID: e.TenantID, Actor: actor, Action: action, Subject: e.ID, Detail: detail}
}

// NewWebhook is the endpoint as it is kept first. n is valid.
func NewWebhook(n *webhooks.New, now time.Time) webhooks.Stored {
	return webhooks.Stored{
		Endpoint: webhooks.Endpoint{
			ID: n.ID, TenantID: n.TenantID, URL: n.URL, Events: n.Events, Form: n.Form, Description: n.Description,
			State: webhooks.Enabled, CreatedAt: now, CreatedBy: Text(n.Actor, MaxText), Version: 1,
		},
		Secret: n.Secret,
	}
}

// ChangeWebhook works out what an endpoint is after the change, which is valid and is no
// deletion. No lines: there is nothing to do. The error is CodeConflict.
func ChangeWebhook(e *webhooks.Stored, c *webhooks.Change, now time.Time) (lines []callmodel.AuditEvent, err error) {
	if c.Expected != "" && c.Expected != e.Tag() {
		return nil, conflict("the webhook %s was changed meanwhile: its version is %s; look at it and decide again", e.ID, e.Tag())
	}
	if e.Settings && (c.Delete || c.URL != nil && *c.URL != e.URL || c.Events != nil && !slices.Equal(*c.Events, e.Events)) {
		return nil, conflict("the webhook %s is one of the tenant's settings; change it there (defaults.webhooks), or disable it", e.ID)
	}
	actor := Text(c.Actor, MaxText)
	if c.URL != nil || c.Events != nil || c.Form != nil || c.Description != nil {
		set(&e.URL, c.URL)
		set(&e.Events, c.Events)
		set(&e.Form, c.Form)
		set(&e.Description, c.Description)
		lines = append(lines, WebhookLine(webhooks.AuditChanged, &e.Endpoint, actor))
	}
	if c.State != nil && *c.State != e.State {
		e.State, e.StateReason = *c.State, ""
		action := webhooks.AuditEnabled
		if e.State == webhooks.Disabled {
			action, e.StateReason = webhooks.AuditDisabled, webhooks.ReasonOperator
		}
		lines = append(lines, WebhookLine(action, &e.Endpoint, actor))
	}
	if c.Secret != "" {
		e.Old, e.OldUntil, e.Secret, e.RotatedAt = e.Secret, now.Add(c.Grace), c.Secret, now
		line := WebhookLine(webhooks.AuditRotated, &e.Endpoint, actor)
		line.Detail["old_until"] = e.OldUntil.Format(time.RFC3339)
		lines = append(lines, line)
	}
	if len(lines) > 0 {
		e.Version++
	}
	return lines, nil
}

// WebhookDeleted is the state of an endpoint that nobody sees any more.
const WebhookDeleted webhooks.State = "deleted"

// SettingsWebhooks works out what the endpoints of a tenant's settings become, which have
// been as they are said since at. have are those that there were, by id, with those that
// were deleted. What is returned is to be stored.
func SettingsWebhooks(t callmodel.TenantID, have map[string]webhooks.Stored, want []users.Webhook, at time.Time, actor string) (changed []webhooks.Stored, lines []callmodel.AuditEvent) {
	actor = Text(actor, MaxText)
	wanted := map[string]bool{}
	for _, w := range mergedByURL(want) {
		sum := sha256.Sum256([]byte(string(t) + "\x00" + w.URL))
		id := "wh-s" + hex.EncodeToString(sum[:10])
		wanted[id] = true
		e, there := have[id]
		switch {
		case !there || e.State == WebhookDeleted:
			version := e.Version
			e = NewWebhook(&webhooks.New{ID: id, TenantID: t, URL: w.URL, Events: w.Events, Form: webhooks.FormStandard, Secret: webhooks.NewSecret(), Actor: actor}, at)
			e.Settings = true
			e.Version += version
			lines = append(lines, WebhookLine(webhooks.AuditCreated, &e.Endpoint, actor))
		case !slices.Equal(e.Events, w.Events):
			e.Events = w.Events
			e.Version++
			lines = append(lines, WebhookLine(webhooks.AuditChanged, &e.Endpoint, actor))
		default:
			continue
		}
		changed = append(changed, e)
	}
	for _, id := range slices.Sorted(maps.Keys(have)) {
		if e := have[id]; !wanted[id] && e.State != WebhookDeleted {
			lines = append(lines, WebhookLine(webhooks.AuditDeleted, &e.Endpoint, actor))
			e.State, e.StateReason, e.Secret, e.Old = WebhookDeleted, "", "", ""
			e.Version++
			changed = append(changed, e)
		}
	}
	return changed, lines
}

// mergedByURL is the list with one of each URL, which wants what any of them does.
func mergedByURL(list []users.Webhook) []users.Webhook {
	var all []users.Webhook
	for _, w := range list {
		i := slices.IndexFunc(all, func(o users.Webhook) bool { return o.URL == w.URL })
		switch {
		case i < 0:
			all = append(all, users.Webhook{URL: w.URL, Events: slices.Clone(w.Events)})
		case len(all[i].Events) == 0 || len(w.Events) == 0:
			all[i].Events = nil
		default:
			for _, e := range w.Events {
				if !slices.Contains(all[i].Events, e) {
					all[i].Events = append(all[i].Events, e)
				}
			}
		}
	}
	return all
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// WebhookGone is the endpoint after it has answered 410, and the line that says so.
func WebhookGone(e *webhooks.Endpoint) callmodel.AuditEvent {
	e.State, e.StateReason = webhooks.Disabled, webhooks.ReasonGone
	line := WebhookLine(webhooks.AuditDisabled, e, System)
	line.Detail["reason"] = webhooks.ReasonGone
	return line
}

// TooManyWebhooks refuses one more endpoint of a tenant.
func TooManyWebhooks(t callmodel.TenantID) error {
	return conflict("the tenant %s has %d webhooks, and may have no more; delete some", t, webhooks.MaxEndpoints)
}

// CheckDeliveriesClaim bounds a claim of deliveries.
func CheckDeliveriesClaim(c *webhooks.Claim) {
	c.Limit = limit(c.Limit, 1, MaxDeliveries)
	if c.Lease <= 0 {
		c.Lease = time.Minute
	}
	c.Lease = min(c.Lease, time.Hour)
}

// MaxDueWebhooks bounds a list of endpoints with something due.
const MaxDueWebhooks = 1000

// DueLimit is the limit of a list of endpoints with something due that was asked for n.
func DueLimit(n int) int { return limit(n, MaxDueWebhooks, MaxDueWebhooks) }
