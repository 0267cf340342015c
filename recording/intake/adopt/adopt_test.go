package adopt_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/intake/adopt"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var (
	_ adopt.Bucket = (*storage.Store)(nil)
	_ adopt.Ledger = (*memdb.Store)(nil)
)

const part = 100_000 // bytes of a leg of some 800,000

// scene is a bucket in a directory, with objects that something else has put there.
func scene(t *testing.T, objects map[string][]byte) (*storage.Store, *memdb.Store, *adopt.Options) {
	t.Helper()
	dir := t.TempDir()
	for name, body := range objects {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, body, 0o600))
	}
	store, err := storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	patterns, err := spool.Patterns("{dirs}{call:20060102}-{leg:in|out}.{ext}")
	require.NoError(t, err)
	whole, err := spool.Patterns("{dirs}{call:20060102}.{ext}")
	require.NoError(t, err)
	loose, err := spool.Patterns("{dirs}{call}.{ext}")
	require.NoError(t, err)
	return store, memdb.New(nil), &adopt.Options{
		Patterns: append(append(patterns, whole...), loose...), Tenant: "acme", Codecs: recording.BuiltinCodecs(),
	}
}

// found is what is said of each object.
func found(t *testing.T, a *adopt.Adopter, prefix string, do bool) map[string]adopt.Found {
	t.Helper()
	all := map[string]adopt.Found{}
	require.NoError(t, a.Run(t.Context(), prefix, do, func(f adopt.Found) error {
		all[f.Key] = f
		return nil
	}))
	return all
}

// Each object is adopted, or left out with a reason.
func TestObjects(t *testing.T) {
	t.Parallel()
	whole := samplecall.Agent()
	cut := bytes.Clone(whole[:part])
	broken := "x/20261129-manifest-is-others.wav"
	store, db, o := scene(t, map[string][]byte{
		"x/20261129-1.wav": whole, "x/20261129-2.wav": cut, "x/20261129-3-in.wav": whole, "x/undated.wav": whole, "y/20261129-4.wav": whole,
		"x/20261129-5.gsm": make([]byte, 330), "x/20261129-text.wav": []byte(strings.Repeat("text ", 100)), "x/20261129-none.wav": nil, "x/notes.txt": whole,
		broken: whole, broken + ".manifest.json": []byte("{}"), "x/20261129-Ü.wav": whole,
		"acme/year=2026/month=11/day=29/hour=10/c/c.v1.wav": whole,
	})
	a := adopt.New(store, db, o)
	for _, f := range found(t, a, "x/", false) {
		assert.Empty(t, f.JobID, f.Key)
	}
	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Empty(t, jobs)
	_, err = store.Stat(t.Context(), "x/20261129-1.wav.manifest.json")
	require.Error(t, err, "nothing is done")

	all := found(t, a, "x/", true)
	assert.NotContains(t, all, "y/20261129-4.wav")
	for key, why := range map[string]string{
		"x/20261129-3-in.wav": "of a leg", "x/undated.wav": "isn't known when", "x/20261129-5.gsm": "not audio", "x/20261129-text.wav": "not audio",
		"x/20261129-none.wav": "empty", "x/notes.txt": "fits no pattern", broken: "manifest can't be put", broken + ".manifest.json": "a manifest",
		"x/20261129-Ü.wav": "isn't there by this name",
	} {
		assert.Contains(t, all[key].LeftOut, why, key)
		assert.Empty(t, all[key].JobID, key)
	}
	for key, want := range map[string]record.Status{"x/20261129-1.wav": record.StatusCompleted, "x/20261129-2.wav": record.StatusCompletedDegraded} {
		f := all[key]
		require.Empty(t, f.LeftOut, key)
		assert.Equal(t, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), f.StartedAt)
		j, err := db.Job(t.Context(), f.JobID)
		require.NoError(t, err)
		r, err := record.ResultOf(&j)
		require.NoError(t, err)
		assert.Equal(t, want, r.Status, "%+v", r.Defects)
		assert.Equal(t, key, r.Outputs[0].Key)
		assert.Equal(t, f.Bytes, r.Outputs[0].Bytes)
		assert.Equal(t, key+".manifest.json", r.Manifest.Key)
	}
	assert.Contains(t, found(t, a, "acme/", true)["acme/year=2026/month=11/day=29/hour=10/c/c.v1.wav"].LeftOut, "Switchtape's own")
	for key, f := range found(t, a, "x/", true) {
		assert.NotEmpty(t, f.LeftOut, key)
	}
	o.Modified = func(context.Context, string) (time.Time, error) {
		return time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), nil
	}
	assert.Equal(t, 2020, found(t, adopt.New(store, db, o), "x/", true)["x/undated.wav"].StartedAt.Year())
	assert.Empty(t, found(t, adopt.New(store, nil, o), "x/", false)["x/20261129-1.wav"].LeftOut, "nobody knows what is adopted")
	mapped := *o
	mapped.Patterns, err = spool.Patterns("{tenant}/{call:20060102}.{ext}")
	require.NoError(t, err)
	assert.Contains(t, found(t, adopt.New(store, db, &mapped), "", true)["y/20261129-4.wav"].LeftOut, "no tenant for this name")
	mapped.Tenants = map[string]callmodel.TenantID{"y": "beta"}
	assert.Equal(t, callmodel.TenantID("beta"), found(t, adopt.New(store, db, &mapped), "", true)["y/20261129-4.wav"].TenantID)
}

// failing is a bucket whose objects can't be read to their ends at times.
type failing struct {
	*storage.Store

	left int
}

func (f *failing) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	body, err := f.Store.Open(ctx, key)
	if f.left--; f.left < 0 && err == nil {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(body, part), broken{}), body}, nil
	}
	return body, err
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line broke") }

// An object that can't be read is no damaged one: it ends there, and goes on later.
func TestBucketThatFails(t *testing.T) {
	t.Parallel()
	objects := map[string][]byte{}
	for _, n := range []string{"1", "2", "3", "4"} {
		objects["20261129-"+n+".wav"] = samplecall.Agent()
	}
	store, db, o := scene(t, objects)
	for range 2 {
		err := adopt.New(&failing{store, 1}, db, o).Run(t.Context(), "", true, func(adopt.Found) error { return nil })
		require.ErrorContains(t, err, "the line broke")
	}
	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	assert.Len(t, jobs, 2)
	require.NoError(t, adopt.New(store, db, o).Run(t.Context(), "", true, func(adopt.Found) error { return nil }))
	jobs, err = db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	assert.Len(t, jobs, 4)
	for i := range jobs {
		r, err := record.ResultOf(&jobs[i])
		require.NoError(t, err)
		assert.Equal(t, record.StatusCompleted, r.Status)
	}
	stop := errors.New("enough")
	require.ErrorIs(t, adopt.New(store, db, o).Run(t.Context(), "", false, func(adopt.Found) error { return stop }), stop)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, adopt.New(store, db, o).Run(ctx, "", false, func(adopt.Found) error { cancel(); return nil }), context.Canceled)
	assert.Equal(t, callmodel.TenantID("acme"), jobs[0].TenantID)
}
