package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
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
	"github.com/switchtape/switchtape/storage/encrypt"
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
	code, text, errs := run(t, append(at, "--hash")...)
	assert.NotZero(t, code)
	assert.Contains(t, text, "0 mismatches left", errs)
	assert.Contains(t, text, "objects were not read: no key")
	raw[len(raw)-1] ^= 1
	require.NoError(t, os.WriteFile(u.Path, raw, 0o600))
	for _, file := range []string{keys, writers} {
		code, text, errs = run(t, append(at, "--hash", "--encrypt-keys", file)...)
		assert.NotZero(t, code)
		assert.Contains(t, text+errs, "object_differs: 1 found")
		assert.NotContains(t, text, "not read")
	}
}

// rewraps begins to re-wrap a bucket in a process of its own.
func rewraps(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], append([]string{"encryption", "rewrap"}, args...)...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	require.NoError(t, cmd.Start())
	return cmd
}

// Whenever a process is killed that re-wraps, every object can be read, and the next
// goes on to the end.
func TestRewrapKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	dir := t.TempDir()
	keys, bucket := filepath.Join(dir, "keys.json"), "file://"+filepath.Join(dir, "recordings")
	ok := func(args ...string) string {
		t.Helper()
		code, out, errs := run(t, append([]string{"encryption"}, args...)...)
		require.Zero(t, code, "%s%s", out, errs)
		return out
	}
	open := func() *storage.Store {
		b, err := os.ReadFile(keys)
		require.NoError(t, err)
		k, err := encrypt.Parse(b)
		require.NoError(t, err)
		s, err := storage.Open(t.Context(), bucket, &storage.Options{Encryption: k})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	ok("new", "--tenant", "acme", "--out", keys)
	const objects = 60
	text := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 100_000+i) }
	name := func(i int) string { return fmt.Sprintf("acme/%03d", i) }
	store := open()
	for i := range objects {
		_, err := store.PutNamed(t.Context(), name(i), record.ObjectMeta{}, func(w io.Writer) error { _, err := w.Write(text(i)); return err })
		require.NoError(t, err)
	}
	ok("rotate", keys, "--tenant", "acme")
	store = open()
	whole := func() {
		for i := range objects {
			r, err := store.Open(t.Context(), name(i))
			require.NoError(t, err)
			b, err := io.ReadAll(r)
			require.NoError(t, errors.Join(err, r.Close()))
			require.True(t, bytes.Equal(text(i), b))
		}
	}
	killed := 0
	for after := 15 * time.Millisecond; after < time.Minute; after += max(5*time.Millisecond, after/8) {
		p := rewraps(t, "--bucket", bucket, "--encrypt-keys", keys, "--concurrency", "2")
		ended := make(chan error, 1)
		go func() { ended <- p.Wait() }()
		select {
		case err := <-ended:
			require.NoError(t, err)
		case <-time.After(after):
			_ = p.Process.Kill()
			<-ended
			killed++
			whole()
			continue
		}
		break
	}
	require.Positive(t, killed)
	whole()
	var again rewrapReport
	require.NoError(t, json.Unmarshal([]byte(ok("rewrap", "--bucket", bucket, "--encrypt-keys", keys, "--json")), &again))
	assert.EqualValues(t, objects, again.Current)
	assert.Zero(t, again.Rewrapped+again.Failures)
	assert.Equal(t, name(objects-1), again.Last)

	// Without the old identity all can be read.
	b, err := os.ReadFile(keys)
	require.NoError(t, err)
	var f encrypt.File
	require.NoError(t, json.Unmarshal(b, &f))
	entry := f.Tenants["acme"]
	entry.Identities = entry.Identities[:1]
	f.Tenants["acme"] = entry
	require.NoError(t, writeKeys(keys, &f, true))
	store = open()
	whole()
}

// What can't be re-wrapped is left as it is, and told.
func TestRewrapFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, other, bucket := filepath.Join(dir, "keys.json"), filepath.Join(dir, "other.json"), "file://"+filepath.Join(dir, "recordings")
	for _, path := range []string{keys, other} {
		code, _, errs := run(t, "encryption", "new", "--tenant", "acme", "--out", path)
		require.Zero(t, code, errs)
	}
	b, err := os.ReadFile(keys)
	require.NoError(t, err)
	k, err := encrypt.Parse(b)
	require.NoError(t, err)
	store, err := storage.Open(t.Context(), bucket, &storage.Options{Encryption: k})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	for _, name := range []string{"acme/a", "acme/b"} {
		_, err = store.PutNamed(t.Context(), name, record.ObjectMeta{}, func(w io.Writer) error { _, err := io.WriteString(w, name); return err })
		require.NoError(t, err)
	}
	code, out, _ := run(t, "encryption", "rewrap", "--bucket", bucket, "--encrypt-keys", other, "--json")
	assert.Equal(t, 1, code)
	var r rewrapReport
	require.NoError(t, json.Unmarshal([]byte(out), &r))
	assert.EqualValues(t, 2, r.Failures)
	require.Len(t, r.Failed, 2)
	assert.Contains(t, r.Failed[0].Error, `"acme"`)
	code, out, _ = run(t, "encryption", "rewrap", "--bucket", bucket, "--encrypt-keys", keys, "--after", "acme/a", "--tenant", "acme")
	assert.Zero(t, code)
	assert.Contains(t, out, "0 objects re-wrapped (0 bytes), 1 had their recipients already")
	for _, args := range [][]string{{}, {"--encrypt-keys", keys, "--concurrency", "0"}, {"--encrypt-keys", keys, "--tenant", "../x"}} {
		code, _, _ := run(t, append([]string{"encryption", "rewrap", "--bucket", bucket}, args...)...)
		assert.Equal(t, 2, code)
	}
}
