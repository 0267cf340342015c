package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/seals"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestAuditVerify: the command says that a log is as it was sealed, and what isn't.
func TestAuditVerify(t *testing.T) {
	t.Parallel()
	url := calldb.SQLiteURL(filepath.Join(t.TempDir(), "a.db"))
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, db.Audit(t.Context(), callmodel.AuditEvent{TenantID: "acme", Actor: "ann", Action: "x", Subject: "s"}))
		_, _, err = db.SealAudit(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	var r seals.Report
	runJSON(t, &r, "audit", "verify", "--db", url)
	assert.EqualValues(t, 2, r.Seals)
	assert.EqualValues(t, 2, r.Lines)
	code, out, errs := run(t, "audit", "verify", "--db", url, "--head", r.Head)
	require.Zero(t, code, errs)
	assert.Contains(t, out, r.Head)
	code, out, _ = run(t, "audit", "verify", "--db", url, "--head", "another")
	require.Equal(t, 1, code)
	assert.Contains(t, out, "the end of the log was cut off")
	code, out, errs = run(t, "audit", "prune", "--db", url, "--older-than", "1h")
	require.Zero(t, code, errs)
	assert.Contains(t, out, "0 lines pruned")
	code, _, _ = run(t, "audit", "prune", "--db", url, "--older-than", "0s")
	require.Equal(t, 2, code)
}
