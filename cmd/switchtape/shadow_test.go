package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/shadow"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// Jobs that are done are made again; one that comes otherwise fails the command, and so
// does a ledger of which nothing can be made again.
func TestShadow(t *testing.T) {
	t.Parallel()
	at, bucket, legs := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db")), service.FileURL(t.TempDir()), t.TempDir()
	db := openLedger(t, at)
	store, err := storage.Open(t.Context(), bucket, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	p := recording.NewProcessor(local.NewDir(legs), store, nil)
	do := func(id string, change func(r *record.Result)) {
		require.NoError(t, os.WriteFile(filepath.Join(legs, id+".wav"), samplecall.Agent(), 0o600))
		spec := record.Spec{
			TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
			Legs: []record.LegSpec{record.NewLeg("agent", id+".wav")}, Outputs: []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutMono}},
		}
		_, _, err := db.Enqueue(t.Context(), storetest.RequestOf(spec))
		require.NoError(t, err)
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		r, err := p.Process(t.Context(), spec, nil)
		require.NoError(t, err)
		change(&r)
		require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(r)))
	}
	args := []string{"shadow", "--db", at, "--bucket", bucket, "--legs", legs}
	do("c1", func(*record.Result) {})
	do("c2", func(*record.Result) {})
	var r shadowReport
	runJSON(t, &r, args...)
	assert.Equal(t, 2, r.Same)
	assert.Empty(t, r.Recordings)
	runJSON(t, &r, append(args, "--limit", "1")...)
	assert.Equal(t, 1, r.Same)

	do("c3", func(r *record.Result) { r.Outputs[0].SHA256, r.Outputs[0].Encoder = "another", "another/1" })
	require.NoError(t, os.Remove(filepath.Join(legs, "c2.wav")))
	code, out, _ := run(t, args...)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, string(shadow.Differs)+"  recording c3 of call c3")
	assert.Contains(t, out, "by another/1; the same samples")
	assert.Contains(t, out, string(shadow.Skipped)+"  recording c2")
	assert.Contains(t, out, "1 recordings are the same, 1 differ, 1 could not be made again")

	require.NoError(t, os.Remove(filepath.Join(legs, "c1.wav")))
	require.NoError(t, os.Remove(filepath.Join(legs, "c3.wav")))
	code, _, errs := run(t, args...)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "nothing could be compared")
	code, _, _ = run(t, append(args, "--limit", "0")...)
	assert.Equal(t, 2, code)
}
