package service_test

import (
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

func TestDirectoryOfLegs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	dir, outside := filepath.Join(root, "legs"), filepath.Join(root, "secret.wav")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "2026"), 0o750))
	require.NoError(t, os.WriteFile(outside, []byte("secret"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "2026", "a.wav"), []byte("leg"), 0o600))
	require.NoError(t, os.Symlink(outside, filepath.Join(dir, "link.wav")))
	legs, err := service.Buckets(nil).OpenLegs(t.Context(), dir, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, legs.Close()) })

	r, err := legs.OpenLeg(t.Context(), "2026/a.wav")
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	assert.Equal(t, "leg", string(b))

	for _, missing := range []string{"nowhere.wav", "2026/b.wav", "2026/a.wav/below"} {
		_, err := legs.OpenLeg(t.Context(), missing)
		require.ErrorIs(t, err, fs.ErrNotExist, missing)
	}
	for _, bad := range []string{"../secret.wav", "link.wav", "2026"} {
		_, err := legs.OpenLeg(t.Context(), bad)
		require.Error(t, err, bad)
	}

	later, err := service.Buckets(nil).OpenLegs(t.Context(), filepath.Join(root, "later"), 0)
	require.NoError(t, err, "it may be a share that is mounted later")
	t.Cleanup(func() { require.NoError(t, later.Close()) })
	_, err = later.OpenLeg(t.Context(), "2026/a.wav")
	require.ErrorContains(t, err, "recordings directory")
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, os.Rename(dir, filepath.Join(root, "later")))
	r, err = later.OpenLeg(t.Context(), "2026/a.wav")
	require.NoError(t, err)
	require.NoError(t, r.Close())
}

func TestGuard(t *testing.T) {
	t.Parallel()
	h := http.NotFoundHandler()
	_, err := service.Guard(h, service.AuthOptions{}, &net.TCPAddr{IP: net.IPv4zero, Port: 80})
	require.ErrorContains(t, err, "--keys")
	_, err = service.Guard(h, service.AuthOptions{}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	require.NoError(t, err)
	_, err = service.Guard(h, service.AuthOptions{Keys: "/nowhere"}, &net.TCPAddr{IP: net.IPv4zero, Port: 80})
	require.ErrorContains(t, err, "no such file")
}

func TestHostNameIsAQueue(t *testing.T) {
	t.Parallel()
	assert.True(t, callmodel.ValidID(service.HostName()))
}
