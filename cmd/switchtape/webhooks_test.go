package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

// told is a receiver of webhooks.
type told struct {
	*httptest.Server

	mu     sync.Mutex
	down   bool
	bodies []string
	heads  []http.Header
}

func newTold(t *testing.T) *told {
	t.Helper()
	r := &told{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil || r.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		r.bodies, r.heads = append(r.bodies, string(body)), append(r.heads, q.Header.Clone())
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *told) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *told) await(t *testing.T, n int) (header http.Header, body string) {
	t.Helper()
	require.Eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.bodies) >= n
	}, 60*time.Second, 5*time.Millisecond)
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.heads[n-1], r.bodies[n-1]
}

func httpText(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// TestWebhooks: what happens to recordings is told to whom it is to be, signed with the
// secret that was shown once, whether the webhook was made by an API or in its database,
// and by a process that is started again after one that was killed.
func TestWebhooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	p := serve(t, "--dir", dir, "--webhook-allow", "127.0.0.1")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	record1 := func(p *process, call string) {
		t.Helper()
		code := request(t, http.MethodPost, p.url+"/v1/recordings", `{"call_id":"`+call+`","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`, new(map[string]any))
		require.Equal(t, http.StatusAccepted, code, p.log)
	}
	r, hosted := newTold(t), newTold(t)
	code, out, errs := run(t, "webhooks", "create", "--api", p.url, "--event", "recording.*", r.URL)
	require.Zero(t, code, errs)
	id, secret, _ := strings.Cut(strings.TrimSpace(out), "  ")
	require.True(t, strings.HasPrefix(secret, webhooks.SecretPrefix), out)
	file := filepath.Join(dir, "secret")
	code, out, errs = run(t, "webhooks", "create", "--db", db, "--form", "callback", "--out", file, hosted.URL)
	require.Zero(t, code, errs)
	require.NotContains(t, out, webhooks.SecretPrefix, "the secret is in the file alone")
	inside := strings.Replace(r.URL, "127.0.0.1", "127.0.0.2", 1)
	code, _, errs = run(t, "webhooks", "create", "--db", db, "--event", "recording.*", inside)
	require.Zero(t, code, errs)
	code, _, errs = run(t, "webhooks", "create", "--db", db, "ftp://example.com")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "https or http")

	record1(p, "c1")
	head, body := r.await(t, 1)
	require.Contains(t, body, `"type":"recording.completed"`)
	signed := func(secret string, head http.Header, body string) {
		t.Helper()
		key, err := webhooks.Secret(strings.TrimSpace(secret)).Key()
		require.NoError(t, err)
		at, err := strconv.ParseInt(head.Get("webhook-timestamp"), 10, 64)
		require.NoError(t, err)
		require.Contains(t, strings.Fields(head.Get("webhook-signature")), webhooks.Sign(key, head.Get("webhook-id"), time.Unix(at, 0), []byte(body)))
	}
	signed(secret, head, body)
	headForm, form := hosted.await(t, 1)
	signed(string(readFile(t, file)), headForm, form)
	require.Contains(t, form, "CallSid=c1&")
	require.Contains(t, form, "RecordingStatus=completed")
	require.Equal(t, head.Get("webhook-id"), headForm.Get("webhook-id"))

	var list webhookhttp.Page
	for _, at := range [][]string{{"--api", p.url}, {"--db", db}} {
		require.Eventually(t, func() bool {
			list = webhookhttp.Page{}
			runJSON(t, &list, append([]string{"webhooks", "list"}, at...)...)
			done := 0
			for i := range list.Webhooks {
				if h := &list.Webhooks[i].Health; !h.LastSuccessAt.IsZero() || strings.Contains(h.LastError, "private address") && !h.FailingSince.IsZero() && h.Waiting == 1 {
					done++
				}
			}
			return len(list.Webhooks) == 3 && done == 3
		}, 60*time.Second, 20*time.Millisecond)
		var page webhookhttp.DeliveryPage
		runJSON(t, &page, append([]string{"webhooks", "deliveries", "--state", "delivered", id}, at...)...)
		require.Len(t, page.Deliveries, 1)
		code, out, errs = run(t, append([]string{"webhooks", "replay", id, fmt.Sprint(page.Deliveries[0].ID)}, at...)...)
		require.Zero(t, code, errs)
		require.Equal(t, "1 are tried again\n", out)
		if at[0] == "--api" {
			again, same := r.await(t, 2)
			require.Equal(t, head.Get("webhook-id"), again.Get("webhook-id"))
			require.Equal(t, body, same)
			require.Eventually(t, func() bool {
				page = webhookhttp.DeliveryPage{}
				runJSON(t, &page, "webhooks", "deliveries", "--state", "delivered", id, "--db", db)
				return len(page.Deliveries) == 1
			}, 60*time.Second, 20*time.Millisecond)
		}
	}
	r.await(t, 3)
	lines := []string{
		`switchtape_webhooks{state="enabled"} 3`, "switchtape_webhook_deliveries_waiting 1\n", `switchtape_webhook_failing_seconds{tenant="default",webhook="`,
		`switchtape_webhook_tries_total{result="delivered"} 4`, `switchtape_webhook_waiting{tenant="default",webhook="`,
	}
	require.Eventually(t, func() bool { // the last answer is noted a little later
		metrics := httpText(t, p.url+"/metrics")
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(metrics, line) })
	}, 60*time.Second, 20*time.Millisecond)

	// One that is killed while its receiver is down leaves it to the next.
	r.setDown(true)
	record1(p, "c2")
	require.Eventually(t, func() bool {
		var e webhooks.Endpoint
		runJSON(t, &e, "webhooks", "show", id, "--db", db)
		return e.Health.LastStatus == http.StatusServiceUnavailable
	}, 60*time.Second, 20*time.Millisecond)
	p.kill(t)
	r.setDown(false)
	next := serve(t, "--dir", dir, "--webhook-allow", "127.0.0.1/32")
	head, body = r.await(t, 4)
	require.Contains(t, body, `"c2"`)
	signed(secret, head, body)

	code, out, errs = run(t, "webhooks", "rotate", "--api", next.url, "--grace", "1h", id)
	require.Zero(t, code, errs)
	_, second, _ := strings.Cut(strings.TrimSpace(out), "  ")
	code, out, errs = run(t, "webhooks", "update", "--api", next.url, "--event", "recording.completed", "--description", "billing", id)
	require.Zero(t, code, errs)
	require.Contains(t, out, "events    recording.completed")
	record1(next, "c3")
	head, body = r.await(t, 5)
	signed(secret, head, body)
	signed(second, head, body)
	for _, c := range [][]string{{"disable", "disabled"}, {"enable", "enabled"}, {"delete", "enabled"}} {
		code, out, errs = run(t, "webhooks", c[0], "--api", next.url, id)
		require.Zero(t, code, errs)
		require.Contains(t, out, "state     "+c[1])
	}
	code, _, errs = run(t, "webhooks", "show", "--db", db, id)
	require.Equal(t, 1, code)
	require.Contains(t, errs, id+": not found")
	next.terminate(t)
	for _, s := range []string{secret, second, string(readFile(t, file))} {
		key := strings.TrimSpace(strings.TrimPrefix(s, webhooks.SecretPrefix))
		assert.NotContains(t, p.log.String()+next.log.String(), key, "no secret is logged")
	}
}

// The secrets of webhooks are encrypted by keys in a file, which may be wrapped.
func TestSecretsOfWebhooksAreEncrypted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := calldb.SQLiteURL(filepath.Join(dir, "x.db"))
	openLedger(t, at)
	keys, wrapped, keeper := filepath.Join(dir, "keys"), filepath.Join(dir, "wrapped"), filepath.Join(dir, "keeper")
	require.NoError(t, os.WriteFile(keeper, []byte("base64key://"+base64.URLEncoding.EncodeToString(make([]byte, 32))), 0o600))
	ok := func(args ...string) string {
		t.Helper()
		code, out, errs := run(t, append([]string{"webhooks"}, args...)...)
		require.Zero(t, code, errs)
		return out
	}
	ok("create", "--db", at, "https://example.com/plain")
	ok("new-key", keys)
	ok("create", "--db", at, "--secret-keys", keys, "https://example.com/encrypted")
	assert.Contains(t, ok("encrypt", "--db", at, "--secret-keys", keys), "of 1 webhooks were")
	assert.Contains(t, ok("encrypt", "--db", at, "--secret-keys", keys), "of 0 webhooks were")
	ok("new-key", keys)
	var written struct {
		Webhooks int `json:"webhooks"`
	}
	runJSON(t, &written, "webhooks", "encrypt", "--db", at, "--secret-keys", keys)
	assert.Equal(t, 2, written.Webhooks, "by the new key")
	ok("new-key", wrapped, "--keeper", "@"+keeper)
	code, _, errs := run(t, "webhooks", "encrypt", "--db", at, "--secret-keys", wrapped, "--secret-keeper", "@"+keeper)
	assert.NotZero(t, code)
	assert.Contains(t, errs, "which this program doesn't have")
	code, _, errs = run(t, "webhooks", "encrypt", "--db", at, "--secret-keys", wrapped)
	assert.NotZero(t, code)
	assert.Contains(t, errs, "the keys of secrets")
	ok("create", "--db", at, "--secret-keys", wrapped, "--secret-keeper", "@"+keeper, "https://example.com/wrapped")
	for _, args := range [][]string{{"encrypt", "--db", at}, {"new-key", wrapped, "--keeper", "@" + keeper}} {
		code, _, _ := run(t, append([]string{"webhooks"}, args...)...)
		assert.Equal(t, 2, code)
	}
}
