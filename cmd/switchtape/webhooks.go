package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

type webhooksCommand struct {
	Create     webhooksCreate     `cmd:"" help:"Make a webhook and print its secret, which is shown this once."`
	List       webhooksList       `cmd:"" help:"List a tenant's webhooks, and how their receivers do."`
	Show       webhooksShow       `cmd:"" help:"Show a webhook, and how its receiver does."`
	Update     webhooksUpdate     `cmd:"" help:"Change where a webhook goes to, or what it is told."`
	Enable     webhooksEnable     `cmd:"" help:"Enable a webhook: what waited goes on."`
	Disable    webhooksDisable    `cmd:"" help:"Disable a webhook: what happens meanwhile it isn't told later."`
	Rotate     webhooksRotate     `cmd:"" help:"Give a webhook a new secret and print it; deliveries are signed with the old one, too, for a while."`
	Delete     webhooksDelete     `cmd:"" help:"Delete a webhook: nothing that waits is delivered."`
	Deliveries webhooksDeliveries `cmd:"" help:"List a webhook's deliveries, oldest first."`
	Encrypt    webhooksEncrypt    `cmd:"" help:"Encrypt the secrets of all webhooks in the database with the first of the keys, as after --secret-keys was given or a key added. It may be repeated."`
	NewKey     webhooksNewKey     `cmd:"" help:"Make a file of keys for --secret-keys, or put a new key first in one."`
	Replay     webhooksReplay     `cmd:"" help:"Deliver again, under the same ids: one, or all that failed, or those of a time."`
	Listen     webhooksListen     `cmd:"" help:"Take deliveries on this machine, verify and print them: to try a webhook with."`
}

type webhooksOptions struct {
	keysOptions
	service.SecretOptions
}

// at runs do with the webhooks of the database, or of the API.
func (o *webhooksOptions) at(ctx context.Context, do func(ctx context.Context, s webhookhttp.Store) error) error {
	if o.API == "" {
		var err error
		if o.secrets, err = o.KeysOfSecrets(ctx); err != nil {
			return err
		}
		return o.with(ctx, func(ctx context.Context, db *calldb.DB) error { return do(ctx, db) })
	}
	api, tenant, err := o.ofAPI()
	if err != nil {
		return err
	}
	return do(ctx, &apiWebhooks{api, tenant})
}

// ofWebhook says of which webhook the error is.
func ofWebhook(id string, err error) error {
	if err == nil {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeOf(err), "webhook %s: %w", id, err)
}

// hookSecret says which secret, and where it goes.
type hookSecret struct {
	secretOptions
	Secret cli.Secret `help:"The secret, 24 to 64 bytes in base64, with or without whsec_ before them. In a file, or in the environment. Default: one is made." placeholder:"@FILE"`
}

// showing runs do with the secret, and prints what it made. A secret that can't be kept
// isn't made.
func (o *hookSecret) showing(s cli.Streams, asJSON bool, do func(webhooks.Secret) (webhooks.Endpoint, error)) error {
	secret := webhooks.Secret(o.Secret)
	if secret == "" {
		secret = webhooks.NewSecret()
	}
	out, err := o.open()
	if err != nil {
		return err
	}
	e, err := do(secret)
	if err != nil {
		if out != nil {
			err = errors.Join(err, out.Close(), os.Remove(o.Out))
		}
		return err
	}
	if out != nil {
		_, err = out.WriteString(secret.Reveal() + "\n")
		if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
			return err
		}
		if asJSON {
			return s.JSON(e)
		}
		s.Printf("%s\n", e.ID)
		return nil
	}
	if asJSON {
		return s.JSON(webhookhttp.WithSecret{Endpoint: e, Secret: secret.Reveal()})
	}
	s.Printf("%s  %s\n", e.ID, secret.Reveal())
	return nil
}

type webhooksCreate struct {
	webhooksOptions
	hookSecret
	URL         string   `arg:"" name:"url" help:"Where to: https or http."`
	Event       []string `help:"Type of event to be told of, as recording.completed or recording.*; may be repeated. Default: all." placeholder:"TYPE"`
	Form        string   `help:"standard: JSON with type, timestamp and data. callback: a form with the fields of hosted platforms' recording callbacks." enum:"standard,callback" default:"standard"`
	Description string   `help:"For people."`
}

func (c *webhooksCreate) Run(ctx context.Context, s cli.Streams) error {
	return c.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		return c.showing(s, c.JSON, func(secret webhooks.Secret) (webhooks.Endpoint, error) {
			return hooks.CreateWebhook(ctx, webhooks.New{
				ID: webhooks.NewID(), TenantID: c.owner(), URL: c.URL, Events: c.Event, Form: webhooks.Form(c.Form), Description: c.Description,
				Secret: secret, Actor: actor(),
			})
		})
	})
}

type webhooksList struct{ webhooksOptions }

func (c *webhooksList) Run(ctx context.Context, s cli.Streams) error {
	return c.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		all, err := hooks.Webhooks(ctx, c.owner(), webhooks.Filter{Limit: maxAsked}) // a tenant has far fewer
		if err != nil {
			return err
		}
		if c.JSON {
			return s.JSON(webhookhttp.Page{Webhooks: all})
		}
		for i := range all {
			e := &all[i]
			s.Printf("%s  %-8s  %s  waiting %d  %s\n", e.ID, e.State, hookHealth(e), e.Health.Waiting, e.URL)
		}
		return nil
	})
}

// hookHealth is how the receiver does, in a few words.
func hookHealth(e *webhooks.Endpoint) string {
	switch h := &e.Health; {
	case e.StateReason == webhooks.ReasonGone:
		return "gone (410)"
	case !h.FailingSince.IsZero():
		return "failing since " + h.FailingSince.Format(time.RFC3339)
	default:
		return "last success " + when(h.LastSuccessAt)
	}
}

func (o *webhooksOptions) print(s cli.Streams, e *webhooks.Endpoint) error {
	if o.JSON {
		return s.JSON(e)
	}
	events := "all"
	if len(e.Events) > 0 {
		events = strings.Join(e.Events, ", ")
	}
	s.Printf("webhook %s\n  url       %s\n  events    %s\n  form      %s\n  state     %s %s\n  health    %s\n  waiting   %d\n",
		e.ID, e.URL, events, e.Form, e.State, e.StateReason, hookHealth(e), e.Health.Waiting)
	if e.Health.LastError != "" {
		s.Printf("  last error  %s\n", e.Health.LastError)
	}
	return nil
}

type webhooksShow struct {
	webhooksOptions
	ID string `arg:"" help:"The webhook."`
}

func (c *webhooksShow) Run(ctx context.Context, s cli.Streams) error {
	return c.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		e, err := hooks.Webhook(ctx, c.owner(), c.ID)
		if err != nil {
			return ofWebhook(c.ID, err)
		}
		return c.print(s, &e)
	})
}

// change makes a change and prints what the webhook is then.
func (o *webhooksOptions) change(ctx context.Context, s cli.Streams, c webhooks.Change) error {
	return o.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		c.TenantID, c.Actor = o.owner(), actor()
		e, err := hooks.ChangeWebhook(ctx, c)
		if err != nil {
			return ofWebhook(c.ID, err)
		}
		return o.print(s, &e)
	})
}

type webhooksUpdate struct {
	webhooksOptions
	ID          string   `arg:"" help:"The webhook."`
	URL         *string  `help:"Where to." name:"url" placeholder:"URL"`
	Event       []string `help:"Type of event to be told of; may be repeated. * is all." placeholder:"TYPE"`
	Form        string   `help:"standard or callback." enum:"standard,callback," default:""`
	Description *string  `help:"For people." placeholder:"TEXT"`
}

func (c *webhooksUpdate) Run(ctx context.Context, s cli.Streams) error {
	change := webhooks.Change{ID: c.ID, URL: c.URL, Description: c.Description}
	if c.Form != "" {
		change.Form = given(webhooks.Form(c.Form))
	}
	if len(c.Event) > 0 {
		change.Events = &c.Event
	}
	if change.URL == nil && change.Description == nil && change.Form == nil && change.Events == nil {
		return cli.Usagef("say what is to change: --url, --event, --form or --description")
	}
	return c.change(ctx, s, change)
}

type webhooksEnable struct {
	webhooksOptions
	ID string `arg:"" help:"The webhook."`
}

func (c *webhooksEnable) Run(ctx context.Context, s cli.Streams) error {
	return c.change(ctx, s, webhooks.Change{ID: c.ID, State: given(webhooks.Enabled)})
}

type webhooksDisable struct {
	webhooksOptions
	ID string `arg:"" help:"The webhook."`
}

func (c *webhooksDisable) Run(ctx context.Context, s cli.Streams) error {
	return c.change(ctx, s, webhooks.Change{ID: c.ID, State: given(webhooks.Disabled)})
}

type webhooksDelete struct {
	webhooksOptions
	ID string `arg:"" help:"The webhook."`
}

func (c *webhooksDelete) Run(ctx context.Context, s cli.Streams) error {
	return c.change(ctx, s, webhooks.Change{ID: c.ID, Delete: true})
}

type webhooksRotate struct {
	webhooksOptions
	hookSecret
	ID    string        `arg:"" help:"The webhook."`
	Grace time.Duration `help:"For how long deliveries are signed with the old secret, too, up to 720h." default:"24h"`
}

func (c *webhooksRotate) Run(ctx context.Context, s cli.Streams) error {
	return c.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		return c.showing(s, c.JSON, func(secret webhooks.Secret) (webhooks.Endpoint, error) {
			e, err := hooks.ChangeWebhook(ctx, webhooks.Change{TenantID: c.owner(), ID: c.ID, Secret: secret, Grace: c.Grace, Actor: actor()})
			return e, ofWebhook(c.ID, err)
		})
	})
}

// eventTimes select events by when they were.
type eventTimes struct {
	From time.Time `help:"Only of events then or later, as 2026-01-31T15:04:05Z." optional:"" placeholder:"TIME"`
	To   time.Time `help:"Only of events before." optional:"" placeholder:"TIME"`
}

type webhooksDeliveries struct {
	webhooksOptions
	eventTimes
	ID    string `arg:"" help:"The webhook."`
	State string `help:"Only those in this state: waiting, delivered or failed." enum:"waiting,delivered,failed," default:""`
	Limit int    `help:"At most so many, up to 500." default:"100"`
	After int64  `help:"Continue behind this one." placeholder:"ID"`
}

func (c *webhooksDeliveries) Run(ctx context.Context, s cli.Streams) error {
	return c.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		limit := max(1, min(c.Limit, maxAsked))
		all, err := hooks.WebhookDeliveries(ctx, webhooks.DeliveryFilter{
			TenantID: c.owner(), EndpointID: c.ID, State: webhooks.DeliveryState(c.State), From: c.From, To: c.To, After: c.After, Limit: limit,
		})
		if err != nil {
			return ofWebhook(c.ID, err)
		}
		page := webhookhttp.DeliveryPage{Deliveries: all}
		if len(all) == limit {
			page.Next = all[limit-1].ID
		}
		if c.JSON {
			return s.JSON(page)
		}
		for i := range all {
			v := &all[i]
			s.Printf("%d  %-9s  %s  %s  tries %d  %s  %s\n", v.ID, v.State, v.EventAt.Format(time.RFC3339), v.Type, v.Tries, v.Subject, v.LastError)
		}
		if page.Next != 0 {
			s.Printf("there are more: --after %d\n", page.Next)
		}
		return nil
	})
}

type webhooksReplay struct {
	webhooksOptions
	eventTimes
	ID         string   `arg:"" help:"The webhook."`
	Deliveries []int64  `arg:"" optional:"" help:"These deliveries. Default: all that the flags select."`
	State      []string `help:"In this state: failed, or delivered; may be repeated. Default: failed, or of deliveries that are named any." enum:"delivered,failed"`
}

func (c *webhooksReplay) Run(ctx context.Context, s cli.Streams) error {
	return c.at(ctx, func(ctx context.Context, hooks webhookhttp.Store) error {
		r := webhooks.Replay{TenantID: c.owner(), EndpointID: c.ID, IDs: c.Deliveries, From: c.From, To: c.To, Actor: actor()}
		for _, state := range c.State {
			r.States = append(r.States, webhooks.DeliveryState(state))
		}
		total := 0
		for more := true; more; {
			done, err := hooks.ReplayWebhook(ctx, r)
			if err != nil {
				return fmt.Errorf("%w (%d are tried again)", ofWebhook(c.ID, err), total)
			}
			total, r.After, more = total+done.Count, done.Last, done.Count == webhooks.MaxReplay
		}
		if c.JSON {
			return s.JSON(webhookhttp.Replayed{Replayed: total})
		}
		s.Printf("%d are tried again\n", total)
		return nil
	})
}
