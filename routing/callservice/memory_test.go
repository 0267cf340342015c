package callservice_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// fromMemory is a service that creates calls without its stores, with a journal.
func fromMemory(t *testing.T, db callservice.Stores, o callservice.Options) *callservice.Service {
	t.Helper()
	o.CallsFromMemory, o.RulesRefresh, o.RequestTimeout = true, 5*time.Millisecond, time.Second
	if o.Journal == nil {
		o.Journal = openJournal(t, t.TempDir())
	}
	return on(t, db, o)
}

func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	requireCode(t, callmodel.CodeUnavailable, err)
	_, ok := errors.AsType[*callmodel.RetryAfterError](err)
	require.True(t, ok, "the client is told when to ask again")
}

// TestCallsFromMemory: while the stores are away or hang, calls are routed by the rules in
// memory, answered, followed by their events, and stored once when the stores are back.
func TestCallsFromMemory(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]faults{"down": down, "hanging": hanging} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onAll(t, func(t *testing.T, db callservice.Stores) {
				t.Helper()
				f := newFaulty(db)
				s := fromMemory(t, f, callservice.Options{})
				plain := on(t, f, callservice.Options{RequestTimeout: 250 * time.Millisecond})
				keyed := func(s *callservice.Service, key string, req callservice.Request) (callservice.Created, error) {
					return s.Create(t.Context(), "acme", req, "test", &callservice.Idempotency{Key: key})
				}
				before, err := keyed(s, "before", nyc(""))
				require.NoError(t, err)
				f.set(fault)

				_, err = plain.Create(t.Context(), "acme", nyc(""), "test", nil)
				require.Error(t, err, "without the option there is no such call")
				c := create(t, s, nyc(""))
				assert.Equal(t, calls.Routed, c.State)
				assert.Equal(t, "nyc", c.Decision.Rule)
				got, err := s.Call(t.Context(), "acme", c.ID)
				require.NoError(t, err)
				assert.Equal(t, c, got)
				m, err := s.Event(t.Context(), "acme", c.ID, calls.Event{ID: "1", Type: calls.EventAnswered}, "test")
				require.NoError(t, err)
				assert.True(t, m.Later)
				assert.Equal(t, calls.Answered, m.Call.State)

				once, err := keyed(s, "k", nyc(""))
				require.NoError(t, err)
				again, err := keyed(s, "k", nyc(""))
				require.NoError(t, err)
				assert.True(t, again.Replayed)
				assert.Equal(t, once.Call, again.Call)
				_, err = keyed(s, "k", nyc("other"))
				requireCode(t, callmodel.CodeIdempotencyMismatch, err)
				_, err = keyed(s, "before", nyc(""))
				requireUnavailable(t, err) // its answer is in the stores

				create(t, s, nyc("own"))
				_, err = s.Create(t.Context(), "acme", nyc("own"), "test", nil)
				requireCode(t, callmodel.CodeConflict, err)
				_, err = s.Create(t.Context(), "acme", callservice.Request{To: "nobody"}, "test", nil)
				requireCode(t, callmodel.CodeInvalid, err)
				rejected, err := s.Create(t.Context(), "acme", callservice.Request{From: "+12025550123", To: "+442071838750"}, "test", nil)
				require.NoError(t, err)
				requireCode(t, callmodel.CodeNoRoute, rejected.NoRoute)
				_, err = s.Create(t.Context(), "globex", nyc(""), "test", nil)
				require.Error(t, err, "its rules are not known here")
				assert.Equal(t, callservice.Backlog{Calls: 4, Events: 1}, s.Backlog())

				f.set(healthy)
				settled(t, s)
				assert.Len(t, stored(t, db), 5)
				got, err = db.Call(t.Context(), "acme", c.ID)
				require.NoError(t, err)
				assert.Equal(t, calls.Answered, got.State)
				elsewhere := on(t, db, callservice.Options{})
				for key, want := range map[string]callservice.Created{"k": once, "before": before} {
					for _, s := range []*callservice.Service{s, elsewhere} {
						again, err = keyed(s, key, nyc(""))
						require.NoError(t, err)
						assert.True(t, again.Replayed)
						assert.Equal(t, want.Call.ID, again.Call.ID)
					}
				}
				f.set(fault)
				_, err = keyed(s, "k", nyc(""))
				requireUnavailable(t, err)
			})
		})
	}
}

// TestMemoryIsBounded: calls take half of the room of emergency calls, and none when that
// is taken; others are refused.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	f := newFaulty(db)
	s := fromMemory(t, f, callservice.Options{MaxUnstored: 10})
	f.set(down)
	for range 5 {
		create(t, s, nyc(""))
	}
	_, err := s.Create(t.Context(), "acme", nyc(""), "test", nil)
	requireUnavailable(t, err)
	for range 20 {
		assert.True(t, create(t, s, sos("")).Emergency)
	}
	assert.Equal(t, callservice.Backlog{Calls: 5, EmergencyCalls: 20}, s.Backlog())
	f.set(healthy)
	settled(t, s)
	assert.Len(t, stored(t, db), 25)
}

// TestUnwrittenCallsAreRefused: a call that can't be written down is refused, and isn't
// stored later either, though the disk had it in the end.
func TestUnwrittenCallsAreRefused(t *testing.T) {
	t.Parallel()
	for name, hangs := range map[string]chan struct{}{"full": nil, "hanging": make(chan struct{})} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := memdb.New(nil)
			f := newFaulty(db)
			j := &broken{openJournal(t, t.TempDir()), hangs}
			s := fromMemory(t, f, callservice.Options{Journal: j})
			f.set(down)
			for range 3 {
				_, err := s.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "k"})
				requireUnavailable(t, err)
			}
			assert.Zero(t, carried(s, "a"), "its place is given back")
			if hangs != nil {
				close(hangs)
				require.Eventually(t, func() bool { st := j.Stats(); return st.Entries == 0 && st.Bytes > 0 }, 30*time.Second, time.Millisecond)
			}
			f.set(healthy)
			settled(t, s)
			assert.Empty(t, stored(t, db))
		})
	}
}

// forgetful commits calls and says that it can't be reached.
type forgetful struct{ callservice.Stores }

func (f *forgetful) CreateCall(ctx context.Context, n calls.NewCall) (*calls.StoredResponse, error) {
	if _, err := f.Stores.CreateCall(ctx, n); err != nil {
		return nil, err
	}
	return nil, callmodel.Errorf(callmodel.CodeUnavailable, "the connection was lost after the commit")
}

// TestLostAnswerOfACommit: a call that was stored though the stores seemed to be away
// isn't stored again.
func TestLostAnswerOfACommit(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		s := fromMemory(t, &forgetful{db}, callservice.Options{EmergencyCalls: db})
		c, err := s.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "k"})
		require.NoError(t, err)
		create(t, s, nyc("own"))
		settled(t, s)
		all := stored(t, db)
		require.Len(t, all, 2)
		again, err := on(t, db, callservice.Options{}).Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "k"})
		require.NoError(t, err)
		assert.Equal(t, c.Call.ID, again.Call.ID)
	})
}

// TestSameKeyInTwoProcesses: without the stores neither knows of the other. Both calls
// were answered, both are stored, and the key is that of the first to be.
func TestSameKeyInTwoProcesses(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		f := newFaulty(db)
		var made [2]callservice.Created
		var services [2]*callservice.Service
		for i := range services {
			services[i] = fromMemory(t, f, callservice.Options{})
		}
		f.set(down)
		for i, s := range services {
			var err error
			made[i], err = s.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "k"})
			require.NoError(t, err)
			require.False(t, made[i].Replayed)
		}
		f.set(healthy)
		settled(t, services[0])
		settled(t, services[1])
		assert.Len(t, stored(t, db), 2)
		for _, s := range append(services[:], on(t, db, callservice.Options{})) {
			again, err := s.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "k"})
			require.NoError(t, err)
			assert.True(t, again.Replayed)
			assert.Contains(t, []callmodel.CallID{made[0].Call.ID, made[1].Call.ID}, again.Call.ID)
		}
	})
}

// TestPostgreSQLStops: a server that stops in the middle of what it does, and a process
// that dies meanwhile: every call that was answered is stored once by the next one, which
// honours the keys before it has.
func TestPostgreSQLStops(t *testing.T) {
	t.Parallel()
	server := pgtest.Own(t)
	db := migrated(t, server.URL)
	dir := t.TempDir()
	s := fromMemory(t, db, callservice.Options{Journal: openJournal(t, dir)})
	stop := run(t, s)
	answered := map[callmodel.CallID]bool{}
	var last callservice.Created
	more := func(name string) {
		t.Helper()
		for i := range 50 {
			var err error
			last, err = s.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: fmt.Sprint(name, i)})
			require.NoError(t, err)
			answered[last.Call.ID] = true
		}
	}
	more("before")
	server.Crash()
	more("away")
	require.Equal(t, 50, s.Backlog().Calls)
	m, err := s.Event(t.Context(), "acme", last.Call.ID, calls.Event{ID: "1", Type: calls.EventAnswered}, "test")
	require.NoError(t, err)
	require.True(t, m.Later)
	left := afterDeath(t, dir)
	server.Start(t)
	require.Eventually(t, func() bool { return s.Backlog() == callservice.Backlog{} }, time.Minute, 5*time.Millisecond)
	more("after")
	stop()

	// The other one died before it stored any of them, as far as the next one can know.
	next := over(db, callservice.Options{Journal: left, CallsFromMemory: true, RulesRefresh: 5 * time.Millisecond})
	require.NoError(t, next.LoadJournal(t.Context()))
	require.Equal(t, 50, next.Backlog().Calls)
	again, err := next.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "away49"})
	require.NoError(t, err)
	assert.True(t, again.Replayed)
	assert.True(t, answered[again.Call.ID])
	settled(t, next)
	all := stored(t, db)
	assert.Len(t, all, 150)
	for i := range all {
		delete(answered, all[i].ID)
	}
	assert.Empty(t, answered)
	assert.Zero(t, left.Stats().Entries)
	assert.Zero(t, next.Backlog().Refused)
}
