package console

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/auth"
)

//go:embed pages assets
var files embed.FS

// Options configure a Console. API and Guard are needed.
type Options struct {
	// API answers the paths below /v1/, to the principal in the request's context.
	API http.Handler
	// Guard is the authentication in front of a handler, by the Authorization header: it
	// puts the principal into the context of those that carry a good credential.
	Guard func(http.Handler) http.Handler
	// Noted stands around the pages themselves, behind the authentication, where the pattern
	// of a request's route is known. Nil for nothing.
	Noted func(http.Handler) http.Handler
	// LogIn says that requests need credentials: who has no session is asked for a key.
	LogIn bool
	// Provider is where people log in beside the keys, and is told to come back to
	// CallbackPath. Nil: nowhere.
	Provider *auth.CodeFlow
	// Secret seals the sessions; servers with the same one take each other's. Empty: one
	// of this process's own, whose sessions end with it.
	Secret string
	// Idle and Longest are how long a session lasts that nobody uses, and how long one
	// lasts at all. 0 means 30 minutes and 12 hours.
	Idle, Longest time.Duration
	// Health tells of what the API doesn't: destinations, buckets and services. It returns
	// soon after its context ends. Nil: nothing is shown of them.
	Health func(ctx context.Context) []Health
	// Now is the clock of the sessions, and of what pages look back to. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

// Console serves the pages. Make one with New; it may be used by any number of goroutines
// and has none of its own.
type Console struct {
	opts     Options
	sessions *sessions
	pages    map[string]*template.Template
	inside   http.Handler // behind the authentication
	whole    http.Handler
}

// askTimeout bounds what the API may take for a page.
const askTimeout = 15 * time.Second

// New makes a console. The error is one of its own templates'.
func New(o Options) (*Console, error) {
	o.Idle, o.Longest = cmp.Or(o.Idle, 30*time.Minute), cmp.Or(o.Longest, 12*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Console{opts: o, sessions: newSessions(o.Secret, o.Idle, o.Longest, o.Now)}
	var err error
	if c.pages, err = parsePages(); err != nil {
		return nil, err
	}
	inside := http.NewServeMux()
	for _, rt := range c.routes() {
		inside.Handle(rt.pattern, c.serve(rt))
	}
	inside.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.fail(w, r, callmodel.Errorf(callmodel.CodeNotFound, "there is no such page"))
	})
	pages := c.known(inside)
	if o.Noted != nil {
		pages = o.Noted(pages)
	}
	c.inside = o.Guard(pages)
	mux := http.NewServeMux()
	if err := mountAssets(mux); err != nil {
		return nil, err
	}
	mux.HandleFunc("GET /login", c.showLogin)
	mux.HandleFunc("POST /login", c.logIn)
	mux.HandleFunc("POST /logout", c.logOut)
	if o.Provider != nil {
		mux.HandleFunc("GET /login/oidc", c.toProvider)
		mux.HandleFunc("GET "+CallbackPath, c.fromProvider)
	}
	mux.HandleFunc("/", c.withSession)
	c.whole = http.NewCrossOriginProtection().Handler(mux)
	return c, nil
}

// Paths are the patterns of a mux that lead to the console.
func Paths() []string {
	return []string{
		"/{$}", "/calls", "/calls/", "/export/", "/live/", "/jobs", "/jobs/", "/rules", "/rules/", "/fleet", "/fleet/",
		"/login", "/login/", "/logout", "/console/",
	}
}

// ServeHTTP serves the pages. What changes anything is refused from other sites' pages.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // never fails
	nonce := base64.RawStdEncoding.EncodeToString(raw[:])
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-"+nonce+"'; img-src 'self' data:; media-src 'self'; "+
		"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
	h.Set("Cache-Control", "no-store")
	c.whole.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), nonceKey{}, nonce)))
}

type nonceKey struct{}

// route is a page, or something that a page does.
type route struct {
	pattern string
	scope   callmodel.Scope // "": any principal
	serve   func(w http.ResponseWriter, r *http.Request) error
}

// serve checks the scope and shows what fails.
func (c *Console) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := callmodel.PrincipalFrom(r.Context())
		var err error
		if rt.scope != "" && !p.Allows(rt.scope) {
			err = callmodel.Errorf(callmodel.CodeForbidden, "you may not look at this: it needs the scope %s", rt.scope)
		} else {
			err = rt.serve(w, r)
		}
		if err != nil {
			c.fail(w, r, err)
		}
	})
}

// known lets requests through that have a principal, and leads others to the log-in.
func (c *Console) known(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := callmodel.PrincipalFrom(r.Context()); ok {
			next.ServeHTTP(w, r)
			return
		}
		c.toLogin(w, r)
	})
}

// toLogin leads whoever has no session, or one that has ended, to the log-in and back.
func (c *Console) toLogin(w http.ResponseWriter, r *http.Request) {
	script := r.Header.Get("HX-Request") == "true"
	switch to := "/login"; {
	case r.Method != http.MethodGet && r.Method != http.MethodHead && script:
		// What stands in a form goes on standing there.
		if err := c.write(w, r, http.StatusUnauthorized, "login", "undone", nil); err != nil {
			c.fail(w, r, err)
		}
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		q := url.Values{"undone": {"yes"}}
		if from, err := url.Parse(r.Referer()); err == nil && from.Host == r.Host {
			q.Set("next", from.RequestURI())
		}
		c.redirect(w, r, to+"?"+q.Encode())
	case isStream(r):
		// Its reader takes any other answer for a stream that has ended, and asks again at once.
		w.WriteHeader(http.StatusUnauthorized)
	case script:
		if at, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && at.Path != "" {
			to += "?next=" + url.QueryEscape(at.RequestURI())
		}
		c.redirect(w, r, to)
	case r.URL.Path == "/" || isLive(r):
		c.redirect(w, r, to)
	default:
		c.redirect(w, r, to+"?next="+url.QueryEscape(r.URL.RequestURI()))
	}
}

// isLive reports whether the page keeps the request open.
func isLive(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/live/") }

// isStream reports whether the request is for a stream of events, which a script reads.
func isStream(r *http.Request) bool {
	return r.URL.Path == "/live/calls" && strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// redirect leads the browser there, also where a script asked.
func (c *Console) redirect(w http.ResponseWriter, r *http.Request, to string) {
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusOK)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // a page of the console: see next
}

// page is what every template gets.
type page struct {
	Title   string
	Section string // of the navigation
	Who     callmodel.Principal
	LogIn   bool // there is a session to end
	Nonce   string
	Flash   string // what the last action came to
	Data    any
}

// May reports whether who looks has the scope.
func (p *page) May(scope string) bool { return p.Who.Allows(callmodel.Scope(scope)) }

// show answers with a page.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) error {
	who, _ := callmodel.PrincipalFrom(r.Context())
	nonce, _ := r.Context().Value(nonceKey{}).(string)
	section, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return c.write(w, r, status, name, "layout", &page{
		Title: title, Section: section, Who: who, LogIn: c.opts.LogIn && who.Subject != "", Nonce: nonce, Flash: flash(w, r), Data: data,
	})
}

// write answers with a template of a page. It is made whole before a byte of it is sent.
func (c *Console) write(w http.ResponseWriter, r *http.Request, status int, name, part string, data any) error {
	t := c.pages[name]
	if t == nil {
		return callmodel.Errorf(callmodel.CodeInternal, "there is no template %s", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, part, data); err != nil {
		return fmt.Errorf("the page %s: %w", name, err)
	}
	sendPage(w, r, status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// failure is the page of what went wrong.
type failure struct {
	problem.Problem

	Heading string
	Back    string // the page that it was asked for on; "" if none is known
}

// heading says in words what a status means, where HTTP's own are no help.
func heading(status int, title string) string {
	switch status {
	case http.StatusForbidden:
		return "You may not do this"
	case http.StatusNotFound:
		return "There is no such thing here"
	case http.StatusConflict:
		return "This can't be done now"
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return "Something is missing or wrong"
	default:
		return title
	}
}

// cameFrom is the page of the console that a form was sent from. "" for none, and for the
// page itself.
func cameFrom(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host || r.Method != http.MethodPost || !strings.HasPrefix(from.Path, "/") || strings.HasPrefix(from.Path, "//") {
		return ""
	}
	return from.RequestURI()
}

// fail shows what went wrong.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.Of(err)
	if refused, ok := errors.AsType[*refusal](err); ok {
		p = refused.Problem
	}
	if p.Status >= http.StatusInternalServerError && r.Context().Err() == nil {
		c.opts.Logger.ErrorContext(r.Context(), "a page can't be shown", "page", r.Pattern, "error", err)
	}
	if p.Status == http.StatusUnauthorized {
		c.toLogin(w, r)
		return
	}
	if err := c.show(w, r, p.Status, "problem", heading(p.Status, p.Title), failure{p, heading(p.Status, p.Title), cameFrom(r)}); err != nil {
		c.opts.Logger.ErrorContext(r.Context(), "a page can't be shown", "page", r.Pattern, "error", err)
		http.Error(w, p.Title, p.Status)
	}
}
