package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// The rule for schemas, tried with the last release itself. At each release
// lastRelease becomes its commit and lastReleaseSchema the version that its
// migrations make.
const (
	lastRelease       = "361b9475ad11fb4ddc8318dbaa46945868178a10"
	lastReleaseSchema = 2
	// oldestThatRunsOnNewer is the schema version of the first release that starts on
	// a newer schema than its own. Releases before it refuse to start there, and go
	// on beside it when they run already: that much the rule asks of them.
	oldestThatRunsOnNewer = 3
)

// buildLastRelease builds the last release's switchtape from its commit.
func buildLastRelease(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	if out, err := exec.CommandContext(t.Context(), "git", "-C", root, "cat-file", "-e", lastRelease+"^{commit}").CombinedOutput(); err != nil {
		shallow, _ := exec.CommandContext(t.Context(), "git", "-C", root, "rev-parse", "--is-shallow-repository").Output()
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" && strings.TrimSpace(string(shallow)) == "false" {
			t.Fatalf("the last release's commit %s can't be had; fetch the whole history: %v\n%s", lastRelease, err, out)
		}
		t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: the last release's commit %s can't be had: %v\n%s", lastRelease, err, out)
	}
	dir := t.TempDir()
	tarball, source, binary := filepath.Join(dir, "source.tar"), filepath.Join(dir, "source"), filepath.Join(dir, "switchtape")
	require.NoError(t, os.Mkdir(source, 0o750))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/switchtape")
	build.Dir, build.Env = source, append(os.Environ(), "GOWORK=off", "GOFLAGS=-buildvcs=false", "CGO_ENABLED=0")
	for _, step := range []*exec.Cmd{
		exec.CommandContext(t.Context(), "git", "-C", root, "archive", "--output", tarball, lastRelease),
		exec.CommandContext(t.Context(), "tar", "-xf", tarball, "-C", source),
		build,
	} {
		out, err := step.CombinedOutput()
		require.NoError(t, err, "%s\n%s", step, out)
	}
	return binary
}

// A release is rolled out by "migrate up" and then one process after the other. So
// the last release's processes go on beside the new schema, and their jobs are
// done, by them or by this release's.
func TestLastReleaseOnThisSchema(t *testing.T) {
	t.Parallel()
	if os.Getenv("SWITCHTAPE_LONG_TESTS") != "1" {
		t.Skip("SKIPPED: to build the last release takes minutes where nothing of it is compiled; SWITCHTAPE_LONG_TESTS=1 does, as .ci/run")
	}
	old := buildLastRelease(t)
	for name, at := range map[string]func(t *testing.T, dir string) string{
		"SQLite": func(t *testing.T, dir string) string {
			t.Helper()
			return calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
		},
		"PostgreSQL": func(t *testing.T, _ string) string { t.Helper(); return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			url := at(t, dir)
			legs := filepath.Join(dir, "legs")
			require.NoError(t, os.MkdirAll(legs, 0o750))
			require.NoError(t, os.WriteFile(filepath.Join(legs, "agent.wav"), samplecall.Agent(), 0o600))

			p := serveBy(t, old, "--dir", dir, "--db", url)
			before := submit(t, p.url, "before")
			db := openLedger(t, url) // and migrate, while it serves
			during := submit(t, p.url, "during")
			again := submit(t, p.url, "during")
			require.False(t, again.Created, "it finds its own row")
			for _, id := range []string{before.JobID, during.JobID} {
				require.Equal(t, record.StatusCompleted, doneJob(t, db, id).Status)
			}
			p.terminate(t)

			// What waits now is done by this release.
			r, err := record.NewJob(specNamed("left"), "", 0)
			require.NoError(t, err)
			left, created, err := db.Enqueue(t.Context(), r)
			require.NoError(t, err)
			require.True(t, created)
			now := serve(t, "--dir", dir, "--db", url)
			require.Equal(t, record.StatusCompleted, doneJob(t, db, string(left)).Status)
			require.False(t, submit(t, now.url, "during").Created, "and this one finds the other's")
			now.terminate(t)

			out, err := exec.CommandContext(t.Context(), old, "jobs", "list", "--db", url).CombinedOutput()
			if lastReleaseSchema >= oldestThatRunsOnNewer {
				require.NoError(t, err, "%s", out)
				return
			}
			require.Error(t, err)
			require.Contains(t, string(out), "run a newer switchtape")
		})
	}
}

func specNamed(id string) record.Spec {
	s := storetest.Spec(id)
	s.TenantID, s.Legs = "default", []record.LegSpec{{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent.wav"}}}}
	s.Outputs[0].Layout = record.LayoutMono
	return s
}

type submitted struct {
	JobID   string `json:"job_id"`
	Created bool   `json:"created"`
}

// submit hands a recording in at a service.
func submit(t *testing.T, at, id string) submitted {
	t.Helper()
	body, err := json.Marshal(specNamed(id))
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/v1/recordings", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, res.StatusCode, "%s", text)
	var s submitted
	require.NoError(t, json.Unmarshal(text, &s))
	return s
}

// doneJob waits until the job is done, and returns what it came to.
func doneJob(t *testing.T, db *calldb.DB, id string) *record.Result {
	t.Helper()
	var r *record.Result
	require.Eventually(t, func() bool {
		jobs, err := db.Jobs(context.WithoutCancel(t.Context()), ledger.Filter{State: ledger.Done})
		if err != nil {
			return false
		}
		for i := range jobs {
			if string(jobs[i].ID) == id {
				r = storetest.ResultOf(t, &jobs[i])
			}
		}
		return r != nil
	}, time.Minute, 10*time.Millisecond, "job %s", id)
	return r
}
