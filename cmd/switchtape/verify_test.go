package main

import (
	"encoding/json"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// verifyOutput is what verify --json prints.
type verifyOutput struct {
	Report     reconcile.Report    `json:"report"`
	Mismatches []reconcile.Finding `json:"mismatches"`
}

func TestVerify(t *testing.T) {
	t.Parallel()
	at, bucket := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db")), service.FileURL(t.TempDir())
	db := openLedger(t, at)
	store, err := storage.Open(t.Context(), bucket, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	for _, id := range []string{"here", "gone"} {
		_, _, err := db.Enqueue(t.Context(), storetest.Request(id))
		require.NoError(t, err)
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		spec, res := storetest.Spec(id), storetest.Result(id)
		key := spec.Key(spec.Outputs[0])
		res.Outputs[0].Key, res.Outputs[0].Bytes = key.String(), 5
		if id == "here" {
			_, err = store.Put(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error {
				_, err := io.WriteString(w, "audio")
				return err
			})
			require.NoError(t, err)
		}
		require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(res)))
	}
	var v verifyOutput
	code, out, errs := run(t, "verify", "--db", at, "--bucket", bucket, "--json")
	require.Equal(t, 1, code, errs)
	require.NoError(t, json.Unmarshal([]byte(out), &v), out)
	require.Len(t, v.Mismatches, 1)
	assert.Equal(t, reconcile.ObjectMissing, v.Mismatches[0].Kind)
	assert.EqualValues(t, "gone", v.Mismatches[0].RecordingID)
	assert.EqualValues(t, 2, v.Report.Jobs)

	code, out, errs = run(t, "verify", "--db", at, "--bucket", bucket)
	require.Equal(t, 1, code, errs)
	info, err := reconcile.InfoOf(reconcile.ObjectMissing)
	require.NoError(t, err)
	assert.Contains(t, out, info.Remedy)
	assert.Contains(t, out, "1 mismatches left")

	_, err = store.Put(t.Context(), objectKey(t, v.Mismatches[0].Key), record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "found")
		return err
	})
	require.NoError(t, err)
	dir := t.TempDir()
	v = verifyOutput{}
	runJSON(t, &v, "verify", "--db", at, "--bucket", bucket, "--dir", dir, "--repair")
	assert.Empty(t, v.Mismatches)
	assert.True(t, v.Report.Done)
	runJSON(t, &v, "verify", "--db", at, "--bucket", bucket, "--dir", dir, "--again")

	var kinds struct{ Kinds []reconcile.KindInfo }
	runJSON(t, &kinds, "verify", "--kinds")
	assert.Equal(t, reconcile.Kinds(), kinds.Kinds)
	for _, wrong := range [][]string{{"verify", "--db", at}, {"verify", "--bucket", bucket}, {"verify", "--db", at, "--bucket", bucket, "--again"}} {
		code, _, _ := run(t, wrong...)
		assert.Equal(t, 2, code, wrong)
	}
}

func objectKey(t *testing.T, key string) record.ObjectKey {
	t.Helper()
	k, ok := record.ParseObjectKey(key)
	require.True(t, ok, key)
	return k
}

// What the real parts have made of a call is found whole, object by object.
func TestVerifyFindsNothingAmissAfterACall(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var demo demoOutput
	runJSON(t, &demo, "demo", "--dir", dir)
	var v verifyOutput
	runJSON(t, &v, "verify", "--db", service.SQLiteURL(dir), "--bucket", service.FileURL(filepath.Join(dir, "recordings")),
		"--hash", "--legs-dir", filepath.Join(dir, "legs"))
	assert.Empty(t, v.Mismatches)
	assert.EqualValues(t, 1+len(day()), v.Report.Calls)
	assert.Positive(t, v.Report.Objects)
	assert.Positive(t, v.Report.Legs)
	assert.Zero(t, v.Report.Unfinished+v.Report.Foreign+v.Report.Forgotten)
}
