package main

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// provider starts panva's OpenID Connect provider, and returns its address. NODE_PATH is
// where its package is.
func provider(t *testing.T, given map[string]any) string {
	t.Helper()
	_ = os.Getenv("NODE_PATH") // so that Go doesn't take the outcome of another one for this one's
	if err := exec.CommandContext(t.Context(), "node", "-e", `require.resolve("oidc-provider")`).Run(); err != nil {
		const what = "node with oidc-provider (npm install oidc-provider@9.13.3, and its node_modules in NODE_PATH)"
		require.NotEqual(t, "1", os.Getenv("SWITCHTAPE_REQUIRE_SERVICES"), "there is no %s: %v", what, err)
		t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: there is no %s: %v", what, err)
	}
	raw, err := json.Marshal(given)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "console", "oidcprovider.cjs")) // the test's end is its end
	cmd.Env = append(os.Environ(), "OIDC_TEST="+string(raw))
	said := &lockedBuffer{}
	cmd.Stderr = said
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s", said)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the provider did not start: %s", said)
	return strings.TrimSpace(line)
}

// TestConsoleProvider is somebody who logs in at a provider's form, goes on when the token
// has expired, and logs out of both, and somebody whose token says that he may see less, in
// a browser.
func TestConsoleProvider(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	// The provider has to know the console's address before that has started.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	const client, secret, seconds = "console", "a secret of the client's", 12
	at := "http://" + addr
	issuer := provider(t, map[string]any{
		"client": client, "secret": secret, "redirect": at + "/login/oidc/callback", "loggedOut": at + "/login",
		"tenant": "acme", "audience": "switchtape", "scopes": "calls:read recordings:read", "seconds": seconds,
		"people": map[string]string{"ann": "calls:read recordings:read", "ben": "calls:read"},
	})
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	p := serve(t, "--listen", addr, "--dir", t.TempDir(), "--rules", "demo-rules.yaml", "--access-log",
		"--oidc-issuer", issuer, "--oidc-audience", "switchtape", "--oidc-client", client, "--oidc-client-secret", "@"+file,
		"--oidc-login-scopes", "openid,calls:read,recordings:read", "--console-url", at)
	require.Equal(t, at, p.url)
	inBrowser(t, "provider.cjs", map[string]any{"url": p.url, "provider": issuer, "seconds": seconds})
	log := p.log.String()
	assert.Contains(t, log, `"principal":"oidc:ann"`)
	assert.NotContains(t, log, "wrong API key", "an expired token is none")
	for _, hidden := range []string{secret, "code_verifier", "eyJ", "code="} {
		assert.NotContains(t, log, hidden)
	}
	p.terminate(t)
}
