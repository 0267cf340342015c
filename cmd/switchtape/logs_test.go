package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// secrets are what no line of a log may hold whole.
func secrets() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"a telephone number": regexp.MustCompile(`\+[1-9][0-9]{7,14}\b`),
		"an API key":         regexp.MustCompile(regexp.QuoteMeta(keys.Prefix) + `[A-Za-z0-9_-]{20,}`),
		"a webhook's secret": regexp.MustCompile(webhooks.SecretPrefix + `[A-Za-z0-9+/]{20,}`),
		"a bearer token":     regexp.MustCompile(`(?i)\bbearer [A-Za-z0-9._~+/-]{4,}`),
		"a JWT":              regexp.MustCompile(`\bey[A-Za-z0-9_-]{8,}\.ey[A-Za-z0-9_-]{8,}\.`),
		"a signed URL":       regexp.MustCompile(`(?i)[?&](signature|sig|x-amz-signature|x-goog-signature|x-amz-security-token)=`),
		"a URL's password":   regexp.MustCompile(`://[^/\s:@"]+:[^/\s:@"]+@`),
	}
}

// keepsSecrets checks a log. Every process that the tests of this package start is
// checked at its end, whatever the test was about.
func keepsSecrets(t *testing.T, log string) {
	t.Helper()
	for what, form := range secrets() {
		if found := form.FindString(log); found != "" {
			for line := range strings.Lines(log) {
				if strings.Contains(line, found) {
					t.Errorf("%s is in a line of the log: %.500s", what, line)
					break
				}
			}
		}
	}
}

// TestSecretsAreRecognised: the check finds what it looks for.
func TestSecretsAreRecognised(t *testing.T) {
	t.Parallel()
	for what, line := range map[string]string{
		"a telephone number": `{"msg":"x","from":"+442079460123"}`,
		"an API key":         "key " + keys.NewSecret(),
		"a webhook's secret": "secret " + webhooks.NewSecret().Reveal(),
		"a bearer token":     "Authorization: Bearer abcdef",
		"a JWT":              "token=eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwcyJ9.AAAA",
		"a signed URL":       "GET /objects/a.wav?expiry=1&signature=abc",
		"a URL's password":   "postgres://ann:secret@db/x",
	} {
		assert.Regexp(t, secrets()[what], line)
	}
	for _, fine := range []string{
		"2026-11-29T10:00:12+01:00", "postgres://ann@db/x", "job j000000000001-0a1b2c3d", "+44…0123", "a bearer of keys", `"level":"INFO"`,
	} {
		for what, form := range secrets() {
			assert.NotRegexp(t, form, fine, what)
		}
	}
}

// TestNoSecretInAnyLog: a server that logs everything, and to which all that can go wrong
// is done with numbers, keys and links, names none of them whole.
func TestNoSecretInAnyLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs")
	require.NoError(t, os.MkdirAll(legs, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(legs, "agent.wav"), samplecall.Agent(), 0o600))
	key := keys.NewSecret()
	file := filepath.Join(dir, "api-keys")
	require.NoError(t, os.WriteFile(file, []byte(keys.HashOf(key).String()+" acme operator ops\n"), 0o600))
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--region", "GB", "--keys", file,
		"--log-level", "debug", "--access-log", "--worker-leg-wait", "0s", "--emergency", "sip:112@psap.example.com")
	const number, callee = "+442079460987", "+12025550147"
	ask := func(key, method, path, body string) int {
		status, _ := p.as(t, key, method, path, body, nil)
		return status
	}
	call := fmt.Sprintf(`{"from":%q,"to":%q,"recording":{"enabled":true}}`, number, callee)
	for _, wrong := range []string{"none", keys.NewSecret(), "eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwcyJ9.AAAA"} {
		assert.Equal(t, http.StatusUnauthorized, ask(wrong, http.MethodPost, "/v1/calls", call))
	}
	id, status, body := p.endCall(t, key, "agent.wav")
	require.Equal(t, http.StatusOK, status, body)
	entry := p.recorded(t, key, id)
	require.Equal(t, record.StatusCompleted, entry.Status)
	var page struct{ Jobs []ledger.Job }
	p.as(t, key, http.MethodGet, "/v1/recordings/jobs", "", &page)
	require.Len(t, page.Jobs, 1)
	assert.Equal(t, http.StatusOK, ask(key, http.MethodGet, "/v1/recordings/jobs/"+string(page.Jobs[0].ID)+"/media", ""), "by a signed link")
	for _, to := range []string{callee, "112", "999", "+990000000000", "+44", "sip:" + number + "@x", strings.Repeat("9", 40)} {
		ask(key, http.MethodPost, "/v1/calls", fmt.Sprintf(`{"from":%q,"to":%q}`, number, to))
	}
	ask(key, http.MethodPost, "/v1/calls", `{"from":"`+number+`","to":`)
	ask(key, http.MethodGet, "/v1/route?from="+strings.TrimPrefix(number, "+")+"&to=112", "")
	ask(key, http.MethodGet, "/v1/calls?number=%2B442079460987", "")
	ask(key, http.MethodPost, "/v1/keys", `{"name":"a","grants":["reader"]}`)
	missing, status, body := p.endCall(t, key, "nowhere-"+strings.TrimPrefix(number, "+")+".wav")
	require.Equal(t, http.StatusOK, status, body)
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), string(missing)) }, 30*time.Second, 5*time.Millisecond, "its leg isn't there")
	p.terminate(t)
	log := p.log.String()
	require.Contains(t, log, "wrong API key")
	require.Contains(t, log, `"msg":"request","method":"POST","route":"/v1/calls","status":201`, "the access log")
	for _, whole := range []string{number, strings.TrimPrefix(number, "+"), callee, strings.TrimPrefix(callee, "+"), key, key[len(keys.Prefix):]} {
		// A leg's file may be named for anything.
		assert.NotContains(t, strings.ReplaceAll(log, "nowhere-"+strings.TrimPrefix(number, "+"), ""), whole)
	}
}
