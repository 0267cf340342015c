//go:build unix

package spool_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/intake/spool"
)

// asNobody says that the test runs as a user who may not do everything.
const asNobody = "SWITCHTAPE_TEST_AS_NOBODY"

// A directory that can't be read is told of, and its calls wait: they are no files that
// are gone. Others are handed over.
func TestUnreadableDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 && os.Getenv(asNobody) == "" {
		again(t)
		return
	}
	s := newScene(t, "asterisk")
	sp := s.open(t)
	s.put(t, "x", "a/1-in.wav", "a/1-out.wav", "b/2-in.wav", "b/2-out.wav")
	s.after(t, sp, 0)
	shut := filepath.Join(s.dir, "a")
	require.NoError(t, os.Chmod(shut, 0))
	t.Cleanup(func() { assert.NoError(t, os.Chmod(shut, 0o700)) })
	s.after(t, sp, 10*time.Second)
	assert.Contains(t, s.specs(t), "b/2-in.wav")
	assert.Equal(t, spool.Stats{HandedOver: 1, Pending: 1, Unreadable: 1}, sp.Stats())
	assert.Contains(t, s.log.String(), "can't be read; legs in it wait")
	require.NoError(t, os.Chmod(shut, 0o700))
	s.after(t, sp, 0)
	assert.Contains(t, s.specs(t), "a/1-in.wav", "it was seen as it is before")
	assert.Equal(t, spool.Stats{HandedOver: 2}, sp.Stats())
}

// again runs the test as nobody: root may read whatever it likes.
func again(t *testing.T) {
	t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("", "nobody-") //nolint:usetesting // a directory that others may enter
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	file := filepath.Join(dir, "spool.test")
	require.NoError(t, os.WriteFile(file, binary, 0o755))
	require.NoError(t, os.Chown(dir, nobody, nobody))
	cmd := exec.CommandContext(t.Context(), file, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), asNobody+"=1", "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS: "+t.Name())
}
