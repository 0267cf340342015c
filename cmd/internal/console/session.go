package console

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// The cookies. Those with the prefix are only taken by browsers from https, for the whole
// host and with no domain (RFC 6265bis section 4.1.3.2), so that no neighbour can set them.
const (
	sessionCookie = "switchtape_session"
	flashCookie   = "switchtape_flash"
	hostPrefix    = "__Host-"
)

// maxCookie bounds a sealed session: browsers keep cookies of 4,096 bytes with their names.
const maxCookie = 3800

// session is what the cookie holds.
type session struct {
	ID    string    `json:"id"`
	Token string    `json:"token"` // the credential of the API
	Born  time.Time `json:"born"`
	Seen  time.Time `json:"seen"`

	// Of a session by the provider alone.
	Got   time.Time `json:"got,omitzero"`   // when it gave the token
	Until time.Time `json:"until,omitzero"` // the token holds until then
	Hint  string    `json:"hint,omitzero"`  // whom it is to log out
	Tries int       `json:"tries,omitzero"` // how often the browser was sent for another token
}

// lapsed reports whether the session goes on and its token doesn't: the provider may give
// another one.
func (s *session) lapsed(now time.Time) bool { return !s.Until.IsZero() && !now.Before(s.Until) }

// sessions seal and open them.
type sessions struct {
	aead          cipher.AEAD
	idle, longest time.Duration
	now           func() time.Time

	mu    sync.Mutex
	ended map[string]time.Time // by the id, when it may be forgotten
}

// newSessions makes the sessions that are sealed by the secret.
func newSessions(secret string, idle, longest time.Duration, now func() time.Time) *sessions {
	if secret == "" {
		secret = rand.Text()
	}
	s := &sessions{idle: idle, longest: longest, now: now, ended: map[string]time.Time{}}
	// A key of 32 bytes, from SHA-256: neither HKDF nor AES refuses that, nor GCM its cipher.
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "switchtape console sessions", sha256.Size)
	if err == nil {
		var block cipher.Block
		if block, err = aes.NewCipher(key); err == nil {
			s.aead, err = cipher.NewGCMWithRandomNonce(block)
		}
	}
	if err != nil {
		s.aead = nil // no session is made or taken
	}
	return s
}

// seal is the cookie's value. It is "" where there can be none.
func (s *sessions) seal(one *session) string { return s.sealAs(sessionCookie, one) }

// sealAs is a value for the cookie of that name. It is "" where there can be none.
func (s *sessions) sealAs(name string, v any) string {
	raw, err := json.Marshal(v)
	if err != nil || s.aead == nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, raw, []byte(name))) //nolint:gosec // the cipher makes its nonces
}

// openAs reads a value that was sealed for the cookie of that name into v.
func (s *sessions) openAs(name, value string, v any) bool {
	sealed, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || s.aead == nil {
		return false
	}
	raw, err := s.aead.Open(nil, nil, sealed, []byte(name))
	return err == nil && json.Unmarshal(raw, v) == nil
}

// open is the session of the cookie's value, if it is one and goes on.
func (s *sessions) open(value string) (*session, bool) {
	var one session
	if !s.openAs(sessionCookie, value, &one) {
		return nil, false
	}
	now := s.now()
	s.mu.Lock()
	_, ended := s.ended[one.ID]
	s.mu.Unlock()
	return &one, !ended && now.Sub(one.Seen) < s.idle && now.Sub(one.Born) < s.longest
}

// end has the session's cookie taken no more, by this process.
func (s *sessions) end(one *session) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, until := range s.ended {
		if now.After(until) {
			delete(s.ended, id)
		}
	}
	s.ended[one.ID] = one.Born.Add(s.longest)
}

// plain reports whether the browser came to this machine without TLS: there it keeps no
// cookies that are for https alone.
func plain(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return r.TLS == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// setCookie sets a cookie that no script sees and no other site's form sends. value ""
// removes it.
func setCookie(w http.ResponseWriter, r *http.Request, name, value string) {
	setCookieFor(w, r, name, value, 0)
}

// setCookieFor is setCookie for that long; 0: until the browser is closed.
func setCookieFor(w http.ResponseWriter, r *http.Request, name, value string, lasts time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: int(lasts.Seconds()), HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: !plain(r)} //nolint:gosec // a browser keeps no secure cookie of this machine without TLS
	if c.Secure {
		c.Name = hostPrefix + name
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// cookie is the value of one; "" if there is none.
func cookie(r *http.Request, name string) string {
	if !plain(r) {
		name = hostPrefix + name
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// withSession serves the pages as whom the session says. An Authorization header of the
// browser's is not for the console.
func (c *Console) withSession(w http.ResponseWriter, r *http.Request) {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if one, ok := c.sessions.open(cookie(r, sessionCookie)); ok && c.opts.LogIn {
		now := c.opts.Now()
		if !one.lapsed(now) { // it would be counted as a wrong key
			r.Header.Set("Authorization", "Bearer "+one.Token)
		}
		// A page that shows itself again with a new token is not somebody at work.
		if now.Sub(one.Seen) > c.opts.Idle/30 && !isLive(r) && now.Sub(one.Got) > soon {
			one.Seen = now
			setCookie(w, r, sessionCookie, c.sessions.seal(one))
		}
	}
	c.inside.ServeHTTP(w, r)
}

// showLogin shows the form, or fetches another token for a session whose own holds no more.
func (c *Console) showLogin(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.FormValue("undone") != "":
		c.loginNotice(w, r, http.StatusOK, "Your session has ended, and nothing was done. Log in, and do it again.")
	case !c.renew(w, r):
		c.loginForm(w, r, http.StatusOK, "")
	}
}

// login is what the form shows.
type login struct {
	Next     string
	Why      string // the last key failed
	Notice   string // something else did
	Provider string // its name; "": there is none to log in at
	Idle     time.Duration
}

func (c *Console) loginForm(w http.ResponseWriter, r *http.Request, status int, why string) {
	c.showForm(w, r, status, login{Next: next(r), Why: why})
}

// loginNotice is the form with what is to be said first.
func (c *Console) loginNotice(w http.ResponseWriter, r *http.Request, status int, notice string) {
	c.showForm(w, r, status, login{Next: next(r), Notice: notice})
}

func (c *Console) showForm(w http.ResponseWriter, r *http.Request, status int, form login) {
	if !c.opts.LogIn {
		c.redirect(w, r, "/calls")
		return
	}
	form.Idle = c.opts.Idle
	if c.opts.Provider != nil {
		form.Provider = c.opts.Provider.Host()
	}
	if err := c.show(w, r, status, "login", "Log in", form); err != nil {
		c.fail(w, r, err)
	}
}

// next is the page that the log-in leads back to: one of this console.
func next(r *http.Request) string { return ownPage(r.FormValue("next")) }

// ownPage is the page of this console that the address names; that of calls if it names
// another site, or none.
func ownPage(to string) string {
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return "/calls"
	}
	return to
}

// maxForm bounds small forms, in bytes.
const maxForm = 64 << 10

// logIn makes a session of a key that the API takes.
func (c *Console) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	token := strings.TrimSpace(r.PostFormValue("key"))
	if !c.opts.LogIn || token == "" {
		c.loginForm(w, r, http.StatusUnprocessableEntity, "Enter a key.")
		return
	}
	status, ok := c.takes(r, token)
	switch {
	case status == http.StatusTooManyRequests:
		c.loginForm(w, r, status, "There were too many wrong keys from your address. Try again in a minute.")
		return
	case status >= http.StatusInternalServerError:
		c.loginForm(w, r, status, "Keys can't be looked up right now. Try again in a moment.")
		return
	case !ok:
		c.loginForm(w, r, http.StatusUnauthorized, "This key is not known, has expired or was revoked.")
		return
	}
	now := c.opts.Now()
	sealed := c.sessions.seal(&session{ID: rand.Text(), Token: token, Born: now, Seen: now})
	if sealed == "" || len(sealed) > maxCookie {
		c.loginForm(w, r, http.StatusUnprocessableEntity, "This key is too long for a browser to keep. Use one of the service's own.")
		return
	}
	setCookie(w, r, sessionCookie, sealed)
	c.redirect(w, r, next(r))
}

// takes reports whether the authentication knows the credential, and what it says if not.
func (c *Console) takes(r *http.Request, token string) (status int, ok bool) {
	probe := r.Clone(r.Context())
	probe.Method, probe.Body = http.MethodGet, http.NoBody
	probe.Header.Set("Authorization", "Bearer "+token)
	var got recorder
	c.opts.Guard(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, ok = callmodel.PrincipalFrom(r.Context())
	})).ServeHTTP(&got, probe)
	return got.status, ok
}

// logOut ends the session, and leads to the provider, which has one, too.
func (c *Console) logOut(w http.ResponseWriter, r *http.Request) {
	one, ok := c.sessions.open(cookie(r, sessionCookie))
	if ok {
		c.sessions.end(one)
	}
	setCookie(w, r, sessionCookie, "")
	if ok && !one.Until.IsZero() && c.loggedOut(w, r, one.Hint) {
		return
	}
	c.redirect(w, r, "/login")
}

// setFlash has the next page say what an action came to.
func setFlash(w http.ResponseWriter, r *http.Request, text string) {
	setCookie(w, r, flashCookie, base64.RawURLEncoding.EncodeToString([]byte(text)))
}

// flash is what the next page is to say, once.
func flash(w http.ResponseWriter, r *http.Request) string {
	value := cookie(r, flashCookie)
	if value == "" {
		return ""
	}
	setCookie(w, r, flashCookie, "")
	text, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return ""
	}
	return string(text)
}
