package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage"
)

// Files of keys are made, handed to those who only store, wrapped, rotated and tried.
func TestKeysOfRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	ok := func(args ...string) string {
		t.Helper()
		code, out, errs := run(t, append([]string{"encryption"}, args...)...)
		require.Zero(t, code, errs)
		return out
	}
	fails := func(why string, args ...string) {
		t.Helper()
		code, _, errs := run(t, append([]string{"encryption"}, args...)...)
		require.NotZero(t, code)
		assert.Contains(t, errs, why)
		assert.NotContains(t, errs, "AGE-SECRET-KEY-1")
	}
	ok("new", "--tenant", "acme", "--tenant", "*", "--out", at("keys.json"))
	info, err := os.Stat(at("keys.json"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o600, info.Mode().Perm())
	fails("exists already", "new", "--out", at("keys.json"))
	assert.Equal(t, "*: encrypted to 1 recipients, and decrypted\nacme: encrypted to 1 recipients, and decrypted\n", ok("check", "--encrypt-keys", at("keys.json")))
	ok("writers", at("keys.json"), "--out", at("writers.json"))
	b, err := os.ReadFile(at("writers.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(b), "AGE-SECRET-KEY")
	assert.Contains(t, ok("check", "--encrypt-keys", at("writers.json")), "acme: encrypted to 1 recipients, not decrypted")

	require.NoError(t, os.WriteFile(at("keeper"), []byte("base64key://"+base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))), 0o600))
	require.NoError(t, os.WriteFile(at("other"), []byte("base64key://"+base64.URLEncoding.EncodeToString(bytes.Repeat([]byte{8}, 32))), 0o600))
	ok("wrap", at("keys.json"), "--keeper", "@"+at("keeper"), "--out", at("wrapped.json"))
	b, err = os.ReadFile(at("wrapped.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(b), "recipients")
	assert.Contains(t, ok("check", "--encrypt-keys", at("wrapped.json"), "--encrypt-keeper", "@"+at("keeper")), "acme: encrypted to 1 recipients, and decrypted")
	fails("must be the one that wrapped it", "check", "--encrypt-keys", at("wrapped.json"), "--encrypt-keeper", "@"+at("other"))
	fails("isn't wrapped", "check", "--encrypt-keys", at("keys.json"), "--encrypt-keeper", "@"+at("keeper"))
	fails("holds a key", "check", "--encrypt-keys", at("wrapped.json"), "--encrypt-keeper", "base64key://")
	fails("has no key service", "check", "--encrypt-keys", at("wrapped.json"), "--encrypt-keeper", "vault://x")
	fails("no JSON of keys", "check", "--encrypt-keys", at("wrapped.json"))
	fails("missing flags", "check", "--encrypt-keeper", "@"+at("keeper"))

	ok("rotate", at("keys.json"), "--tenant", "acme")
	var tried struct {
		Tenants []triedKeys `json:"tenants"`
	}
	require.NoError(t, json.Unmarshal([]byte(ok("check", "--encrypt-keys", at("keys.json"), "--json")), &tried))
	require.Len(t, tried.Tenants, 2)
	assert.Equal(t, triedKeys{Tenant: "acme", Recipients: 1, Decrypts: true}, tried.Tenants[1])
	fails("no recipients for tenant", "rotate", at("keys.json"), "--tenant", "globex")
}

// A service stores its recordings encrypted, and serves them decrypted, ranges too.
func TestEncryptedService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, writers := filepath.Join(dir, "keys.json"), filepath.Join(dir, "writers.json")
	for _, args := range [][]string{{"new", "--out", keys}, {"writers", keys, "--out", writers}} {
		code, _, errs := run(t, append([]string{"encryption"}, args...)...)
		require.Zero(t, code, errs)
	}
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--record-codec", "wav", "--encrypt-keys", keys)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	var made struct {
		JobID callmodel.JobID `json:"job_id"`
	}
	code := request(t, http.MethodPost, p.url+"/v1/recordings", `{"call_id":"c1","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`, &made)
	require.Equal(t, http.StatusAccepted, code, p.log)
	var job ledger.Job
	require.Eventually(t, func() bool {
		request(t, http.MethodGet, p.url+"/v1/recordings/jobs/"+string(made.JobID), "", &job)
		return job.State == ledger.Done
	}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	result, err := record.ResultOf(&job)
	require.NoError(t, err)
	out := result.Outputs[0]
	u, err := url.Parse(out.URL)
	require.NoError(t, err)
	raw, err := os.ReadFile(u.Path)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(raw, []byte(storage.EncryptedMagic)))
	assert.False(t, bytes.Contains(raw, []byte("RIFF")))
	manifest, err := url.Parse(result.Manifest.URL)
	require.NoError(t, err)
	b, err := os.ReadFile(manifest.Path)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(b, []byte(storage.EncryptedMagic)), "the manifest is, too")

	get := func(ranged string) (int, []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/recordings/jobs/"+string(made.JobID)+"/media", nil)
		require.NoError(t, err)
		if ranged != "" {
			r.Header.Set("Range", ranged)
		}
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, b
	}
	status, whole := get("")
	require.Equal(t, http.StatusOK, status)
	require.Len(t, whole, int(out.Bytes), "the ledger has the plaintext's size")
	assert.True(t, bytes.HasPrefix(whole, []byte("RIFF")))
	status, part := get("bytes=70000-70099")
	require.Equal(t, http.StatusPartialContent, status)
	assert.True(t, bytes.Equal(whole[70000:70100], part))
	p.terminate(t)

	at := []string{"verify", "--db", "sqlite://" + filepath.Join(dir, "switchtape.db"), "--bucket", "file://" + filepath.Join(dir, "recordings")}
	for name, more := range map[string][]string{"sizes": nil, "reader": {"--hash", "--encrypt-keys", keys}, "writer": {"--hash", "--encrypt-keys", writers}} {
		code, out, errs := run(t, append(at, more...)...)
		assert.Zero(t, code, "%s: %s%s", name, out, errs)
	}
	code, _, errs := run(t, append(at, "--hash")...)
	assert.NotZero(t, code)
	assert.Contains(t, errs, "encrypted")
	raw[len(raw)-1] ^= 1
	require.NoError(t, os.WriteFile(u.Path, raw, 0o600))
	code, text, errs := run(t, append(at, "--hash", "--encrypt-keys", keys)...)
	assert.NotZero(t, code)
	assert.Contains(t, text+errs, "object_differs")
}
