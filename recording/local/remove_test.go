package local_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/local"
)

// A leg is removed if it is as it was, and nothing but a file of the directory ever is.
func TestRemoveLeg(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	legs := filepath.Join(outer, "legs")
	require.NoError(t, os.MkdirAll(filepath.Join(legs, "acme", "a"), 0o750))
	agent := filepath.Join(legs, "acme", "a", "agent.wav")
	secret := filepath.Join(outer, "secret.wav")
	require.NoError(t, os.WriteFile(agent, []byte("agent"), 0o600))
	require.NoError(t, os.WriteFile(secret, []byte("agent"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(legs, "acme", "out.wav")))
	require.NoError(t, os.Symlink("a/agent.wav", filepath.Join(legs, "acme", "within.wav")))
	require.NoError(t, os.Symlink(outer, filepath.Join(legs, "acme", "up")))
	d, err := local.OpenDir(legs)
	require.NoError(t, err)
	defer d.Close()
	size, modified, err := d.StatLeg(t.Context(), "acme", "acme/a/agent.wav")
	require.NoError(t, err)
	require.EqualValues(t, 5, size)

	for _, c := range []struct{ below, uri string }{
		{"", "../secret.wav"},
		{"", secret},
		{"acme", "acme/out.wav"},
		{"acme", "acme/within.wav"},
		{"acme", "acme/up/secret.wav"},
		{"acme", "acme/a"},
		{"umbrella", "acme/a/agent.wav"},
		{"acm", "acme/a/agent.wav"},
	} {
		_, _, err := d.StatLeg(t.Context(), c.below, c.uri)
		require.Error(t, err, c.uri)
		removed, err := d.RemoveLeg(t.Context(), c.below, c.uri, size, modified)
		require.Error(t, err, c.uri)
		require.False(t, removed)
	}
	_, err = d.RemoveLeg(t.Context(), "acme", "acme/within.wav", size, modified)
	_, never := errors.AsType[*callmodel.PermanentError](err)
	require.True(t, never, err)

	for _, other := range []struct {
		size int64
		at   time.Time
	}{{size + 1, modified}, {size, modified.Add(time.Nanosecond)}} {
		removed, err := d.RemoveLeg(t.Context(), "", "acme/a/agent.wav", other.size, other.at)
		require.NoError(t, err)
		require.False(t, removed)
	}
	removed, err := d.RemoveLeg(t.Context(), "acme", "acme/a/agent.wav", size, modified)
	require.NoError(t, err)
	require.True(t, removed)
	for _, uri := range []string{"acme/a/agent.wav", "acme/none/agent.wav", "none/agent.wav"} {
		_, err = d.RemoveLeg(t.Context(), "", uri, size, modified)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.FileExists(t, secret)
}
