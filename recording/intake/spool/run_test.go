package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/intake/spool"
)

// Twenty thousand files come into new directories in a burst, more than the system's
// queue of notifications holds, while the spool is stopped and started anew: each pair is
// a call, and none is one twice.
func TestBurst(t *testing.T) {
	t.Parallel()
	const dirs, calls = 200, 50
	s := newScene(t, "asterisk")
	s.o.Now, s.o.Quiet, s.o.Index = nil, 100*time.Millisecond, t.TempDir()+"/index"
	written := make(chan error, 1)
	before := int64(0)
	run := func(until func(*spool.Spool) bool) {
		sp := s.open(t)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- sp.Run(ctx) }()
		require.Eventually(t, func() bool { return until(sp) }, 2*time.Minute, time.Millisecond)
		stop()
		require.NoError(t, <-done)
		before += sp.Stats().HandedOver
		t.Logf("%+v", sp.Stats())
	}
	began := time.Now()
	go func() {
		var err error
		for d := range dirs {
			dir := filepath.Join(s.dir, fmt.Sprintf("2026/11/%03d", d))
			err = errors.Join(err, os.MkdirAll(dir, 0o750))
			for c := range calls {
				for _, leg := range []string{"in", "out"} {
					err = errors.Join(err, os.WriteFile(filepath.Join(dir, fmt.Sprintf("call %d *%d-%s.wav", d, c, leg)), []byte("x"), 0o600))
				}
			}
		}
		written <- err
	}()
	run(func(sp *spool.Spool) bool { return sp.Stats().HandedOver >= 1000 })
	run(func(sp *spool.Spool) bool { return sp.Stats().HandedOver >= 2000 })
	require.NoError(t, <-written)
	t.Logf("%d files were written in %v", 2*dirs*calls, time.Since(began))
	run(func(sp *spool.Spool) bool { return before+sp.Stats().HandedOver+sp.Stats().Known >= dirs*calls })
	assert.Equal(t, dirs*calls, s.count(t))
	t.Logf("all were handed over after %v", time.Since(began))
}

// A notification is all that is waited for: the pause between two sweeps is an hour.
func TestHints(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Now, s.o.Quiet, s.o.Every = nil, 50*time.Millisecond, time.Hour
	sp := s.open(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sp.Run(ctx) }()
	for i := range 3 {
		s.put(t, "x", fmt.Sprintf("new-%d/%d-in.wav", i, i), fmt.Sprintf("new-%d/%d-out.wav", i, i))
		require.Eventually(t, func() bool { return sp.Stats().HandedOver == int64(i+1) }, time.Minute, time.Millisecond)
	}
	stop()
	require.NoError(t, <-done)
}

// lines are those of a log, as they come.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

// A directory that isn't there is one warning: it may be on a share that comes later.
func TestSpoolThatComesLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	log := make(lines, 100)
	s.o.Now, s.o.Quiet, s.o.Every, s.o.Logger = nil, 50*time.Millisecond, 10*time.Millisecond, slog.New(slog.NewTextHandler(log, nil))
	s.dir = filepath.Join(s.dir, "later")
	sp := s.open(t)
	require.ErrorIs(t, sp.Sweep(t.Context()), fs.ErrNotExist)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- sp.Run(ctx) }()
	warning := <-log
	assert.Contains(t, warning, "level=WARN")
	assert.Contains(t, warning, "the spool isn't there")
	s.put(t, "x", "1-in.wav", "1-out.wav")
	require.Eventually(t, func() bool { return sp.Stats().HandedOver == 1 }, time.Minute, time.Millisecond)
	stop()
	require.NoError(t, <-done)
	close(log)
	for line := range log {
		assert.Contains(t, line, "level=INFO", "it is said once")
	}
}
