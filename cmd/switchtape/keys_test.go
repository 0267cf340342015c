package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestKeys: what the command makes a server takes, and what it revokes every server
// refuses within a second.
func TestKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	code, _, errs := run(t, "migrate", "up", "--db", db)
	require.Zero(t, code, errs)
	one := serve(t, "--dir", dir, "--db-keys")
	two := serve(t, "--dir", t.TempDir(), "--db", db, "--db-keys")
	status := func(p *process, secret string) int {
		t.Helper()
		code, _ := p.as(t, secret, http.MethodGet, "/v1/calls", "", nil)
		return code
	}
	assert.Equal(t, http.StatusUnauthorized, status(one, "none"))

	code, out, errs := run(t, "keys", "create", "--db", db, "--name", "dashboard", "--grant", "reader", "--expires-in", "1h")
	require.Zero(t, code, errs)
	secret := strings.TrimSpace(out)
	require.True(t, strings.HasPrefix(secret, keys.Prefix), out)
	for _, p := range []*process{one, two} {
		assert.Equal(t, http.StatusOK, status(p, secret), "it works at once")
	}
	var list struct {
		Keys []keys.Key `json:"keys"`
	}
	runJSON(t, &list, "keys", "list", "--db", db)
	require.Len(t, list.Keys, 1)
	id := list.Keys[0].ID
	code, out, _ = run(t, "keys", "list", "--db", db)
	require.Zero(t, code)
	require.Regexp(t, id+`  dashboard +active +reader`, out)

	file := filepath.Join(dir, "secret")
	code, out, errs = run(t, "keys", "rotate", "--db", db, "--grace", "1h", "--out", file, id)
	require.Zero(t, code, errs)
	require.Empty(t, out, "the secret is in the file alone")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	rotated := strings.TrimSpace(string(readFile(t, file)))
	code, _, errs = run(t, "keys", "rotate", "--db", db, "--out", file, id)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "exists", "no secret is made that can't be kept")
	for _, p := range []*process{one, two} {
		assert.Equal(t, http.StatusOK, status(p, rotated))
		assert.Equal(t, http.StatusOK, status(p, secret), "in its grace")
	}

	code, _, errs = run(t, "keys", "revoke", "--db", db, id)
	require.Zero(t, code, errs)
	revoked := time.Now()
	for _, p := range []*process{one, two} {
		for status(p, rotated) != http.StatusUnauthorized || status(p, secret) != http.StatusUnauthorized {
			require.Less(t, time.Since(revoked), time.Second)
		}
		p.terminate(t)
	}
	for _, p := range []*process{one, two} {
		assert.NotContains(t, p.log.String(), secret[len(keys.Prefix):], "no key is logged")
	}
	code, _, errs = run(t, "keys", "revoke", "--db", db, "key-none")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "key-none: not found")
	code, _, errs = run(t, "keys", "create", "--db", db, "--name", "x", "--grant", "king")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "neither a role")
}
