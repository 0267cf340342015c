package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

func TestJobsRetry(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db"))
	db := openLedger(t, at)
	var ids []string
	for _, name := range []string{"c1", "c2", "c3"} {
		id, _, err := db.Enqueue(t.Context(), storetest.Request(name))
		require.NoError(t, err)
		ids = append(ids, string(id))
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(record.Result{
			Status: record.StatusAbsent, Reason: record.ReasonNoMedia, Defects: []record.Defect{{Code: record.DefectLegMissing, Leg: "agent"}},
		})))
	}
	state := func(id string) ledger.State {
		t.Helper()
		j, err := db.Job(t.Context(), callmodel.JobID(id))
		require.NoError(t, err)
		return j.State
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"nothing said":   {nil, "say which jobs"},
		"a queue alone":  {[]string{"--queue", "pbx-1"}, "say which jobs"},
		"both":           {[]string{ids[0], "--status", "absent"}, "not both"},
		"no limit":       {[]string{"--status", "absent", "--limit", "0"}, "--limit"},
		"unknown status": {[]string{"--status", "fine"}, "status"},
	} {
		code, _, errs := run(t, append([]string{"jobs", "retry", "--db", at}, c.args...)...)
		require.Equal(t, 2, code, "%s: %s", name, errs)
		require.Contains(t, errs, c.says, name)
	}
	code, _, errs := run(t, "jobs", "retry", "--db", at, "--status", "completed")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "quarantined, absent, completed_degraded")

	code, out, errs := run(t, "jobs", "retry", "--db", at, "--status", "absent", "--code", "leg_missing", "--queue", "default", "--tenant", "acme",
		"--since", "2020-01-01T00:00:00Z", "--until", "2200-01-01T00:00:00Z", "--limit", "2", "--dry-run")
	require.Zero(t, code, errs)
	require.Equal(t, ids[0]+"\n"+ids[1]+"\n2 would be put back\nthere are more; raise --limit, or run it again\n", out)
	require.Equal(t, ledger.Done, state(ids[0]))

	var many struct{ Jobs []string }
	runJSON(t, &many, "jobs", "retry", "--db", at, "--status", "absent", "--limit", "2")
	require.Equal(t, ids[:2], many.Jobs)
	require.Equal(t, ledger.Queued, state(ids[1]))
	code, out, errs = run(t, "jobs", "retry", "--db", at, ids[2])
	require.Zero(t, code, errs)
	require.Contains(t, out, "state       queued")
	code, _, errs = run(t, "jobs", "retry", "--db", at, ids[2], ids[0])
	require.Equal(t, 1, code)
	require.Contains(t, errs, ids[2])
	code, out, errs = run(t, "jobs", "list", "--db", at, "--status", "absent")
	require.Zero(t, code, errs)
	require.Empty(t, out)
	lines, err := db.AuditEvents(t.Context(), "acme", 0, 100)
	require.NoError(t, err)
	retried := 0
	for _, l := range lines {
		if l.Action == callmodel.AuditJobRetried {
			retried++
			require.Equal(t, actor(), l.Actor)
		}
	}
	require.Equal(t, 3, retried)
}
