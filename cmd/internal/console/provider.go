package console

import (
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/auth"
)

// CallbackPath is where the provider sends people back to.
const CallbackPath = "/login/oidc/callback"

const (
	// attemptCookie holds a log-in at the provider that was begun. Each has one of its own,
	// for people with several tabs.
	attemptCookie   = "switchtape_oidc_"
	attemptLasts    = 10 * time.Minute
	maxAttempts     = 5   // cookies of them in a browser, until it begins another one
	maxAttemptsNext = 512 // bytes of the page to come back to

	// maxTries bounds how often a session has its browser sent to the provider by itself.
	maxTries = 3
	// soon is within what time after the last token a page doesn't fetch another by itself.
	soon = 10 * time.Second
)

// pending is what the cookie of a log-in holds.
type pending struct {
	auth.Attempt

	Next  string    `json:"next"`
	Begun time.Time `json:"begun"`
	// Of the session that goes on with another token; zero: of none.
	Born time.Time `json:"born,omitzero"`
	Seen time.Time `json:"seen,omitzero"`
}

// attemptName is the name of the cookie of the log-in with the state.
func attemptName(state string) string { return attemptCookie + state[:min(len(state), 8)] }

// toProvider begins a log-in.
func (c *Console) toProvider(w http.ResponseWriter, r *http.Request) {
	c.begin(w, r, pending{})
}

// begin sends the browser to the provider. What comes of it is said by the form, if it
// can't.
func (c *Console) begin(w http.ResponseWriter, r *http.Request, a pending) {
	begun, to, err := c.opts.Provider.Begin(r.Context())
	if err != nil {
		c.notLoggedIn(w, r, err)
		return
	}
	a.Attempt, a.Begun, a.Next = begun, c.opts.Now(), next(r)
	if len(a.Next) > maxAttemptsNext {
		a.Next = "/calls"
	}
	name := attemptName(a.State)
	sealed := c.sessions.sealAs(name, a)
	if sealed == "" {
		c.notLoggedIn(w, r, errors.New("the log-in can't be sealed"))
		return
	}
	c.forgetAttempts(w, r)
	setCookieFor(w, r, name, sealed, attemptLasts)
	c.redirect(w, r, to)
}

// forgetAttempts removes the cookies of log-ins that came to nothing, once there are many:
// other sites can begin them.
func (c *Console) forgetAttempts(w http.ResponseWriter, r *http.Request) {
	var names []string
	for _, had := range r.Cookies() {
		if name := strings.TrimPrefix(had.Name, hostPrefix); strings.HasPrefix(name, attemptCookie) {
			names = append(names, name)
		}
	}
	if len(names) < maxAttempts {
		return
	}
	for _, name := range names {
		setCookie(w, r, name, "")
	}
}

// fromProvider ends a log-in by the provider's answer.
func (c *Console) fromProvider(w http.ResponseWriter, r *http.Request) {
	answer := r.URL.Query()
	name := attemptName(answer.Get("state"))
	var a pending
	if !c.sessions.openAs(name, cookie(r, name), &a) || c.opts.Now().Sub(a.Begun) > attemptLasts {
		c.notLoggedIn(w, r, &auth.LogInError{
			Code:  callmodel.CodeForbidden,
			Words: "This log-in was not begun in this browser and at this address, was used already, or was begun more than ten minutes ago. Log in again.",
		})
		return
	}
	setCookie(w, r, name, "") // it serves once
	r.Form = url.Values{"next": {a.Next}}
	got, err := c.opts.Provider.Finish(r.Context(), a.Attempt, answer)
	if err != nil {
		c.notLoggedIn(w, r, err)
		return
	}
	status, ok := c.takes(r, got.Token)
	if !ok {
		c.notLoggedIn(w, r, refusedByGate(status))
		return
	}
	now := c.opts.Now()
	one := &session{ID: rand.Text(), Token: got.Token, Born: now, Seen: now, Got: now, Until: got.Until, Hint: got.Hint}
	if !a.Born.IsZero() {
		one.Born, one.Seen = a.Born, a.Seen
	}
	sealed := c.sessions.seal(one)
	if len(sealed) > maxCookie {
		one.Hint = "" // the provider asks whom to log out, then
		sealed = c.sessions.seal(one)
	}
	if sealed == "" || len(sealed) > maxCookie {
		c.notLoggedIn(w, r, &auth.LogInError{
			Code:  callmodel.CodeForbidden,
			Words: c.opts.Provider.Host() + " gave a token that is too long for a browser to keep. The operator has it leave out claims that nothing needs, as the groups of other services.",
		})
		return
	}
	setCookie(w, r, sessionCookie, sealed)
	c.redirect(w, r, ownPage(a.Next))
}

// refusedByGate is a good token that the API doesn't take now, by the status.
func refusedByGate(status int) error {
	switch {
	case status == http.StatusTooManyRequests:
		return &auth.LogInError{Code: callmodel.CodeOverloaded, Words: "There were too many requests. Try again in a minute."}
	case status >= http.StatusInternalServerError:
		return &auth.LogInError{Code: callmodel.CodeUnavailable, Words: "Tokens can't be looked up right now. Try again in a moment."}
	}
	return &auth.LogInError{Code: callmodel.CodeForbidden, Words: "The API doesn't take the token any more. Log in again."}
}

// notLoggedIn shows the form, and why the log-in came to nothing.
func (c *Console) notLoggedIn(w http.ResponseWriter, r *http.Request, err error) {
	status, words := http.StatusInternalServerError, "Something went wrong on our side; it was logged."
	if why, ok := errors.AsType[*auth.LogInError](err); ok {
		status, words = problem.Status(why.Code), why.Words
	}
	if r.Context().Err() == nil {
		c.opts.Logger.WarnContext(r.Context(), "nobody was logged in by the provider", "provider", c.opts.Provider.Host(), "error", err)
	}
	c.loginNotice(w, r, status, words)
}

// renew sends the browser to the provider for another token, if its session's holds no
// more. It reports whether it has answered: the log-in then needs no form, as far as the
// provider knows the browser. What it gives must hold for some time, and it is asked few
// times for a session, so that nobody is sent to and fro.
func (c *Console) renew(w http.ResponseWriter, r *http.Request) bool {
	one, ok := c.sessions.open(cookie(r, sessionCookie))
	now := c.opts.Now()
	if !ok || c.opts.Provider == nil || !c.opts.LogIn || !one.lapsed(now) || one.Tries >= maxTries {
		return false
	}
	if now.Sub(one.Got) < soon {
		c.loginNotice(w, r, http.StatusOK, "The token that "+c.opts.Provider.Host()+" gave held for less than "+soon.String()+
			": the clocks may differ, or the operator has it give longer ones. Log in again.")
		return true
	}
	one.Tries++
	setCookie(w, r, sessionCookie, c.sessions.seal(one))
	c.begin(w, r, pending{Born: one.Born, Seen: one.Seen})
	return true
}

// loggedOut is the page that leads to the provider's log-out; false if it has none. It is a
// page, as no form may lead to another site by the pages' policy.
func (c *Console) loggedOut(w http.ResponseWriter, r *http.Request, hint string) bool {
	if c.opts.Provider == nil {
		return false
	}
	to := c.opts.Provider.EndSession(hint)
	if to == "" {
		return false
	}
	w.Header().Set("Refresh", "0; url="+to)
	if err := c.show(w, r, http.StatusOK, "loggedout", "Logged out", map[string]string{"To": to, "Provider": c.opts.Provider.Host()}); err != nil {
		w.Header().Del("Refresh")
		c.fail(w, r, err)
	}
	return true
}
