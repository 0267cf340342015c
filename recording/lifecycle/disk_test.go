package lifecycle_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/lifecycle"
)

// fakeDisk is a disk that tests fill.
type fakeDisk struct {
	mu   sync.Mutex
	free int64
	err  error
}

func (f *fakeDisk) usage(string) (int64, int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.free, 1000 << 30, f.err
}

// TestDiskForecast: a disk that loses 1 GiB a minute is full when what is left is gone,
// and one that loses nothing never is.
func TestDiskForecast(t *testing.T) {
	t.Parallel()
	c, f := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, &fakeDisk{free: 600 << 30}
	d, err := lifecycle.NewDisk("/legs", lifecycle.DiskOptions{Usage: f.usage, Now: c.now, Window: time.Hour})
	require.NoError(t, err)
	look := func(n int, change int64) lifecycle.DiskState {
		for range n {
			c.advance(time.Minute)
			f.free += change
			d.Look(t.Context())
		}
		return d.State()
	}
	require.Zero(t, look(9, -1<<30).FullIn, "too early to say")
	s := look(91, -1<<30)
	require.InDelta(t, 500*time.Minute, s.FullIn, float64(time.Second))
	require.EqualValues(t, 500<<30, s.Free)
	require.Zero(t, s.Reserve)
	require.NoError(t, d.Room())

	require.Greater(t, look(30, 0).FullIn, 500*time.Minute, "the last hour counts")
	require.Zero(t, look(61, 0).FullIn)
	require.Zero(t, look(60, 1<<30).FullIn, "it empties")

	// Legs that are deleted once in a while hide nothing.
	for range 60 {
		look(9, -2<<30)
		look(1, 10<<30)
	}
	require.Positive(t, d.State().FullIn)
	c.advance(-24 * time.Hour) // the clock is put right
	require.Zero(t, look(3, -1<<30).FullIn)
}

// TestDiskReserve: what is below the reserve is told, once, and so is that it isn't any
// more. A disk that can't be looked at is nobody's reason to stop.
func TestDiskReserve(t *testing.T) {
	t.Parallel()
	c, f := &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}, &fakeDisk{free: 100 << 30}
	var log bytes.Buffer
	d, err := lifecycle.NewDisk("/legs", lifecycle.DiskOptions{
		Usage: f.usage, Now: c.now, Reserve: 10 << 30, ReserveShare: 0.05, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	require.NoError(t, err)
	require.NoError(t, d.Room(), "nobody has looked yet")
	look := func(free int64, fault error) error {
		c.advance(time.Minute)
		f.free, f.err = free, fault
		d.Look(t.Context())
		return d.Room()
	}
	require.NoError(t, look(50<<30, nil))
	require.EqualValues(t, 50<<30, d.State().Reserve, "the greater one")
	for range 3 {
		require.ErrorContains(t, look(50<<30-1, nil), "/legs")
	}
	require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
	require.NoError(t, look(0, errors.New("unmounted")))
	require.Error(t, d.State().Err)
	require.NoError(t, look(60<<30, nil))
	require.Equal(t, 1, strings.Count(log.String(), "has room again"))
	require.NoError(t, d.State().Err)

	for _, o := range []lifecycle.DiskOptions{{Now: c.now, Reserve: -1}, {Now: c.now, ReserveShare: 1}, {}} {
		_, err := lifecycle.NewDisk("/legs", o)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	}
}

// A disk that doesn't answer holds nobody up, and isn't asked again meanwhile.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	answer := make(chan struct{})
	d, err := lifecycle.NewDisk("/legs", lifecycle.DiskOptions{Now: time.Now, Usage: func(string) (int64, int64, error) {
		asked.Add(1)
		<-answer
		return 1, 2, nil
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	require.Eventually(t, func() bool { return asked.Load() == 1 }, within, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	d.Look(t.Context())
	require.ErrorContains(t, d.State().Err, "doesn't answer")
	require.NoError(t, d.Room())
	require.EqualValues(t, 1, asked.Load())
	close(answer)
	require.Eventually(t, func() bool {
		d.Look(t.Context())
		return d.State().Err == nil
	}, within, time.Millisecond)
}

// The system's own answer.
func TestDiskOfTheSystem(t *testing.T) {
	t.Parallel()
	d, err := lifecycle.NewDisk(t.TempDir(), lifecycle.DiskOptions{Now: time.Now})
	require.NoError(t, err)
	d.Look(t.Context())
	s := d.State()
	require.NoError(t, s.Err)
	require.Positive(t, s.Size)
	require.LessOrEqual(t, s.Free, s.Size)
}
