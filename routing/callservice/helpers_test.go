package callservice_test

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

var _ callservice.Stores = (*memdb.Store)(nil)

// rules send calls to New York to two trunks, one after the other, and all
// other numbers of the United States to a third.
const rules = `
name: acme
destinations:
  a: {uri: "sip:a.example.com"}
  b: {uri: "sip:b.example.com"}
  c: {uri: "sip:c.example.com"}
rules:
  - id: nyc
    match: {to: {prefix: "+1212"}}
    route: [[{to: a}], [{to: b}]]
  - id: us
    match: {to: {prefix: "+1"}}
    route: [[{to: c}]]
`

// renamed is the rules with another id for nyc, so that it shows which decided.
func renamed(to string) string { return strings.Replace(rules, "id: nyc", "id: "+to, 1) }

// noon is when every call of these tests is made, until the clock is moved.
var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// migratedPostgres is a database of its own with the newest schema.
func migratedPostgres(t testing.TB) string {
	t.Helper()
	return pgtest.Copy(t, "newest schema", func(t testing.TB, at string) {
		t.Helper()
		db, err := calldb.Open(t.Context(), at, nil)
		require.NoError(t, err)
		_, err = db.Migrate(t.Context())
		require.NoError(t, errors.Join(err, db.Close()))
	})
}

func migrated(tb testing.TB, at string) *calldb.DB {
	tb.Helper()
	db, err := calldb.Open(tb.Context(), at, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, db.Close()) })
	_, err = db.Migrate(tb.Context())
	require.NoError(tb, err)
	return db
}

// onAll runs test on an empty store of each kind.
func onAll(t *testing.T, test func(t *testing.T, db callservice.Stores)) {
	t.Helper()
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, memdb.New(nil)) })
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, migrated(t, calldb.SQLiteURL(filepath.Join(t.TempDir(), "calls.db"))))
	})
	t.Run("PostgreSQL", func(t *testing.T) { t.Parallel(); test(t, migrated(t, migratedPostgres(t))) })
}

// over makes a service in the United States. Emergency calls wait for stores on a
// busy machine, unless o says how long.
func over(db callservice.Stores, o callservice.Options) *callservice.Service {
	o.DefaultRegion = "US"
	o.EmergencyWait = cmp.Or(o.EmergencyWait, time.Minute)
	if o.Now == nil {
		o.Now = func() time.Time { return noon }
	}
	return callservice.New(db, &o)
}

// on is over, with the rules above for the tenant acme.
func on(t *testing.T, db callservice.Stores, o callservice.Options) *callservice.Service {
	t.Helper()
	s := over(db, o)
	install(t, s, "acme", rules)
	return s
}

// install puts rules in service and returns their hash.
func install(t *testing.T, s *callservice.Service, tenant callmodel.TenantID, body string) string {
	t.Helper()
	state, err := s.InstallRules(t.Context(), tenant, []byte(body), "test", "")
	require.NoError(t, err)
	return state.ActiveHash()
}

func change(t *testing.T, s *callservice.Service, c rulesets.Change) rulesets.State {
	t.Helper()
	c.TenantID, c.Actor = "acme", "test"
	state, err := s.ChangeRules(t.Context(), c)
	require.NoError(t, err)
	return state
}

// nyc asks for a call to New York.
func nyc(id string) callservice.Request {
	return callservice.Request{ID: callmodel.CallID(id), From: "+12025550123", To: "(212) 555-0188"}
}

// sos asks for help.
func sos(id string) callservice.Request {
	return callservice.Request{ID: callmodel.CallID(id), From: "+12025550123", To: "911"}
}

func create(t *testing.T, s *callservice.Service, req callservice.Request) calls.Call {
	t.Helper()
	c, err := s.Create(t.Context(), "acme", req, "test", nil)
	require.NoError(t, err)
	require.NoError(t, c.NoRoute)
	return c.Call
}

func tell(t *testing.T, s *callservice.Service, id callmodel.CallID, ev calls.Event) calls.Call {
	t.Helper()
	c, err := s.Event(t.Context(), "acme", id, ev, "test")
	require.NoError(t, err)
	return c.Call
}

// failed is an event with a cause of SIP.
func failed(id string, sip int) calls.Event {
	return calls.Event{ID: id, Type: calls.EventFailed, Cause: &calls.Cause{SIP: sip}}
}

// dry is the rule that would decide the call with that id.
func dry(t *testing.T, s *callservice.Service, id string) string {
	t.Helper()
	x, err := s.Try(t.Context(), "acme", nyc(id), noon)
	require.NoError(t, err)
	return x.Decision.Rule
}

func stored(t *testing.T, db callservice.Stores) []calls.Call {
	t.Helper()
	page, err := db.Calls(t.Context(), "acme", calls.Filter{Limit: 500})
	require.NoError(t, err)
	require.Empty(t, page.Next)
	return page.Calls
}

func requireCode(t *testing.T, code callmodel.Code, err error) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, code, callmodel.CodeOf(err), "%v", err)
}

// run has Run running until the test ends, and checks that it does.
func run(t *testing.T, s *callservice.Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(30 * time.Second):
			require.Fail(t, "Run doesn't end")
		}
	}
	t.Cleanup(stop)
	return stop
}

// faults is what can be wrong with stores that are put out of order.
type faults int32

const (
	healthy faults = iota
	down           // every write and every look at rules and keys fails
	hanging        // … waits until its context ends
	deaf           // … waits until released, whatever its context says
)

// faulty is a store that fails as told.
type faulty struct {
	callservice.Stores

	mode    atomic.Int32
	release chan struct{}
	waiting atomic.Int32
}

func newFaulty(db callservice.Stores) *faulty {
	return &faulty{Stores: db, release: make(chan struct{})}
}

func (f *faulty) set(m faults) { f.mode.Store(int32(m)) }

func (f *faulty) pass(ctx context.Context) error {
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	switch faults(f.mode.Load()) {
	case down:
		return callmodel.Errorf(callmodel.CodeUnavailable, "the database is down")
	case hanging:
		<-ctx.Done()
		return ctx.Err()
	case deaf:
		<-f.release
	case healthy:
	}
	return nil
}

func (f *faulty) CreateCall(ctx context.Context, n calls.NewCall) (*calls.StoredResponse, error) {
	if err := f.pass(ctx); err != nil {
		return nil, err
	}
	return f.Stores.CreateCall(ctx, n)
}

func (f *faulty) Replay(ctx context.Context, t callmodel.TenantID, key, requestSHA256 string) (*calls.StoredResponse, error) {
	if err := f.pass(ctx); err != nil {
		return nil, err
	}
	return f.Stores.Replay(ctx, t, key, requestSHA256)
}

func (f *faulty) RuleSetState(ctx context.Context, t callmodel.TenantID) (rulesets.State, error) {
	if err := f.pass(ctx); err != nil {
		return rulesets.State{}, err
	}
	return f.Stores.RuleSetState(ctx, t)
}
