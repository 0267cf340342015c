//go:build unix

package spool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake/spool"
)

// inTime fails the test if what is done waits for somebody who writes to a pipe.
func inTime(t *testing.T, what string, do func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		require.NoError(t, err, what)
	case <-time.After(20 * time.Second):
		require.FailNow(t, "it hangs", what)
	}
}

// Pipes, devices and links in the place of JSON files, of legs and of the index are never
// opened: the legs are handed over without what is beside them.
func TestPipesAreNeverOpened(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Index = filepath.Join(s.dir, ".switchtape", "handed-over")
	s.put(t, "x", "a-in.wav", "a-out.wav", "b-in.wav", "b-out.wav", "c-in.wav", "c-out.wav", ".switchtape/x")
	s.put(t, `{"call_id":"of-another"}`, "elsewhere.json")
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.dir, "a.json"), 0o600))
	require.NoError(t, os.Symlink("elsewhere.json", filepath.Join(s.dir, "b.json")))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(s.dir, "c.json")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(s.dir, "d-in.wav"), 0o600))
	require.NoError(t, syscall.Mkfifo(s.o.Index, 0o600))
	sp := s.open(t)
	for _, later := range []time.Duration{0, 10 * time.Second} {
		s.now = s.now.Add(later)
		inTime(t, "a sweep", func() error { return sp.Sweep(t.Context()) })
	}
	assert.EqualValues(t, 3, sp.Stats().HandedOver, "%s", &s.log)
	for _, spec := range s.specs(t) {
		assert.NotEqual(t, "of-another", string(spec.CallID), "a link may lead to what is another's")
	}
	assert.Contains(t, s.log.String(), "they are handed over without")
	inTime(t, "a survey", func() error {
		got, err := spool.SurveyDir(t.Context(), s.dir, &s.o, nil)
		assert.Len(t, got.Calls, 3)
		return err
	})
}

// A leg that is a pipe by the time that it is looked into is left out.
func TestLegThatBecomesAPipe(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.put(t, "x", "a-in.wav", "b-in.wav")
	swapped := false
	inTime(t, "a survey", func() error {
		got, err := spool.SurveyDir(t.Context(), s.dir, &s.o, func(context.Context, *os.File, *record.RawFormat) (time.Duration, error) {
			if swapped {
				return 0, nil
			}
			swapped = true
			b := filepath.Join(s.dir, "b-in.wav")
			return 0, errors.Join(os.Remove(b), syscall.Mkfifo(b, 0o600))
		})
		require.Len(t, got.LeftOut, 1)
		assert.Contains(t, got.LeftOut[0].Reason, "a pipe")
		return err
	})
}

// A pipe in the place of the spool itself is an error, and not waited for.
func TestSpoolThatIsAPipe(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.dir = filepath.Join(s.dir, "pipe")
	require.NoError(t, syscall.Mkfifo(s.dir, 0o600))
	sp := s.open(t)
	inTime(t, "a sweep", func() error {
		require.ErrorContains(t, sp.Sweep(t.Context()), "no directory")
		return nil
	})
}
