package service

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/storage/calldb"
)

// AuthOptions say who may use the API.
type AuthOptions struct {
	Keys       string        `help:"File of API keys, beside those of the database (see switchtape keys); without one, without --db-keys and without --oidc-issuer the server must listen on loopback and trusts this machine's user." type:"path" placeholder:"FILE"`
	DBKeys     bool          `help:"Take the API keys of the database, though there is no file of them." name:"db-keys"`
	DBKeysAway time.Duration `help:"For how long keys of the database go on working that were known when it went away. Emergency calls are taken after that, too." name:"db-keys-away" default:"24h"`
	KeyRate    float64       `help:"Requests a second that each key may make, and as many at once; emergency calls are no part of it. 0: any number." default:"0"`
}

// Guarded reports whether requests need credentials.
func (o *AuthOptions) Guarded() bool { return o.Keys != "" || o.DBKeys }

// guard puts the authentication around h: a gate, or, without keys and on loopback only,
// this machine's user as the default tenant's operator. The gate is nil then.
func (o *AuthOptions) guard(h http.Handler, g auth.GateOptions, book *auth.Book, addr net.Addr) (http.Handler, *auth.Gate, error) {
	if !o.Guarded() {
		if err := onLoopback(addr); err != nil {
			return nil, nil, err
		}
		return auth.Local(callmodel.Principal{TenantID: DefaultTenant, Subject: "local", Scopes: callmodel.RoleScopes(callmodel.RoleOperator)}, h), nil, nil
	}
	var err error
	if o.Keys != "" {
		if g.File, err = auth.OpenRing(o.Keys); err != nil {
			return nil, nil, err
		}
	}
	g.Book, g.KeyRate, g.PlatformTenant = book, o.KeyRate, DefaultTenant
	gate := auth.NewGate(g)
	return gate.Require(h), gate, nil
}

// bookWait is how long a start waits for the API keys. They are asked for again later.
const bookWait = 500 * time.Millisecond

// book opens the API keys of the database. A snapshot of the rules has one of the keys
// beside it, as rules without keys route nobody's calls.
func (o *AuthOptions) book(ctx context.Context, db *calldb.DB, rulesSnapshot string, log *slog.Logger) (*auth.Book, error) {
	b := &auth.BookOptions{Stale: o.DBKeysAway, Logger: log}
	if rulesSnapshot != "" {
		b.Snapshot = filepath.Join(rulesSnapshot, "api-keys.json")
	}
	book := auth.NewBook(db, b)
	soon, cancel := context.WithTimeout(ctx, bookWait)
	defer cancel()
	return book, book.Open(soon)
}

// gateMetrics show what comes with wrong credentials, and what is refused.
func gateMetrics(m *ops.Metrics, gate *auth.Gate) {
	m.Gauge("switchtape_wrong_keys", "Requests that came with an API key that is none, since the start.",
		func() float64 { return float64(gate.Wrong()) })
	m.Gauge("switchtape_limited_addresses", "Addresses that sent so many wrong keys that more are answered 429.",
		func() float64 { return float64(gate.Limited()) })
}
