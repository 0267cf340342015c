package adopt_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake/adopt"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// TestOwn: recordings of Switchtape's own that the ledger doesn't know, as it was restored
// from an older back-up, are adopted by their manifests, with the results that they had; those
// that it knows, earlier versions, and those whose files are others are left out.
func TestOwn(t *testing.T) {
	t.Parallel()
	store, db, o := scene(t, nil)
	legs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(legs, "agent.wav"), samplecall.Agent()[:part], 0o600))
	p := recording.NewProcessor(local.NewDir(legs), store, nil)
	made := func(id string) record.Result {
		r, err := p.Process(t.Context(), record.Spec{
			TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 11, 29, 10, 1, 2, 0, time.UTC),
			HostSoftware: "Asterisk 20.9.1", Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")},
			Outputs: []record.OutputSpec{{Codec: record.CodecMP3}, {Codec: record.CodecPeaksJSON}, {Codec: record.CodecAnalysis}},
		}, nil)
		require.NoError(t, err)
		return r
	}
	file := func(key string) string { return store.LocalPath(key) }
	whole, changed, gone, foreign, later := made("whole"), made("changed"), made("gone"), made("foreign"), made("later")
	require.NoError(t, os.WriteFile(file(changed.Outputs[0].Key), []byte("other bytes"), 0o600))
	require.NoError(t, os.Remove(file(gone.Outputs[1].Key)))
	text, err := os.ReadFile(file(later.Manifest.Key))
	require.NoError(t, err)
	later2 := "acme/year=2026/month=11/day=29/hour=10/later/later.v2.manifest.json"
	require.NoError(t, os.WriteFile(file(later2), text, 0o600))
	require.NoError(t, os.Rename(file(foreign.Manifest.Key), filepath.Join(filepath.Dir(file(foreign.Manifest.Key)), "other.v1.manifest.json")))

	says := map[string]string{
		whole.Outputs[0].Key:   "goes by its manifest",
		gone.Manifest.Key:      gone.Outputs[1].Key + ", which its manifest names: it isn't there",
		changed.Manifest.Key:   "isn't what its manifest says: 11 bytes",
		later.Manifest.Key:     "an earlier version",
		foreign.Outputs[0].Key: "goes by its manifest",
		"acme/year=2026/month=11/day=29/hour=10/foreign/other.v1.manifest.json": "of another recording than its name says",
	}
	for _, f := range found(t, adopt.New(store, nil, o), "", false) {
		assert.NotEmpty(t, f.LeftOut, "without a ledger nothing of Switchtape's own is adopted: %s", f.Key)
	}
	a := adopt.New(store, db, o)
	would, done := found(t, a, "", false), found(t, a, "", true)
	for key, why := range says {
		assert.Contains(t, done[key].LeftOut, why, key)
		if key != changed.Manifest.Key { // which is read only then
			assert.Equal(t, would[key].LeftOut, done[key].LeftOut)
		}
	}
	for key, want := range map[string]record.Result{whole.Manifest.Key: whole, later2: later} {
		assert.Empty(t, would[key].LeftOut)
		assert.Empty(t, would[key].JobID)
		require.Empty(t, done[key].LeftOut, key)
		assert.True(t, done[key].Own)
		j, err := db.Job(t.Context(), done[key].JobID)
		require.NoError(t, err)
		got, err := record.ResultOf(&j)
		require.NoError(t, err)
		want.Manifest.Key, want.Manifest.URL = key, store.URL(key)
		want.HostSoftware = "Asterisk 20.9.1" // a worker says so
		assert.Equal(t, &want, got, "the result is that which was made")
	}
	for key, f := range found(t, a, "", true) {
		assert.NotEmpty(t, f.LeftOut, key)
	}
	assert.Contains(t, found(t, a, "", true)[whole.Manifest.Key].LeftOut, "its ledger knows it")
	assert.Len(t, found(t, adopt.New(store, memdb.New(nil), o), "acme/", true), 5*4+1-1, "another ledger, and all keys below a prefix")
}
