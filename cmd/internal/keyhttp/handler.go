package keyhttp

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// Keys are the API keys, of a store. *calldb.DB is one. Every method sees one
// tenant's keys only; another's is ErrNotFound, just like none.
//
// Every implementation passes storetest.KeyStore.
type Keys interface {
	// CreateKey keeps a new key, with an audit line. FieldErrors for one that can't be
	// kept, CodeConflict for a name that an active key has, or one key too many.
	CreateKey(ctx context.Context, n keys.New) (keys.Key, error)
	// Key is one key; ErrNotFound.
	Key(ctx context.Context, t callmodel.TenantID, id string) (keys.Key, error)
	// Keys lists keys by id, ascending.
	Keys(ctx context.Context, t callmodel.TenantID, f keys.Filter) ([]keys.Key, error)
	// ChangeKey rotates or revokes a key, with an audit line, and returns it as it is
	// now. Revoking twice is once. CodeConflict for another version than was expected,
	// and for the rotation of a key that is revoked or has expired.
	ChangeKey(ctx context.Context, c keys.Change) (keys.Key, error)
}

// Options configure a Handler. The zero value works.
type Options struct {
	// Timeout bounds every use of Keys. 0 means 10 s.
	Timeout time.Duration
	// AccessDenied notes that the principal asked for what it may not have. Nil: nowhere.
	AccessDenied func(ctx context.Context, p callmodel.Principal, what string)
	// Now is the clock that expiries are held against. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Handler serves the API. Make one with New; it may be used by any number of goroutines
// and has none of its own.
type Handler struct {
	keys Keys
	opts Options
	mux  *http.ServeMux
}

// New makes the handler. o may be nil.
func New(k Keys, o *Options) *Handler {
	h := &Handler{keys: k, mux: http.NewServeMux()}
	if o != nil {
		h.opts = *o
	}
	h.opts.Timeout = cmp.Or(h.opts.Timeout, 10*time.Second)
	if h.opts.Now == nil {
		h.opts.Now = time.Now
	}
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
	return []problem.Route{
		problem.At("GET /v1/keys", callmodel.ScopeKeysRead, h.list, problem.Door{Query: []string{"limit", "after", "revoked"}}),
		problem.At("POST /v1/keys", callmodel.ScopeKeysWrite, h.create, problem.Door{}),
		problem.At("GET /v1/keys/{id}", callmodel.ScopeKeysRead, h.get, problem.Door{}),
		problem.At("POST /v1/keys/{id}/rotate", callmodel.ScopeKeysWrite, h.rotate, problem.Door{}),
		problem.At("DELETE /v1/keys/{id}", callmodel.ScopeKeysWrite, h.revoke, problem.Door{}),
	}
}

// within serves an endpoint within the time that the store has.
func (h *Handler) within(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.Timeout)
	defer cancel()
	err := serve(w, r.WithContext(ctx), p)
	if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the keys' store did not answer within %v: %w", h.opts.Timeout, err)
	}
	return err
}

// key is a key as it is shown.
type key struct {
	keys.Key

	Scopes []callmodel.Scope `json:"scopes"`           // what its grants come to
	Secret string            `json:"secret,omitempty"` // once
}

func shown(k *keys.Key) key { return key{Key: *k, Scopes: k.Scopes()} }

func write(w http.ResponseWriter, status int, k *key) {
	w.Header().Set("ETag", `"`+k.Tag()+`"`)
	problem.WriteJSON(w, status, k)
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var faults callmodel.FieldErrors
	limit, err := problem.Int(r, "limit", 100, 1, 1000)
	if err != nil {
		faults.AddAll("", err)
	}
	f := keys.Filter{Limit: limit, After: problem.Values(r).Get("after")}
	if f.After != "" && !callmodel.ValidID(f.After) {
		faults.Add("after", "is not the id of a key; give the next of the page before")
	}
	switch v := problem.Values(r).Get("revoked"); v {
	case "", "false":
	case "true":
		f.Revoked = true
	default:
		faults.Add("revoked", "must be true or false")
	}
	if err := faults.Err(); err != nil {
		return err
	}
	all, err := h.keys.Keys(r.Context(), p.TenantID, f)
	if err != nil {
		return err
	}
	page := struct {
		Keys []key  `json:"keys"`
		Next string `json:"next,omitempty"`
	}{Keys: make([]key, 0, len(all))}
	for i := range all {
		page.Keys = append(page.Keys, shown(&all[i]))
	}
	if len(all) == limit {
		page.Next = all[limit-1].ID
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	k, err := h.keys.Key(r.Context(), p.TenantID, r.PathValue("id"))
	if err != nil {
		return err
	}
	out := shown(&k)
	write(w, http.StatusOK, &out)
	return nil
}

// maxBody bounds the bodies, in bytes.
const maxBody = 64 << 10

// creation is the body of POST /v1/keys.
type creation struct {
	Name      string    `json:"name"`
	Grants    []string  `json:"grants"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func (h *Handler) create(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var in creation
	if err := problem.Decode(w, r, maxBody, &in); err != nil {
		return err
	}
	secret := keys.NewSecret()
	n := keys.New{
		ID: keys.NewID(), TenantID: p.TenantID, Name: in.Name, Grants: in.Grants, ExpiresAt: in.ExpiresAt,
		Secret: keys.HashOf(secret), Actor: p.Subject,
	}
	if err := n.Validate(h.opts.Now()); err != nil {
		return err
	}
	if err := holds(p, n.Grants); err != nil {
		return err
	}
	k, err := h.keys.CreateKey(r.Context(), n)
	if err != nil {
		return err
	}
	out := shown(&k)
	out.Secret = secret
	w.Header().Set("Location", "/v1/keys/"+k.ID)
	write(w, http.StatusCreated, &out)
	return nil
}

// holds refuses to give away what the principal may not do itself.
func holds(p callmodel.Principal, grants []string) error {
	scopes, _ := callmodel.ParseGrants(grants) // what isn't known any more grants nothing
	var lacking []string
	for _, s := range scopes {
		if !p.Allows(s) {
			lacking = append(lacking, string(s))
		}
	}
	if lacking != nil {
		return callmodel.Errorf(callmodel.CodeForbidden, "the key would have scopes that these credentials lack: %s", strings.Join(lacking, ", "))
	}
	return nil
}

// rotation is the body of POST /v1/keys/{id}/rotate, which may be left out.
type rotation struct {
	GraceS *int64 `json:"grace_s"` // for how long the old secret works
}

func (h *Handler) rotate(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	c, err := change(r, p, keys.Rotate)
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
	c.Grace = keys.DefaultGrace
	if in.GraceS != nil {
		if *in.GraceS < 0 || *in.GraceS > int64(keys.MaxGrace/time.Second) {
			return callmodel.FieldErrors{{Path: "grace_s", Message: "must be 0 to 2592000, 30 days"}}
		}
		c.Grace = time.Duration(*in.GraceS) * time.Second
	}
	// Grants don't change, so that what is looked at here is what is rotated.
	k, err := h.keys.Key(r.Context(), p.TenantID, c.ID)
	if err != nil {
		return err
	}
	if err := holds(p, k.Grants); err != nil {
		return err
	}
	secret := keys.NewSecret()
	c.Secret = keys.HashOf(secret)
	if k, err = h.keys.ChangeKey(r.Context(), c); err != nil {
		return err
	}
	out := shown(&k)
	out.Secret = secret
	write(w, http.StatusOK, &out)
	return nil
}

func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	c, err := change(r, p, keys.Revoke)
	if err != nil {
		return err
	}
	k, err := h.keys.ChangeKey(r.Context(), c)
	if err != nil {
		return err
	}
	out := shown(&k)
	write(w, http.StatusOK, &out)
	return nil
}

// change is the change that the request asks for.
func change(r *http.Request, p callmodel.Principal, a keys.Action) (keys.Change, error) {
	c := keys.Change{TenantID: p.TenantID, ID: r.PathValue("id"), Action: a, Actor: p.Subject}
	values := r.Header.Values("If-Match")
	if len(values) == 0 || len(values) == 1 && strings.TrimSpace(values[0]) == "*" {
		return c, nil
	}
	tag := strings.TrimSpace(values[0])
	if len(values) > 1 || len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.ContainsAny(tag[1:len(tag)-1], `", `) {
		return c, callmodel.Errorf(callmodel.CodeMalformed, "If-Match must be given once, as the ETag that the key is to have, in quotes")
	}
	c.Expected = tag[1 : len(tag)-1]
	return c, nil
}
