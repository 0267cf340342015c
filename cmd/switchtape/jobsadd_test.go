package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

func TestJobsAdd(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db"))
	db := openLedger(t, at)
	payload := filepath.Join(t.TempDir(), "payload.json")
	require.NoError(t, os.WriteFile(payload, []byte(`{"recording": {"call_id": "c1"}, "outputs": [{"codec": "mp3", "layout": "mono"}]}`), 0o600))
	var got added
	runJSON(t, &got, "jobs", "add", "transcode", "--db", at, "--json", "--key", "t1", "--payload", "@"+payload, "--call", "c1", "--tenant", "acme", "--queue", "night", "--priority", "2")
	require.True(t, got.Created)
	j, err := db.Job(t.Context(), got.JobID)
	require.NoError(t, err)
	require.Equal(t, "transcode", j.Kind)
	require.Equal(t, callmodel.TenantID("acme"), j.TenantID)
	require.Equal(t, callmodel.CallID("c1"), j.CallID)
	require.Equal(t, "night", j.Queue)
	require.Equal(t, 2, j.Priority)
	require.Equal(t, ledger.Queued, j.State)

	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no payload":       {[]string{"export", "--key", "k"}, 2, "--payload"},
		"no key":           {[]string{"export", "--payload", "{}"}, 2, "--key"},
		"an unknown kind":  {[]string{"wash", "--key", "k", "--payload", "{}"}, 1, "not one of command, export, rewrap, transcode, verify"},
		"a recording":      {[]string{"record", "--key", "k", "--payload", "{}"}, 1, "not one of"},
		"faults":           {[]string{"export", "--key", "k", "--payload", `{"call": "c1"}`}, 1, "payload.call"},
		"no such file":     {[]string{"export", "--key", "k", "--payload", "@" + payload + "x"}, 1, "payload"},
		"an invalid key":   {[]string{"export", "--key", "a b", "--payload", `{"call_id": "c1"}`}, 1, "key"},
		"an invalid queue": {[]string{"export", "--key", "k", "--payload", `{"call_id": "c1"}`, "--queue", "/"}, 1, "queue"},
	} {
		code, _, errs := run(t, append([]string{"jobs", "add", "--db", at}, c.args...)...)
		require.Equal(t, c.code, code, "%s: %s", name, errs)
		require.Contains(t, errs, c.says, name)
	}
	list, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, list, 1)
}

// TestJobsAddHelp: the help has a payload of each kind, which that kind takes.
func TestJobsAddHelp(t *testing.T) {
	t.Parallel()
	code, out, _ := run(t, "jobs", "add", "--help")
	require.Zero(t, code)
	kinds, err := service.Enqueued()
	require.NoError(t, err)
	for _, kind := range kinds.Names() {
		found := regexp.MustCompile(kind + `: (\{.*\})`).FindStringSubmatch(out)
		require.Len(t, found, 2, kind)
		require.NoError(t, kinds.Check(&ledger.Request{Kind: kind, TenantID: "acme", Key: "k", Payload: []byte(found[1])}), kind)
	}
}
