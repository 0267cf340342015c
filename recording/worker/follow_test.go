package worker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// The call has its URL as soon as the wait is over, and the whole leg's, beside
// it, when that is written.
func TestGrowingLegIsFollowed(t *testing.T) {
	t.Parallel()
	whole := samplecall.Agent()
	s := growing(t, whole)
	first := s.publish(t)
	require.EqualValues(t, (begunBytes-wavHeaderBytes)/2, first.Outputs[0].Frames)
	bytesOf := map[string][]byte{first.Outputs[0].Key: nil, first.Manifest.Key: nil}
	heads := map[string]storage.Head{}
	for key := range bytesOf {
		bytesOf[key] = s.object(t, key)
		var err error
		heads[key], err = s.store.Stat(t.Context(), key)
		require.NoError(t, err)
	}

	s.r.rest.Store(true)
	j := s.finished(t, s.opts)
	require.Equal(t, record.StatusCompleted, j.Result.Status, j.Result.Defects)
	require.EqualValues(t, samplecall.AgentFrames, j.Result.Outputs[0].Frames)
	require.Contains(t, j.Result.Outputs[0].Key, ".v2.wav")
	require.Contains(t, j.Result.Manifest.Key, ".v2.manifest.json")
	require.Equal(t, whole[wavHeaderBytes:], s.object(t, j.Result.Outputs[0].Key)[wavHeaderBytes:], "every frame of the leg")
	require.Equal(t, map[string]int{".wav": 2, ".manifest.json": 2}, s.versions(t))
	s.verify(t, j.Result.Manifest.Key, func(ctx context.Context, uri string) (io.ReadCloser, error) {
		return os.Open(filepath.Join(filepath.Dir(s.r.path), uri))
	})
	for key, b := range bytesOf {
		require.Equal(t, b, s.object(t, key), "the first version isn't touched")
		head, err := s.store.Stat(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, heads[key], head)
	}
	s.verify(t, first.Manifest.Key, nil)
	require.Equal(t, []bool{true, false}, s.told(t))
	require.NotContains(t, s.log.String(), "level=ERROR", "a later version was expected")
}

// A worker that was killed when it had stored the second version, and had not
// committed it, is no loss: another goes on where the ledger stands.
func TestFollowedAfterAKill(t *testing.T) {
	t.Parallel()
	s := growing(t, samplecall.Agent())
	s.publish(t)
	s.r.rest.Store(true)
	p := recording.NewProcessor(s.r, s.store, nil)
	var killed []ledger.Lease
	require.Eventually(t, func() bool {
		var err error
		killed, err = s.q.Claim(t.Context(), ledger.Claim{Worker: "killed", TTL: time.Millisecond})
		require.NoError(t, err)
		return len(killed) == 1
	}, time.Minute, time.Millisecond)
	var stored record.Result
	require.Eventually(t, func() bool {
		var err error
		stored, err = p.Process(t.Context(), storetest.SpecOf(t, &killed[0].Job), &recording.ProcessOptions{NewVersion: true})
		return err == nil
	}, time.Minute, time.Millisecond)

	s.start(t, s.opts)
	j := s.waitDone(t)
	require.Zero(t, j.Attempts, "a kill makes it a suspect, and its next run clears it")
	require.False(t, j.Suspect)
	require.Equal(t, stored, *j.Result, "the same bytes under the same keys")
	s.onCall(t, j.Result)
	require.Equal(t, map[string]int{".wav": 2, ".manifest.json": 2}, s.versions(t))
	require.Equal(t, []bool{true, false}, s.told(t))
	require.ErrorIs(t, s.q.Publish(t.Context(), killed[0], storetest.Outcome(stored), 0), callmodel.ErrLeaseLost)
}

// What is on the call is never made less by what becomes of the legs.
func TestPublishedIsNeverMadeLess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(t *testing.T, path string)
		lost    string
	}{
		"the leg vanishes": {
			func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Remove(path)) }, "absent, no_media",
		},
		"it gets shorter": {
			func(t *testing.T, path string) { t.Helper(); require.NoError(t, os.Truncate(path, begunBytes/2)) }, "ms instead of 1000",
		},
		"it becomes something else": {
			func(t *testing.T, path string) {
				t.Helper()
				require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("no audio "), 9999), 0o600))
			}, "quarantined",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := growing(t, endless())
			first := s.publish(t)
			s.r.idle.Store(true) // the telephone server writes no more
			c.happens(t, s.r.path)
			j := s.finished(t, s.opts)
			require.Equal(t, first, *j.Result)
			require.Contains(t, s.log.String(), "holds less than the published one, which stays")
			require.Contains(t, s.log.String(), c.lost)
			require.Equal(t, []bool{true, false}, s.told(t), "and that it is the last one is told")
		})
	}
}

// A job that can't be done any more is set aside, its recording stays.
func TestPublishedSurvivesQuarantine(t *testing.T) {
	t.Parallel()
	s := growing(t, endless())
	first := s.publish(t)
	start(t, worker.New(s.open(t), processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		panic("oh no")
	}), s.opts))
	j := waitState(t, s.q, s.id, ledger.Quarantined)
	require.Equal(t, ledger.MaxAttempts, j.Attempts)
	s.onCall(t, &first)
	require.True(t, j.Published)
	require.Equal(t, first, *storetest.ResultOf(t, &j))
}

// A leg that never ends has a last version when it has been followed for long enough.
func TestFollowingEnds(t *testing.T) {
	t.Parallel()
	s := growing(t, endless())
	first := s.publish(t)
	o := *s.opts
	o.FollowGrowing = time.Second
	j := s.finished(t, &o)
	require.GreaterOrEqual(t, j.FinishedAt.Sub(j.CreatedAt), o.FollowGrowing)
	require.True(t, j.Result.Has(record.DefectLegGrowing), j.Result.Defects)
	require.Greater(t, j.Result.Outputs[0].Frames, first.Outputs[0].Frames)
	require.Contains(t, j.Result.Outputs[0].Key, ".v2.wav")
	require.Equal(t, map[string]int{".wav": 2, ".manifest.json": 2}, s.versions(t))
	require.Equal(t, []bool{true, false}, s.told(t))
}

// The wait for a leg that isn't there was over with the first version; when it comes
// after all, it is in the last.
func TestMissingLegDoesNotHoldTheFollowUpBack(t *testing.T) {
	t.Parallel()
	s := growing(t, samplecall.Agent(), record.LegSpec{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav"}}})
	first := s.publish(t)
	require.True(t, first.Has(record.DefectLegMissing))
	s.r.rest.Store(true)
	o := *s.opts
	o.MissingLegWait = time.Hour // whatever this worker would wait
	reports := make(chan worker.Report, 10000)
	o.Finished = func(r worker.Report) { reports <- r }
	s.start(t, &o)
	next := func() worker.Report {
		for r := range reports {
			if r.Outcome != worker.Waiting {
				return r
			}
		}
		return worker.Report{}
	}
	second := next()
	require.Equal(t, worker.Published, second.Outcome, "%v", second.Err)
	require.Equal(t, record.StatusCompletedDegraded, second.Result.Status)
	require.Len(t, second.Result.Defects, 1)
	require.Equal(t, record.DefectLegMissing, second.Result.Defects[0].Code)
	require.EqualValues(t, samplecall.AgentFrames, second.Result.Outputs[0].Frames)
	require.Contains(t, second.Result.Outputs[0].Key, ".v2.wav")

	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(s.r.path), "customer.wav"), samplecall.Customer(), 0o600))
	last := next()
	require.Equal(t, worker.Done, last.Outcome, "%v", last.Err)
	j := s.waitDone(t)
	require.Equal(t, record.StatusCompleted, j.Result.Status, j.Result.Defects)
	require.Contains(t, j.Result.Outputs[0].Key, ".v3.wav")
	s.onCall(t, j.Result)
	require.Equal(t, map[string]int{".wav": 3, ".manifest.json": 3}, s.versions(t), "one for each that has come")
	require.Equal(t, []bool{true, true, false}, s.told(t))
}

// A file that became longer by what isn't audio gives the same bytes again, and another
// manifest: they are a version together, and the recording isn't degraded any more.
func TestFollowedLegWithoutMoreAudio(t *testing.T) {
	t.Parallel()
	begun := bytes.Clone(samplecall.Agent()[:begunBytes])
	binary.LittleEndian.PutUint32(begun[4:], begunBytes-8)
	binary.LittleEndian.PutUint32(begun[40:], begunBytes-wavHeaderBytes)
	whole := append(bytes.Clone(begun), "LIST\x1a\x00\x00\x00INFOICMT\x0e\x00\x00\x00recorded twice"...)
	binary.LittleEndian.PutUint32(whole[4:], uint32(len(whole)-8))
	s := growing(t, whole)
	require.NoError(t, os.WriteFile(s.r.path, begun, 0o600))
	s.r.rest.Store(true)
	j := s.finished(t, s.opts)
	require.Equal(t, record.StatusCompleted, j.Result.Status, j.Result.Defects)
	require.Contains(t, j.Result.Outputs[0].Key, ".v2.wav")
	require.Contains(t, j.Result.Manifest.Key, ".v2.")
	require.Equal(t, map[string]int{".wav": 2, ".manifest.json": 2}, s.versions(t))
	require.Equal(t, []bool{true, false}, s.told(t))
	s.verify(t, strings.Replace(j.Result.Manifest.Key, ".v2.", ".v1.", 1), nil)
}

// A telephone server that writes now and then, never while the leg is read, is
// waited for until the file has been left alone.
func TestQuietLegIsWhole(t *testing.T) {
	t.Parallel()
	s := growing(t, samplecall.Agent())
	s.publish(t)
	s.r.idle.Store(true) // it writes no more by itself
	require.NoError(t, os.WriteFile(s.r.path, samplecall.Agent(), 0o600))
	o := *s.opts
	o.Quiet = 24 * time.Hour
	turns := make(chan worker.Report, 1000)
	o.Finished = func(r worker.Report) { turns <- r }
	s.start(t, &o)
	for range 3 {
		r := <-turns
		require.Equal(t, worker.Waiting, r.Outcome)
		require.ErrorContains(t, r.Err, "still growing")
	}
	ago := time.Now().Add(-48 * time.Hour)
	require.NoError(t, os.Chtimes(s.r.path, ago, ago))
	j := s.waitDone(t)
	require.Equal(t, record.StatusCompleted, j.Result.Status, j.Result.Defects)
	require.EqualValues(t, samplecall.AgentFrames, j.Result.Outputs[0].Frames)
	s.onCall(t, j.Result)
}

// askedQuiet is a processor that notes which files it may take for whole.
type askedQuiet struct{ since []time.Time }

func (a *askedQuiet) Process(_ context.Context, _ record.Spec, o *recording.ProcessOptions) (record.Result, error) {
	a.since = append(a.since, o.QuietSince)
	switch len(a.since) {
	case 1:
		return made, &recording.LegsNotReadyError{Legs: []string{"agent"}}
	case 2:
		return made, &recording.LegsNotReadyError{Growing: []string{"agent"}}
	}
	return made, nil
}

// A leg that was seen growing isn't whole because it didn't grow the next time.
func TestLegThatWasSeenGrowingMustBeQuiet(t *testing.T) {
	t.Parallel()
	q, p := jobLedger(t), &askedQuiet{}
	id := enqueue(t, q, 1)[0]
	o := options()
	o.LeaseTTL, o.MissingLegWait = time.Minute, time.Hour
	stop := start(t, worker.New(q, p, o))
	waitState(t, q, id, ledger.Done)
	stop()
	require.Len(t, p.since, 3)
	require.Zero(t, p.since[0], "files of a call that has just ended are new")
	require.Zero(t, p.since[1])
	require.False(t, p.since[2].IsZero())
	require.GreaterOrEqual(t, time.Since(p.since[2]), 10*time.Second)
}

// Pauses grow with the job's age, within bounds, and none goes past the end.
func TestFollowUpsAreSpread(t *testing.T) {
	t.Parallel()
	w := worker.New(nil, nil, nil)
	rapid.Check(t, func(t *rapid.T) {
		old := time.Duration(rapid.Int64Range(0, int64(25*time.Hour)).Draw(t, "old"))
		pause, left := w.FollowIn(old), 24*time.Hour-old
		require.GreaterOrEqual(t, pause, max(min(5*time.Second*3/4, left), time.Millisecond))
		require.LessOrEqual(t, pause, max(min(5*time.Minute*5/4, left), time.Millisecond))
		require.LessOrEqual(t, pause, max(old/8, 5*time.Second)*5/4, "a young job is looked at often")
	})
	require.Greater(t, w.FollowIn(12*time.Hour), 3*time.Minute)
}

// laggard is a ledger that is down whenever a recording is to be published.
type laggard struct {
	*calldb.DB

	down atomic.Int64
}

func (l *laggard) Publish(ctx context.Context, lease ledger.Lease, o ledger.Outcome, again time.Duration) error {
	if l.down.Add(-1) >= 0 {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the database is down")
	}
	return l.DB.Publish(ctx, lease, o, again)
}

func TestPublicationWaitsForTheLedger(t *testing.T) {
	t.Parallel()
	q := &laggard{DB: jobLedger(t)}
	q.down.Store(5)
	id := enqueue(t, q, 1)[0]
	var runs atomic.Int64
	o := options()
	o.LeaseTTL, o.FollowPause = time.Minute, time.Millisecond
	start(t, worker.New(q, processorFunc(func(context.Context, record.Spec, bool) (record.Result, error) {
		r := made
		if runs.Add(1) == 1 {
			r.Defects = []record.Defect{{Code: record.DefectLegGrowing, Leg: "agent"}}
		}
		return r, nil
	}), o))
	waitState(t, q, id, ledger.Done)
	require.EqualValues(t, 2, runs.Load(), "made once for each version")
	require.Negative(t, q.down.Load())
	events, err := q.OutboxEvents(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, events, 2)
}
