//go:build unix

package reconcile_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/reconcile"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

// A job that was set aside as its leg is a FIFO, a directory or a link has it where it says,
// and nobody is asked to restore a file; a link to nothing is nothing. What is of no file isn't missed by a job, either.
func TestLegsThatAreNoFiles(t *testing.T) {
	t.Parallel()
	store, err := storage.Open(t.Context(), "file://"+t.TempDir(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	p := newPlace(t, store, calldb.SQLiteURL(filepath.Join(t.TempDir(), "l.db")))
	legs := filepath.Join(p.legs, "legs")
	require.NoError(t, os.Mkdir(legs, 0o750))
	for id, lay := range map[string]func(path string) error{
		"fifo":      func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory": func(path string) error { return os.Mkdir(path, 0o750) },
		"link":      func(path string) error { return os.Symlink("fifo.wav", path) },
		"gone":      func(path string) error { return os.Symlink("nowhere", path) },
	} {
		p.ended(t, id)
		require.NoError(t, p.db.Fail(t.Context(), p.claim(t, id), ledger.Failure{Cause: "no file", Quarantine: true}))
		require.NoError(t, lay(filepath.Join(legs, id+".wav")))
	}
	require.NoError(t, syscall.Mkfifo(filepath.Join(legs, "nobody.wav"), 0o600))
	p.leg(t, "legs/directory.wav/below.wav")
	old := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(filepath.Join(legs, "nobody.wav"), old, old))

	r, found := p.run(t, reconcile.Options{})
	assert.Equal(t, map[reconcile.Kind]int64{reconcile.LegGone: 1, reconcile.LegUnclaimed: 1}, r.Found)
	assert.Equal(t, "legs/gone.wav", found[reconcile.LegGone][0].Key)
	assert.Equal(t, "legs/directory.wav/below.wav", found[reconcile.LegUnclaimed][0].Key)
	assert.EqualValues(t, 1, r.Legs, "files")
}
