//go:build unix

package task_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/task"
)

// TestSweepWorkdirs: what nobody uses any more goes, and nothing else.
func TestSweepWorkdirs(t *testing.T) {
	t.Parallel()
	parent, elsewhere := t.TempDir(), t.TempDir()
	used, err := task.NewWorkdir(parent, "command")
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(used.Path))
	info, err := os.Stat(used.Path)
	require.NoError(t, err)
	require.EqualValues(t, 0o700, info.Mode().Perm())
	left := filepath.Join(parent, "switchtape-command-123")
	stay := []string{used.Path}
	for _, name := range []string{"switchtape-commands-1", "switchtape-command-x", "switchtape-other-1", "command-1"} {
		stay = append(stay, filepath.Join(parent, name))
	}
	for _, dir := range append([]string{left}, stay[1:]...) {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "deep", "recording.wav"), []byte("RIFF"), 0o400))
	}
	link := filepath.Join(parent, "switchtape-command-9")
	require.NoError(t, os.Symlink(elsewhere, link))

	n, err := task.SweepWorkdirs(parent, "command", "transcode")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoDirExists(t, left)
	for _, dir := range append(stay, elsewhere) {
		require.DirExists(t, dir)
	}
	require.NoError(t, used.Remove())
	require.NoDirExists(t, used.Path)

	_, err = task.NewWorkdir(filepath.Join(parent, "none"), "command")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = task.SweepWorkdirs(filepath.Join(parent, "none"), "command")
	require.ErrorIs(t, err, os.ErrNotExist)
}
