package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

// Holds are placed, listed and lifted in a database, and through an API by who may.
func TestHolds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	code, _, errs := run(t, "migrate", "up", "--db", db)
	require.Zero(t, code, errs)
	var h retention.Hold
	runJSON(t, &h, "holds", "place", "call", "c1", "--reason", "case 7", "--db", db)
	require.Equal(t, retention.HoldCall, h.Scope)
	code, out, errs := run(t, "holds", "list", "--db", db)
	require.Zero(t, code, errs)
	assert.Contains(t, out, string(h.ID)+"  call c1  placed ")
	code, _, errs = run(t, "holds", "place", "number", "ann", "--reason", "case 7", "--db", db)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "is not a number")
	code, _, _ = run(t, "holds", "lift", string(h.ID), "--db", db)
	assert.Equal(t, cli.ExitUsage, code, "without a reason")

	officer, operator := filepath.Join(dir, "officer"), filepath.Join(dir, "operator")
	for file, role := range map[string]string{officer: "compliance", operator: "operator"} {
		code, _, errs := run(t, "keys", "create", "--db", db, "--name", role, "--grant", role, "--out", file)
		require.Zero(t, code, errs)
	}
	p := serve(t, "--dir", dir, "--db-keys")
	defer p.terminate(t)
	code, _, errs = run(t, "holds", "lift", string(h.ID), "--reason", "in the way", "--api", p.url, "--api-key-file", operator)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "403")
	runJSON(t, &h, "holds", "lift", string(h.ID), "--reason", "closed", "--api", p.url, "--api-key-file", officer)
	assert.True(t, h.Lifted())
	runJSON(t, &h, "holds", "place", "tenant", "--reason", "audit", "--api", p.url, "--api-key-file", officer)
	var page recordinghttp.HoldPage
	runJSON(t, &page, "holds", "list", "--lifted", "--api", p.url, "--api-key-file", operator)
	assert.Len(t, page.Holds, 2)
}
