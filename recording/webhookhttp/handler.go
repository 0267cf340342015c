package webhookhttp

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// Store is where webhooks are. *calldb.DB is one. Every method sees one tenant's webhooks
// only; another's is ErrNotFound, just like none.
//
// Every implementation passes storetest.Webhooks.
type Store interface {
	// CreateWebhook keeps a new one, with an audit line. FieldErrors for one that can't be
	// kept, CodeConflict for one too many.
	CreateWebhook(ctx context.Context, n webhooks.New) (webhooks.Endpoint, error)
	// Webhook is one; ErrNotFound.
	Webhook(ctx context.Context, t callmodel.TenantID, id string) (webhooks.Endpoint, error)
	// Webhooks lists them by id, ascending.
	Webhooks(ctx context.Context, t callmodel.TenantID, f webhooks.Filter) ([]webhooks.Endpoint, error)
	// ChangeWebhook changes or deletes one, with an audit line, and returns it as it is now,
	// or was. CodeConflict for another version than was expected.
	ChangeWebhook(ctx context.Context, c webhooks.Change) (webhooks.Endpoint, error)
	// WebhookDeliveries lists a webhook's deliveries by id, ascending.
	WebhookDeliveries(ctx context.Context, f webhooks.DeliveryFilter) ([]webhooks.Delivery, error)
	// ReplayWebhook has deliveries tried again, with an audit line, and says which.
	ReplayWebhook(ctx context.Context, r webhooks.Replay) (webhooks.Replayed, error)
}

// Options configure a Handler. The zero value works.
type Options struct {
	// Timeout bounds every use of the Store. 0 means 10 s.
	Timeout time.Duration
	// AccessDenied notes that the principal asked for what it may not have. Nil: nowhere.
	AccessDenied func(ctx context.Context, p callmodel.Principal, what string)
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Handler serves the API. Make one with New; it may be used by any number of goroutines
// and has none of its own.
type Handler struct {
	store Store
	opts  Options
	mux   *http.ServeMux
}

// New makes the handler. o may be nil.
func New(s Store, o *Options) *Handler {
	h := &Handler{store: s, mux: http.NewServeMux()}
	if o != nil {
		h.opts = *o
	}
	h.opts.Timeout = cmp.Or(h.opts.Timeout, 10*time.Second)
	if h.opts.Logger == nil {
		h.opts.Logger = slog.New(slog.DiscardHandler)
	}
	h.Mount(h.mux)
	h.mux.Handle("/", problem.Elsewhere(h.mux))
	return h
}

// ServeHTTP serves the API.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Mount adds the endpoints to a mux of the host's.
func (h *Handler) Mount(mux *http.ServeMux) {
	frame := problem.Frame{Within: h.within, Denied: h.opts.AccessDenied, Logger: h.opts.Logger}
	frame.Mount(mux, h.routes())
}

// routes lists the endpoints, as openapi.yaml does.
func (h *Handler) routes() []problem.Route {
	const read, write = callmodel.ScopeWebhooksRead, callmodel.ScopeWebhooksWrite
	return []problem.Route{
		problem.At("GET /v1/webhooks", read, h.list, problem.Query("limit", "after")),
		problem.At("POST /v1/webhooks", write, h.create, problem.Door{}),
		problem.At("GET /v1/webhooks/{id}", read, h.get, problem.Door{}),
		problem.At("PUT /v1/webhooks/{id}", write, h.put, problem.Door{}),
		problem.At("DELETE /v1/webhooks/{id}", write, h.delete, problem.Door{}),
		problem.At("POST /v1/webhooks/{id}/rotate", write, h.rotate, problem.Door{}),
		problem.At("GET /v1/webhooks/{id}/deliveries", read, h.deliveries, problem.Query("state", "from", "to", "limit", "after")),
		problem.At("POST /v1/webhooks/{id}/replay", write, h.replay, problem.Door{}),
	}
}

// within serves an endpoint within the time that the store has.
func (h *Handler) within(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.Timeout)
	defer cancel()
	err := serve(w, r.WithContext(ctx), p)
	if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the webhooks' store did not answer within %v: %w", h.opts.Timeout, err)
	}
	return err
}

// WithSecret is a webhook as the one answer shows it that has its secret.
type WithSecret struct {
	webhooks.Endpoint

	Secret string `json:"secret"`
}

func tag(w http.ResponseWriter, e *webhooks.Endpoint) { w.Header().Set("ETag", `"`+e.Tag()+`"`) }

func (h *Handler) list(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", 100, 1, 1000)
	var faults callmodel.FieldErrors
	if err != nil {
		faults.AddAll("", err)
	}
	f := webhooks.Filter{Limit: limit, After: problem.Values(r).Get("after")}
	if f.After != "" && !callmodel.ValidID(f.After) {
		faults.Add("after", "is not the id of a webhook; give the next of the page before")
	}
	if err := faults.Err(); err != nil {
		return err
	}
	page := Page{}
	if page.Webhooks, err = h.store.Webhooks(r.Context(), p.TenantID, f); err != nil {
		return err
	}
	if n := len(page.Webhooks); n == limit {
		page.Next = page.Webhooks[n-1].ID
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// Page is a part of a list.
type Page struct {
	Webhooks []webhooks.Endpoint `json:"webhooks"`
	Next     string              `json:"next,omitempty"` // the "after" of the next page
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	e, err := h.store.Webhook(r.Context(), p.TenantID, r.PathValue("id"))
	if err != nil {
		return err
	}
	tag(w, &e)
	problem.WriteJSON(w, http.StatusOK, e)
	return nil
}

// maxBody bounds the bodies, in bytes.
const maxBody = 64 << 10

// creation is the body of POST /v1/webhooks.
type creation struct {
	URL         string        `json:"url"`
	Events      []string      `json:"events,omitempty"`
	Form        webhooks.Form `json:"form,omitempty"`
	Description string        `json:"description,omitempty"`
	Secret      *string       `json:"secret,omitempty"`
}

// given is the secret, or a new one where none was given.
func given(secret *string) webhooks.Secret {
	if secret == nil {
		return webhooks.NewSecret()
	}
	return webhooks.Secret(*secret)
}

// checkForm refuses "", which is not left out.
func checkForm(f webhooks.Form) error {
	if f == "" {
		return callmodel.FieldErrors{{Path: "form", Message: "is empty; leave it out for " + string(webhooks.FormStandard)}}
	}
	return nil
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	in := creation{Form: webhooks.FormStandard}
	if err := problem.Decode(w, r, maxBody, &in); err != nil {
		return err
	}
	if err := checkForm(in.Form); err != nil {
		return err
	}
	n := webhooks.New{
		ID: webhooks.NewID(), TenantID: p.TenantID, URL: in.URL, Events: in.Events, Form: in.Form, Description: in.Description,
		Secret: given(in.Secret), Actor: p.Subject,
	}
	e, err := h.store.CreateWebhook(r.Context(), n)
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/webhooks/"+e.ID)
	tag(w, &e)
	problem.WriteJSON(w, http.StatusCreated, WithSecret{e, n.Secret.Reveal()})
	return nil
}

// settings are the body of PUT /v1/webhooks/{id}.
type settings struct {
	URL         string         `json:"url"`
	Events      []string       `json:"events,omitempty"`
	Form        webhooks.Form  `json:"form,omitempty"`
	Description string         `json:"description,omitempty"`
	State       webhooks.State `json:"state"`
}

func (h *Handler) put(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	c, err := change(r, p)
	if err != nil {
		return err
	}
	in := settings{Form: webhooks.FormStandard}
	if err := problem.Decode(w, r, maxBody, &in); err != nil {
		return err
	}
	if err := checkForm(in.Form); err != nil {
		return err
	}
	c.URL, c.Events, c.Form, c.Description, c.State = &in.URL, &in.Events, &in.Form, &in.Description, &in.State
	return h.change(w, r, &c)
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	c, err := change(r, p)
	if err != nil {
		return err
	}
	c.Delete = true
	return h.change(w, r, &c)
}

func (h *Handler) change(w http.ResponseWriter, r *http.Request, c *webhooks.Change) error {
	e, err := h.store.ChangeWebhook(r.Context(), *c)
	if err != nil {
		return err
	}
	tag(w, &e)
	problem.WriteJSON(w, http.StatusOK, e)
	return nil
}

// rotation is the body of POST /v1/webhooks/{id}/rotate, which may be left out.
type rotation struct {
	GraceS *int64  `json:"grace_s"` // for how long the old secret signs, too
	Secret *string `json:"secret"`
}

func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	c, err := change(r, p)
	if err != nil {
		return err
	}
	body, err := problem.Body(w, r, maxBody)
	if err != nil {
		return err
	}
	var in rotation
	if len(body) > 0 {
		if err := callmodel.DecodeJSON(body, &in); err != nil {
			return err
		}
	}
	c.Grace, c.Secret = webhooks.DefaultGrace, given(in.Secret)
	if in.GraceS != nil {
		if *in.GraceS < 0 || *in.GraceS > int64(webhooks.MaxGrace/time.Second) {
			return callmodel.FieldErrors{{Path: "grace_s", Message: "must be 0 to 2592000, 30 days"}}
		}
		c.Grace = time.Duration(*in.GraceS) * time.Second
	}
	if _, err := c.Secret.Key(); err != nil { // "" would be no rotation
		return err
	}
	e, err := h.store.ChangeWebhook(r.Context(), c)
	if err != nil {
		return err
	}
	tag(w, &e)
	problem.WriteJSON(w, http.StatusOK, WithSecret{e, c.Secret.Reveal()})
	return nil
}

// change is the beginning of the change that the request asks for.
func change(r *http.Request, p callmodel.Principal) (webhooks.Change, error) {
	c := webhooks.Change{TenantID: p.TenantID, ID: r.PathValue("id"), Actor: p.Subject}
	values := r.Header.Values("If-Match")
	if len(values) == 0 || len(values) == 1 && strings.TrimSpace(values[0]) == "*" {
		return c, nil
	}
	version := strings.TrimSpace(values[0])
	if len(values) > 1 || len(version) < 3 || version[0] != '"' || version[len(version)-1] != '"' || strings.ContainsAny(version[1:len(version)-1], `", `) {
		return c, callmodel.Errorf(callmodel.CodeMalformed, "If-Match must be given once, as the ETag that the webhook is to have, in quotes")
	}
	c.Expected = version[1 : len(version)-1]
	return c, nil
}
