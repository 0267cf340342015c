package worker_test

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/storetest"
)

// While nobody can look for the legs, none is missing: the job waits, uncounted,
// whatever its age, with one alarm, and is made when the place is back.
func TestLegsAreAway(t *testing.T) {
	t.Parallel()
	type place struct {
		legs recording.LegOpener
		back func() error // brings the place back, with the leg in it
	}
	leg := func(dir string) error {
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, "agent.wav"), samplecall.Agent(), 0o600)
	}
	for name, open := range map[string]func(t *testing.T) place{
		"a directory that isn't there yet": func(t *testing.T) place {
			t.Helper()
			dir := filepath.Join(t.TempDir(), "legs")
			return place{local.NewDir(dir), func() error { return leg(dir) }}
		},
		"a share that was unmounted": func(t *testing.T) place {
			t.Helper()
			dir := filepath.Join(t.TempDir(), "legs")
			require.NoError(t, leg(dir))
			d, err := local.OpenDir(dir)
			require.NoError(t, err)
			require.NoError(t, os.Rename(dir, dir+"-share"))
			require.NoError(t, os.Mkdir(dir, 0o750))
			return place{d, func() error {
				if err := os.Remove(dir); err != nil {
					return err
				}
				return os.Rename(dir+"-share", dir)
			}}
		},
		"a bucket that doesn't exist": func(t *testing.T) place {
			t.Helper()
			dir := filepath.Join(t.TempDir(), "legs")
			s, err := storage.Open(t.Context(), "file://"+filepath.ToSlash(dir), nil)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			require.NoError(t, os.Remove(dir))
			return place{s, func() error { return leg(dir) }}
		},
		"a leg that may not be read": func(t *testing.T) place {
			t.Helper()
			dir := t.TempDir()
			require.NoError(t, leg(dir))
			r := &refusing{LegOpener: local.NewDir(dir)}
			r.refuses.Store(true)
			return place{r, func() error { r.refuses.Store(false); return nil }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, q, objects := open(t), jobLedger(t), &bucket{}
			id := enqueue(t, q, 1)[0]
			var log logBuffer
			turns := make(chan worker.Report, 1000)
			o := options()
			o.MissingLegWait, o.FollowGrowing, o.LeaseTTL = -1, -1, time.Minute // whatever is missing is missing now
			o.Logger = slog.New(slog.NewTextHandler(&log, nil))
			o.Finished = func(r worker.Report) { turns <- r }
			w := worker.New(q, recording.NewProcessor(p.legs, objects, nil), o)
			start(t, w)
			for range 2 {
				r := <-turns
				require.Equal(t, worker.Waiting, r.Outcome, "%v", r.Err)
				var away *recording.LegsAwayError
				require.ErrorAs(t, r.Err, &away)
			}
			j := waitState(t, q, id, ledger.Queued)
			require.Zero(t, j.Attempts)
			require.Equal(t, record.LegsAway, j.Reason)
			_, err := w.LegsAway()
			require.Error(t, err)
			require.Empty(t, objects.puts)

			require.NoError(t, p.back())
			j = waitState(t, q, id, ledger.Done)
			require.Zero(t, j.Attempts)
			require.Equal(t, record.StatusCompleted, storetest.ResultOf(t, &j).Status)
			for r := range turns {
				if r.Outcome == worker.Done {
					break
				}
			}
			since, err := w.LegsAway()
			require.NoError(t, err)
			require.Zero(t, since)
			require.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), "%s", &log)
			require.Contains(t, log.String(), "the place of the legs is away")
			require.Contains(t, log.String(), "the place of the legs is back")
		})
	}
}

// refusing opens legs that this process may not read.
type refusing struct {
	recording.LegOpener

	refuses atomic.Bool
}

func (r *refusing) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	if r.refuses.Load() {
		return nil, &fs.PathError{Op: "open", Path: uri, Err: syscall.EACCES}
	}
	return r.LegOpener.OpenLeg(ctx, uri)
}
