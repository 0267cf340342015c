package sharehttp

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/excerpt"
)

// Store is where shares are. *calldb.DB and *memdb.Store are stores: every one passes
// storetest.Shares.
type Store interface {
	// CreateShare keeps a new one, with an audit line. FieldErrors for one that can't be
	// kept, CodeConflict for one too many.
	CreateShare(ctx context.Context, n shares.New) (shares.Share, error)
	// Share is one of the tenant's; ErrNotFound.
	Share(ctx context.Context, t callmodel.TenantID, id string) (shares.Share, error)
	// Shares lists the tenant's by id, ascending.
	Shares(ctx context.Context, t callmodel.TenantID, f shares.Filter) ([]shares.Share, error)
	// RevokeShare ends one, with an audit line; one that was revoked stays so.
	RevokeShare(ctx context.Context, t callmodel.TenantID, id, actor string) (shares.Share, error)
	// FindShare is the one whose token has that hash, in whatever state; ErrNotFound.
	FindShare(ctx context.Context, hash string) (shares.Share, error)
	// OpenShare opens it, or goes on with an opening. A new opening is counted, and has an
	// audit line, in the same transaction. *shares.EndedError of one that has ended.
	OpenShare(ctx context.Context, o shares.Opening) (shares.Opened, error)
}

// Jobs is where recordings are found. *calldb.DB and *memdb.Store are such.
type Jobs interface {
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	// Jobs and Erasures are erasure.Ledger's: they say when a recording was deleted, and why.
	erasure.Ledger
}

// Options configure a Handler. The zero value makes no shares.
type Options struct {
	// BaseURL is the public URL below which [Public] is reached, as
	// https://calls.example.com. "": no shares can be made.
	BaseURL string
	// Codecs are the formats that parts can be cut out of. Needed with BaseURL.
	Codecs *codec.Registry
	// Timeout bounds every request. 0 means 10 s.
	Timeout time.Duration
	// AccessDenied notes that the principal asked for what it may not have. Nil: nowhere.
	AccessDenied func(ctx context.Context, p callmodel.Principal, what string)
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Handler serves the management of shares. Make one with New; it may be used by any number
// of goroutines and has none of its own.
type Handler struct {
	store Store
	jobs  Jobs
	opts  Options
	mux   *http.ServeMux
}

// New makes the handler. o may be nil.
func New(s Store, j Jobs, o *Options) *Handler {
	h := &Handler{store: s, jobs: j, mux: http.NewServeMux()}
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
	const read, write = callmodel.ScopeSharesRead, callmodel.ScopeSharesWrite
	return []problem.Route{
		problem.At("GET /v1/shares", read, h.list, problem.Query("limit", "after", "job_id")),
		problem.At("POST /v1/shares", write, h.create, problem.Query()),
		problem.At("GET /v1/shares/{id}", read, h.get, problem.Query()),
		problem.At("DELETE /v1/shares/{id}", write, h.revoke, problem.Query()),
	}
}

// within serves an endpoint within its time.
func (h *Handler) within(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	if !callmodel.ValidID(string(p.TenantID)) {
		return callmodel.Errorf(callmodel.CodeUnauthenticated, "the credentials belong to no tenant")
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.opts.Timeout)
	defer cancel()
	err := serve(w, r.WithContext(ctx), p)
	if err != nil && ctx.Err() != nil && r.Context().Err() == nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the shares' store did not answer within %v: %w", h.opts.Timeout, err)
	}
	return err
}

// Page is a part of a list.
type Page struct {
	Shares []shares.Share `json:"shares"`
	Next   string         `json:"next,omitempty"` // the "after" of the next page
}

// WithLink is a share as the one answer shows it that has its link.
type WithLink struct {
	Share shares.Share `json:"share"`
	Token string       `json:"token"`
	URL   string       `json:"url"`
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", 100, 1, 1000)
	var faults callmodel.FieldErrors
	if err != nil {
		faults.AddAll("", err)
	}
	q := problem.Values(r)
	f := shares.Filter{Limit: limit, After: q.Get("after"), JobID: callmodel.JobID(q.Get("job_id"))}
	for name, id := range map[string]string{"after": f.After, "job_id": string(f.JobID)} {
		if id != "" {
			faults.CheckID(name, id)
		}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	page := Page{}
	if page.Shares, err = h.store.Shares(r.Context(), p.TenantID, f); err != nil {
		return err
	}
	if n := len(page.Shares); n == limit {
		page.Next = page.Shares[n-1].ID
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// Asked is the body of POST /v1/shares.
type Asked struct {
	JobID       callmodel.JobID `json:"job_id"`
	Output      *string         `json:"output,omitempty"`
	Codec       string          `json:"codec,omitempty"`
	FromMS      int64           `json:"from_ms,omitempty"`
	ToMS        int64           `json:"to_ms,omitempty"`
	ExpiresInS  int64           `json:"expires_in_s,omitempty"`
	MaxOpenings int64           `json:"max_openings,omitempty"`
	Description string          `json:"description,omitempty"`
}

// DefaultLife is for how long a share can be opened where nobody says it.
const DefaultLife = 7 * 24 * time.Hour

// maxBody bounds the bodies, in bytes.
const maxBody = 16 << 10

func (h *Handler) create(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	if !p.Allows(callmodel.ScopeRecordingsRead) {
		return callmodel.Errorf(callmodel.CodeForbidden, "the credentials may not hear the recording, so they can't share it; it needs the scope %q, too", callmodel.ScopeRecordingsRead)
	}
	if h.opts.BaseURL == "" || h.opts.Codecs == nil {
		return callmodel.Errorf(callmodel.CodeUnsupported, "this service opens no share links: it is told no public URL for them (--share-url)")
	}
	var in Asked
	if err := problem.Decode(w, r, maxBody, &in); err != nil {
		return err
	}
	made, err := Make(r.Context(), h.store, h.jobs, h.opts.Codecs, p.TenantID, &in, p.Subject)
	if err != nil {
		return err
	}
	made.URL = LinkOf(h.opts.BaseURL, made.Token)
	w.Header().Set("Location", "/v1/shares/"+made.Share.ID)
	w.Header().Set("Cache-Control", "no-store")
	problem.WriteJSON(w, http.StatusCreated, made)
	return nil
}

// LinkOf is where a share is opened.
func LinkOf(base, token string) string { return strings.TrimSuffix(base, "/") + "/s/" + token }

// Make makes a share of a recording that is there, without its URL. FieldErrors say what
// can't be shared so, ErrNotFound that the tenant has no such recording.
func Make(ctx context.Context, s Store, j Jobs, codecs *codec.Registry, t callmodel.TenantID, in *Asked, actor string) (WithLink, error) {
	if !callmodel.ValidID(string(in.JobID)) {
		var e callmodel.FieldErrors
		e.CheckID("job_id", string(in.JobID))
		return WithLink{}, e.Err()
	}
	for _, n := range []int64{in.FromMS, in.ToMS, in.ExpiresInS} {
		if n < 0 || n > int64(shares.MaxLife/time.Millisecond) {
			return WithLink{}, callmodel.FieldErrors{{Path: "from_ms", Message: "from_ms, to_ms and expires_in_s are times, and none may be negative or longer than a year"}}
		}
	}
	job, result, err := made(ctx, j, t, in.JobID)
	if err != nil {
		return WithLink{}, err
	}
	from, to := time.Duration(in.FromMS)*time.Millisecond, time.Duration(in.ToMS)*time.Millisecond
	var faults callmodel.FieldErrors
	o := choose(codecs, result, in, from != 0 || to != 0)
	if o == nil {
		return WithLink{}, callmodel.FieldErrors{{Path: "codec", Message: "the recording has no such output with audio, or none that a part can be cut out of"}}
	}
	if from != 0 || to != 0 {
		if err := excerpt.Check(codecs, o, from, to); err != nil {
			if callmodel.CodeOf(err) != callmodel.CodeInvalid {
				return WithLink{}, err
			}
			faults.AddAll("", err)
		}
	}
	life := DefaultLife
	if in.ExpiresInS > 0 {
		life = time.Duration(in.ExpiresInS) * time.Second
	}
	token := shares.NewToken()
	n := shares.New{
		Share: shares.Share{
			ID: shares.NewID(), TenantID: t, JobID: job.ID, CallID: job.CallID, RecordingID: callmodel.RecordingID(job.Key),
			Output: o.Name, Codec: string(o.Codec), From: from, To: to, Description: in.Description, MaxOpenings: in.MaxOpenings,
		},
		Hash: token.Hash(), Life: life, Actor: actor,
	}
	if len(faults) == 0 { // else what the range's check has found is enough
		faults.AddAll("", n.Validate())
	}
	if err := faults.Err(); err != nil {
		return WithLink{}, err
	}
	share, err := s.CreateShare(ctx, n)
	if err != nil {
		return WithLink{}, err
	}
	return WithLink{Share: share, Token: token.Reveal()}, nil
}

// choose is the output to share: the one that is named, else the first that can be heard.
func choose(codecs *codec.Registry, r *record.Result, in *Asked, part bool) *record.OutputResult {
	for i := range r.Outputs {
		o := &r.Outputs[i]
		if !o.Codec.Audio() || in.Output != nil && o.Name != *in.Output || in.Codec != "" && string(o.Codec) != in.Codec {
			continue
		}
		if part && callmodel.CodeOf(excerpt.Check(codecs, o, 0, 0)) == callmodel.CodeUnsupported && in.Codec == "" {
			continue
		}
		return o
	}
	return nil
}

// made is the recording of the tenant's job, as it is now; ErrNotFound, or CodeGone if it
// was deleted.
func made(ctx context.Context, j Jobs, t callmodel.TenantID, id callmodel.JobID) (ledger.Job, *record.Result, error) {
	job, err := j.Job(ctx, id)
	if errors.Is(err, callmodel.ErrNotFound) || err == nil && (job.TenantID != t || job.Kind != record.Kind) {
		return job, nil, callmodel.ErrNotFound
	}
	if err != nil {
		return job, nil, err
	}
	if err := erasure.Gone(ctx, j, &job); err != nil {
		return job, nil, err
	}
	result, err := record.ResultOf(&job)
	if err != nil {
		return job, nil, err
	}
	if result == nil || !result.Made() || job.State != ledger.Done && !job.Published {
		return job, nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s is %s; it has no recording", job.ID, job.State)
	}
	return job, result, nil
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	s, err := h.store.Share(r.Context(), p.TenantID, r.PathValue("id"))
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, s)
	return nil
}

func (h *Handler) revoke(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	s, err := h.store.RevokeShare(r.Context(), p.TenantID, r.PathValue("id"), p.Subject)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, s)
	return nil
}
