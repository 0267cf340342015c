package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/recording/webhookhttp"
)

// apiWebhooks are the webhooks of an API, as a database has them.
type apiWebhooks struct {
	api    *apiclient.ClientWithResponses
	tenant apiclient.RequestEditorFn
}

var _ webhookhttp.Store = (*apiWebhooks)(nil)

// CreateWebhook implements webhookhttp.Store. The API makes the id.
func (a *apiWebhooks) CreateWebhook(ctx context.Context, n webhooks.New) (webhooks.Endpoint, error) {
	secret := n.Secret.Reveal()
	e, _, err := answered[webhooks.Endpoint](a.api.CreateWebhookWithResponse(ctx, apiclient.NewWebhook{
		Url: n.URL, Events: &n.Events, Form: given(apiclient.WebhookForm(n.Form)), Description: given(n.Description), Secret: &secret,
	}, a.tenant))
	return e, err
}

// Webhook implements webhookhttp.Store.
func (a *apiWebhooks) Webhook(ctx context.Context, _ callmodel.TenantID, id string) (webhooks.Endpoint, error) {
	e, _, err := answered[webhooks.Endpoint](a.api.GetWebhookWithResponse(ctx, id, a.tenant))
	return e, err
}

// Webhooks implements webhookhttp.Store.
func (a *apiWebhooks) Webhooks(ctx context.Context, _ callmodel.TenantID, f webhooks.Filter) ([]webhooks.Endpoint, error) {
	page, _, err := answered[webhookhttp.Page](a.api.ListWebhooksWithResponse(ctx, &apiclient.ListWebhooksParams{Limit: &f.Limit, After: given(f.After)}, a.tenant))
	return page.Webhooks, err
}

// ChangeWebhook implements webhookhttp.Store. What isn't to change is read before, and
// must not have changed then.
func (a *apiWebhooks) ChangeWebhook(ctx context.Context, c webhooks.Change) (e webhooks.Endpoint, err error) {
	if c.Delete {
		e, _, err = answered[webhooks.Endpoint](a.api.DeleteWebhookWithResponse(ctx, c.ID, nil, a.tenant))
		return e, err
	}
	if c.Secret != "" {
		grace, secret := int(c.Grace/time.Second), c.Secret.Reveal()
		e, _, err = answered[webhooks.Endpoint](a.api.RotateWebhookWithResponse(ctx, c.ID, nil, apiclient.WebhookRotation{GraceS: &grace, Secret: &secret}, a.tenant))
		return e, err
	}
	if e, err = a.Webhook(ctx, c.TenantID, c.ID); err != nil {
		return e, err
	}
	version := `"` + e.Tag() + `"`
	put := apiclient.WebhookSettings{
		Url: e.URL, Events: &e.Events, Form: given(apiclient.WebhookForm(e.Form)), Description: given(e.Description), State: apiclient.WebhookState(e.State),
	}
	if c.URL != nil {
		put.Url = *c.URL
	}
	if c.Events != nil {
		put.Events = c.Events
	}
	if c.Form != nil {
		put.Form = given(apiclient.WebhookForm(*c.Form))
	}
	if c.Description != nil {
		put.Description = c.Description
	}
	if c.State != nil {
		put.State = apiclient.WebhookState(*c.State)
	}
	e, _, err = answered[webhooks.Endpoint](a.api.PutWebhookWithResponse(ctx, c.ID, &apiclient.PutWebhookParams{IfMatch: &version}, put, a.tenant))
	return e, err
}

// WebhookDeliveries implements webhookhttp.Store.
func (a *apiWebhooks) WebhookDeliveries(ctx context.Context, f webhooks.DeliveryFilter) ([]webhooks.Delivery, error) {
	page, _, err := answered[webhookhttp.DeliveryPage](a.api.ListDeliveriesWithResponse(ctx, f.EndpointID, &apiclient.ListDeliveriesParams{
		State: given(apiclient.DeliveryState(f.State)), From: givenTime(f.From), To: givenTime(f.To), Limit: &f.Limit, After: given(f.After),
	}, a.tenant))
	return page.Deliveries, err
}

// ReplayWebhook implements webhookhttp.Store.
func (a *apiWebhooks) ReplayWebhook(ctx context.Context, r webhooks.Replay) (webhooks.Replayed, error) {
	states := make([]apiclient.ReplayStates, len(r.States))
	for i, s := range r.States {
		states[i] = apiclient.ReplayStates(s)
	}
	done, _, err := answered[webhookhttp.Replayed](a.api.ReplayWebhookWithResponse(ctx, r.EndpointID, apiclient.Replay{
		Ids: &r.IDs, States: &states, From: givenTime(r.From), To: givenTime(r.To), After: given(r.After),
	}, a.tenant))
	return webhooks.Replayed{Count: done.Replayed, Last: done.Next}, err
}
