package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A recording is redacted and then deleted, of a service with its worker: by who may, and
// not while it is held.
func TestRecordingsAreRedactedAndErased(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs")
	require.NoError(t, os.MkdirAll(legs, 0o750))
	leg := filepath.Join(legs, "agent.wav")
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	p := serve(t, "--dir", dir)
	id := submit(t, p.url, "c1").JobID
	db := openLedger(t, "sqlite://"+filepath.Join(dir, "switchtape.db"))
	require.Equal(t, record.StatusCompleted, doneJob(t, db, id).Status)
	job := func(id callmodel.JobID) ledger.Job {
		var j ledger.Job
		require.Eventually(t, func() bool {
			var err error
			j, err = db.Job(t.Context(), id)
			return err == nil && j.State == ledger.Done
		}, time.Minute, 5*time.Millisecond, "job %s", id)
		return j
	}
	made, err := db.Job(t.Context(), callmodel.JobID(id))
	require.NoError(t, err)
	first := storetest.ResultOf(t, &made).Outputs[0]

	var held retention.Hold
	runJSON(t, &held, "holds", "place", "recording", "c1", "--reason", "case 7", "--api", p.url)
	code, _, errs := run(t, "recordings", "erase", id, "--reason", "asked for", "--api", p.url)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "legal hold "+string(held.ID))
	code, _, errs = run(t, "recordings", "erase", id, "--reason", "asked for", "--db", "sqlite://"+filepath.Join(dir, "switchtape.db"))
	require.Equal(t, 1, code)
	require.Contains(t, errs, "legal hold "+string(held.ID))
	runJSON(t, &held, "holds", "lift", string(held.ID), "--reason", "closed", "--api", p.url)

	var done ordered
	runJSON(t, &done, "recordings", "redact", id, "--range", "1s-2.5s", "--legs", "agent", "--reason", "a card number", "--api", p.url)
	job(done.JobID)
	made, err = db.Job(t.Context(), callmodel.JobID(id))
	require.NoError(t, err)
	second := storetest.ResultOf(t, &made).Outputs[0]
	require.NotEqual(t, first.SHA256, second.SHA256)
	require.NoFileExists(t, leg)
	code, _, _ = run(t, "recordings", "redact", id, "--range", "1s", "--reason", "x", "--api", p.url)
	require.Equal(t, cli.ExitUsage, code)

	runJSON(t, &done, "recordings", "erase", id, "--reason", "asked for", "--api", p.url)
	job(done.JobID)
	var list erasures
	runJSON(t, &list, "recordings", "erasures", id, "--api", p.url)
	require.Len(t, list.Erasures, 2)
	assert.Equal(t, retention.KindRedact, list.Erasures[0].Kind)
	assert.Equal(t, retention.KindErase, list.Erasures[1].Kind)
	assert.Equal(t, retention.Done, list.Erasures[1].State)
	code, out, errs := run(t, "recordings", "erasures", id, "--db", "sqlite://"+filepath.Join(dir, "switchtape.db"))
	require.Zero(t, code, errs)
	assert.Contains(t, out, second.SHA256)
	assert.Contains(t, out, "gone since ")
	assert.NotContains(t, out, "quarantined")
	code, _, errs = run(t, "recordings", "erase", id, "--reason", "again", "--api", p.url)
	require.Equal(t, 1, code)
	assert.Contains(t, errs, "was deleted")
	code, out, errs = run(t, "verify", "--db", "sqlite://"+filepath.Join(dir, "switchtape.db"), "--bucket", "file://"+filepath.Join(dir, "recordings"), "--json", "--dir", filepath.Join(dir, "verify"))
	require.Zero(t, code, "%s%s", out, errs)
	p.terminate(t)
}

func TestRangesAreNeverShortened(t *testing.T) {
	t.Parallel()
	for _, r := range [][2]time.Duration{{0, time.Second}, {1500 * time.Microsecond, 2500 * time.Microsecond}, {100*time.Hour + time.Millisecond, 100*time.Hour + 3*time.Millisecond}} {
		from, to := outward(r[0], r[1])
		assert.LessOrEqual(t, float64(from), float64(r[0])/1e6)
		assert.GreaterOrEqual(t, float64(to), float64(r[1])/1e6)
	}
}

// A leg that two recordings of a call have goes with the last of them, and not while that is
// held; and a range behind the recording's end is refused, as nothing would be silenced.
func TestLegsOfTwoRecordings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leg := filepath.Join(dir, "legs", "agent.wav")
	require.NoError(t, os.MkdirAll(filepath.Dir(leg), 0o750))
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	p := serve(t, "--dir", dir)
	db := openLedger(t, "sqlite://"+filepath.Join(dir, "switchtape.db"))
	made := map[string]string{}
	for _, id := range []string{"r1", "r2"} {
		var job struct {
			JobID string `json:"job_id"`
		}
		body := `{"call_id":"c1","recording_id":"` + id + `","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`
		require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings", body, &job), p.log)
		require.Equal(t, record.StatusCompleted, doneJob(t, db, job.JobID).Status)
		made[id] = job.JobID
	}
	code, _, errs := run(t, "recordings", "redact", made["r1"], "--range", "999s-1000s", "--reason", "mistyped", "--api", p.url)
	require.Equal(t, 1, code)
	require.Contains(t, errs, "behind the recording's end")

	var held retention.Hold
	runJSON(t, &held, "holds", "place", "recording", "r2", "--reason", "case 7", "--api", p.url)
	erase := func(id string) {
		var order ordered
		runJSON(t, &order, "recordings", "erase", made[id], "--reason", "asked for", "--api", p.url)
		require.Eventually(t, func() bool {
			j, err := db.Job(t.Context(), order.JobID)
			return err == nil && j.State == ledger.Done
		}, time.Minute, 5*time.Millisecond, "%s", p.log)
	}
	erase("r1")
	require.FileExists(t, leg)
	var list erasures
	runJSON(t, &list, "recordings", "erasures", made["r1"], "--api", p.url)
	require.Equal(t, retention.LegShared, list.Erasures[0].Legs[0].End)
	runJSON(t, &held, "holds", "lift", string(held.ID), "--reason", "closed", "--api", p.url)
	erase("r2")
	require.NoFileExists(t, leg)
	p.terminate(t)
}
