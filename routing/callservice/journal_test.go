package callservice_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/callservice/journal"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

func openJournal(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

// afterDeath is the journal as the next process finds it after kill -9 now.
func afterDeath(t *testing.T, dir string) *journal.Journal {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	return openJournal(t, copied)
}

// settled runs the service until nothing waits to be stored.
func settled(t *testing.T, s *callservice.Service) {
	t.Helper()
	stop := run(t, s)
	require.Eventually(t, func() bool { b := s.Backlog(); return b.EmergencyCalls+b.Calls+b.Events == 0 }, 30*time.Second, 2*time.Millisecond)
	stop()
}

func (f *faulty) AppendEvent(ctx context.Context, t callmodel.TenantID, id callmodel.CallID, ev calls.Event, actor string, defaults []record.OutputSpec) (calls.Call, error) {
	if err := f.pass(ctx); err != nil {
		return calls.Call{}, err
	}
	return f.Stores.AppendEvent(ctx, t, id, ev, actor, defaults)
}

// slow is a store whose every call takes a while, and that counts the attempts
// which were ended under it.
type slow struct {
	callservice.Stores

	takes time.Duration
	cut   atomic.Int32
}

func (s *slow) CreateCall(ctx context.Context, n calls.NewCall) (*calls.StoredResponse, error) {
	timer := time.NewTimer(s.takes)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		s.cut.Add(1)
		return nil, ctx.Err()
	case <-timer.C:
	}
	return s.Stores.CreateCall(ctx, n)
}

// TestStoringIsNotCutShort: stores that are slower than an answer may wait are
// given the time they need.
func TestStoringIsNotCutShort(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	f := &slow{Stores: db, takes: 50 * time.Millisecond}
	for name, j := range map[string]callservice.Journal{"memory": nil, "journal": openJournal(t, t.TempDir())} {
		s := over(f, callservice.Options{Journal: j, EmergencyWait: time.Millisecond, RulesRefresh: 5 * time.Millisecond})
		for i := range 50 {
			s.CreateEmergency(t.Context(), "acme", sos(fmt.Sprint(name, i)), "test")
		}
		settled(t, s)
	}
	assert.Zero(t, f.cut.Load())
	assert.Len(t, stored(t, db), 100)
}

// TestAnswerWaitsForNoStore: with a journal an answer is given while the stores
// hang, though it might wait a minute.
func TestAnswerWaitsForNoStore(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	f := newFaulty(db)
	s := on(t, f, callservice.Options{Journal: openJournal(t, t.TempDir()), EmergencyWait: time.Hour, RulesRefresh: 5 * time.Millisecond})
	f.set(deaf)
	for range 500 {
		s.CreateEmergency(t.Context(), "acme", sos(""), "test")
	}
	assert.Equal(t, 500, s.Unstored())
	f.set(healthy)
	close(f.release)
	settled(t, s)
	assert.Len(t, stored(t, db), 500)
}

// TestAnsweredSurvivesDeath: what was answered without a database is stored once
// by the next process, whenever this one dies, and its keys are honoured there.
func TestAnsweredSurvivesDeath(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		f := newFaulty(db)
		dir := t.TempDir()
		first := on(t, f, callservice.Options{Journal: openJournal(t, dir), RulesRefresh: 5 * time.Millisecond})
		f.set(down)
		taken := create(t, on(t, db, callservice.Options{}), nyc("taken"))
		ids := map[callmodel.CallID]bool{}
		for range 20 {
			ids[first.CreateEmergency(t.Context(), "acme", sos(""), "test").ID] = true
		}
		first.CreateEmergency(t.Context(), "acme", sos("taken"), "test")
		key := &callservice.Idempotency{Key: "once"}
		once, err := first.Create(t.Context(), "acme", sos(""), "test", key)
		require.NoError(t, err)
		ids[once.Call.ID] = true
		recorded := sos("")
		recorded.Recording = &calls.RecordingPreference{Enabled: true}
		help := first.CreateEmergency(t.Context(), "acme", recorded, "test")
		ids[help.ID] = true
		for _, ev := range []calls.Event{
			{ID: "1", Type: calls.EventAnswered},
			{ID: "1", Type: calls.EventAnswered},
			{ID: "2", Type: calls.EventEnded, Legs: []record.LegSpec{{Name: "a", Segments: []record.SegmentSpec{{URI: "a.wav"}}}}},
		} {
			m, err := first.Event(t.Context(), "acme", help.ID, ev, "test")
			require.NoError(t, err)
			require.True(t, m.Later)
		}
		unsure := afterDeath(t, dir) // of a process that dies here

		// Another dies while it stores: some are stored, and the journal doesn't say so.
		half := on(t, db, callservice.Options{Journal: afterDeath(t, dir), RulesRefresh: 5 * time.Millisecond})
		require.NoError(t, half.LoadJournal(t.Context()))
		settled(t, half)

		bells := 0
		next := on(t, db, callservice.Options{Journal: unsure, RulesRefresh: 5 * time.Millisecond, JobEnqueued: func() { bells++ }})
		require.NoError(t, next.LoadJournal(t.Context()))
		assert.Equal(t, len(ids)+1, next.Unstored())
		again, err := next.Create(t.Context(), "acme", sos(""), "test", key)
		require.NoError(t, err)
		assert.True(t, again.Replayed)
		assert.Equal(t, once.Call.ID, again.Call.ID)
		settled(t, next)
		all := stored(t, db)
		assert.Len(t, all, len(ids)+2, "each once, and the one whose id was taken under another")
		for _, c := range all {
			delete(ids, c.ID)
		}
		assert.Empty(t, ids)
		got, err := db.Call(t.Context(), "acme", "taken")
		require.NoError(t, err)
		assert.Equal(t, taken, got)
		got, err = db.Call(t.Context(), "acme", help.ID)
		require.NoError(t, err)
		assert.Equal(t, calls.Ended, got.State)
		list, err := db.CallEvents(t.Context(), "acme", help.ID)
		require.NoError(t, err)
		assert.Len(t, list, 2)
		assert.Zero(t, unsure.Stats().Entries)
		assert.Zero(t, next.Backlog().Refused)
		again, err = next.Create(t.Context(), "acme", sos(""), "test", &callservice.Idempotency{Key: "once"})
		require.NoError(t, err)
		assert.Equal(t, once.Call.ID, again.Call.ID)
	})
}

// TestEmergencyKeys: the same key and request get the same call; what is wrong
// with a key costs only the key.
func TestEmergencyKeys(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		o := callservice.Options{Journal: openJournal(t, t.TempDir())}
		s := on(t, db, o)
		made := func(s *callservice.Service, key, from string) callservice.Created {
			c, err := s.Create(t.Context(), "acme", callservice.Request{From: from, To: "911"}, "test", &callservice.Idempotency{Key: key})
			require.NoError(t, err)
			require.True(t, c.Call.Emergency)
			return c
		}
		first := made(s, "k", "+12025550123")
		again := made(s, "k", "+12025550123")
		assert.Equal(t, first.Call.ID, again.Call.ID)
		assert.True(t, again.Replayed)
		other := made(s, "k", "+12025550124")
		assert.NotEqual(t, first.Call.ID, other.Call.ID)
		bad := made(s, "a key", "+12025550123")
		assert.NotEqual(t, bad.Call.ID, made(s, "a key", "+12025550123").Call.ID)
		settled(t, s)
		elsewhere := over(db, callservice.Options{})
		assert.Equal(t, first.Call.ID, made(elsewhere, "k", "+12025550123").Call.ID, "the stores know it")
		assert.Len(t, stored(t, db), 4)
	})
}

// broken is a journal whose disk fails, or hangs until released.
type broken struct {
	*journal.Journal

	hangs chan struct{}
}

func (b *broken) Append(body []byte) (uint64, error) {
	if b.hangs == nil {
		return 0, errors.New("no space left on device")
	}
	<-b.hangs
	return b.Journal.Append(body)
}

// TestJournalFails: a full or hanging disk refuses no call, is counted, and the
// call is stored all the same.
func TestJournalFails(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]chan struct{}{"full": nil, "hanging": make(chan struct{})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := memdb.New(nil)
			f := newFaulty(db)
			j := &broken{openJournal(t, t.TempDir()), hangs}
			s := on(t, f, callservice.Options{Journal: j, RulesRefresh: 5 * time.Millisecond})
			f.set(down)
			began := time.Now()
			for range 50 {
				s.CreateEmergency(t.Context(), "acme", sos(""), "test")
			}
			assert.Less(t, time.Since(began), 20*time.Second)
			assert.Equal(t, 50, s.Unstored())
			assert.EqualValues(t, 50, s.Backlog().JournalFailures)
			_, err := s.Event(t.Context(), "acme", "c", calls.Event{ID: "1", Type: calls.EventAnswered}, "test")
			requireCode(t, callmodel.CodeUnavailable, err) // what can't be kept isn't accepted
			f.set(healthy)
			if hangs != nil {
				close(hangs)
			}
			settled(t, s)
			assert.Len(t, stored(t, db), 50)
			require.Eventually(t, func() bool { return j.Stats().Entries == 0 }, 30*time.Second, time.Millisecond)
		})
	}
}

// TestMoreThanMemoryHolds: what has no room in memory waits in the journal.
func TestMoreThanMemoryHolds(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	f := newFaulty(db)
	s := on(t, f, callservice.Options{Journal: openJournal(t, t.TempDir()), RulesRefresh: 5 * time.Millisecond, MaxUnstored: 10})
	f.set(down)
	for i := range 100 {
		c := s.CreateEmergency(t.Context(), "acme", sos(""), "test")
		m, err := s.Event(t.Context(), "acme", c.ID, calls.Event{ID: "1", Type: calls.EventAnswered}, "test")
		require.NoError(t, err, "%d", i)
		require.True(t, m.Later)
	}
	assert.Equal(t, callservice.Backlog{EmergencyCalls: 100, Events: 100}, s.Backlog())
	f.set(healthy)
	settled(t, s)
	all := stored(t, db)
	assert.Len(t, all, 100)
	for i := range all {
		assert.Equal(t, calls.Answered, all[i].State)
	}
	assert.Zero(t, s.Backlog().Refused)
}

// TestEventOfACallElsewhere: one process answers an emergency call and can't reach
// the stores; another, which can, is told of its events.
func TestEventOfACallElsewhere(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		f := newFaulty(db)
		answers := on(t, f, callservice.Options{Journal: openJournal(t, t.TempDir()), RulesRefresh: 5 * time.Millisecond})
		told := on(t, db, callservice.Options{Journal: openJournal(t, t.TempDir()), RulesRefresh: 5 * time.Millisecond})
		f.set(down)
		help := answers.CreateEmergency(t.Context(), "acme", sos(""), "test")
		m, err := told.Event(t.Context(), "acme", help.ID, calls.Event{ID: "1", Type: calls.EventAnswered}, "test")
		require.NoError(t, err)
		require.True(t, m.Later)
		_, err = told.Event(t.Context(), "globex", "c-000000000001-00000000000000000001", calls.Event{ID: "1", Type: calls.EventAnswered}, "test")
		requireCode(t, callmodel.CodeNotFound, err) // one of long ago
		ailing := &broken{Journal: openJournal(t, t.TempDir())}
		_, err = on(t, db, callservice.Options{Journal: ailing}).Event(t.Context(), "acme", help.ID, calls.Event{ID: "2", Type: calls.EventAnswered}, "test")
		requireCode(t, callmodel.CodeUnavailable, err) // there is such a call
		f.set(healthy)
		settled(t, answers)
		settled(t, told)
		got, err := db.Call(t.Context(), "acme", help.ID)
		require.NoError(t, err)
		require.Equal(t, calls.Answered, got.State)
		require.Zero(t, told.Backlog().Refused)
	})
}

// TestEventsWithoutDatabase: an event is accepted while the stores are away, and
// applied in its order when they are back; what can't be applied is counted.
func TestEventsWithoutDatabase(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		f := newFaulty(db)
		j := openJournal(t, t.TempDir())
		s := on(t, f, callservice.Options{Journal: j, RulesRefresh: time.Millisecond})
		c := create(t, s, nyc("c"))
		f.set(down)
		event := func(call callmodel.CallID, ev calls.Event) (callservice.Moved, error) {
			return s.Event(t.Context(), "acme", call, ev, "test")
		}
		for i, typ := range []calls.EventType{calls.EventRinging, calls.EventAnswered, calls.EventEnded, calls.EventRinging} {
			m, err := event(c.ID, calls.Event{ID: fmt.Sprint(i), Type: typ})
			require.NoError(t, err)
			assert.True(t, m.Later)
			assert.Empty(t, m.Call.State, "only the stores know the call")
			assert.Equal(t, c.ID, m.Call.ID)
		}
		_, err := event("no such call", calls.Event{ID: "1", Type: calls.EventEnded})
		requireCode(t, callmodel.CodeNotFound, err) // no call has such an id
		_, err = event("c", calls.Event{ID: "x", Type: "exploded"})
		requireCode(t, callmodel.CodeInvalid, err)
		_, err = event("nowhere", calls.Event{ID: "1", Type: calls.EventEnded})
		require.NoError(t, err)

		// A call that isn't stored yet is told of its events at once.
		help := s.CreateEmergency(t.Context(), "acme", sos(""), "test")
		m, err := event(help.ID, calls.Event{ID: "1", Type: calls.EventAnswered})
		require.NoError(t, err)
		assert.Equal(t, calls.Answered, m.Call.State)
		_, err = event(help.ID, calls.Event{ID: "2", Type: calls.EventRinging})
		requireCode(t, callmodel.CodeConflict, err)
		got, err := s.Call(t.Context(), "acme", help.ID)
		require.NoError(t, err)
		assert.Equal(t, calls.Answered, got.State)

		f.set(healthy)
		settled(t, s)
		list, err := db.CallEvents(t.Context(), "acme", c.ID)
		require.NoError(t, err)
		require.Len(t, list, 3)
		assert.Equal(t, calls.EventEnded, list[2].Type)
		assert.EqualValues(t, 2, s.Backlog().Refused, "the second ringing, and the call that nobody knows")
		assert.Zero(t, j.Stats().Entries)
		m, err = event(c.ID, calls.Event{ID: "2", Type: calls.EventEnded})
		require.NoError(t, err)
		assert.False(t, m.Later)
		got, err = db.Call(t.Context(), "acme", help.ID)
		require.NoError(t, err)
		assert.Equal(t, calls.Answered, got.State)
	})
}
