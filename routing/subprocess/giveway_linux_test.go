package subprocess_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/subprocess"
)

// child waits for the process that this one has started to compile rules.
func child(t *testing.T) (pid, nice int) {
	t.Helper()
	require.Eventually(t, func() bool {
		stats, err := filepath.Glob("/proc/[0-9]*/stat")
		require.NoError(t, err)
		for _, at := range stats {
			text, err := os.ReadFile(at)
			if err != nil {
				continue
			}
			line, err := os.ReadFile(filepath.Join(filepath.Dir(at), "cmdline"))
			fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the third on: proc(5)
			if err != nil || fields[1] != strconv.Itoa(os.Getpid()) || !strings.HasPrefix(string(line), "switchtape-compile-rules") {
				continue
			}
			pid, err = strconv.Atoi(filepath.Base(filepath.Dir(at)))
			require.NoError(t, err)
			nice, err = strconv.Atoi(fields[16])
			require.NoError(t, err)
			return true
		}
		return false
	}, 30*time.Second, time.Millisecond)
	return pid, nice
}

// A process that is killed, or told to end, leaves nothing, and this one as it was.
func TestProcessThatEnds(t *testing.T) {
	failed := make(chan error, 1)
	go func() {
		_, _, err := subprocess.Compile(context.WithoutCancel(t.Context()), rules(300_000))
		failed <- err
	}()
	pid, nice := child(t)
	assert.Equal(t, 19, nice)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	err := <-failed
	assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "killed")

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _, err := subprocess.Compile(ctx, rules(300_000))
		failed <- err
	}()
	pid, _ = child(t)
	cancel()
	require.ErrorIs(t, <-failed, context.Canceled)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "it is gone")

	threads, err := filepath.Glob("/proc/self/task/*/stat")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		for _, at := range threads {
			text, err := os.ReadFile(at)
			if err == nil && strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))[16] == "19" {
				return false
			}
		}
		return true
	}, 10*time.Second, time.Millisecond, "no thread of this process gives way any more")
}
