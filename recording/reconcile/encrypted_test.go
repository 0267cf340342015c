package reconcile_test

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/azure"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/encrypt"
	"github.com/switchtape/switchtape/storage/gcs"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// keySets are keys that read, keys that only store, those of somebody else, and none.
func keySets(t *testing.T) map[string]storage.Encryption {
	t.Helper()
	sets := map[string]storage.Encryption{"none": nil}
	file, err := encrypt.New([]string{"*"})
	require.NoError(t, err)
	other, err := encrypt.New([]string{"*"})
	require.NoError(t, err)
	other.StampKeys = nil
	entry := other.Tenants["*"]
	entry.Recipients = nil
	other.Tenants["*"] = entry
	for name, f := range map[string]*encrypt.File{"readers": file, "writers": file.WithoutIdentities(), "others": other} {
		sets[name], err = f.Keys()
		require.NoError(t, err)
	}
	return sets
}

// A corrupt encrypted object is one finding, whatever was done to it, with keys that read and
// with those that only store; without a key nothing is said of it. The comparison goes on.
func TestCorruptEncrypted(t *testing.T) { //nolint:tparallel // one place is compared after the other
	t.Parallel()
	keys := keySets(t)
	at := fileURL(t.TempDir())
	open := func(name string) *storage.Store {
		s, err := storage.Open(t.Context(), at, &storage.Options{Encryption: keys[name]})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	p := newPlace(t, open("readers"), calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db")))
	for name, change := range map[string]func(b []byte) []byte{
		"a-well":      func(b []byte) []byte { return b },
		"b-magic":     func(b []byte) []byte { b[0] ^= 1; return b },
		"c-stamp":     func(b []byte) []byte { b[50] ^= 1; return b },
		"d-stampmac":  func(b []byte) []byte { b[200] ^= 1; return b },
		"e-header":    func(b []byte) []byte { b[bytes.Index(b, []byte("-> X25519 "))+20] ^= 1; return b },
		"f-body":      func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"g-plain":     func(b []byte) []byte { return make([]byte, len(b)) },
		"h-fits":      func([]byte) []byte { return []byte("THE AUDIO OF h-fits") },
		"i-cut":       func(b []byte) []byte { return b[:len(b)-1] },
		"j-cutheader": func(b []byte) []byte { return b[:100] },
		"k-empty":     func([]byte) []byte { return nil },
		"z-well":      func(b []byte) []byte { return b },
	} {
		path := p.store.LocalPath(p.recorded(t, name, 1, true))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.Chmod(path, 0o600))
		require.NoError(t, os.WriteFile(path, change(b), 0o600))
	}
	for name, want := range map[string]struct{ differ, notRead int64 }{
		"readers": {10, 0}, "writers": {9, 0}, // whose stamp isn't of who can decrypt
		"others": {6, 6}, "none": {6, 6},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := reconcile.Run(t.Context(), p.db, open(name), t.TempDir(), &reconcile.Options{Hash: true})
			require.NoError(t, err)
			require.True(t, r.Done)
			assert.EqualValues(t, 12, r.Objects)
			assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectDiffers: want.differ}, r.Found)
			assert.Equal(t, want.notRead, r.NotRead)
			assert.Equal(t, want.notRead > 0, r.NoKey != "")
		})
	}
}

func fileURL(dir string) string { return (&url.URL{Scheme: "file", Path: dir}).String() }

// So it is in the buckets of every cloud, where what was put over an object is told with the
// version that can be gone back to.
func TestCorruptEncryptedOfEveryCloud(t *testing.T) {
	for name, cloud := range map[string]struct {
		start  func(testing.TB) *buckettest.Versioned
		driver storage.Driver
	}{
		"S3": {buckettest.S3Versions, s3.Driver()}, "Google": {buckettest.GCSVersions, gcs.Driver()}, "Azure": {buckettest.AzureVersions, azure.Driver()},
	} {
		t.Run(name, func(t *testing.T) {
			srv := cloud.start(t)
			srv.Setenv(t)
			keys := keySets(t)
			open := func(name string) *storage.Store {
				s, err := storage.Open(t.Context(), srv.URL, &storage.Options{Encryption: keys[name], Drivers: []storage.Driver{cloud.driver}})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				return s
			}
			p := newPlace(t, open("readers"), calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db")))
			p.recorded(t, "a", 1, true)
			over := p.recorded(t, "b", 1, true)
			p.recorded(t, "c", 1, true)
			raw := stored(t, open("none"), over)
			raw[len(raw)-1] ^= 1
			srv.Overwrite(t, over, string(raw), "")
			for _, name := range []string{"readers", "writers"} {
				r, err := reconcile.Run(t.Context(), p.db, open(name), t.TempDir(), &reconcile.Options{Hash: true})
				require.NoError(t, err, name)
				assert.Equal(t, map[reconcile.Kind]int64{reconcile.ObjectOverwritten: 1}, r.Found, name)
				assert.Zero(t, r.NotRead, name)
			}
			r, err := reconcile.Run(t.Context(), p.db, open("none"), t.TempDir(), &reconcile.Options{Hash: true})
			require.NoError(t, err)
			assert.Empty(t, r.Found)
			assert.EqualValues(t, 3, r.NotRead)
			r, err = reconcile.Run(t.Context(), p.db, open("writers"), t.TempDir(), &reconcile.Options{Hash: true, Repair: true})
			require.NoError(t, err)
			assert.Equal(t, r.Found, r.Repaired)
			r, err = reconcile.Run(t.Context(), p.db, open("readers"), t.TempDir(), &reconcile.Options{Hash: true})
			require.NoError(t, err)
			assert.Empty(t, r.Found)
		})
	}
}

// stored are the bytes as the bucket has them.
func stored(t *testing.T, s *storage.Store, key string) []byte {
	t.Helper()
	r, err := s.OpenLeg(t.Context(), key)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	return b
}
