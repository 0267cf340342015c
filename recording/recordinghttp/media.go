package recordinghttp

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/internal/unreadable"
)

// getMedia sends the client to what a job has made that find finds, or that to the client.
func (h *Handler) getMedia(find finder) problem.Endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		job, err := find(r, p)
		if err != nil {
			return err
		}
		return h.media(w, r, p, job)
	}
}

type streamedKey struct{}

// Streamed is a context for requests of this process whose media are sent, with ranges, and
// not redirected to: a page that plays them may load nothing from other hosts, and browsers
// let no page take apart what comes from there.
func Streamed(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamedKey{}, true)
}

func (h *Handler) media(w http.ResponseWriter, r *http.Request, p callmodel.Principal, job ledger.Job) error {
	if h.opts.Media == nil {
		return callmodel.Errorf(callmodel.CodeNotFound, "recordings can't be fetched from this service")
	}
	if err := h.gone(r, &job); err != nil {
		return err
	}
	out, err := outputOf(&job, r)
	if err != nil {
		return err
	}
	if !owned(&job, out) {
		return callmodel.Errorf(callmodel.CodeNotFound, "the recording of job %s is not in this service's bucket", job.ID)
	}
	// A link to an encrypted one would lead to whatever is under its key by now.
	if out.Encrypted || r.Context().Value(streamedKey{}) != nil {
		return h.stream(w, r, p, &job, out)
	}
	to, err := h.opts.Media.SignedURL(r.Context(), out.Key, h.opts.MediaExpiry)
	switch {
	case err == nil:
		if err := h.listened(r, p, &job, out, "link"); err != nil {
			return err
		}
		w.Header().Set("Location", to)
		w.Header().Set("Cache-Control", "no-store") // it expires
		w.WriteHeader(http.StatusTemporaryRedirect)
		return nil
	case callmodel.CodeOf(err) == callmodel.CodeUnsupported:
		return h.stream(w, r, p, &job, out)
	default:
		return h.mediaError(r, &job, out, err)
	}
}

// owned reports whether the object is the tenant's: see [record.Spec.Owns]. What jobs of
// other kinds make is in the tenant's part of the bucket.
func owned(job *ledger.Job, out *record.OutputResult) bool {
	spec, err := record.SpecOf(job)
	if err != nil {
		spec = record.Spec{TenantID: job.TenantID}
	}
	return spec.Owns(out.Key)
}

// outputOf is the output that the query names, the first by default.
func outputOf(job *ledger.Job, r *http.Request) (*record.OutputResult, error) {
	result, err := made(job)
	if err != nil {
		return nil, err
	}
	if result == nil || job.State != ledger.Done && !job.Published {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s is %s; it has no recording yet", job.ID, job.State)
	}
	if len(result.Outputs) == 0 {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s has no recording: it is %s, %s", job.ID, result.Status, result.Reason)
	}
	q := r.URL.Query()
	for i := range result.Outputs {
		o := &result.Outputs[i]
		// Outputs of one name differ by their codec.
		if (!q.Has("output") || o.Name == q.Get("output")) && (!q.Has("codec") || string(o.Codec) == q.Get("codec")) {
			return o, nil
		}
	}
	return nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s has no such output", job.ID)
}

// made is what the job came to, of any kind, as far as that is said as a recording says
// it: its outputs. A kind that makes one object names it by the key, bytes and sha256 of
// its result.
func made(job *ledger.Job) (*record.Result, error) {
	result, err := record.ResultOf(job)
	if err != nil && job.Kind != record.Kind {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s has made nothing that can be fetched", job.ID)
	}
	if err != nil || result == nil || job.Kind == record.Kind || len(result.Outputs) > 0 {
		return result, err
	}
	var one struct {
		Key    string `json:"key"`
		Bytes  int64  `json:"bytes"`
		SHA256 string `json:"sha256"`
	}
	if err := json.Unmarshal(job.Result, &one); err != nil || one.Key == "" {
		return nil, callmodel.Errorf(callmodel.CodeNotFound, "job %s has made nothing that can be fetched", job.ID)
	}
	ext := strings.TrimPrefix(path.Ext(one.Key), ".")
	result.Outputs = []record.OutputResult{{Key: one.Key, Bytes: one.Bytes, SHA256: one.SHA256, Codec: record.Codec("x-" + ext)}}
	return result, nil
}

func (h *Handler) stream(w http.ResponseWriter, r *http.Request, p callmodel.Principal, job *ledger.Job, out *record.OutputResult) error {
	body, err := h.opts.Media.Open(r.Context(), out.Key)
	if err != nil {
		return h.mediaError(r, job, out, err)
	}
	defer body.Close() //nolint:errcheck // only read from
	if err := unreadable.Meant(out, body); err != nil {
		return h.mediaError(r, job, out, err)
	}
	seeker, seeks := body.(io.ReadSeeker)
	if seeks && r.Header.Get("Range") == "" {
		if err := unreadable.Sound(seeker); err != nil {
			return h.mediaError(r, job, out, err)
		}
	}
	if err := h.listened(r, p, job, out, "stream"); err != nil {
		return err
	}
	head := w.Header()
	head.Set("Content-Type", out.Codec.ContentType())
	head.Set("Content-Disposition", `inline; filename="`+path.Base(out.Key)+`"`) // a key holds no quotes
	head.Set("Cache-Control", "no-store")
	head.Set("X-Content-Type-Options", "nosniff")
	if out.SHA256 != "" {
		head.Set("ETag", `"`+out.SHA256+`"`)
	}
	if seeks {
		watched := &unreadable.Watched{ReadSeeker: seeker}
		http.ServeContent(w, r, "", time.Time{}, watched)
		if watched.Err != nil && r.Context().Err() == nil { // the client notices by the length
			if err := h.mediaError(r, job, out, watched.Err); !unreadable.Is(err) {
				h.opts.Logger.ErrorContext(r.Context(), "a recording was sent in part", "job", job.ID, "key", out.Key, "error", watched.Err)
			}
		}
		return nil
	}
	head.Set("Accept-Ranges", "none")
	head.Set("Content-Length", strconv.FormatInt(out.Bytes, 10))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	if n, err := io.Copy(w, body); err != nil || n != out.Bytes {
		// The status is sent. The client notices by the length.
		h.opts.Logger.ErrorContext(r.Context(), "a recording was sent in part", "job", job.ID, "key", out.Key, "sent", n, "of", out.Bytes, "error", err)
	}
	return nil
}

// mediaError keeps the bucket's name and its refusals from clients: they are
// not what the client may or may not do.
func (h *Handler) mediaError(r *http.Request, job *ledger.Job, out *record.OutputResult, err error) error {
	if unreadable.Is(err) {
		return h.unreadable.Tell(r.Context(), err, job.ID, out.Key)
	}
	if errors.Is(err, fs.ErrNotExist) {
		h.opts.Logger.ErrorContext(r.Context(), "a recording is not in the bucket any more", "job", job.ID, "error", err)
		return callmodel.Errorf(callmodel.CodeNotFound, "the recording of job %s is not in the bucket any more", job.ID)
	}
	return callmodel.Errorf(callmodel.CodeUnavailable, "the recording of job %s: %w", job.ID, err)
}
