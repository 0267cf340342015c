package sharehttp

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/internal/unreadable"
)

// Objects are the recordings' bucket. *storage.Store is one.
type Objects interface {
	// Open reads an object. The error for a missing one wraps fs.ErrNotExist. A reader that
	// is an io.Seeker lets clients ask for ranges of whole recordings.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Size is that of the object in bytes. The error for a missing one wraps fs.ErrNotExist.
	Size(ctx context.Context, key string) (int64, error)
}

// PublicOptions configure a Public. Codecs is needed.
type PublicOptions struct {
	// Codecs are the formats that parts can be cut out of.
	Codecs *codec.Registry
	// TempDir is where parts lie, in files without names, while they are listened to. ""
	// means the system's temporary directory.
	TempDir string
	// Unknown is told of requests with a token that opens nothing, by the address that they
	// come from, and says whether there were too many: they are answered with 429 then. Nil:
	// nobody counts them.
	Unknown func(remote string) (refused bool)
	// Timeout bounds the store's answers, and CutTimeout what cutting a part takes. 0 means
	// 10 s and 2 minutes.
	Timeout, CutTimeout time.Duration
	// Cuts is how many parts are cut at once. 0 means 2.
	Cuts int
	// Now is the clock by which parts are dropped that nobody listens to. Nil means time.Now.
	Now func() time.Time
	// Unreadable is told of each request for a share whose recording can't be read for what it
	// is, by its code: CodeDamaged or CodeKeyMissing. Nil: nobody counts them.
	Unreadable func(callmodel.Code)
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Public serves the links, to anybody who has one. Make one with NewPublic, and mount it at
// /s/. It may be used by any number of goroutines and has none of its own.
type Public struct {
	store   Store
	jobs    Jobs
	objects Objects
	opts    PublicOptions
	mux     *http.ServeMux
	cuts    *cuts
	counts  map[string]*atomic.Int64

	unreadable *unreadable.Teller
}

// What a request for the audio of a link came to. HEAD is none.
const (
	Opened    = "opened"    // an opening began
	Continued = "continued" // one went on
	Ended     = "ended"     // the link has expired, was revoked or is used up
	Gone      = "gone"      // its recording isn't there any more
	Unknown   = "unknown"   // no link has that token
	Failed    = "failed"
)

// Outcomes lists them.
func Outcomes() []string { return []string{Opened, Continued, Ended, Gone, Unknown, Failed} }

// Requests is how many requests for audio came to that outcome, of those of Outcomes.
func (p *Public) Requests(outcome string) int64 {
	n := p.counts[outcome]
	if n == nil {
		return 0
	}
	return n.Load()
}

// NewPublic makes the handler of the links.
func NewPublic(s Store, j Jobs, b Objects, o PublicOptions) *Public {
	o.Timeout, o.CutTimeout, o.Cuts = cmp.Or(o.Timeout, 10*time.Second), cmp.Or(o.CutTimeout, 2*time.Minute), cmp.Or(o.Cuts, 2)
	if o.Now == nil {
		o.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Unknown == nil {
		o.Unknown = func(string) bool { return false }
	}
	p := &Public{store: s, jobs: j, objects: b, opts: o, mux: http.NewServeMux(), cuts: newCuts(o.Cuts), counts: map[string]*atomic.Int64{}, unreadable: unreadable.New(o.Logger, o.Now, o.Unreadable)}
	for _, outcome := range Outcomes() {
		p.counts[outcome] = &atomic.Int64{}
	}
	p.mux.HandleFunc("GET /s/{token}", p.serve(p.page))
	p.mux.HandleFunc("GET /s/{token}/audio", p.serve(p.audio))
	p.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusNotFound, "There is nothing here.") })
	return p
}

// Close drops the parts that were cut.
func (p *Public) Close() error { return p.cuts.close() }

// policy lets the page play its own audio, and nothing else.
const policy = "default-src 'none'; media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP serves the links.
func (p *Public) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Cache-Control", "no-store")
	head.Set("Referrer-Policy", "no-referrer") // the path is the secret
	head.Set("Content-Security-Policy", policy)
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("X-Robots-Tag", "noindex, nofollow")
	p.mux.ServeHTTP(w, r)
}

// goneError says that a share's recording can't be had any more.
type goneError struct{ why string }

func (e *goneError) Error() string { return e.why }

// serve answers with what fails. The log gets no path: the token is in it.
func (p *Public) serve(f func(w http.ResponseWriter, r *http.Request, hash string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		hash := shares.Token(r.PathValue("token")).Hash()
		err := callmodel.ErrNotFound
		if hash != "" {
			err = f(w, r, hash)
		}
		var ended *shares.EndedError
		var gone *goneError
		p.count(r, err)
		switch {
		case err == nil:
		case errors.Is(err, callmodel.ErrNotFound):
			if p.opts.Unknown(r.RemoteAddr) {
				w.Header().Set("Retry-After", "60")
				say(w, http.StatusTooManyRequests, "There were too many links that open nothing. Try again later.")
				return
			}
			say(w, http.StatusNotFound, "This link opens nothing. Was it copied whole?")
		case errors.As(err, &ended):
			say(w, http.StatusGone, map[shares.State]string{
				shares.Revoked: "This link was withdrawn.", shares.Expired: "This link has expired.", shares.UsedUp: "This link was opened as often as it may be.",
			}[ended.State])
		case errors.As(err, &gone):
			say(w, http.StatusGone, "The recording isn't there any more.")
			p.opts.Logger.WarnContext(r.Context(), "a share was opened whose recording can't be had", "error", err)
		case callmodel.CodeOf(err) == callmodel.CodeDamaged:
			say(w, http.StatusInternalServerError, "This recording is damaged. Tell who gave you the link: trying again doesn't help.")
		case callmodel.CodeOf(err) == callmodel.CodeKeyMissing:
			say(w, http.StatusServiceUnavailable, "This recording is encrypted, and the service has no key for it. Tell who gave you the link.")
		default:
			w.Header().Set("Retry-After", "5")
			say(w, http.StatusServiceUnavailable, "The recording can't be had right now. Try again later.")
			p.opts.Logger.ErrorContext(r.Context(), "a share can't be opened", "error", err)
		}
	}
}

// count counts a request for audio that fails. What is opened is counted as it is opened.
func (p *Public) count(r *http.Request, err error) {
	if err == nil || r.Method != http.MethodGet || !strings.HasSuffix(r.Pattern, "/audio") {
		return
	}
	var ended *shares.EndedError
	var gone *goneError
	outcome := Failed
	switch {
	case errors.Is(err, callmodel.ErrNotFound):
		outcome = Unknown
	case errors.As(err, &ended):
		outcome = Ended
	case errors.As(err, &gone):
		outcome = Gone
	}
	p.counts[outcome].Add(1)
}

// say answers with a sentence.
func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // the client may be gone
}

// page shows a page that plays the share. It opens nothing.
func (p *Public) page(w http.ResponseWriter, r *http.Request, hash string) error {
	ctx, cancel := context.WithTimeout(r.Context(), p.opts.Timeout)
	defer cancel()
	s, err := p.store.FindShare(ctx, hash)
	if err != nil {
		return err
	}
	if s.State == shares.Revoked || s.State == shares.Expired {
		return &shares.EndedError{ID: s.ID, State: s.State}
	}
	o, err := p.output(ctx, &s)
	if err == nil {
		err = p.there(ctx, o)
	}
	if err != nil {
		return err
	}
	what := "The whole recording."
	if !s.Whole() {
		what = "From " + clock(s.From)
		if s.To > 0 {
			what += " to " + clock(s.To)
		}
		what += " of a recording."
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(w, `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Recording</title>
<h1>Recording</h1>
<p>`+what+` It can be heard until `+s.ExpiresAt.UTC().Format("2 January 2006, 15:04")+` UTC. Whoever opens it is noted.</p>
<audio controls preload="none" src="`+html.EscapeString(r.PathValue("token"))+`/audio"></audio>
</html>
`)
	return nil
}

// clock is a time in a recording, as 1:02:03.5.
func clock(d time.Duration) string {
	s := strconv.FormatFloat((d % time.Minute).Seconds(), 'f', -1, 64)
	if d%time.Minute < 10*time.Second {
		s = "0" + s
	}
	m := int64(d/time.Minute) % 60
	if h := int64(d / time.Hour); h > 0 {
		pad := ""
		if m < 10 {
			pad = "0"
		}
		return strconv.FormatInt(h, 10) + ":" + pad + strconv.FormatInt(m, 10) + ":" + s
	}
	return strconv.FormatInt(m, 10) + ":" + s
}

// output is the recording's output that the share is of, as it is now.
func (p *Public) output(ctx context.Context, s *shares.Share) (*record.OutputResult, error) {
	job, result, err := made(ctx, p.jobs, s.TenantID, s.JobID)
	if code := callmodel.CodeOf(err); code == callmodel.CodeNotFound || code == callmodel.CodeGone {
		return nil, &goneError{"share " + s.ID + ": the recording of job " + string(s.JobID) + " isn't there: " + err.Error()}
	}
	if err != nil {
		return nil, err
	}
	spec, err := record.SpecOf(&job)
	if err != nil {
		return nil, err
	}
	for i := range result.Outputs {
		if o := &result.Outputs[i]; o.Name == s.Output && string(o.Codec) == s.Codec && spec.Owns(o.Key) {
			return o, nil
		}
	}
	return nil, &goneError{"share " + s.ID + ": the recording of job " + string(s.JobID) + " has no such output any more"}
}

// there reports whether the output is in the bucket: a *goneError if it isn't.
func (p *Public) there(ctx context.Context, o *record.OutputResult) error {
	_, err := p.objects.Size(ctx, o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return &goneError{"object " + o.Key + " isn't in the bucket"}
	}
	return err
}

// audio opens the share, and serves what it is of.
func (p *Public) audio(w http.ResponseWriter, r *http.Request, hash string) error {
	ctx, cancel := context.WithTimeout(r.Context(), p.opts.Timeout)
	defer cancel()
	s, err := p.store.FindShare(ctx, hash)
	if err != nil {
		return err
	}
	o, err := p.output(ctx, &s)
	if err == nil {
		err = p.there(ctx, o)
	}
	if err != nil && (s.State == shares.Open || s.State == shares.UsedUp) {
		return err // nothing was opened
	}
	if r.Method == http.MethodHead {
		return p.head(w, &s, o)
	}
	opened, err := p.store.OpenShare(ctx, opening(r, hash))
	if err != nil {
		return err
	}
	if opened.Fresh {
		p.counts[Opened].Add(1)
	} else {
		p.counts[Continued].Add(1)
	}
	w.Header().Set("Content-Disposition", `inline; filename="`+s.ID+"."+o.Codec.Ext()+`"`)
	w.Header().Set("Content-Type", o.Codec.ContentType())
	if opened.Whole() {
		return p.whole(w, r, s.JobID, o)
	}
	c, release, err := p.cuts.get(r.Context(), p, o, s.From, s.To)
	if err != nil {
		return p.unreadable.Tell(r.Context(), err, s.JobID, o.Key)
	}
	defer release()
	w.Header().Set("ETag", `"`+c.sum+`"`)
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(c.file, 0, c.size))
	return nil
}

// head says what GET would be answered with, and opens nothing, as nothing is heard. How
// long a part is isn't known before it is cut. One that was opened as often as it may be is
// still there for who has it open.
func (p *Public) head(w http.ResponseWriter, s *shares.Share, o *record.OutputResult) error {
	if s.State == shares.Revoked || s.State == shares.Expired {
		return &shares.EndedError{ID: s.ID, State: s.State}
	}
	w.Header().Set("Content-Type", o.Codec.ContentType())
	if s.Whole() {
		w.Header().Set("ETag", `"`+o.SHA256+`"`)
		w.Header().Set("Content-Length", strconv.FormatInt(o.Bytes, 10))
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// whole serves the output as it is.
func (p *Public) whole(w http.ResponseWriter, r *http.Request, job callmodel.JobID, o *record.OutputResult) error {
	body, err := p.objects.Open(r.Context(), o.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return &goneError{"object " + o.Key + " isn't in the bucket"}
	}
	if err != nil {
		return p.unreadable.Tell(r.Context(), err, job, o.Key)
	}
	defer body.Close() //nolint:errcheck // only read from
	if err := unreadable.Meant(o, body); err != nil {
		return p.unreadable.Tell(r.Context(), err, job, o.Key)
	}
	w.Header().Set("ETag", `"`+o.SHA256+`"`)
	if seeker, ok := body.(io.ReadSeeker); ok {
		if r.Header.Get("Range") == "" {
			if err := unreadable.Sound(seeker); err != nil {
				return p.unreadable.Tell(r.Context(), err, job, o.Key)
			}
		}
		watched := &unreadable.Watched{ReadSeeker: seeker}
		http.ServeContent(w, r, "", time.Time{}, watched)
		if watched.Err != nil && r.Context().Err() == nil { // the client notices by the length
			_ = p.unreadable.Tell(r.Context(), watched.Err, job, o.Key)
		}
		return nil
	}
	w.Header().Set("Accept-Ranges", "none")
	w.Header().Set("Content-Length", strconv.FormatInt(o.Bytes, 10))
	if n, err := io.Copy(w, body); err != nil || n != o.Bytes {
		p.opts.Logger.ErrorContext(r.Context(), "a shared recording was sent in part", "key", o.Key, "sent", n, "of", o.Bytes, "error", err)
	}
	return nil
}

// opening is who asks, and what the audit log is told of it.
func opening(r *http.Request, hash string) shares.Opening {
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	agent, forwarded := r.UserAgent(), strings.Join(r.Header.Values("X-Forwarded-For"), ", ")
	client := sha256.Sum256([]byte(address + "\x00" + forwarded + "\x00" + agent))
	detail := map[string]string{"address": address}
	for name, value := range map[string]string{"user_agent": agent, "forwarded_for": forwarded, "range": r.Header.Get("Range")} {
		if value != "" {
			detail[name] = strings.ToValidUTF8(value[:min(len(value), 200)], "")
		}
	}
	return shares.Opening{Hash: hash, Client: hex.EncodeToString(client[:]), Detail: detail}
}
