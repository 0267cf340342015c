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
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/storage/calldb"
)

// TestLifeOfARecording: one that is encrypted is shared, held, redacted, exported and
// deleted, and after each step everybody hears what they may, and nothing else.
func TestLifeOfARecording(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys.json")
	code, _, errs := run(t, "encryption", "new", "--out", keys)
	require.Zero(t, code, errs)
	p := serve(t, "--dir", dir, "--encrypt-keys", keys, "--share-url", "http://calls.example.com")
	for name, leg := range map[string][]byte{"agent.wav": samplecall.Agent(), "customer.wav": samplecall.Customer()} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", name), leg, 0o600))
	}
	var made struct {
		JobID callmodel.JobID `json:"job_id"`
	}
	body := `{"call_id":"c1","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}],
		"outputs":[{"codec":"wav","layout":"stereo"},{"codec":"peaks-json","layout":"stereo"}]}`
	require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings", body, &made), p.log)
	db := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	store := openLedger(t, db)
	await := func(id callmodel.JobID) {
		t.Helper()
		require.Eventually(t, func() bool {
			j, err := store.Job(t.Context(), id)
			return err == nil && j.State == ledger.Done
		}, time.Minute, 5*time.Millisecond, "%s", p.log)
	}
	await(made.JobID)
	media := p.url + "/v1/recordings/jobs/" + string(made.JobID) + "/media"
	_, whole := fetch(t, media)

	var shared sharehttp.WithLink
	runJSON(t, &shared, "shares", "create", string(made.JobID), "--from", "2s", "--to", "4s", "--api", p.url)
	link := p.url + "/s/" + shared.Token + "/audio"
	const second, header = 8000 * 2 * 2, 44
	status, part := fetch(t, link)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, whole[header+2*second:header+4*second], part[header:])

	var held retention.Hold
	runJSON(t, &held, "holds", "place", "call", "c1", "--reason", "case 7", "--api", p.url)
	for _, what := range [][]string{{"erase"}, {"redact", "--range", "2s-3s"}} {
		code, _, errs = run(t, append([]string{"recordings", what[0], string(made.JobID), "--reason", "asked for", "--api", p.url}, what[1:]...)...)
		require.Equal(t, 1, code)
		require.Contains(t, errs, string(held.ID))
	}
	runJSON(t, &held, "holds", "lift", string(held.ID), "--reason", "closed", "--api", p.url)

	// What is redacted is silence, in the shared part as well, and as long as it was.
	var order ordered
	runJSON(t, &order, "recordings", "redact", string(made.JobID), "--range", "2s-3s", "--reason", "a card number", "--api", p.url)
	await(order.JobID)
	_, redacted := fetch(t, media)
	require.Len(t, redacted, len(whole))
	assert.Equal(t, make([]byte, second), redacted[header+2*second:header+3*second])
	assert.Equal(t, whole[header+4*second:], redacted[header+4*second:])
	status, part = fetch(t, link)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, redacted[header+2*second:header+4*second], part[header:])

	var export dataexport.Exported
	runJSON(t, &export, "export", "call", "c1", "--db", db, "--bucket", "file://"+filepath.Join(dir, "recordings"), "--encrypt-keys", keys, "--out", filepath.Join(dir, "before"))
	require.EqualValues(t, 1, export.Counts.Recordings)

	var zipped struct{ ID callmodel.JobID }
	runJSON(t, &zipped, "export", "call", "c1", "--db", db)
	await(zipped.ID)
	zips := func() []string {
		found, err := filepath.Glob(filepath.Join(dir, "recordings", "default", "exports", "*", "*"))
		require.NoError(t, err)
		return found
	}
	require.NotEmpty(t, zips())

	runJSON(t, &order, "recordings", "erase", string(made.JobID), "--reason", "asked for", "--api", p.url)
	await(order.JobID)
	for _, at := range []string{media, link} {
		status, _ = fetch(t, at)
		assert.Equal(t, http.StatusGone, status, at)
	}
	runJSON(t, &export, "export", "call", "c1", "--db", db, "--bucket", "file://"+filepath.Join(dir, "recordings"), "--encrypt-keys", keys, "--out", filepath.Join(dir, "after"))
	assert.Zero(t, export.Counts.Objects)
	assert.NotEmpty(t, export.Missing, "it is told that there was one")
	assert.Empty(t, zips(), "an export of the call had it, too")
	left, err := os.ReadDir(filepath.Join(dir, "legs"))
	require.NoError(t, err)
	assert.Empty(t, left)
	code, out, errs := run(t, "verify", "--db", db, "--bucket", "file://"+filepath.Join(dir, "recordings"), "--hash", "--encrypt-keys", keys, "--json", "--dir", filepath.Join(dir, "verify"))
	require.Zero(t, code, "%s%s", out, errs)
	p.terminate(t)
}
