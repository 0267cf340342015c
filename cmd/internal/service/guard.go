package service

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/storage/calldb"
)

// AuthOptions say who may use the API.
type AuthOptions struct {
	Keys       string        `help:"File of API keys, beside those of the database (see switchtape keys); without one, without --db-keys and without --oidc-issuer the server must listen on loopback and trusts this machine's user." type:"path" placeholder:"FILE"`
	DBKeys     bool          `help:"Take the API keys of the database, though there is no file of them." name:"db-keys"`
	DBKeysAway time.Duration `help:"For how long keys of the database go on working that were known when it went away. Emergency calls are taken after that, too." name:"db-keys-away" default:"24h"`
	KeyRate    float64       `help:"Requests a second that each key may make, and as many at once; emergency calls are no part of it. 0: any number." default:"0"`

	OIDCIssuer      string   `help:"Take JWTs of this OpenID Connect issuer: its URL, as in their iss." name:"oidc-issuer" placeholder:"URL"`
	OIDCAudience    string   `help:"What must be in their aud." name:"oidc-audience" placeholder:"NAME"`
	OIDCAlgorithms  []string `help:"Algorithms that they are signed by." name:"oidc-algorithms" default:"RS256,ES256" placeholder:"ALG"`
	OIDCTenantClaim string   `help:"Claim that holds the tenant; with dots for one within others." name:"oidc-tenant-claim" default:"tenant" placeholder:"CLAIM"`
	OIDCTenant      string   `help:"Tenant of every token. Default: the claim says." name:"oidc-tenant" placeholder:"TENANT"`
	OIDCGrantClaims []string `help:"Claims that hold scopes and roles, as lists or with spaces between." name:"oidc-grant-claims" default:"scope" placeholder:"CLAIM"`
	OIDCGrant       []string `help:"What a value of such a claim grants: VALUE=GRANT+GRANT, as admins=operator; may be repeated. Default: the scope or role of its name." name:"oidc-grant" sep:"none" placeholder:"V=G"`

	OIDCClient       string     `help:"As what client of the issuer people log in to the web pages by its own: its client id. It needs --console-url. Default: they log in by keys and tokens alone." name:"oidc-client" placeholder:"ID"`
	OIDCClientSecret cli.Secret `help:"Secret of that client; none for a public one. In a file, or in the environment." name:"oidc-client-secret" placeholder:"@FILE"`
	OIDCLoginScopes  []string   `help:"Scopes that such a log-in asks for." name:"oidc-login-scopes" default:"openid" placeholder:"SCOPE"`
}

// Guarded reports whether requests need credentials.
func (o *AuthOptions) Guarded() bool { return o.Keys != "" || o.DBKeys || o.OIDCIssuer != "" }

// guard is the authentication to put around handlers: a gate, or, without keys and on
// loopback only, this machine's user as the default tenant's operator. The gate is nil then.
// tokens are nil where those of no issuer are taken.
func (o *AuthOptions) guard(g auth.GateOptions, book *auth.Book, addr net.Addr) (around func(http.Handler) http.Handler, gate *auth.Gate, tokens *auth.OIDC, err error) {
	if !o.Guarded() {
		if err := onLoopback(addr); err != nil {
			return nil, nil, nil, err
		}
		local := callmodel.Principal{TenantID: DefaultTenant, Subject: "local", Scopes: append(callmodel.Scopes(), callmodel.ScopeTenantsEvery)}
		return func(h http.Handler) http.Handler { return auth.Local(local, h) }, nil, nil, nil
	}
	if o.Keys != "" {
		if g.File, err = auth.OpenRing(o.Keys); err != nil {
			return nil, nil, nil, err
		}
	}
	if o.OIDCIssuer != "" {
		if tokens, err = o.tokens(g.Logger); err != nil {
			return nil, nil, nil, err
		}
		g.Tokens = tokens
	}
	g.Book, g.KeyRate, g.PlatformTenant = book, o.KeyRate, DefaultTenant
	gate = auth.NewGate(g)
	return gate.Require, gate, tokens, nil
}

// tokens takes the issuer's JWTs.
func (o *AuthOptions) tokens(log *slog.Logger) (*auth.OIDC, error) {
	grants := map[string][]string{}
	for _, s := range o.OIDCGrant {
		value, list, ok := strings.Cut(s, "=")
		if !ok || value == "" {
			return nil, callmodel.Errorf(callmodel.CodeInvalid, "--oidc-grant: %q is not VALUE=GRANT", s)
		}
		grants[value] = append(grants[value], strings.Split(list, "+")...)
	}
	tokens, err := auth.NewOIDC(auth.OIDCOptions{
		Issuer: o.OIDCIssuer, Audience: o.OIDCAudience, Algorithms: o.OIDCAlgorithms, TenantClaim: o.OIDCTenantClaim,
		Tenant: callmodel.TenantID(o.OIDCTenant), GrantClaims: o.OIDCGrantClaims, Grants: grants, Stale: o.DBKeysAway, Now: clock.Now, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("--oidc-…: %w", err)
	}
	return tokens, nil
}

// bookWait is how long a start waits for the API keys. They are asked for again later.
const bookWait = 500 * time.Millisecond

// book opens the API keys of the database. A snapshot of the rules has one of the keys
// beside it, as rules without keys route nobody's calls.
func (o *AuthOptions) book(ctx context.Context, db *calldb.DB, rulesSnapshot string, log *slog.Logger) *auth.Book {
	b := &auth.BookOptions{Stale: o.DBKeysAway, Now: clock.Now, Logger: log}
	if rulesSnapshot != "" {
		b.Snapshot = filepath.Join(rulesSnapshot, "api-keys.json")
	}
	book := auth.NewBook(db, b)
	soon, cancel := context.WithTimeout(ctx, bookWait)
	defer cancel()
	book.Open(soon)
	return book
}

// gateMetrics show what comes with wrong credentials, and what is refused.
func gateMetrics(m *ops.Metrics, gate *auth.Gate) {
	m.Refusals(auth.Reasons()...)
	m.CounterOf("switchtape_wrong_keys_total", nil, func() float64 { return float64(gate.Wrong()) })
	m.Gauge("switchtape_limited_addresses", func() float64 { return float64(gate.Limited()) })
}
