package backup_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func TestMain(m *testing.M) { machines.Main(m) }

// place is a whole service: its database, and a directory for the bucket and the legs.
type place struct {
	t       *testing.T
	db, dir string
	api     string
	running []*machines.Process
}

func (p *place) file(name string) string { return filepath.Join(p.dir, name) }

func (p *place) bucket() string { return "file://" + p.file("recordings") }

// start starts the API and the worker.
func (p *place) start() {
	p.t.Helper()
	port := machines.FreePort(p.t)
	p.api = "http://" + machines.Address(port)
	bin := machines.Programs(p.t)
	rules := p.file("rules.yaml")
	require.NoError(p.t, os.WriteFile(rules, []byte("destinations: {a: {uri: \"sip:a.example.com\"}}\nrules: [{id: all, default: true, route: [[{to: a}]]}]\n"), 0o600))
	require.NoError(p.t, os.MkdirAll(p.file("legs"), 0o700))
	p.running = []*machines.Process{
		machines.Start(p.t, nil, filepath.Join(bin, "switchtape-api"), "--db", p.db, "--migrate", "--listen", machines.Address(port), "--rules", rules, "--region", "US", "--log-level", "warn"),
		machines.Start(p.t, nil, filepath.Join(bin, "switchtape-worker"), "--db", p.db, "--migrate", "--listen", "127.0.0.1:0", "--bucket", p.bucket(), "--legs", p.file("legs"), "--all-legs", "--lease-ttl", "3s", "--queues", "*", "--log-level", "warn"),
	}
	require.Eventually(p.t, func() bool { return machines.Get(p.t, p.api+"/readyz") == 200 }, machines.Deadline, 20*time.Millisecond, "%s", p.running[0].Said)
}

// call places a call and ends it.
func (p *place) call(id string) {
	p.t.Helper()
	for _, r := range [][2]string{
		{"/v1/calls", `{"id":"` + id + `","from":"+12025550123","to":"+12125550188","recording":{"enabled":true}}`},
		{"/v1/calls/" + id + "/events", `{"id":"1","type":"answered"}`},
		{"/v1/calls/" + id + "/events", `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`},
	} {
		status, answer := machines.Post(p.t, p.api+r[0], r[1])
		require.Equal(p.t, 2, status/100, "%s", answer)
	}
}

// recorded is how many calls have their recording's URL.
func (p *place) recorded() int {
	p.t.Helper()
	db, err := calldb.Open(p.t.Context(), p.db, nil)
	require.NoError(p.t, err)
	defer func() { assert.NoError(p.t, db.Close()) }()
	page, err := db.Calls(p.t.Context(), "default", calls.Filter{Limit: 500})
	require.NoError(p.t, err)
	n := 0
	for i := range page.Calls {
		if r := page.Calls[i].Recordings; len(r) == 1 && r[0].URL != "" {
			n++
		}
	}
	return n
}

func (p *place) waitFor(calls int) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return p.recorded() == calls }, 3*machines.Deadline, 50*time.Millisecond, "%s", p.running[1].Said)
}

// verify is switchtape verify: how many mismatches it finds, by kind.
func (p *place) verify(more ...string) map[string]int {
	p.t.Helper()
	out, err := exec.CommandContext(p.t.Context(), filepath.Join(machines.Programs(p.t), "switchtape"),
		append([]string{"verify", "--json", "--hash", "--db", p.db, "--bucket", p.bucket()}, more...)...).Output()
	var report struct {
		Found map[string]int `json:"found"`
	}
	require.NoError(p.t, json.Unmarshal(out, &report), "%s %v", out, err)
	return report.Found
}

// sh runs a script of this directory.
func sh(t *testing.T, script string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "bash", append([]string{script}, args...)...).CombinedOutput()
	return string(out), err
}

// TestRestoreDrill: a database is dumped while calls are made, more calls come, and all is
// lost but the dump and a copy of the bucket. Restored elsewhere nothing of what was dumped
// is missing; jobs that waited go on; what was recorded after the dump is named, and adopted.
func TestRestoreDrill(t *testing.T) {
	if testing.Short() || os.Getenv("SWITCHTAPE_LONG_TESTS") == "" {
		t.Skip("SKIPPED: the drill takes half a minute: SWITCHTAPE_LONG_TESTS=1 runs it")
	}
	recordingtest.Tool(t, "psql", "postgresql")
	old := &place{t: t, db: pgtest.URL(t), dir: t.TempDir()}
	old.start()
	for name, wav := range map[string][]byte{"agent.wav": samplecall.Agent(), "customer.wav": samplecall.Customer()} {
		require.NoError(t, os.WriteFile(filepath.Join(old.file("legs"), name), wav[:44+16000], 0o600)) // a second of it
	}
	const before, during, after = 20, 10, 5
	for i := range before {
		old.call(fmt.Sprintf("before-%d", i))
	}
	old.waitFor(before)
	dumps := t.TempDir()
	url := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(url, []byte(old.db+"\n"), 0o600))
	dumped := make(chan error, 1)
	for i := range during {
		old.call(fmt.Sprintf("during-%d", i))
		if i != during/2 {
			continue
		}
		go func() {
			said, err := sh(t, "backup.sh", "@"+url, dumps)
			if err != nil {
				err = fmt.Errorf("%w: %s", err, said)
			}
			dumped <- err
		}()
	}
	require.NoError(t, <-dumped)
	for i := range after {
		old.call(fmt.Sprintf("after-%d", i))
	}
	old.waitFor(before + during + after)
	for _, p := range old.running {
		p.Kill()
	}

	found, err := filepath.Glob(filepath.Join(dumps, "*.dump"))
	require.NoError(t, err)
	require.Len(t, found, 1)
	fresh := &place{t: t, db: pgtest.URL(t), dir: t.TempDir()}
	require.NoError(t, os.CopyFS(fresh.file("recordings"), os.DirFS(old.file("recordings"))))
	require.NoError(t, os.CopyFS(fresh.file("legs"), os.DirFS(old.file("legs"))))
	said, err := sh(t, "restore.sh", found[0], fresh.db)
	require.NoError(t, err, said)
	said, err = sh(t, "restore.sh", found[0], fresh.db)
	require.Error(t, err)
	assert.Contains(t, said, "give an empty one")

	fresh.start()
	db, err := calldb.Open(t.Context(), fresh.db, nil)
	require.NoError(t, err)
	defer func() { assert.NoError(t, db.Close()) }()
	var left map[string]int
	require.Eventually(t, func() bool { // jobs that waited when it was dumped go on, and find their objects
		for _, state := range []ledger.State{ledger.Queued, ledger.Running} {
			if jobs, err := db.Jobs(t.Context(), ledger.Filter{Kind: record.Kind, State: state, Limit: 1}); err != nil || len(jobs) > 0 {
				return false
			}
		}
		left = fresh.verify()
		for kind := range left {
			if kind != "object_unknown" {
				return false
			}
		}
		return true
	}, 3*machines.Deadline, 500*time.Millisecond, "what is left: %v", left)
	known := fresh.recorded()
	assert.Greater(t, known, before, "what was dumped is there")
	t.Logf("of %d calls %d are there; the bucket has more: %v", before+during+after, known, left)
	adopted, err := exec.CommandContext(t.Context(), filepath.Join(machines.Programs(t), "switchtape"), "adopt", fresh.bucket(), "--db", fresh.db, "--yes", "--json").CombinedOutput()
	require.NoError(t, err, "%s", adopted)
	assert.Empty(t, fresh.verify(), "%s", adopted)
	assert.Equal(t, known, fresh.recorded(), "calls that came after the dump aren't known; their recordings are")
	assert.Eventually(t, func() bool {
		jobs, err := db.Jobs(t.Context(), ledger.Filter{Kind: record.Kind, State: ledger.Done, Limit: 100})
		return err == nil && len(jobs) == before+during+after
	}, machines.Deadline, 50*time.Millisecond, "%s", adopted)
}

// TestBackupThatCant: a dump that isn't proven is none.
func TestBackupThatCant(t *testing.T) {
	recordingtest.Tool(t, "psql", "postgresql")
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), machines.Deadline)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "backup.sh", "postgres://nobody@127.0.0.1:1/none", dir).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "the database doesn't answer")
	said, err := sh(t, "backup.sh")
	require.Error(t, err)
	assert.True(t, strings.HasPrefix(said, "Dumps Switchtape's PostgreSQL database"), said)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}
