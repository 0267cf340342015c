package main

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// Jobs in a queue that nobody serves are seen, and moved to one that somebody does.
func TestJobsQueuesAndMove(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db"))
	db := openLedger(t, at)
	var ids []string
	for _, name := range []string{"c1", "c2", "c3"} {
		r := storetest.Request(name)
		r.Queue = "pbx-l" // meant is pbx-1
		id, _, err := db.Enqueue(t.Context(), r)
		require.NoError(t, err)
		ids = append(ids, string(id))
	}
	_, _, err := db.Enqueue(t.Context(), storetest.Request("c4"))
	require.NoError(t, err)
	require.NoError(t, db.Present(t.Context(), ledger.Presence{Role: ledger.RoleWorker, Name: "w1", Queues: []string{"default", "pbx-1"}}))

	code, out, errs := run(t, "jobs", "queues", "--db", at)
	require.Zero(t, code, errs)
	require.Regexp(t, `(?m)^QUEUE +KIND +WAITING +DUE +RUNNING +OLDEST +WORKERS`, out)
	require.Regexp(t, `(?m)^pbx-l +record +3 +3 +0 +\d+s +0 +nobody serves it$`, out)
	require.Regexp(t, `(?m)^default +record +1 +1 +0 +\d+s +1 +w1 since 2\S+Z$`, out)
	require.Regexp(t, `(?m)^pbx-1 +- +0 +0 +0 +0s +1 +w1 since 2\S+Z$`, out)
	code, out, errs = run(t, "jobs", "queues", "--db", at, "--json", "--tenant", "acme")
	require.Zero(t, code, errs)
	var page struct {
		Queues []recordinghttp.Queue `json:"queues"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &page))
	require.Len(t, page.Queues, 3)
	require.Equal(t, "pbx-l", page.Queues[0].Queue)
	require.True(t, page.Queues[0].Unserved)
	require.False(t, page.Queues[1].Unserved)

	code, out, errs = run(t, "jobs", "move", "--db", at, "--from", "pbx-l", "--to", "pbx-1", "--limit", "2", "--dry-run")
	require.Zero(t, code, errs)
	require.Equal(t, ids[0]+"\n"+ids[1]+"\n2 would be moved\nthere are more; raise --limit, or run it again\n", out)
	code, out, errs = run(t, "jobs", "move", "--db", at, "--from", "pbx-l", "--to", "pbx-1")
	require.Zero(t, code, errs)
	require.Contains(t, out, "3 moved\n")
	code, out, errs = run(t, "jobs", "move", "--db", at, "--from", "pbx-l", "--to", "pbx-1", "--json")
	require.Zero(t, code, errs)
	require.JSONEq(t, `{"jobs": []}`, out)
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w1", Queues: []string{"pbx-1"}, Limit: 9})
	require.NoError(t, err)
	require.Len(t, leases, 3)

	for _, args := range [][]string{{"--from", "pbx-l"}, {"--to", "pbx-1"}, {"--from", "a", "--to", "b", "--limit", "0"}, {"--from", "a", "--to", "b", "--state", "done"}} {
		code, _, _ = run(t, append([]string{"jobs", "move", "--db", at}, args...)...)
		require.Equal(t, 2, code, "%v", args)
	}
	code, _, errs = run(t, "jobs", "move", "--db", at, "--from", "a", "--to", "../b")
	require.Equal(t, 1, code)
	require.Contains(t, errs, "not a valid id")
}
