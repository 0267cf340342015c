package storage_test

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

func openDir(t *testing.T, o *storage.Options) (s *storage.Store, dir string) {
	t.Helper()
	dir = t.TempDir()
	s, err := storage.Open(t.Context(), "file://"+dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s, dir
}

func text(t *testing.T, s *storage.Store, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// An encrypted object is moved as it is, by a worker that can't decrypt it.
func TestTakeEncrypted(t *testing.T) {
	t.Parallel()
	f, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	all, err := f.Keys()
	require.NoError(t, err)
	only, err := f.WithoutIdentities().Keys()
	require.NoError(t, err)
	backup, _ := openDir(t, &storage.Options{Encryption: only})
	home, homeDir := openDir(t, &storage.Options{Encryption: only})
	in, err := backup.Put(t.Context(), testKey("moved"), record.ObjectMeta{}, write([]byte("recording")))
	require.NoError(t, err)
	key := in.Key.String()
	_, err = home.TakeFrom(t.Context(), backup, key, hex64("other"))
	require.ErrorContains(t, err, "it was changed there")
	for _, existed := range []bool{false, true} {
		info, err := home.TakeFrom(t.Context(), backup, key, in.SHA256)
		require.NoError(t, err)
		assert.Equal(t, existed, info.Existed)
		assert.EqualValues(t, len("recording"), info.Bytes)
	}
	there, err := os.ReadFile(backup.LocalPath(key))
	require.NoError(t, err)
	here, err := os.ReadFile(home.LocalPath(key))
	require.NoError(t, err)
	assert.Equal(t, there, here)
	require.NoError(t, backup.Remove(t.Context(), key, in.SHA256))
	info, err := home.TakeFrom(t.Context(), backup, key, in.SHA256)
	require.NoError(t, err, "the other bucket has lost it")
	assert.True(t, info.Existed)
	reader, err := storage.Open(t.Context(), "file://"+homeDir, &storage.Options{Encryption: all})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, reader.Close()) })
	assert.Equal(t, "recording", text(t, reader, key))

	in, err = backup.Put(t.Context(), testKey("changed"), record.ObjectMeta{}, write([]byte("recording")))
	require.NoError(t, err)
	changed := in.Key.String()
	b, err := os.ReadFile(backup.LocalPath(changed))
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(backup.LocalPath(changed), b, 0o600))
	_, err = home.TakeFrom(t.Context(), backup, changed, in.SHA256)
	var e *storage.EncryptionError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, storage.Tampered, e.Reason)
	_, err = home.Stat(t.Context(), changed)
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// An object is moved with its metadata, create-only, and only as the one that was meant.
func TestTakeFrom(t *testing.T) {
	t.Parallel()
	backup, _ := openDir(t, nil)
	home, dir := openDir(t, nil)
	meta := record.ObjectMeta{ContentType: "audio/wav", Metadata: map[string]string{"channel_map": "0=agent"}}
	in, err := backup.Put(t.Context(), testKey("moved"), meta, write([]byte("recording")))
	require.NoError(t, err)
	key := in.Key.String()

	_, err = home.TakeFrom(t.Context(), backup, key, hex64("other"))
	require.ErrorContains(t, err, "it was changed there")
	_, err = home.Stat(t.Context(), key)
	require.ErrorIs(t, err, fs.ErrNotExist, "nothing is stored of another object")
	for range 2 {
		out, err := home.TakeFrom(t.Context(), backup, key, in.SHA256)
		require.NoError(t, err)
		assert.Equal(t, home.URL(key), out.URL)
	}
	head, err := home.Stat(t.Context(), key)
	require.NoError(t, err)
	assert.Equal(t, "audio/wav", head.ContentType)
	assert.Equal(t, "0=agent", head.Metadata["channel_map"])
	assert.Equal(t, in.SHA256, head.SHA256)

	require.NoError(t, backup.Remove(t.Context(), key, hex64("other")), "another object is left alone")
	assert.Equal(t, "recording", text(t, backup, key))
	for range 2 {
		require.NoError(t, backup.Remove(t.Context(), key, in.SHA256))
	}
	_, err = backup.Stat(t.Context(), key)
	require.ErrorIs(t, err, fs.ErrNotExist)
	out, err := home.TakeFrom(t.Context(), backup, key, in.SHA256)
	require.NoError(t, err)
	assert.True(t, out.Existed, "it was moved before")
	_, err = home.TakeFrom(t.Context(), backup, key, hex64("other"))
	assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	_, err = home.TakeFrom(t.Context(), backup, testKey("nowhere").String(), in.SHA256)
	require.ErrorIs(t, err, fs.ErrNotExist)

	other, err := backup.Put(t.Context(), testKey("moved"), meta, write([]byte("other bytes")))
	require.NoError(t, err)
	_, err = home.TakeFrom(t.Context(), backup, key, other.SHA256)
	assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	assert.Equal(t, "recording", text(t, home, key))

	require.NoError(t, os.Chmod(dir, 0))
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if os.Geteuid() != 0 {
		_, err = home.TakeFrom(t.Context(), backup, key, other.SHA256)
		assert.Equal(t, callmodel.BucketForbidden, reasonOf(err))
	}
}

func hex64(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }

// What isn't in the bucket, or can't be read there, is read from the backup; nothing is
// written to it.
func TestReadsFromTheBackup(t *testing.T) {
	t.Parallel()
	backup, _ := openDir(t, nil)
	home, dir := openDir(t, &storage.Options{Backup: backup})
	both, there := testKey("both").String(), testKey("there").String()
	for _, s := range []*storage.Store{home, backup} {
		_, err := s.PutNamed(t.Context(), both, record.ObjectMeta{}, write([]byte(s.String())))
		require.NoError(t, err)
	}
	in, err := backup.PutNamed(t.Context(), there, record.ObjectMeta{}, write([]byte("in the backup")))
	require.NoError(t, err)

	assert.Equal(t, home.String(), text(t, home, both))
	assert.Equal(t, "in the backup", text(t, home, there))
	got, err := home.SHA256(t.Context(), there)
	require.NoError(t, err)
	assert.Equal(t, in.SHA256, got)
	size, err := home.Size(t.Context(), there)
	require.NoError(t, err)
	assert.Equal(t, in.Bytes, size)
	_, err = home.Open(t.Context(), testKey("nowhere").String())
	require.ErrorIs(t, err, fs.ErrNotExist)

	require.NoError(t, os.RemoveAll(dir))
	assert.Equal(t, backup.String(), text(t, home, both))
	out, err := home.PutNamed(t.Context(), there, record.ObjectMeta{}, write([]byte("in the bucket")))
	require.NoError(t, err)
	assert.False(t, out.Existed)
	assert.Equal(t, "in the backup", text(t, backup, there))
	assert.Equal(t, "in the bucket", text(t, home, there))
}
