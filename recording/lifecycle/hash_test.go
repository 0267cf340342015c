package lifecycle_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

// hungBucket is one that lists and deletes, and whose bytes never come.
type hungBucket struct{ *storage.Store }

func (b hungBucket) HashStored(ctx context.Context, _ *retention.Object) error {
	<-ctx.Done()
	return ctx.Err()
}

// sickBucket is one whose bytes can't be read.
type sickBucket struct{ *storage.Store }

func (b sickBucket) HashStored(context.Context, *retention.Object) error {
	return callmodel.Errorf(callmodel.CodeUnavailable, "the disk is worn out")
}

// A deletion never waits for what its proof would like to know: what isn't read is deleted,
// and the proof says why it has no hash.
func TestProofIsBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		bucket func(*storage.Store) lifecycle.Bucket
		opts   lifecycle.EraserOptions
		why    string
	}{
		"hung":    {func(s *storage.Store) lifecycle.Bucket { return hungBucket{s} }, lifecycle.EraserOptions{HashTime: 20 * time.Millisecond}, "the 20ms were over"},
		"sick":    {func(s *storage.Store) lifecycle.Bucket { return sickBucket{s} }, lifecycle.EraserOptions{}, "worn out"},
		"large":   {func(s *storage.Store) lifecycle.Bucket { return s }, lifecycle.EraserOptions{HashBytes: 100}, "more than the 100"},
		"nothing": {func(s *storage.Store) lifecycle.Bucket { return s }, lifecycle.EraserOptions{HashBytes: -1}, "nothing is read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			a := newArchive(t, dir, fileURL(filepath.Join(dir, "bucket")))
			a.ended(t, "c1", archived...)
			a.work(t)
			first := a.made(t, "c1")
			a.erase(t, "c1")
			c.opts.Buckets, c.opts.Legs = []lifecycle.Bucket{c.bucket(a.home)}, a.dir
			e, err := lifecycle.NewEraser(a.db, c.opts)
			require.NoError(t, err)
			a.once(t, e)
			require.Empty(t, there(t, a.home))
			list, err := a.db.Erasures(t.Context(), "acme", "c1")
			require.NoError(t, err)
			require.Equal(t, retention.Done, list[0].State)
			for _, o := range list[0].Objects {
				require.Empty(t, o.SHA256)
				require.Contains(t, o.NotRead, c.why)
				require.Positive(t, o.Bytes)
				require.NotNil(t, o.Ledger, "what the ledger knows is told all the same")
			}
			require.Len(t, list[0].Objects, len(first.Outputs)+1)
		})
	}
}

// once does the job of the kind that waits.
func (a *archive) once(t *testing.T, e *lifecycle.Eraser) {
	t.Helper()
	leases, err := a.db.Claim(t.Context(), ledger.Claim{Worker: "w", Kinds: []string{retention.KindErase}, TTL: time.Minute})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	_, err = e.Kinds()[0].Do(t.Context(), &task.Job{Job: leases[0].Job, Token: leases[0].Token})
	require.NoError(t, err)
}

// Of an encrypted object the proof has the size and the hash of what was stored, and beside
// them those of the ledger, which are the plaintext's. It takes no key.
func TestProofOfEncrypted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := fileURL(filepath.Join(dir, "bucket"))
	a := newArchive(t, dir, at)
	plain := a.home
	file, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	keys, err := file.Keys()
	require.NoError(t, err)
	a.home, err = storage.Open(t.Context(), at, &storage.Options{Encryption: keys})
	require.NoError(t, err)
	a.ended(t, "c1", archived...)
	a.work(t)
	out := a.made(t, "c1").Outputs[0]
	path := a.home.LocalPath(out.Key)
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, a.home.Close())
	a.home = plain
	a.erase(t, "c1")
	a.work(t)
	list, err := a.db.Erasures(t.Context(), "acme", "c1")
	require.NoError(t, err)
	require.Equal(t, retention.Done, list[0].State)
	found := false
	for _, o := range list[0].Objects {
		require.True(t, o.Encrypted, o.Key)
		if o.Key == out.Key {
			found = true
			sum := sha256.Sum256(raw)
			require.Equal(t, hex.EncodeToString(sum[:]), o.SHA256)
			require.EqualValues(t, len(raw), o.Bytes)
			require.Equal(t, &retention.Named{Bytes: out.Bytes, SHA256: out.SHA256}, o.Ledger)
		}
	}
	require.True(t, found)
}
