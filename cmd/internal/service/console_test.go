package service_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// TestLogInAtTheIssuerIsWhole: settings of a log-in at the issuer that can't work, or that
// others could read, are refused before anything starts.
func TestLogInAtTheIssuerIsWhole(t *testing.T) {
	t.Parallel()
	const issuer = "https://login.example.com"
	for _, c := range []struct {
		issuer, client, secret, url string
		says                        string // "": it is right
	}{
		{},
		{url: "https://calls.example.com"},
		{issuer: issuer, client: "c", url: "https://calls.example.com"},
		{issuer: issuer, client: "c", secret: "s", url: "https://calls.example.com:8443/"},
		{issuer: issuer, client: "c", url: "http://127.0.0.1:8080"},
		{client: "c", url: "https://calls.example.com", says: "no --oidc-issuer"},
		{issuer: issuer, secret: "s", says: "no --oidc-client"},
		{issuer: issuer, client: "c", says: "needs --console-url"},
		{issuer: issuer, client: "c", url: "http://calls.example.com", says: "must be https"},
		{url: "ftp://calls.example.com", says: "must be https"},
		{url: "calls.example.com", says: "is not a URL like"},
		{url: "https://calls.example.com/console", says: "without a path"},
		{url: "https://calls.example.com?x", says: "is not a URL like"},
		{url: "https://calls.example.com/#x", says: "is not a URL like"},
		{url: "https://me@calls.example.com", says: "is not a URL like"},
	} {
		o := service.APIOptions{}
		o.OIDCIssuer, o.OIDCClient, o.OIDCClientSecret, o.ConsoleURL = c.issuer, c.client, cli.Secret(c.secret), c.url
		err := service.ValidAPI(o)
		if c.says == "" {
			assert.NoError(t, err, "%+v", c)
		} else {
			assert.ErrorContains(t, err, c.says, "%+v", c)
		}
	}
}
