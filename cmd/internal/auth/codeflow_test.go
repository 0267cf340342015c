package auth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/auth/authtest"
)

// TestCodeFlowsThatArentTaken: faults of the options are told at once.
func TestCodeFlowsThatArentTaken(t *testing.T) {
	t.Parallel()
	tokens, err := auth.NewOIDC(auth.OIDCOptions{Issuer: "https://login.example.com:8443/realm", Audience: "switchtape"})
	require.NoError(t, err)
	_, err = auth.NewCodeFlow(tokens, auth.CodeFlowOptions{Scopes: []string{"profile"}, Redirect: "http://calls.example.com/back"})
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, 3)
	for i, path := range []string{"client", "scopes", "redirect"} {
		assert.Equal(t, path, faults[i].Path)
	}
	flow, err := auth.NewCodeFlow(tokens, auth.CodeFlowOptions{Client: "c", Redirect: "https://calls.example.com/back"})
	require.NoError(t, err)
	assert.Equal(t, "login.example.com:8443", flow.Host())
	assert.Empty(t, flow.EndSession(""), "nobody has asked it where that is")
}

// TestIssuerThatHangs: a token endpoint that doesn't answer has people wait for seconds and
// no longer, and its answer is not taken from elsewhere.
func TestIssuerThatHangs(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the code was sent elsewhere") }))
	t.Cleanup(elsewhere.Close)
	for name, answer := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server sees that the client is gone
			<-r.Context().Done()
		},
		"redirects": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
	} {
		i := authtest.NewIssuer(t)
		i.Publish(authtest.NewKey(t, "k"))
		end := httptest.NewServer(answer)
		t.Cleanup(end.Close)
		i.LogsIn(authtest.Client{ID: "c", Redirect: "http://127.0.0.1/back"}, nil, nil, map[string]any{"token_endpoint": end.URL})
		tokens, err := auth.NewOIDC(auth.OIDCOptions{Issuer: i.URL, Audience: "switchtape", FetchGap: time.Millisecond})
		require.NoError(t, err)
		running(t, tokens)
		flow, err := auth.NewCodeFlow(tokens, auth.CodeFlowOptions{Client: "c", Redirect: "http://127.0.0.1/back"})
		require.NoError(t, err)
		a, _, err := flow.Begin(t.Context())
		require.NoError(t, err, name)
		began := time.Now()
		_, err = flow.Finish(t.Context(), a, url.Values{"state": {a.State}, "code": {"x"}, "iss": {i.URL}})
		refused, ok := errors.AsType[*auth.LogInError](err)
		require.True(t, ok, "%s: %v", name, err)
		assert.Equal(t, callmodel.CodeUnavailable, refused.Code, name)
		assert.Less(t, time.Since(began), 12*time.Second, name)
	}
}

// running runs the tokens' following of their issuer until the test ends.
func running(t *testing.T, tokens *auth.OIDC) {
	t.Helper()
	gate := auth.NewGate(auth.GateOptions{Tokens: tokens})
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { done <- gate.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
}
