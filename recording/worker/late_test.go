package worker_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A call without any leg is absent when they are not looked for any more, and not
// before; one that comes late is recorded.
func TestAllLegsAreLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		follow time.Duration
		comes  bool
		want   record.Status
	}{
		"one comes":        {time.Hour, true, record.StatusCompleted},
		"none ever comes":  {time.Second, false, record.StatusAbsent},
		"nobody looks out": {-1, false, record.StatusAbsent},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, q, objects := t.TempDir(), jobLedger(t), &bucket{}
			id := enqueue(t, q, 1)[0]
			turns := make(chan worker.Report, 1000)
			o := options()
			o.MissingLegWait, o.FollowGrowing, o.FollowPause, o.Quiet = -1, c.follow, 5*time.Millisecond, -1
			o.LeaseTTL = time.Minute
			o.Finished = func(r worker.Report) { turns <- r }
			start(t, worker.New(q, recording.NewProcessor(local.NewDir(dir), objects, nil), o))
			if c.follow > 0 {
				r := <-turns
				require.Equal(t, worker.Waiting, r.Outcome)
				var notReady *recording.LegsNotReadyError
				require.ErrorAs(t, r.Err, &notReady)
				require.Equal(t, []string{"agent"}, notReady.Legs)
				require.ErrorContains(t, r.Err, "no file agent.wav")
				require.Equal(t, record.LegsMissing, waitState(t, q, id, ledger.Queued).Reason)
			}
			if c.comes {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.wav"), samplecall.Agent(), 0o600))
			}
			j := waitState(t, q, id, ledger.Done)
			require.Zero(t, j.Attempts)
			require.Equal(t, c.want, storetest.ResultOf(t, &j).Status)
			if !c.comes {
				require.GreaterOrEqual(t, j.FinishedAt.Sub(j.CreatedAt), c.follow)
			}
		})
	}
}
