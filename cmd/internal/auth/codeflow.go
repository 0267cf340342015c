package auth

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/switchtape/switchtape/callmodel"
)

// CodeFlowOptions say as what the service is known to the issuer, as its client.
type CodeFlowOptions struct {
	Client string // its client_id
	Secret string // "": the client is a public one
	// Scopes are asked for. Nil means openid, which has to be one of them.
	Scopes []string
	// Redirect is where the issuer sends people with its answer, and LoggedOut where it
	// sends them once they are logged out. The issuer has to know both addresses.
	Redirect, LoggedOut string
}

// CodeFlow has people log in at the issuer, by its pages: the authorization code flow (RFC
// 6749 section 4.1, OpenID Connect Core 1.0 section 3.1) with PKCE (RFC 7636) and what RFC
// 9700 section 2.1 asks of it. It keeps nothing of a log-in: see [Attempt].
type CodeFlow struct {
	opts     CodeFlowOptions
	tokens   *OIDC
	verifier *oidc.IDTokenVerifier
}

// Attempt is a log-in that was begun. Whoever begins it keeps it for the browser alone that
// it was begun in, and gives it back once.
type Attempt struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
}

// LogIn is what the issuer gave somebody.
type LogIn struct {
	Token string    // the API takes it
	Until time.Time // and for so long
	// Hint tells the issuer whom to log out. It is "" where the token to hint with is one
	// that the API takes: such a one belongs in no address.
	Hint string
}

// LogInError is a log-in that came to nothing. Its Words are for who tried, and are
// safe to show as text; the error has more, for the log.
type LogInError struct {
	Code  callmodel.Code
	Words string
	Err   error // nil if there is no more to say
}

func (e *LogInError) Error() string {
	if e.Err == nil {
		return e.Words
	}
	return e.Words + ": " + e.Err.Error()
}

func (e *LogInError) Unwrap() error { return e.Err }

// NewCodeFlow has people log in at the issuer of the tokens, which Run of those asks where.
// The error is FieldErrors.
func NewCodeFlow(tokens *OIDC, o CodeFlowOptions) (*CodeFlow, error) {
	if len(o.Scopes) == 0 {
		o.Scopes = []string{oidc.ScopeOpenID}
	}
	var faults callmodel.FieldErrors
	if o.Client == "" {
		faults.Add("client", "is missing")
	}
	if !slices.Contains(o.Scopes, oidc.ScopeOpenID) {
		faults.Add("scopes", "lack openid, without which the issuer doesn't say who somebody is")
	}
	if err := checkIssuerURL(o.Redirect); err != nil {
		faults.Add("redirect", "%v", err)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return &CodeFlow{opts: o, tokens: tokens, verifier: oidc.NewVerifier(tokens.opts.Issuer, tokens.keys, &oidc.Config{
		ClientID: o.Client, SupportedSigningAlgs: tokens.opts.Algorithms, Now: tokens.opts.Now,
	})}, nil
}

// Host is the name that people know the issuer by.
func (f *CodeFlow) Host() string {
	u, err := url.Parse(f.tokens.opts.Issuer)
	if err != nil {
		return f.tokens.opts.Issuer
	}
	return u.Host
}

// freshIssuer is how long ago the issuer may have answered last before a browser is sent
// there: it would be left with an error of its own, and no form.
const freshIssuer = 10 * time.Second

// logInTimeout is for how long somebody waits for the issuer, with a fetch of its keys.
const logInTimeout = 15 * time.Second

// Begin is a log-in, and the address at the issuer to send the browser to. The error is a
// *LogInError.
func (f *CodeFlow) Begin(ctx context.Context) (Attempt, string, error) {
	ctx, cancel := context.WithTimeout(ctx, logInTimeout)
	defer cancel()
	e, err := f.endpoints(ctx, freshIssuer)
	if err != nil {
		return Attempt{}, "", err
	}
	a := Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return a, f.config(e).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), nil
}

func (f *CodeFlow) endpoints(ctx context.Context, fresh time.Duration) (*endpoints, error) {
	e, err := f.tokens.keys.endpoints(ctx, fresh)
	if err != nil {
		return nil, f.away(err)
	}
	if e.err != nil {
		return nil, &LogInError{callmodel.CodeUnavailable, f.Host() + " doesn't say where people log in. Log in with a key; the log says more.", e.err}
	}
	return e, nil
}

// away is the issuer that can't be asked.
func (f *CodeFlow) away(err error) error {
	return &LogInError{callmodel.CodeUnavailable, f.Host() + " can't be reached right now. Log in with a key, or try again in a moment.", err}
}

func (f *CodeFlow) config(e *endpoints) *oauth2.Config {
	endpoint := e.Endpoint
	if f.opts.Secret == "" {
		endpoint.AuthStyle = oauth2.AuthStyleInParams // a public client gives its name alone (RFC 6749 section 3.2.1)
	}
	return &oauth2.Config{ClientID: f.opts.Client, ClientSecret: f.opts.Secret, Endpoint: endpoint, RedirectURL: f.opts.Redirect, Scopes: f.opts.Scopes}
}

// Finish ends the log-in by the issuer's answer, which is the query of the address that it
// sent the browser to. The error is a *LogInError.
func (f *CodeFlow) Finish(ctx context.Context, a Attempt, answer url.Values) (*LogIn, error) {
	ctx, cancel := context.WithTimeout(ctx, logInTimeout)
	defer cancel()
	if a.State == "" || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.State)) != 1 {
		return nil, &LogInError{callmodel.CodeForbidden, "This answer belongs to another log-in. Log in again.", nil}
	}
	e, err := f.endpoints(ctx, f.tokens.opts.Stale)
	if err != nil {
		return nil, err
	}
	// An answer of another issuer would have this one's codes sent there (RFC 9207 section 2.4).
	if iss := answer["iss"]; len(iss) > 1 || len(iss) == 1 && iss[0] != f.tokens.opts.Issuer || len(iss) == 0 && e.saysIssuer {
		return nil, &LogInError{callmodel.CodeForbidden, "This answer is not that of " + f.Host() + ". Log in again.", fmt.Errorf("iss is %q", iss)}
	}
	if code := answer.Get("error"); code != "" {
		return nil, f.refused(code, answer.Get("error_description"))
	}
	if answer.Get("code") == "" {
		return nil, &LogInError{callmodel.CodeMalformed, f.Host() + " answered with nothing to log in by. Log in again.", nil}
	}
	got, err := f.config(e).Exchange(oidc.ClientContext(ctx, f.tokens.keys.client), answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return nil, f.unchanged(err)
	}
	id, err := f.identity(ctx, got, a.Nonce)
	if err != nil {
		return nil, err
	}
	return f.pick(ctx, got.AccessToken, id)
}

// refused is an error that the issuer answers with (RFC 6749 section 4.1.2.1).
func (f *CodeFlow) refused(code, description string) error {
	words := f.Host() + " didn't log you in: " + quoted(code)
	if description != "" {
		words += ", " + quoted(description)
	}
	status := callmodel.CodeForbidden
	if code == "server_error" || code == "temporarily_unavailable" {
		status = callmodel.CodeUnavailable
	}
	return &LogInError{status, words + ".", nil}
}

// unchanged is a code that the issuer gave no tokens for.
func (f *CodeFlow) unchanged(err error) error {
	refused, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		f.tokens.keys.forget.Store(true) // where it takes codes may be elsewhere now
		return f.away(err)
	}
	// What it answered may hold anything; the log gets what has a form.
	why := fmt.Errorf("the token endpoint answers %s, %s %s", refused.Response.Status, quoted(refused.ErrorCode), quoted(refused.ErrorDescription))
	switch refused.ErrorCode {
	case "invalid_grant":
		return &LogInError{callmodel.CodeForbidden, "This log-in was used already, or took too long. Log in again.", why}
	case "invalid_client", "unauthorized_client":
		return &LogInError{callmodel.CodeForbidden, f.Host() + " doesn't take this service as its client. The operator checks --oidc-client and --oidc-client-secret.", why}
	case "":
		f.tokens.keys.forget.Store(true)
		return f.away(why)
	}
	return &LogInError{callmodel.CodeForbidden, f.Host() + " gave no token: " + quoted(refused.ErrorCode) + ". The log says more.", why}
}

// identity is the ID token, once it is what OpenID Connect Core 1.0 section 3.1.3.7 asks for.
func (f *CodeFlow) identity(ctx context.Context, got *oauth2.Token, nonce string) (string, error) {
	raw, _ := got.Extra("id_token").(string)
	if raw == "" || len(raw) > maxToken {
		return "", &LogInError{callmodel.CodeForbidden, f.Host() + " didn't say who you are. The operator checks that it gives ID tokens.", fmt.Errorf("the ID token has %d bytes", len(raw))}
	}
	var n note
	id, err := f.verifier.Verify(context.WithValue(ctx, noteKey{}, &n), raw)
	if err != nil && (n.unsure || f.tokens.keys.unsure()) {
		return "", f.away(err)
	}
	wrong := func(why error) error {
		return &LogInError{callmodel.CodeForbidden, "What " + f.Host() + " says of who you are doesn't hold. Log in again.", why}
	}
	if err != nil {
		return "", wrong(errors.New("the ID token " + f.tokens.objection(raw, f.opts.Client, "--oidc-client")))
	}
	var claims struct {
		Party string `json:"azp"`
	}
	err = id.Claims(&claims)
	switch {
	case err != nil:
		return "", wrong(err)
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1:
		return "", wrong(errors.New("the ID token has another log-in's nonce"))
	case cmp.Or(claims.Party, f.opts.Client) != f.opts.Client, len(id.Audience) > 1 && claims.Party == "":
		return "", wrong(fmt.Errorf("the ID token was made for the client %s (azp), with the audiences %s", quoted(claims.Party), quoted(strings.Join(id.Audience, " "))))
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(got.AccessToken); err != nil {
			return "", wrong(fmt.Errorf("the ID token and the access token don't belong together: %w", err))
		}
	}
	return raw, nil
}

// pick is the access token if the API takes it, else the ID token.
func (f *CodeFlow) pick(ctx context.Context, access, id string) (*LogIn, error) {
	// One that can't be a token of the issuer's isn't tried: the gate would count a wrong key.
	accessUntil, accessFound := time.Time{}, Unknown
	if f.tokens.Takes(access) {
		_, accessUntil, accessFound = f.tokens.look(ctx, access)
	}
	_, idUntil, idFound := f.tokens.look(ctx, id)
	switch {
	case accessFound == Known && idFound == Known:
		return &LogIn{Token: access, Until: accessUntil}, nil
	case accessFound == Known:
		return &LogIn{Token: access, Until: accessUntil, Hint: id}, nil
	case accessFound == Unsure || idFound == Unsure:
		return nil, f.away(errors.New("its keys are too old"))
	case idFound == Known:
		return &LogIn{Token: id, Until: idUntil}, nil
	}
	why := "the access token " + f.tokens.objection(access, f.tokens.opts.Audience, "--oidc-audience") +
		"; the ID token " + f.tokens.objection(id, f.tokens.opts.Audience, "--oidc-audience")
	return nil, &LogInError{callmodel.CodeForbidden, "You are logged in at " + f.Host() + ", but the API takes neither token that it gives you: " + why +
		". The operator has the provider change one of them, or those settings.", nil}
}

// EndSession is the address at the issuer that logs somebody out there (OpenID Connect
// RP-Initiated Logout 1.0 section 2). It is "" where the issuer has none that is known.
func (f *CodeFlow) EndSession(hint string) string {
	e, _, _ := f.tokens.keys.known()
	if e == nil || e.endSession == "" {
		return ""
	}
	u, err := url.Parse(e.endSession)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", f.opts.Client)
	if f.opts.LoggedOut != "" {
		q.Set("post_logout_redirect_uri", f.opts.LoggedOut)
	}
	if hint != "" {
		q.Set("id_token_hint", hint)
	}
	u.RawQuery = q.Encode()
	return u.String()
}
