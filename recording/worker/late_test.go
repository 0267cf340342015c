package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/storetest"
)

// A call without any leg is absent so far, and one that comes late is recorded. Where
// the legs may be on another's disk it is only absent when they are not looked for any
// more.
func TestAllLegsAreLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		queue  string
		all    bool
		follow time.Duration
		comes  bool
		first  worker.Outcome
		want   record.Status
		told   []string
	}{
		"one comes":                    {"", true, time.Hour, true, worker.Published, record.StatusCompleted, []string{"recording.absent", "recording.completed"}},
		"one comes to its host":        {"pbx1", false, time.Hour, true, worker.Published, record.StatusCompleted, []string{"recording.absent", "recording.completed"}},
		"one comes to some host":       {"", false, time.Hour, true, worker.Waiting, record.StatusCompleted, []string{"recording.completed"}},
		"none ever comes":              {"", true, time.Second, false, worker.Published, record.StatusAbsent, []string{"recording.absent", "recording.absent"}},
		"none ever comes to some host": {"", false, time.Second, false, worker.Waiting, record.StatusAbsent, []string{"recording.absent"}},
		"nobody looks out":             {"", true, -1, false, worker.Done, record.StatusAbsent, []string{"recording.absent"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, q, objects := t.TempDir(), jobLedger(t), &bucket{}
			id, _, err := q.Enqueue(t.Context(), inQueue("c0", c.queue))
			require.NoError(t, err)
			turns := make(chan worker.Report, 1000)
			o := options()
			o.AllLegs, o.Queues = c.all, []string{"pbx1", ledger.DefaultQueue}
			o.MissingLegWait, o.FollowGrowing, o.FollowPause, o.Quiet = -1, c.follow, 5*time.Millisecond, -1
			o.LeaseTTL = time.Minute
			o.Finished = func(r worker.Report) { turns <- r }
			start(t, worker.New(q, recording.NewProcessor(local.NewDir(dir), objects, nil), o))
			first := <-turns
			require.Equal(t, c.first, first.Outcome, "%v", first.Err)
			if c.first == worker.Published {
				require.Equal(t, record.StatusAbsent, first.Result.Status)
			}
			if c.first != worker.Done {
				waitTurn(t, turns, "agent.wav")
				j := waitState(t, q, id, ledger.Queued)
				require.Equal(t, c.first == worker.Published, j.Published)
			}
			if c.comes {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.wav"), samplecall.Agent(), 0o600))
			}
			j := waitState(t, q, id, ledger.Done)
			require.Zero(t, j.Attempts)
			r := storetest.ResultOf(t, &j)
			require.Equal(t, c.want, r.Status)
			if c.comes {
				require.Contains(t, r.URL(), ".v1.wav")
			} else {
				require.GreaterOrEqual(t, j.FinishedAt.Sub(j.CreatedAt), c.follow)
			}
			events, err := q.OutboxEvents(t.Context(), 0, 10)
			require.NoError(t, err)
			var told []string
			for i, e := range events {
				told = append(told, e.Type)
				require.Equal(t, i < len(events)-1, bytes.Contains(e.Body, []byte(`"provisional":true`)))
			}
			require.Equal(t, c.told, told)
		})
	}
}

// What comes late and can't be read isn't passed over for having been absent before.
func TestLateLegThatCanNotBeRead(t *testing.T) {
	t.Parallel()
	dir, q := t.TempDir(), jobLedger(t)
	id := enqueue(t, q, 1)[0]
	turns := make(chan worker.Report, 1000)
	o := options()
	o.MissingLegWait, o.FollowPause, o.Quiet, o.LeaseTTL = -1, 5*time.Millisecond, -1, time.Minute
	o.Finished = func(r worker.Report) { turns <- r }
	start(t, worker.New(q, recording.NewProcessor(local.NewDir(dir), &bucket{}, nil), o))
	require.Equal(t, worker.Published, (<-turns).Outcome)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.wav"), bytes.Repeat([]byte("no audio "), 999), 0o600))
	j := waitState(t, q, id, ledger.Quarantined)
	require.Contains(t, j.LastError, "unreadable_leg")
}

// A worker that isn't named for a job's queue leaves what it doesn't find to the one
// that is.
func TestOnlyNamedWorkersMissLegs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		queues []string
		takes  bool
	}{
		"every queue, as nothing is said": {nil, true},
		"every queue":                     {[]string{worker.AllQueues}, true},
		"every queue, and another's name": {[]string{worker.AllQueues, "pbx2"}, true},
		"another's name":                  {[]string{"pbx2"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, q, objects := t.TempDir(), jobLedger(t), &bucket{}
			job := storetest.RequestOf(spec("c0"))
			job.Queue = "pbx1"
			id, _, err := q.Enqueue(t.Context(), job)
			require.NoError(t, err)
			turns := make(chan worker.Report, 1000)
			o := options()
			o.AllLegs, o.Queues = false, c.queues
			o.MissingLegWait, o.FollowGrowing, o.FollowPause, o.LeaseTTL = -1, -1, 5*time.Millisecond, time.Minute
			o.Finished = func(r worker.Report) { turns <- r }
			w := worker.New(q, recording.NewProcessor(local.NewDir(dir), objects, nil), o)
			stop := start(t, w)
			if c.takes {
				for range 2 {
					r := <-turns
					require.Equal(t, worker.Waiting, r.Outcome)
					var away *recording.LegsAwayError
					require.ErrorAs(t, r.Err, &away)
					require.Equal(t, "agent", away.Leg)
					require.Equal(t, "agent.wav", away.URI)
					require.ErrorContains(t, r.Err, "--queues pbx1")
				}
				_, err := w.LegsAway()
				require.ErrorContains(t, err, "isn't named for queue")
			}
			stop()
			j := waitState(t, q, id, ledger.Queued)
			require.Zero(t, j.Attempts)
			require.Empty(t, objects.puts)
			if c.takes {
				require.Equal(t, record.LegsAway, j.Reason)
			}

			o.Queues, o.Finished = []string{"pbx1"}, nil
			start(t, worker.New(q, recording.NewProcessor(local.NewDir(dir), objects, nil), o))
			j = waitState(t, q, id, ledger.Done)
			require.Equal(t, record.StatusAbsent, storetest.ResultOf(t, &j).Status)
		})
	}
}

// Workers on many machines, each with legs on a disk of its own, take the jobs of
// calls that don't say on which. No recording is lost by the wrong ones being first.
func TestLegsOnManyDisks(t *testing.T) {
	t.Parallel()
	const machines = 5
	q, objects := jobLedger(t), &bucket{}
	var ids []callmodel.JobID
	for i := range machines {
		s := spec(fmt.Sprint("c", i))
		s.Legs[0].Segments[0].URI = fmt.Sprint("c", i, ".wav")
		id, _, err := q.Enqueue(t.Context(), storetest.RequestOf(s))
		require.NoError(t, err)
		ids = append(ids, id)
	}
	for i := range machines {
		dir, o := t.TempDir(), options()
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("c", i, ".wav")), samplecall.Agent(), 0o600))
		o.Name, o.AllLegs, o.Queues = fmt.Sprint("w", i), false, []string{fmt.Sprint("pbx", i), ledger.DefaultQueue}
		o.MissingLegWait, o.FollowPause, o.Quiet, o.LeaseTTL = -1, time.Millisecond, -1, time.Minute
		start(t, worker.New(q, recording.NewProcessor(local.NewDir(dir), objects, nil), o))
	}
	for _, id := range ids {
		j := waitState(t, q, id, ledger.Done)
		require.Equal(t, record.StatusCompleted, storetest.ResultOf(t, &j).Status)
	}
}

// What comes late makes a version beside what is there. If another leg is gone by
// then, the call keeps what it has.
func TestOneLegIsLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gone bool
		want string
	}{
		"and comes":                     {false, ".v2.wav"},
		"and the other is gone by then": {true, ".v1.wav"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := growing(t, samplecall.Agent(), record.LegSpec{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav"}}})
			s.r.rest.Store(true) // nothing grows here
			dir := filepath.Dir(s.r.path)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.wav"), samplecall.Agent(), 0o600))
			o := *s.opts
			turns := make(chan worker.Report, 10000)
			o.Finished = func(r worker.Report) { turns <- r }
			s.start(t, &o)
			first := <-turns
			require.Equal(t, worker.Published, first.Outcome)
			require.True(t, first.Result.Has(record.DefectLegMissing))
			s.onCall(t, &first.Result)
			if c.gone {
				require.NoError(t, os.Remove(filepath.Join(dir, "agent.wav")))
				waitTurn(t, turns, `no file "agent.wav"`)
			}
			waitTurn(t, turns, `no file "customer.wav"`)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "customer.wav"), samplecall.Customer(), 0o600))
			j := s.waitDone(t)
			require.Contains(t, j.Result.URL(), c.want)
			s.onCall(t, j.Result)
			require.Equal(t, map[string]int{".wav": 2, ".manifest.json": 2}, s.versions(t))
			require.Equal(t, []bool{true, false}, s.told(t))
			if c.gone {
				require.Equal(t, first.Result.Outputs, j.Result.Outputs)
				require.Contains(t, s.log.String(), "holds less than the published one, which stays")
				return
			}
			require.Equal(t, record.StatusCompleted, j.Result.Status, j.Result.Defects)
		})
	}
}

// waitTurn waits for a turn at which the job waits for that.
func waitTurn(t *testing.T, turns <-chan worker.Report, reason string) {
	t.Helper()
	for r := range turns {
		require.Equal(t, worker.Waiting, r.Outcome, "%v", r.Err)
		if strings.Contains(r.Err.Error(), reason) {
			return
		}
	}
}

// A version that is what is there already isn't told again.
func TestTheSameVersionIsPublishedOnce(t *testing.T) {
	t.Parallel()
	q := jobLedger(t)
	id := enqueue(t, q, 1)[0]
	turns := make(chan worker.Report, 10000)
	o := options()
	o.MissingLegWait, o.FollowGrowing, o.FollowPause, o.LeaseTTL = -1, 5*time.Second, 5*time.Millisecond, time.Minute // a busy machine's first turn is within it
	o.Finished = func(r worker.Report) { turns <- r }
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		r := made
		r.Legs = []record.LegResult{{Name: "agent"}}
		r.Defects = []record.Defect{{Code: record.DefectLegEmpty, Leg: "agent", Detail: "as was seen at its end"}}
		return r, nil
	}), o))
	require.Equal(t, worker.Published, (<-turns).Outcome)
	waitTurn(t, turns, "no audio yet of leg agent")
	waitState(t, q, id, ledger.Done)
	events, err := q.OutboxEvents(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, events, 2, "the first and the last")
}
