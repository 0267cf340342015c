package directory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing/directory"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var _ directory.Source = (*calldb.DB)(nil)

// fast is how often the directories of these tests look.
const fast = time.Millisecond

// running has the directory follow the source until the test ends.
func running(t *testing.T, s directory.Source, o directory.Options) *directory.Directory {
	t.Helper()
	o.Refresh = fast
	d := directory.New(s, &o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	require.Eventually(t, func() bool { return d.State().Loaded }, 30*time.Second, fast)
	return d
}

func user(tenant, id string) users.User {
	return users.User{TenantID: callmodel.TenantID(tenant), ID: users.ID(id)}
}

func put(t *testing.T, s *memdb.Store, u users.User) {
	t.Helper()
	_, _, err := s.PutUser(t.Context(), u, users.Write{})
	require.NoError(t, err)
}

// eventually waits until who is found is this user; "" for nobody.
func eventually(t *testing.T, want string, find func() *users.Facts) {
	t.Helper()
	require.Eventually(t, func() bool {
		f := find()
		return f == nil && want == "" || f != nil && string(f.TenantID)+"/"+string(f.ID) == want
	}, 30*time.Second, fast, "%s isn't found: %v", want, find())
}

// TestFollowsTheSource: what is there at the start, and what changes then.
func TestFollowsTheSource(t *testing.T) {
	t.Parallel()
	s := memdb.New(nil)
	ann := user("acme", "ann")
	ann.Numbers = users.Numbers{Mobile: "+491711234567", Extension: "100", DIDs: []string{"+4930123450", "+4930123451"}}
	ann.Preferences = users.Preferences{Region: "DE", Barring: users.Barring{Classes: []users.BarringClass{users.BarInternational}}}
	put(t, s, ann)
	_, _, err := s.PutTenant(t.Context(), users.Tenant{ID: "acme", Defaults: users.Defaults{Region: "DE"}}, users.Write{})
	require.NoError(t, err)
	d := running(t, s, directory.Options{})
	state := d.State()
	assert.Equal(t, [2]int{1, 1}, [2]int{state.Users, state.Tenants})
	assert.False(t, state.Current.IsZero())
	assert.Equal(t, "DE", d.Defaults("acme").Region)
	assert.Nil(t, d.Defaults("umbrella"))
	find := func(tenant callmodel.TenantID, number string) func() *users.Facts {
		return func() *users.Facts { return d.Find(tenant, number) }
	}
	did := func(number string) func() *users.Facts { return func() *users.Facts { return d.DID(number) } }
	for _, n := range ann.Numbers.All() {
		eventually(t, "acme/ann", find("acme", n))
		assert.Nil(t, d.Find("umbrella", n))
	}
	eventually(t, "acme/ann", did("+4930123450"))
	eventually(t, "acme/ann", did("+4930123451"))
	for _, n := range []string{"+491711234567", "100", "+100", "4930123450", "", "+", "x", "+49301234500", "anonymous", "+4930123450123456789"} {
		assert.Nil(t, d.DID(n), n)
	}
	assert.True(t, d.Find("acme", "100").Barred("+33123456789"))
	assert.False(t, d.Find("acme", "100").Barred("+4930"))

	bob, far := user("acme", "bob"), user("umbrella", "ann")
	far.Numbers = users.Numbers{Mobile: ann.Numbers.Mobile, Extension: "100"}
	put(t, s, far)
	eventually(t, "umbrella/ann", find("umbrella", "100"))
	eventually(t, "acme/ann", find("acme", "100"))

	ann.Numbers.DIDs, ann.Numbers.Extension = ann.Numbers.DIDs[:1], "101"
	put(t, s, ann)
	bob.Numbers = users.Numbers{Extension: "100", DIDs: []string{"+4930123451"}}
	put(t, s, bob)
	eventually(t, "acme/bob", did("+4930123451"))
	eventually(t, "acme/bob", find("acme", "100"))
	eventually(t, "acme/ann", find("acme", "101"))
	eventually(t, "acme/ann", did("+4930123450"))
	require.NoError(t, s.DeleteUser(t.Context(), "acme", "ann", users.Write{}))
	eventually(t, "", find("acme", "101"))
	eventually(t, "", did("+4930123450"))
	eventually(t, "acme/bob", find("acme", "100"))
	put(t, s, ann)
	eventually(t, "acme/ann", find("acme", "101"))
	require.NoError(t, s.DeleteTenant(t.Context(), "acme", users.Write{}))
	require.Eventually(t, func() bool { return d.Defaults("acme") == nil }, 30*time.Second, fast)
	require.Eventually(t, func() bool { return d.State().Users == 3 }, 30*time.Second, fast)
}

// failing is a source that may be away.
type failing struct {
	directory.Source

	away atomic.Bool
}

func (f *failing) UserChanges(ctx context.Context, after int64, limit int) ([]users.Change, error) {
	if f.away.Load() {
		return nil, errors.New("away")
	}
	return f.Source.UserChanges(ctx, after, limit)
}

// TestSourceAway: what is known stays, and it is said how old it is.
func TestSourceAway(t *testing.T) {
	t.Parallel()
	s := memdb.New(nil)
	ann := user("acme", "ann")
	ann.Numbers.Extension = "100"
	put(t, s, ann)
	f := &failing{Source: s}
	f.away.Store(true)
	empty := directory.New(f, nil)
	assert.Nil(t, empty.Find("acme", "100"))
	assert.Nil(t, empty.DID("+4930123450"))
	assert.False(t, empty.State().Loaded)
	f.away.Store(false)
	d := running(t, f, directory.Options{})
	f.away.Store(true)
	require.Eventually(t, func() bool { return d.State().Err != nil }, 30*time.Second, fast)
	old := d.State()
	assert.True(t, old.Loaded)
	assert.NotNil(t, d.Find("acme", "100"))
	f.away.Store(false)
	require.Eventually(t, func() bool { s := d.State(); return s.Err == nil && s.Current.After(old.Current) }, 30*time.Second, fast)
}

// TestManyPages: more than are read at a time, on a database, with tables that grow.
func TestManyPages(t *testing.T) {
	t.Parallel()
	db, err := calldb.Open(t.Context(), calldb.SQLiteURL(t.TempDir()+"/users.db"), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	const pages, page = 5, 900
	for p := range pages {
		list := make([]users.User, page)
		for i := range list {
			n := p*page + i
			list[i] = user(fmt.Sprintf("t%d", n%7), fmt.Sprintf("u%d", n))
			list[i].Numbers = users.Numbers{Extension: fmt.Sprintf("%05d", n), DIDs: []string{fmt.Sprintf("+4930%07d", n)}}
		}
		require.NoError(t, db.PutUsers(t.Context(), list, "test"))
	}
	d := running(t, db, directory.Options{})
	assert.Equal(t, pages*page, d.State().Users)
	for n := range pages * page {
		f := d.Find(callmodel.TenantID(fmt.Sprintf("t%d", n%7)), fmt.Sprintf("%05d", n))
		require.NotNil(t, f, n)
		require.Equal(t, users.ID(fmt.Sprintf("u%d", n)), f.ID)
		require.Equal(t, f, d.DID(fmt.Sprintf("+4930%07d", n)))
		require.Nil(t, d.Find(callmodel.TenantID(fmt.Sprintf("t%d", (n+1)%7)), fmt.Sprintf("%05d", n)))
	}
}

// scripted is a source of changes that a test makes up.
type scripted struct {
	mu   sync.Mutex
	list []users.Change
}

func (s *scripted) UserChanges(_ context.Context, after int64, limit int) ([]users.Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := s.list[min(int(after), len(s.list)):]
	return rest[:min(len(rest), limit)], nil
}

// TestEqualsAMap: after any changes it finds what a map of them has, while others look.
func TestEqualsAMap(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	s := &scripted{}
	d := running(t, s, directory.Options{})
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				ext := fmt.Sprintf("%03d", n%400)
				if f := d.Find("t1", ext); f != nil && f.TenantID != "t1" {
					t.Error("another tenant's")
					return
				}
				runtime.Gosched()
			}
		})
	}
	type key struct{ tenant, number string }
	owner, numbers := map[key]users.ID{}, map[key][]string{}
	for seq := int64(1); seq <= 3000; seq++ {
		tenant, id := fmt.Sprintf("t%d", rng.IntN(3)), fmt.Sprintf("u%d", rng.IntN(150))
		who := key{tenant, id}
		for _, n := range numbers[who] {
			if owner[key{tenant, n}] == users.ID(id) {
				delete(owner, key{tenant, n})
			}
		}
		delete(numbers, who)
		u := user(tenant, id)
		c := users.Change{Seq: seq, User: &u, Deleted: rng.IntN(4) == 0}
		if !c.Deleted {
			u.Numbers.Extension = fmt.Sprintf("%03d", rng.IntN(400))
			u.Numbers.Mobile = fmt.Sprintf("+1202555%04d", rng.IntN(400))
			numbers[who] = u.Numbers.All()
			for _, n := range numbers[who] { // it may take another's, as between two looks
				owner[key{tenant, n}] = users.ID(id)
			}
		}
		s.mu.Lock()
		s.list = append(s.list, c)
		s.mu.Unlock()
	}
	require.Eventually(t, func() bool { return d.State().Users == len(numbers) && d.State().Current.After(time.Time{}) }, 30*time.Second, fast)
	last := time.Now()
	require.Eventually(t, func() bool { return d.State().Current.After(last) }, 30*time.Second, fast)
	close(stop)
	readers.Wait()
	for i := range 3 {
		tenant := fmt.Sprintf("t%d", i)
		for n := range 400 {
			for _, number := range []string{fmt.Sprintf("%03d", n), fmt.Sprintf("+1202555%04d", n)} {
				got := users.ID("")
				if f := d.Find(callmodel.TenantID(tenant), number); f != nil {
					got = f.ID
				}
				require.Equal(t, owner[key{tenant, number}], got, "%s of %s", number, tenant)
			}
		}
	}
}

func TestFindingAllocatesNothing(t *testing.T) {
	s := memdb.New(nil)
	ann := user("acme", "ann")
	ann.Numbers = users.Numbers{Extension: "100", DIDs: []string{"+4930123450"}}
	put(t, s, ann)
	d := running(t, s, directory.Options{})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if d.Find("acme", "100") == nil || d.DID("+4930123450") == nil || d.Find("acme", "101") != nil || d.Defaults("acme") != nil {
			t.Error("it finds another")
		}
	}))
}
