package storeform

import (
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
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
