package intake_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/recording/broker/nats"
	"github.com/switchtape/switchtape/recording/intake"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ intake.Ledger      = (*calldb.DB)(nil)
	_ intake.DeadLetters = (*calldb.DB)(nil)
	_ intake.Desk        = (*calldb.DB)(nil)
	_ intake.DeadLetters = (*memdb.Store)(nil)
	_ intake.Desk        = (*memdb.Store)(nil)
)

func openDB(t testing.TB) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	return db
}

// jobs is a stream of a NATS server, and what is taken from it.
type jobs struct {
	*brokertest.Stream

	srv   *brokertest.NATSServer
	hosts string
}

func newJobs(t testing.TB, servers ...*brokertest.NATSServer) jobs {
	t.Helper()
	if len(servers) == 0 {
		servers = []*brokertest.NATSServer{brokertest.NATS(t)}
	}
	hosts := make([]string, len(servers))
	for i, s := range servers {
		hosts[i] = s.Host()
	}
	return jobs{brokertest.NewStream(t, "JOBS", "jobs", servers...), servers[0], strings.Join(hosts, ",")}
}

func (j jobs) Subscribe(t testing.TB) broker.Subscription {
	t.Helper()
	u, err := broker.ParseURL("nats://" + j.hosts + "?stream=JOBS&ack_wait=1s")
	require.NoError(t, err)
	s, err := broker.Drivers{nats.Driver()}.Subscribe(u)
	require.NoError(t, err)
	return s
}

func (j jobs) Send(t testing.TB, body []byte, headers map[string]string) {
	t.Helper()
	j.Stream.Send(t, "jobs.new", "", body, headers)
}

// body is the message that asks for the recording id, with more fields.
func body(t testing.TB, id string, more map[string]any) []byte {
	t.Helper()
	b, err := json.Marshal(storetest.Spec(id))
	require.NoError(t, err)
	fields := map[string]any{}
	require.NoError(t, json.Unmarshal(b, &fields))
	delete(fields, "tenant_id")
	for k, v := range more {
		if fields[k] = v; v == nil {
			delete(fields, k)
		}
	}
	b, err = json.Marshal(fields)
	require.NoError(t, err)
	return b
}

// running is an intake that runs until the test ends.
type running struct {
	*intake.Intake

	stop func()
}

func run(t testing.TB, l intake.Ledger, letters intake.DeadLetters, s broker.Subscription, who intake.Tenants, o *intake.Options) running {
	t.Helper()
	return runDoor(t, l, letters, s, who, intake.NewDoor(intake.Checks{}, task.Kinds{}), o)
}

func runDoor(t testing.TB, l intake.Ledger, letters intake.DeadLetters, s broker.Subscription, who intake.Tenants, door *intake.Door, o *intake.Options) running {
	t.Helper()
	opts := intake.Options{Backoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
	if o != nil {
		opts = *o
		opts.Backoff, opts.MaxBackoff = time.Millisecond, 10*time.Millisecond
	}
	in, err := intake.New(l, letters, door, intake.Source{Name: "nats://test", Subscription: s, Tenants: who}, &opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, in.Run(ctx))
	}()
	r := running{in, sync.OnceFunc(func() { cancel(); <-done })}
	t.Cleanup(r.stop)
	return r
}

func (r running) until(t testing.TB, is func(intake.Counts) bool) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return is(r.Counts()) }, brokertest.Within, brokertest.Tick) {
		t.Fatalf("%+v", r.Counts())
	}
}

func letters(t testing.TB, desk intake.Desk) []deadletter.Letter {
	t.Helper()
	all, err := desk.Letters(t.Context(), deadletter.Filter{})
	require.NoError(t, err)
	for i := range all {
		all[i], err = desk.Letter(t.Context(), "", all[i].ID)
		require.NoError(t, err)
	}
	return all
}

func rows(t testing.TB, db *calldb.DB) []ledger.Job {
	t.Helper()
	all, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	return all
}

// A message is a job, of the tenant that was vouched for, once; a second one is not
// another, and what else asks for its id is a dead letter.
func TestMessagesBecomeJobs(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	rang := make(chan struct{}, 10)
	in := run(t, db, db, b.Subscribe(t), intake.Tenants{One: "acme"}, &intake.Options{JobEnqueued: func() { rang <- struct{}{} }})
	for range 2 {
		b.Send(t, body(t, "c1", map[string]any{"queue": "pbx-1", "priority": 3}), nil)
		in.until(t, func(c intake.Counts) bool { return c.Taken == 1 })
	}
	in.until(t, func(c intake.Counts) bool { return c.Doubles == 1 })
	<-rang
	all := rows(t, db)
	require.Len(t, all, 1)
	assert.Equal(t, callmodel.TenantID("acme"), all[0].TenantID)
	assert.Equal(t, "pbx-1", all[0].Queue)
	assert.Equal(t, 3, all[0].Priority)
	lines, err := db.AuditEvents(t.Context(), "acme", 0, 10)
	require.NoError(t, err)
	require.Equal(t, "nats://test", lines[0].Actor)

	b.Send(t, body(t, "c1", map[string]any{"no_manifest": true}), nil)
	in.until(t, func(c intake.Counts) bool { return c.Dead == 1 })
	dead := letters(t, db)
	require.Len(t, dead, 1)
	assert.Equal(t, callmodel.CodeConflict, dead[0].Code)
	assert.Contains(t, dead[0].Reason, "is made of another spec by job "+string(all[0].ID))
	require.Eventually(t, func() bool { return b.Unacked(t, "switchtape") == 0 }, brokertest.Within, brokertest.Tick)
}

// Whose a message is says the subscription; what it says itself counts only as far as
// that goes.
func TestTenantsAreVouchedFor(t *testing.T) {
	t.Parallel()
	header := map[string]string{broker.HeaderTenant: "beta"}
	for _, c := range []struct {
		name    string
		who     intake.Tenants
		claim   string
		headers map[string]string
		want    callmodel.TenantID // of the job
		dead    callmodel.TenantID // of the letter
		reason  string
	}{
		{name: "one", who: intake.Tenants{One: "acme"}, want: "acme"},
		{name: "one, said too", who: intake.Tenants{One: "acme"}, claim: "acme", want: "acme"},
		{name: "one, and another claimed", who: intake.Tenants{One: "acme"}, claim: "beta", dead: "acme", reason: "tenant_id: is not the tenant"},
		{name: "one, and another in the header", who: intake.Tenants{One: "acme"}, headers: header, dead: "acme", reason: "tenant_id: is not the tenant"},
		{name: "allowed in the header", who: intake.Tenants{Allowed: []callmodel.TenantID{"acme", "beta"}}, headers: header, want: "beta"},
		{name: "allowed in the body", who: intake.Tenants{Allowed: []callmodel.TenantID{"acme", "beta"}}, claim: "beta", want: "beta"},
		{name: "two claims", who: intake.Tenants{Allowed: []callmodel.TenantID{"acme", "beta"}}, claim: "acme", headers: header, dead: "beta", reason: "tenant_id: is not the tenant"},
		{name: "no claim", who: intake.Tenants{Allowed: []callmodel.TenantID{"acme", "beta"}}, reason: "tenant_id: is missing"},
		{name: "not allowed", who: intake.Tenants{Allowed: []callmodel.TenantID{"acme"}}, headers: header, reason: "may not be claimed"},
		{name: "not allowed in the body", who: intake.Tenants{Allowed: []callmodel.TenantID{"acme"}}, claim: "beta", reason: "may not be claimed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, b := openDB(t), newJobs(t)
			more := map[string]any{}
			if c.claim != "" {
				more["tenant_id"] = c.claim
			}
			b.Send(t, body(t, "c1", more), c.headers)
			in := run(t, db, db, b.Subscribe(t), c.who, nil)
			in.until(t, func(c intake.Counts) bool { return c.Taken+c.Dead == 1 })
			if c.want != "" {
				all := rows(t, db)
				require.Len(t, all, 1)
				require.Equal(t, c.want, all[0].TenantID)
				return
			}
			require.Empty(t, rows(t, db))
			dead := letters(t, db)
			require.Len(t, dead, 1)
			require.Equal(t, c.dead, dead[0].TenantID)
			require.Contains(t, dead[0].Reason, c.reason)
		})
	}
	for _, who := range []intake.Tenants{{}, {One: "acme", Allowed: []callmodel.TenantID{"beta"}}, {One: "../x"}, {Allowed: []callmodel.TenantID{""}}} {
		_, err := intake.New(nil, nil, nil, intake.Source{Tenants: who}, nil)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%+v", who)
	}
}

// What is refused is a dead letter with every fault, and is replayed through the same
// check, as one job.
func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	in := run(t, db, db, b.Subscribe(t), intake.Tenants{One: "acme"}, nil)
	for text, want := range map[string][]string{
		"no json":   {"malformed", "malformed JSON"},
		"":          {"malformed", "empty"},
		`{"a": {}}`: {"invalid", "a: is not a known field", "legs: ", "call_id: "},
		string(body(t, "c2", map[string]any{"legs": []map[string]any{{"name": "a", "segments": []map[string]any{{"uri": "/etc/passwd"}}}}})): {"invalid", "legs[0].segments[0].uri"},
		string(body(t, "c3", map[string]any{"legs_below": "beta"})):                                                                          {"invalid", "legs_below"},
	} {
		before := in.Counts().Dead
		b.Send(t, []byte(text), nil)
		in.until(t, func(c intake.Counts) bool { return c.Dead == before+1 })
		all := letters(t, db)
		l := all[len(all)-1]
		assert.Equal(t, text, string(l.Body()))
		assert.Equal(t, want[0], string(l.Code), text)
		for _, reason := range want[1:] {
			assert.Contains(t, l.Reason, reason, text)
		}
	}
	b.Send(t, []byte(`{"key": "v", "payload": {"recording": "c1"}}`), map[string]string{broker.HeaderKind: "verify"})
	in.until(t, func(c intake.Counts) bool { return c.Dead == 6 })
	all := letters(t, db)
	l := all[5]
	require.Equal(t, "verify", l.Kind)
	require.Equal(t, callmodel.CodeInvalid, l.Code)
	require.Empty(t, rows(t, db))
	in.stop()

	verify := task.Of[struct {
		Recording string `json:"recording"`
	}]("verify", nil)
	kinds, err := task.NewKinds(verify)
	require.NoError(t, err)
	door := intake.NewDoor(intake.Checks{}, kinds)
	for i := range all[:5] {
		_, err := door.Replay(t.Context(), db, db, "acme", "", all[i].ID, "ann")
		require.Equal(t, all[i].Code, callmodel.CodeOf(err), "%v", err)
	}
	_, err = door.Replay(t.Context(), db, db, "beta", "", l.ID, "ann")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			after, err := door.Replay(t.Context(), db, db, "acme", "", l.ID, "ann")
			assert.NoError(t, err)
			assert.Equal(t, deadletter.Replayed, after.State)
		})
	}
	wg.Wait()
	jobs := rows(t, db)
	require.Len(t, jobs, 1)
	require.Equal(t, "verify", jobs[0].Kind)
	after, err := db.Letter(t.Context(), "acme", l.ID)
	require.NoError(t, err)
	require.Equal(t, jobs[0].ID, after.JobID)

	_, err = db.SettleLetter(t.Context(), deadletter.Settle{ID: all[0].ID, State: deadletter.Discarded})
	require.NoError(t, err)
	_, err = door.Replay(t.Context(), db, db, "", "", all[0].ID, "ann")
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
}

// A letter of nobody is replayed as somebody's, and one that was cut not at all.
func TestReplayOfNobodys(t *testing.T) {
	t.Parallel()
	db := openDB(t)
	door := intake.NewDoor(intake.Checks{}, task.Kinds{})
	keep := func(n deadletter.New) deadletter.ID {
		id, _, err := db.KeepLetter(t.Context(), n)
		require.NoError(t, err)
		return id
	}
	id := keep(deadletter.New{Source: "s", Fingerprint: "1", Code: callmodel.CodeInvalid, Body: body(t, "c1", nil)})
	_, err := door.Replay(t.Context(), db, db, "", "", id, "ann")
	require.ErrorContains(t, err, "say whose it is")
	l, err := door.Replay(t.Context(), db, db, "", "acme", id, "ann")
	require.NoError(t, err)
	require.NotEmpty(t, l.JobID)
	cut := keep(deadletter.New{Source: "s", Fingerprint: "2", Code: callmodel.CodeInvalid, TenantID: "acme", Body: make([]byte, deadletter.MaxBody+1)})
	_, err = door.Replay(t.Context(), db, db, "", "", cut, "ann")
	require.ErrorContains(t, err, "have it sent again")
	of := keep(deadletter.New{Source: "s", Fingerprint: "3", Code: callmodel.CodeInvalid, TenantID: "acme", Body: body(t, "c2", nil)})
	_, err = door.Replay(t.Context(), db, db, "", "beta", of, "ann")
	require.ErrorContains(t, err, "is of the tenant acme")
}

// trouble is a ledger that fails as it is told to.
type trouble struct {
	*calldb.DB

	mu  sync.Mutex
	err error
}

func (l *trouble) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *trouble) now() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *trouble) Enqueue(ctx context.Context, r ledger.Request) (callmodel.JobID, bool, error) {
	if err := l.now(); err != nil {
		return "", false, err
	}
	return l.DB.Enqueue(ctx, r)
}

// A ledger that is away, for however many tries, makes no dead letters: messages are held,
// kept from others, and taken when it is back; or let go when the process ends.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	l := &trouble{DB: db}
	l.set(callmodel.Errorf(callmodel.CodeUnavailable, "the database is away"))
	for i := range 20 {
		b.Send(t, body(t, fmt.Sprint("c", i), nil), nil)
	}
	in := run(t, l, db, b.Subscribe(t), intake.Tenants{One: "acme"}, &intake.Options{MaxTries: 2})
	in.until(t, func(c intake.Counts) bool { return c.Received == 8 })
	in.stop()
	require.Equal(t, intake.Counts{Received: 8, LetGo: 8}, in.Counts())
	in = run(t, l, db, b.Subscribe(t), intake.Tenants{One: "acme"}, &intake.Options{MaxTries: 2})
	in.until(t, func(c intake.Counts) bool { return c.Received >= 8 })
	require.Empty(t, rows(t, db))
	l.set(nil)
	in.until(t, func(c intake.Counts) bool { return c.Taken == 20 })
	require.Len(t, rows(t, db), 20)
	require.Empty(t, letters(t, db))
}

// A message that the ledger can't take although it is there is a dead letter after so
// many tries, and so is one that takes its process along; the others go on.
func TestPoison(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	l := &trouble{DB: db}
	l.set(errors.New("a constraint that nobody knew of"))
	b.Send(t, body(t, "c1", nil), nil)
	in := run(t, l, db, b.Subscribe(t), intake.Tenants{One: "acme"}, &intake.Options{MaxTries: 3})
	in.until(t, func(c intake.Counts) bool { return c.Dead == 1 })
	l.set(nil)
	dead := letters(t, db)
	require.Equal(t, callmodel.CodeInternal, dead[0].Code)
	require.Contains(t, dead[0].Reason, "it was tried 3 times: a constraint")
	b.Send(t, body(t, "c2", nil), nil)
	in.until(t, func(c intake.Counts) bool { return c.Taken == 1 })
	_, err := intake.NewDoor(intake.Checks{}, task.Kinds{}).Replay(t.Context(), db, db, "acme", "", dead[0].ID, "ann")
	require.NoError(t, err, "it can be taken now")
	require.Len(t, rows(t, db), 2)
	in.stop()

	b.Send(t, body(t, "c3", nil), nil)
	for range 4 { // each receives it, and is never heard of again
		s := b.Subscribe(t)
		m, err := s.Receive(t.Context())
		require.NoError(t, err)
		if m.Redelivered {
			_, err = db.Tried(t.Context(), "nats://test", deadletter.Fingerprint(m.ID, m.Body))
			require.NoError(t, err)
		}
		require.NoError(t, s.Close(t.Context()))
	}
	in = run(t, db, db, b.Subscribe(t), intake.Tenants{One: "acme"}, &intake.Options{MaxTries: 3})
	in.until(t, func(c intake.Counts) bool { return c.Dead == 1 })
	dead = letters(t, db)
	require.Contains(t, dead[1].Reason, "it was tried 3 times and came to no end")
	require.Equal(t, callmodel.TenantID("acme"), dead[1].TenantID)
}

// A kind whose reading breaks down takes nothing else along.
func TestDecodeBreaksDown(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	kinds, err := task.NewKinds(task.Kind{Name: "bad", Check: func(*ledger.Request) error {
		var none []int
		_ = none[3]
		return nil
	}})
	require.NoError(t, err)
	door := intake.NewDoor(intake.Checks{}, kinds)
	in := runDoor(t, db, db, b.Subscribe(t), intake.Tenants{One: "acme"}, door, nil)
	b.Send(t, []byte(`{"key": "k", "payload": {}}`), map[string]string{broker.HeaderKind: "bad"})
	b.Send(t, []byte(`{"kind": "other", "key": "k", "payload": {}}`), map[string]string{broker.HeaderKind: "bad"})
	b.Send(t, body(t, "c1", nil), nil)
	in.until(t, func(c intake.Counts) bool { return c.Dead == 2 && c.Taken == 1 })
	require.Len(t, rows(t, db), 1)
}

// On a schema that keeps no dead letters the intake works; what it refuses stays with
// the broker, and it says so.
func TestSchemaWithoutDeadLetters(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	for at := int64(14); at > 13; { // the one that brought them
		back, err := db.MigrateDown(t.Context())
		require.NoError(t, err)
		require.Len(t, back, 1)
		at = back[0].Version
	}
	var log strings.Builder
	var mu sync.Mutex
	in := run(t, db, db, b.Subscribe(t), intake.Tenants{One: "acme"}, &intake.Options{
		Logger: slog.New(slog.NewTextHandler(writer(func(p []byte) { mu.Lock(); log.Write(p); mu.Unlock() }), nil)),
	})
	for i := range 10 {
		b.Send(t, fmt.Appendf(nil, "no json %d", i), nil)
	}
	b.Send(t, body(t, "c1", nil), nil)
	in.until(t, func(c intake.Counts) bool { return c.LetGo == 10 && c.Taken == 1 })
	in.stop()
	require.Equal(t, 10, b.Unacked(t, "switchtape"))
	require.Contains(t, log.String(), "migrate up")
}

type writer func(p []byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// A broker that is away is tried again, and it is told for how long it has been.
func TestBrokerAway(t *testing.T) {
	t.Parallel()
	db, b := openDB(t), newJobs(t)
	in := run(t, db, db, b.Subscribe(t), intake.Tenants{One: "acme"}, nil)
	b.Send(t, body(t, "c1", nil), nil)
	in.until(t, func(c intake.Counts) bool { return c.Taken == 1 })
	b.srv.Kill()
	require.Eventually(t, func() bool { away, err := in.Away(); return away > 0 && err != nil }, brokertest.Within, brokertest.Tick)
	b.srv.Start(t)
	b.Send(t, body(t, "c2", nil), nil)
	in.until(t, func(c intake.Counts) bool { return c.Taken == 2 })
	away, err := in.Away()
	require.NoError(t, err)
	require.Zero(t, away)
}
