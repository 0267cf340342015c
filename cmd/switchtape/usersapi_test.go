package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestUsersAndKeysOfAnAPI: users, tenants, keys and queues are looked after with a key,
// and what a key may not do is refused in the API's words.
func TestUsersAndKeysOfAnAPI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	code, _, errs := run(t, "migrate", "up", "--db", db)
	require.Zero(t, code, errs)
	first := filepath.Join(dir, "first")
	code, _, errs = run(t, "keys", "create", "--db", db, "--name", "first", "--grant", "operator", "--grant", "tenants:every", "--out", first)
	require.Zero(t, code, errs)
	p := serve(t, "--dir", dir, "--db-keys")
	with := func(keyFile string) func(args ...string) []string {
		return func(args ...string) []string { return append(args, "--api", p.url, "--api-key-file", keyFile) }
	}
	command := with(first)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	says := func(want string, args ...string) {
		t.Helper()
		code, out, errs := run(t, args...)
		require.Zero(t, code, errs)
		assert.Regexp(t, want, out)
	}
	refused := func(want string, code int, args ...string) {
		t.Helper()
		got, _, errs := run(t, args...)
		assert.Equal(t, code, got, errs)
		assert.Contains(t, errs, want)
	}

	ann := file("ann.json", `{"name":"Ann","numbers":{"mobile":"+491711234567","extension":"100"}}`)
	says("^ann  version 1\n$", command("users", "put", "ann", ann)...)
	refused("412", 1, command("users", "put", "ann", ann)...)
	refused("412", 1, command("users", "put", "ann", ann, "--if-version", "7")...)
	says("^ann  version 2\n$", command("users", "put", "ann", file("ann2.json", `{"name":"Ann B","numbers":{"extension":"100"}}`), "--if-version", "1")...)
	says("^2 users stored\n$", command("users", "import", file("more.jsonl", `{"id":"bob","numbers":{"extension":"101"}}`+"\n"+`{"id":"cid","numbers":{"extension":"102"}}`+"\n"))...)
	says("^ann  version 2  100  Ann B\nbob  version 1  101  \nthere are more: --cursor ", command("users", "list", "--limit", "2")...)
	says("^bob ", command("users", "list", "--number", "101")...)
	var u users.User
	runJSON(t, &u, command("users", "show", "ann")...)
	assert.Equal(t, "Ann B", u.Name)
	says(`^version 2  .* by key-\S+\nversion 1  `, command("users", "versions", "ann")...)
	says("^cid is deleted\n$", command("users", "delete", "cid")...)
	refused("not_found, 404", 1, command("users", "show", "cid")...)
	says("deleted\n", command("users", "versions", "cid")...)
	refused("numbers", 1, command("users", "put", "dan", file("dan.json", `{"numbers":{"extension":"1e5"}}`))...)
	says("^zoe  version 1\n$", command("users", "put", "zoe", ann, "--tenant", "other")...)
	says("^zoe ", command("users", "list", "--tenant", "other")...)
	says("^ann  version 3\n$", command("users", "put", "ann", ann, "--replace")...)
	says("^ann  version 4\n$", command("users", "put", "ann", filepath.Join(dir, "ann2.json"), "--replace")...)
	says("^default  version 1\n$", command("tenants", "put", "default", file("t.json", `{"profile":{"name":"Us"},"defaults":{"region":"DE"}}`))...)
	says("default  version 1  Us\n", command("tenants", "list")...)
	says(`"region": "DE"`, command("tenants", "show", "default")...)
	says("^version 1 ", command("tenants", "versions", "default")...)
	refused("412", 1, command("tenants", "delete", "default", "--if-version", "9")...)
	says("^default is deleted\n$", command("tenants", "delete", "default")...)
	refused("not_found, 404", 1, command("tenants", "show", "default")...)

	reader := filepath.Join(dir, "reader")
	code, out, errs := run(t, command("keys", "create", "--name", "reader", "--grant", "users:read", "--expires-in", "1h", "--out", reader)...)
	require.Zero(t, code, errs)
	require.Empty(t, out)
	refused("403", 1, with(reader)("users", "put", "ann", ann)...)
	refused("403", 1, with(reader)("keys", "list")...)
	says("^ann ", with(reader)("users", "list")...)
	var list struct{ Keys []keys.Key }
	runJSON(t, &list, command("keys", "list")...)
	require.Len(t, list.Keys, 2)
	id := list.Keys[0].ID
	if list.Keys[1].Name == "reader" {
		id = list.Keys[1].ID
	}
	says(id+"  reader .* active .* by key-", command("keys", "list")...)
	code, out, errs = run(t, command("keys", "rotate", id, "--grace", "1s")...)
	require.Zero(t, code, errs)
	require.True(t, strings.HasPrefix(out, keys.Prefix))
	rotated := file("rotated", out)
	says("^ann ", with(rotated)("users", "list")...)
	says(id+"  reader  revoked at", command("keys", "revoke", id)...)
	require.Eventually(t, func() bool {
		code, _, errs := run(t, with(rotated)("users", "list")...)
		return code == 1 && strings.Contains(errs, "unauthenticated, 401")
	}, time.Second, 10*time.Millisecond)
	says("reader .* revoked", command("keys", "list", "--revoked")...)
	says(`"tenant_id": "other"`, command("keys", "create", "--name", "theirs", "--grant", "reader", "--tenant", "other", "--json", "--out", filepath.Join(dir, "other"))...)
	p.terminate(t)

	refused("--api", cli.ExitUsage, "users", "list")
	refused("not both", cli.ExitUsage, command("keys", "list", "--db", db)...)
	refused("not both", cli.ExitUsage, command("jobs", "queues", "--db", db)...)
}
