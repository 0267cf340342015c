package exporthttp

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
	"github.com/switchtape/switchtape/recording/internal/plays"
	"github.com/switchtape/switchtape/recording/task/dataexport"
)

// Ledger is where the jobs are, and who did what. *calldb.DB and *memdb.Store are ledgers:
// every one passes storetest.Jobs and storetest.AuditLog.
type Ledger interface {
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	Job(ctx context.Context, id callmodel.JobID) (ledger.Job, error)
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	Audit(ctx context.Context, e callmodel.AuditEvent) error
	// Erasures are erasure.Ledger's.
	Erasures(ctx context.Context, t callmodel.TenantID, id callmodel.RecordingID) ([]retention.Erasure, error)
}

// Files is where exports are. *storage.Store is one.
type Files interface {
	// Open reads an object. The error for a missing one wraps fs.ErrNotExist. A reader that
	// is an io.Seeker lets clients ask for ranges.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
}

// AuditFetched is what the audit log says of a file of an export that was fetched.
const AuditFetched = "export.fetched"

// Options configure a Handler. The zero value works.
type Options struct {
	// Files is where exports are. Nil: their files can't be had here.
	Files Files
	// Normalize is the number as calls have it, in E.164, of one that was dialled in a
	// region; "" for none. Its error says what is wrong with it. Nil: only numbers in E.164 are taken.
	Normalize func(t callmodel.TenantID, number, region string) (string, error)
	// JobEnqueued is called after a job was stored. Nil for nobody.
	JobEnqueued func()
	// Timeout bounds every use of the Ledger. 0 means 10 s.
	Timeout time.Duration
	// AccessDenied notes that the principal asked for what it may not have. Nil: nowhere.
	AccessDenied func(ctx context.Context, p callmodel.Principal, what string)
	// Now is the clock by which requests for ranges are taken for one, and exports are
	// expired that nobody has deleted yet. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Handler serves the API. Make one with New; it may be used by any number of goroutines
// and has none of its own.
type Handler struct {
	ledger Ledger
	opts   Options
	mux    *http.ServeMux
	plays  plays.Plays
}

// New makes the handler. o may be nil.
func New(l Ledger, o *Options) *Handler {
	h := &Handler{ledger: l, mux: http.NewServeMux()}
	if o != nil {
		h.opts = *o
	}
	h.opts.Timeout = cmp.Or(h.opts.Timeout, 10*time.Second)
	if h.opts.Now == nil {
		h.opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if h.opts.JobEnqueued == nil {
		h.opts.JobEnqueued = func() {}
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
	const read, write = callmodel.ScopeExportsRead, callmodel.ScopeExportsWrite
	return []problem.Route{
		problem.At("GET /v1/exports", read, h.list, problem.Query("limit", "after")),
		problem.At("POST /v1/exports", write, h.create, problem.Query()),
		problem.At("GET /v1/exports/{id}", read, h.get, problem.Query()),
		problem.At("GET /v1/exports/{id}/files/{name}", read, h.file,
			problem.Door{Gives: []string{"application/zip", problem.JSON, "text/html"}}),
	}
}

// within serves an endpoint to a principal of a tenant.
func (h *Handler) within(w http.ResponseWriter, r *http.Request, p callmodel.Principal, serve problem.Endpoint) error {
	if !callmodel.ValidID(string(p.TenantID)) {
		return callmodel.Errorf(callmodel.CodeUnauthenticated, "the credentials belong to no tenant")
	}
	return serve(w, r, p)
}

// ask makes one call of the ledger, within its deadline.
func (h *Handler) ask(ctx context.Context, call func(context.Context) error) error {
	timed, cancel := context.WithTimeout(ctx, h.opts.Timeout)
	defer cancel()
	err := call(timed)
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the ledger did not answer within %v: %w", h.opts.Timeout, err)
	}
	return err
}

// Export is an export as clients see it.
type Export struct {
	ID     callmodel.JobID  `json:"id"`
	Key    string           `json:"key"`
	Of     string           `json:"of"`
	CallID callmodel.CallID `json:"call_id,omitempty"`
	Number string           `json:"number,omitempty"`
	Since  time.Time        `json:"since,omitzero"`
	Until  time.Time        `json:"until,omitzero"`
	// State is the job's, or "expired" of one that is deleted.
	State      string           `json:"state"`
	LastError  string           `json:"last_error,omitempty"`
	CreatedAt  time.Time        `json:"created_at"`
	FinishedAt time.Time        `json:"finished_at,omitzero"`
	ExpiresAt  time.Time        `json:"expires_at,omitzero"`
	Status     string           `json:"status,omitempty"` // of one that is done
	Reason     string           `json:"reason,omitempty"`
	Bytes      int64            `json:"bytes"`
	Counts     *Counts          `json:"counts,omitempty"`
	Missing    map[string]int64 `json:"missing,omitempty"`
	Files      []File           `json:"files"`
}

// Counts are those of a dataexport.Exported.
type Counts = dataexport.Counts

// File is a file of an export.
type File struct {
	Name   string `json:"name"`
	Href   string `json:"href"` // a path of this API
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Page is a part of a list.
type Page struct {
	Exports []Export        `json:"exports"`
	Next    callmodel.JobID `json:"next,omitempty"` // the "after" of the next page
}

// expired is the state of an export that is deleted.
const expired = "expired"

// shown is the export of a job, and its result; nil for none yet.
func (h *Handler) shown(j *ledger.Job) (e Export, result *dataexport.Exported, err error) {
	var p dataexport.Payload
	if err := json.Unmarshal(j.Payload, &p); err != nil {
		return e, nil, callmodel.Errorf(callmodel.CodeInternal, "the payload of job %s: %w", j.ID, err)
	}
	e = Export{
		ID: j.ID, Key: j.Key, Of: p.Of, CallID: p.CallID, Number: p.Number, Since: p.Since, Until: p.Until,
		State: string(j.State), LastError: j.LastError, CreatedAt: j.CreatedAt, FinishedAt: j.FinishedAt, Files: []File{},
	}
	if j.State != ledger.Done {
		return e, nil, nil
	}
	result = &dataexport.Exported{}
	if err := json.Unmarshal(j.Result, result); err != nil {
		return e, nil, callmodel.Errorf(callmodel.CodeInternal, "the result of job %s: %w", j.ID, err)
	}
	e.Status, e.Reason, e.Bytes, e.Counts, e.Missing, e.ExpiresAt = string(result.Status), result.Reason, result.Bytes, &result.Counts, result.Missing, result.ExpiresAt
	if !result.ExpiresAt.IsZero() && !h.opts.Now().Before(result.ExpiresAt) {
		e.State = expired
		return e, result, nil
	}
	for _, name := range result.Names() {
		f := result.File(name)
		e.Files = append(e.Files, File{Name: name, Href: "/v1/exports/" + string(j.ID) + "/files/" + name, Bytes: f.Bytes, SHA256: f.SHA256})
	}
	return e, result, nil
}

func (h *Handler) list(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", 100, 1, 1000)
	var faults callmodel.FieldErrors
	if err != nil {
		faults.AddAll("", err)
	}
	after := problem.Values(r).Get("after")
	if after != "" && !callmodel.ValidID(after) {
		faults.Add("after", "is not the id of an export; give the next of the page before")
	}
	if err := faults.Err(); err != nil {
		return err
	}
	var jobs []ledger.Job
	if err := h.ask(r.Context(), func(ctx context.Context) (err error) {
		jobs, err = h.ledger.Jobs(ctx, ledger.Filter{TenantID: p.TenantID, Kind: dataexport.Kind, Limit: limit, After: callmodel.JobID(after)})
		return err
	}); err != nil {
		return err
	}
	page := Page{Exports: []Export{}}
	for i := range jobs {
		e, _, err := h.shown(&jobs[i])
		if err != nil {
			return err
		}
		page.Exports = append(page.Exports, e)
	}
	if len(jobs) == limit {
		page.Next = jobs[limit-1].ID
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// maxBody bounds the bodies, in bytes.
const maxBody = 16 << 10

// creation is the body of POST /v1/exports.
type creation struct {
	dataexport.Payload

	Region string `json:"region,omitempty"` // in which the number is dialled
	Key    string `json:"key,omitempty"`
}

// Validate is for problem.Decode: the payload is checked once its number is as calls have it.
func (c *creation) Validate() error { return nil }

func (h *Handler) create(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var in creation
	if err := problem.Decode(w, r, maxBody, &in); err != nil {
		return err
	}
	var faults callmodel.FieldErrors
	if in.Number != "" && h.opts.Normalize != nil {
		number, err := h.opts.Normalize(p.TenantID, in.Number, strings.ToUpper(in.Region))
		if err != nil {
			faults.Add("number", "%s", err.Error())
		} else {
			in.Number = number
		}
	}
	if len(faults) == 0 {
		faults.AddAll("", in.Payload.Validate())
	}
	if in.Key != "" {
		faults.CheckID("key", in.Key)
	}
	if err := faults.Err(); err != nil {
		return err
	}
	payload, err := json.Marshal(in.Payload)
	if err != nil {
		return err
	}
	q := ledger.Request{Kind: dataexport.Kind, TenantID: p.TenantID, CallID: in.CallID, Key: cmp.Or(in.Key, NewKey()), Payload: payload, Actor: p.Subject}
	var job ledger.Job
	created := false
	if err := h.ask(r.Context(), func(ctx context.Context) (err error) {
		var id callmodel.JobID
		if id, created, err = h.ledger.Enqueue(ctx, q); err == nil {
			job, err = h.ledger.Job(ctx, id)
		}
		return err
	}); err != nil {
		return err
	}
	e, _, err := h.shown(&job)
	if err != nil {
		return err
	}
	var had dataexport.Payload
	if err := json.Unmarshal(job.Payload, &had); err != nil || !created && !same(&had, &in.Payload) {
		return callmodel.Errorf(callmodel.CodeConflict, "the key %s is that of another export: choose another key", q.Key)
	}
	if created {
		h.opts.JobEnqueued()
	}
	w.Header().Set("Location", "/v1/exports/"+string(job.ID))
	problem.WriteJSON(w, http.StatusAccepted, e)
	return nil
}

// same reports whether both ask for the same.
func same(a, b *dataexport.Payload) bool {
	x, y := *a, *b
	equal := x.Since.Equal(y.Since) && x.Until.Equal(y.Until)
	x.Since, x.Until, y.Since, y.Until = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	return equal && x == y
}

// NewKey makes the key of an export that was given none. It can't be guessed.
func NewKey() string { return "ex-" + strings.ToLower(rand.Text()[:20]) }

// find is the tenant's export that the path names. Another tenant's is not found, just
// like none.
func (h *Handler) find(r *http.Request, p callmodel.Principal) (job ledger.Job, err error) {
	id := r.PathValue("id")
	if !callmodel.ValidID(id) {
		return job, callmodel.ErrNotFound
	}
	err = h.ask(r.Context(), func(ctx context.Context) (err error) {
		job, err = h.ledger.Job(ctx, callmodel.JobID(id))
		return err
	})
	if err == nil && (job.TenantID != p.TenantID || job.Kind != dataexport.Kind) {
		return ledger.Job{}, callmodel.ErrNotFound
	}
	return job, err
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	job, err := h.find(r, p)
	if err != nil {
		return err
	}
	e, _, err := h.shown(&job)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, e)
	return nil
}

// file serves a file of an export, or a range of it.
func (h *Handler) file(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	job, err := h.find(r, p)
	if err != nil {
		return err
	}
	e, result, err := h.shown(&job)
	name := r.PathValue("name")
	switch {
	case err != nil:
		return err
	case h.opts.Files == nil:
		return callmodel.Errorf(callmodel.CodeNotFound, "exports can't be fetched from this service")
	case e.State == expired:
		return callmodel.Errorf(callmodel.CodeGone, "the export %s was deleted at %s: export again", job.ID, e.ExpiresAt.Format(time.RFC3339))
	case result == nil:
		return callmodel.Errorf(callmodel.CodeNotFound, "the export %s has no files yet: its job is %s", job.ID, job.State)
	}
	if err := h.ask(r.Context(), func(ctx context.Context) error { return erasure.Gone(ctx, h.ledger, &job) }); err != nil {
		return err
	}
	f := result.File(name)
	if f == nil || !strings.HasPrefix(f.Object, dataexport.Prefix(p.TenantID, job.Key)) {
		return callmodel.Errorf(callmodel.CodeNotFound, "the export %s has no file of that name; GET /v1/exports/%s lists them", job.ID, job.ID)
	}
	body, err := h.opts.Files.Open(r.Context(), f.Object)
	if errors.Is(err, fs.ErrNotExist) {
		return callmodel.Errorf(callmodel.CodeNotFound, "the export %s is not in the bucket any more", job.ID)
	}
	if err != nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the export %s: %w", job.ID, err)
	}
	defer body.Close() //nolint:errcheck // only read from
	if err := h.fetched(r, p, &job, name, f); err != nil {
		return err
	}
	head := w.Header()
	head.Set("Content-Type", contentType(name))
	head.Set("Content-Disposition", `attachment; filename="`+job.Key+"-"+name+`"`) // ids hold no quotes
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("ETag", `"`+f.SHA256+`"`)
	if seeker, ok := body.(io.ReadSeeker); ok {
		http.ServeContent(w, r, "", time.Time{}, seeker)
		return nil
	}
	head.Set("Accept-Ranges", "none")
	head.Set("Content-Length", strconv.FormatInt(f.Bytes, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if n, err := io.Copy(w, body); err != nil || n != f.Bytes {
		// The status is sent. The client notices by the length.
		h.opts.Logger.ErrorContext(r.Context(), "a file of an export was sent in part", "job", job.ID, "file", name, "sent", n, "of", f.Bytes, "error", err)
	}
	return nil
}

func contentType(name string) string {
	switch {
	case strings.HasSuffix(name, ".zip"):
		return "application/zip"
	case strings.HasSuffix(name, ".html"):
		return "text/html; charset=utf-8"
	}
	return problem.JSON
}

// fetched leaves an audit line that the principal has got the file, once a file.
func (h *Handler) fetched(r *http.Request, p callmodel.Principal, job *ledger.Job, name string, f *dataexport.Stored) error {
	if r.Method == http.MethodHead {
		return nil
	}
	of, now := plays.Play{Tenant: p.TenantID, Subject: p.Subject, Key: f.Object}, h.opts.Now()
	if h.plays.GoesOn(of, now) {
		return nil
	}
	detail := map[string]string{"key": job.Key, "file": name, "sha256": f.SHA256}
	if job.CallID != "" {
		detail["call_id"] = string(job.CallID)
	}
	err := h.ask(r.Context(), func(ctx context.Context) error {
		return h.ledger.Audit(ctx, callmodel.AuditEvent{TenantID: p.TenantID, Actor: p.Subject, Action: AuditFetched, Subject: string(job.ID), Detail: detail})
	})
	if err == nil {
		h.plays.Began(of, now)
	}
	return err
}
