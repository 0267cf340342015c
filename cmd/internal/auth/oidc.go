package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/switchtape/switchtape/callmodel"
)

// OIDCOptions say whose JWTs are taken, and what they may do.
type OIDCOptions struct {
	Issuer   string // its URL, as in the tokens' iss; https, or http on loopback
	Audience string // one of the tokens' aud
	// Algorithms are those of the signatures. Nil means RS256 and ES256. Those with
	// shared secrets, and none, are refused.
	Algorithms []string
	// TenantClaim names the claim that holds the tenant; claims in claims are named with
	// dots. "" means "tenant".
	TenantClaim string
	// Tenant is whose every token is; "": TenantClaim says.
	Tenant callmodel.TenantID
	// GrantClaims name the claims that say what a token may do: a list, or a text with
	// spaces between. Nil means "scope".
	GrantClaims []string
	// Grants are what a value of such a claim grants, scopes and roles, by the value. A
	// value that isn't in it grants the scope or the role of its name, if there is one.
	Grants map[string][]string
	// Stale is for how long the issuer's keys are taken while it doesn't answer. 0 means 24 h.
	Stale time.Duration
	// RefreshEvery is how often its keys are fetched though nothing needs it: one that it
	// has withdrawn is good for so long. 0 means 5 min.
	RefreshEvery time.Duration
	// FetchGap is how long the issuer is left alone between two fetches, whatever tokens
	// come. 0 means 1 s.
	FetchGap time.Duration
	// Transport asks the issuer. Nil means http.DefaultTransport.
	Transport http.RoundTripper
	// Now is the clock that tokens are held against. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

const (
	maxToken = 16 << 10 // bytes
	// maxAhead is how far ahead of this machine's clock the issuer's may be.
	maxAhead = time.Minute
)

// OIDC takes the JWTs of an OpenID Connect issuer. It implements Tokens.
type OIDC struct {
	opts     OIDCOptions
	keys     *issuerKeys
	verifier *oidc.IDTokenVerifier
}

// asymmetric are the algorithms whose keys can be published.
func asymmetric() []string {
	return []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512,
		oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA,
	}
}

// NewOIDC checks the options. It asks nobody: Run fetches the issuer's keys. The error
// is FieldErrors.
func NewOIDC(o OIDCOptions) (*OIDC, error) {
	o.TenantClaim = cmp.Or(o.TenantClaim, "tenant")
	o.Stale, o.RefreshEvery, o.FetchGap = cmp.Or(o.Stale, 24*time.Hour), cmp.Or(o.RefreshEvery, 5*time.Minute), cmp.Or(o.FetchGap, time.Second)
	if len(o.Algorithms) == 0 {
		o.Algorithms = []string{oidc.RS256, oidc.ES256}
	}
	if len(o.GrantClaims) == 0 {
		o.GrantClaims = []string{"scope"}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	k := newIssuerKeys(&o)
	return &OIDC{opts: o, keys: k, verifier: oidc.NewVerifier(o.Issuer, k, &oidc.Config{
		ClientID: o.Audience, SupportedSigningAlgs: o.Algorithms, Now: o.Now,
	})}, nil
}

func (o *OIDCOptions) check() error {
	var faults callmodel.FieldErrors
	if err := checkIssuerURL(o.Issuer); err != nil {
		faults.Add("issuer", "%v", err)
	}
	if o.Audience == "" {
		faults.Add("audience", "is missing: without it tokens that were issued for others would be taken")
	}
	for i, a := range o.Algorithms {
		if !slices.Contains(asymmetric(), a) {
			faults.Add(fmt.Sprintf("algorithms[%d]", i), "%q is not one of %s", a, strings.Join(asymmetric(), ", "))
		}
	}
	if o.Tenant != "" && !callmodel.ValidID(string(o.Tenant)) {
		faults.Add("tenant", "is not a valid id")
	}
	for value, grants := range o.Grants {
		if _, err := callmodel.ParseGrants(grants); err != nil {
			faults.AddAll("grants."+value, err)
		}
	}
	return faults.Err()
}

// checkIssuerURL refuses addresses that others can answer at.
func checkIssuerURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		return errors.New("is not a URL like https://login.example.com")
	case u.Scheme != "https" && (u.Scheme != "http" || !Loopback(u.Hostname())):
		return errors.New("must be https: whoever stands in between would make the keys")
	}
	return nil
}

// Run follows the issuer's keys until ctx ends.
func (o *OIDC) Run(ctx context.Context) error {
	o.keys.fetches.run(ctx)
	return nil
}

// Takes reports whether token looks like a JWT (RFC 7519 section 3: three parts, the
// first a JSON object in base64url).
func (o *OIDC) Takes(token string) bool {
	return strings.HasPrefix(token, "ey") && strings.Count(token, ".") == 2
}

// Find is whom the token is of, if it is one of the issuer's for this audience and holds
// now.
func (o *OIDC) Find(ctx context.Context, token string) (callmodel.Principal, Found) {
	p, _, found := o.look(ctx, token)
	return p, found
}

// look is Find, with the time until which the token holds.
func (o *OIDC) look(ctx context.Context, token string) (p callmodel.Principal, until time.Time, found Found) {
	if len(token) > maxToken {
		return p, until, Unknown
	}
	var n note
	t, err := o.verifier.Verify(context.WithValue(ctx, noteKey{}, &n), token)
	if err != nil {
		if n.unsure || o.keys.unsure() {
			return p, until, Unsure
		}
		o.opts.Logger.DebugContext(ctx, "a token is refused", "why", why(err))
		return p, until, Unknown
	}
	var raw json.RawMessage
	var claims map[string]any
	if err := t.Claims(&raw); err != nil || json.Unmarshal(raw, &claims) != nil {
		return p, until, Unknown
	}
	// The library takes tokens five minutes before they hold.
	if from, ok := claims["nbf"].(float64); ok && o.opts.Now().Add(maxAhead).Before(time.Unix(int64(from), 0)) {
		return p, until, Unknown
	}
	tenant := o.tenant(claims)
	if t.Subject == "" || !callmodel.ValidID(string(tenant)) {
		return p, until, Unknown
	}
	return callmodel.Principal{TenantID: tenant, Subject: "oidc:" + t.Subject, Scopes: o.scopes(claims)}, t.Expiry, Known
}

// tenant is whose a token with the claims is.
func (o *OIDC) tenant(claims map[string]any) callmodel.TenantID {
	if o.opts.Tenant != "" {
		return o.opts.Tenant
	}
	tenant, _ := claim(claims, o.opts.TenantClaim).(string)
	return callmodel.TenantID(tenant)
}

// why is the kind of fault, without what the token holds.
func why(err error) string {
	if _, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return "expired"
	}
	return "not the issuer's, or not for this audience"
}

// claim is the claim of that name; of names with dots the one within.
func claim(claims map[string]any, name string) any {
	if v, ok := claims[name]; ok { // as the names of some issuers' own claims are URLs
		return v
	}
	var v any = claims
	for part := range strings.SplitSeq(name, ".") {
		within, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = within[part]
	}
	return v
}

// scopes are what the claims grant.
func (o *OIDC) scopes(claims map[string]any) []callmodel.Scope {
	var grants []string
	for _, name := range o.opts.GrantClaims {
		var values []string
		switch v := claim(claims, name).(type) {
		case string:
			values = strings.Fields(v)
		case []any:
			for _, one := range v {
				if text, ok := one.(string); ok {
					values = append(values, text)
				}
			}
		}
		for _, value := range values {
			if mapped, ok := o.opts.Grants[value]; ok {
				grants = append(grants, mapped...)
			} else {
				grants = append(grants, value)
			}
		}
	}
	scopes, _ := callmodel.ParseGrants(grants) // what isn't ours grants nothing
	return scopes
}
