package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// failing is a store that can be away.
type failing struct {
	*memdb.Store

	away  atomic.Bool
	looks atomic.Int64
}

func (f *failing) KeyChanges(ctx context.Context, after int64) (keys.Changes, error) {
	f.looks.Add(1)
	if f.away.Load() {
		return keys.Changes{}, errors.New("away")
	}
	return f.Store.KeyChanges(ctx, after)
}

// moved is a clock that tests move.
type moved struct{ at atomic.Pointer[time.Time] }

func (m *moved) now() time.Time { return *m.at.Load() }

func (m *moved) set(at time.Time) { m.at.Store(&at) }

func (m *moved) add(d time.Duration) { m.set(m.now().Add(d)) }

// create makes a key and returns its secret.
func create(t *testing.T, db *memdb.Store, name string, change func(*keys.New)) (id, secret string) {
	t.Helper()
	secret = keys.NewSecret()
	n := keys.New{ID: keys.NewID(), TenantID: "acme", Name: name, Grants: []string{callmodel.RoleCaller}, Secret: keys.HashOf(secret), Actor: "test"}
	if change != nil {
		change(&n)
	}
	k, err := db.CreateKey(t.Context(), n)
	require.NoError(t, err)
	return k.ID, secret
}

// following is a server behind a gate with the keys of the store.
func following(t *testing.T, s auth.Store, o *auth.BookOptions) (http.Handler, *auth.Book) {
	t.Helper()
	book := auth.NewBook(s, o)
	book.Open(t.Context())
	gate := auth.NewGate(auth.GateOptions{Book: book, PlatformTenant: "platform"})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- gate.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	return gate.Require(who), book
}

const from = "192.0.2.1:5000"

func body(t *testing.T, h http.Handler, key string) string {
	t.Helper()
	return ask(t, h, key, from).Body.String()
}

// TestKeysOfTheStore: a key works from when it is made, on every server, and none works
// that has expired, was revoked, or was rotated longer ago than its grace.
func TestKeysOfTheStore(t *testing.T) {
	t.Parallel()
	clock := &moved{}
	clock.set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	db := memdb.New(clock.now)
	// Without a poll: only a look for what isn't known tells of changes.
	one, _ := following(t, db, &auth.BookOptions{Now: clock.now, Poll: time.Hour})
	two, book := following(t, db, &auth.BookOptions{Now: clock.now})
	id, first := create(t, db, "a", nil)
	assert.Equal(t, "acme/"+id, body(t, one, first))
	assert.Equal(t, "acme/"+id, body(t, two, first))
	assert.Empty(t, body(t, one, first+"x"))
	assert.Empty(t, body(t, one, keys.HashOf(first).String()), "a hash is no key")
	assert.Equal(t, 1, tenants(book))

	second := keys.NewSecret()
	_, err := db.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: id, Action: keys.Rotate, Secret: keys.HashOf(second), Grace: time.Hour})
	require.NoError(t, err)
	assert.Equal(t, "acme/"+id, body(t, one, second))
	assert.Equal(t, "acme/"+id, body(t, one, first), "in its grace")
	clock.add(time.Hour)
	assert.Empty(t, body(t, one, first))
	assert.Equal(t, "acme/"+id, body(t, one, second))

	_, short := create(t, db, "b", func(n *keys.New) { n.ExpiresAt = clock.now().Add(time.Minute) })
	assert.NotEmpty(t, body(t, one, short))
	clock.add(time.Minute)
	assert.Empty(t, body(t, one, short))

	_, err = db.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: id, Action: keys.Revoke})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return body(t, two, second) == "" }, 10*time.Second, time.Millisecond)
}

// TestStoreAway: what is known goes on working for the time that is said, what isn't
// known can't be told from what is wrong, and calls that may be emergencies are taken
// either way.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	clock := &moved{}
	clock.set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	store := &failing{Store: memdb.New(clock.now)}
	id, key := create(t, store.Store, "a", nil)
	file := filepath.Join(t.TempDir(), "keys.json")
	o := &auth.BookOptions{Now: clock.now, Stale: time.Hour, Snapshot: file, Poll: time.Millisecond}
	h, _ := following(t, store, o)
	require.Equal(t, "acme/"+id, body(t, h, key))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(text), key, "hashes alone are kept")
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	store.away.Store(true)
	later, laterBook := following(t, store, o) // started without the store, with the snapshot
	never, _ := following(t, store, &auth.BookOptions{Now: clock.now, Poll: time.Millisecond})
	require.Equal(t, 1, tenants(laterBook))
	require.Eventually(t, func() bool { return ask(t, h, "wrong", from).Code == http.StatusServiceUnavailable }, 10*time.Second, time.Millisecond)
	for _, h := range []http.Handler{h, later} {
		assert.Equal(t, "acme/"+id, body(t, h, key))
	}
	assert.Equal(t, http.StatusServiceUnavailable, ask(t, never, key, from).Code)

	// call is what the handler of calls gets.
	call := func(h *auth.Gate, key string) (who string, refusal error) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/calls", nil)
		r.Header.Set("Authorization", "Bearer "+key)
		h.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			p, _ := callmodel.PrincipalFrom(r.Context())
			who, refusal = string(p.TenantID)+"/"+p.Subject, problem.Refusal(r.Context())
		})).ServeHTTP(httptest.NewRecorder(), r)
		return who, refusal
	}
	gate := auth.NewGate(auth.GateOptions{Book: laterBook, PlatformTenant: "platform"})
	got, refusal := call(gate, key)
	assert.Equal(t, "acme/"+id, got)
	require.NoError(t, refusal)
	got, refusal = call(gate, "unknown")
	assert.Equal(t, "platform/unchecked", got)
	assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(refusal))

	clock.add(time.Hour + time.Second)
	w := ask(t, later, key, from)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, "that is too long ago")
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
	assert.Equal(t, "acme/"+id, body(t, auth.EmergencyDoor(later), key))
	got, refusal = call(gate, key)
	assert.Equal(t, "acme/"+id, got)
	assert.Equal(t, callmodel.CodeUnavailable, callmodel.CodeOf(refusal), "an emergency call alone is taken")

	_, err = store.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: id, Action: keys.Revoke})
	require.NoError(t, err)
	store.away.Store(false)
	for _, h := range []http.Handler{h, later, never} {
		require.Eventually(t, func() bool {
			w := ask(t, h, key, from)
			return w.Code == http.StatusTooManyRequests || w.Code == http.StatusOK && w.Body.String() == ""
		}, 10*time.Second, time.Millisecond, "it was revoked meanwhile")
	}
}

func tenants(b *auth.Book) int { return auth.NewGate(auth.GateOptions{Book: b}).Tenants() }

// TestTenantsAreCounted: as keys come and go, in the store and in a file.
func TestTenantsAreCounted(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(line("one", "acme operator one")+line("two", "other operator two")), 0o600))
	ring, err := auth.OpenRing(path)
	require.NoError(t, err)
	book := auth.NewBook(db, nil)
	gate := auth.NewGate(auth.GateOptions{File: ring, Book: book})
	count := func() int {
		book.Open(t.Context())
		return gate.Tenants()
	}
	require.Equal(t, 2, count())
	create(t, db, "a", nil)
	require.Equal(t, 2, count(), "acme is in the file, too")
	of := func(n *keys.New) { n.TenantID = "beta" }
	id, _ := create(t, db, "b", of)
	create(t, db, "c", of)
	require.Equal(t, 3, count())
	for i, revoked := range []string{id, id} {
		_, err := db.ChangeKey(t.Context(), keys.Change{TenantID: "beta", ID: revoked, Action: keys.Revoke})
		require.NoError(t, err)
		require.Equal(t, 3, count(), "beta has another; %d", i)
	}
}

// TestSnapshotOfKeys: it is as new as the store's last answer, about, though no key
// changes; and one that can't be read is replaced, and keeps nothing from starting.
func TestSnapshotOfKeys(t *testing.T) {
	t.Parallel()
	clock := &moved{}
	clock.set(time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC))
	store := &failing{Store: memdb.New(clock.now)}
	id, key := create(t, store.Store, "a", nil)
	file := filepath.Join(t.TempDir(), "keys.json")
	o := &auth.BookOptions{Now: clock.now, Stale: time.Hour, Snapshot: file}
	require.NoError(t, os.WriteFile(file, []byte("{"), 0o600))
	running := auth.NewBook(store, o)
	running.Open(t.Context())
	clock.add(50 * time.Minute)
	running.Open(t.Context()) // it looks again, and nothing has changed

	store.away.Store(true)
	clock.add(50 * time.Minute)
	started := auth.NewBook(store, o)
	started.Open(t.Context())
	h := auth.NewGate(auth.GateOptions{Book: started, PlatformTenant: "platform"}).Require(who)
	require.Equal(t, "acme/"+id, body(t, h, key))
	clock.add(15 * time.Minute)
	require.Equal(t, http.StatusServiceUnavailable, ask(t, h, key, from).Code)
}

// TestRotationUnderLoad: while a key is rotated over and over, each of its users taking
// the new secret when it pleases, none is refused, on any of two servers.
func TestRotationUnderLoad(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	one, _ := following(t, db, nil)
	two, _ := following(t, db, nil)
	id, secret := create(t, db, "a", nil)
	var current atomic.Pointer[string]
	current.Store(&secret)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var users [4]atomic.Int64 // how often each was taken
	for i := range users {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				h := []http.Handler{one, two}[(i+n)%2]
				if !assert.Equal(t, "acme/"+id, body(t, h, *current.Load())) {
					return
				}
				users[i].Add(1)
			}
		})
	}
	for range 20 {
		next := keys.NewSecret()
		_, err := db.ChangeKey(t.Context(), keys.Change{TenantID: "acme", ID: id, Action: keys.Rotate, Secret: keys.HashOf(next), Grace: time.Minute})
		require.NoError(t, err)
		current.Store(&next)
		everyoneGoesOn(t, users[:], 50)
	}
	cancel()
	wg.Wait()
}

// everyoneGoesOn waits until each of the users was taken so often again: of secrets, and
// of an issuer's keys, the one before the newest works, and none before it.
func everyoneGoesOn(t *testing.T, users []atomic.Int64, times int64) {
	t.Helper()
	for i := range users {
		was := users[i].Load()
		require.Eventually(t, func() bool { return users[i].Load() > was+times || t.Failed() }, 30*time.Second, time.Millisecond)
	}
}

// TestWrongKeysShareLooks: however many wrong keys come at once, the store is asked some
// times a second.
func TestWrongKeysShareLooks(t *testing.T) {
	t.Parallel()
	store := &failing{Store: memdb.New(nil)}
	h, _ := following(t, store, &auth.BookOptions{Poll: time.Hour})
	before := store.looks.Load()
	began := time.Now()
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for n := range 20 {
				ask(t, h, fmt.Sprint("guess", i, n), fmt.Sprintf("192.0.2.%d:1", i))
			}
		})
	}
	wg.Wait()
	assert.LessOrEqual(t, store.looks.Load()-before, 2+int64(time.Since(began)/(15*time.Millisecond)))
}

// TestKeyRate: a key that is used more often than it may be is answered 429, others are
// not, and a call that may be an emergency is left to its handler.
func TestKeyRate(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "keys")
	require.NoError(t, os.WriteFile(path, []byte(line("one", "acme operator one")+line("two", "acme operator two")), 0o600))
	ring, err := auth.OpenRing(path)
	require.NoError(t, err)
	h := auth.NewGate(auth.GateOptions{File: ring, KeyRate: 10, Now: func() time.Time { return now }}).Require(who)
	codes := map[int]int{}
	for range 30 {
		codes[ask(t, h, "one", from).Code]++
	}
	assert.Equal(t, map[int]int{http.StatusOK: 10, http.StatusTooManyRequests: 20}, codes)
	assert.Equal(t, http.StatusOK, ask(t, h, "two", from).Code)
	assert.Equal(t, http.StatusOK, ask(t, auth.EmergencyDoor(h), "one", from).Code)
	now = now.Add(100 * time.Millisecond)
	assert.Equal(t, http.StatusOK, ask(t, h, "one", from).Code)
	assert.Equal(t, http.StatusTooManyRequests, ask(t, h, "one", from).Code)
}
