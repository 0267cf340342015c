package storetest

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/users"
)

// UserStore is what userhttp.Store and directory.Source promise.
func UserStore(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	if open(t).Users == nil {
		return // another suite says what such a schema does
	}
	runAll(t, open, []run{
		{"PutReadsBack", putUser},
		{"Preconditions", userPreconditions},
		{"DeletedAndBack", userDeletedAndBack},
		{"NumbersLeadToOne", numbersLeadToOne},
		{"Lists", listsUsers},
		{"TenantsAreApart", userTenantsApart},
		{"Tenants", storesTenants},
		{"ManyAtOnce", putsUsers},
		{"Changes", followsUsers},
		{"WritersAtOnce", usersAtOnce},
	})
}

// User is a user of acme with everything that there is, and with numbers of its own.
func User(n int) users.User {
	return users.User{
		TenantID: "acme", ID: users.ID(fmt.Sprintf("u%04d", n)), Name: "Ann \"A\" Müller",
		Numbers: users.Numbers{
			Mobile: fmt.Sprintf("+4917112%05d", n), Extension: fmt.Sprintf("1%04d", n), DIDs: []string{fmt.Sprintf("+493012%05d", n), fmt.Sprintf("+493013%05d", n)},
		},
		Preferences: users.Preferences{
			CallerID: "+4930123450", Region: "DE", Recording: users.RecordAlways, Consent: users.ConsentGiven,
			Forwarding: []users.Forward{{When: users.ForwardNoAnswer, To: "101", After: 20 * time.Second}},
			Barring:    users.Barring{Classes: []users.BarringClass{users.BarPremium}, Prefixes: []string{"+49900"}},
			Devices:    []users.Device{{ID: "desk", URI: "sip:ann@desk", Ring: 15 * time.Second}},
		},
		Metadata: map[string]string{"odd": "quote \" nul \x00 π"},
	}
}

func (e Env) putUser(t *testing.T, u users.User, w users.Write) users.User {
	t.Helper()
	stored, _, err := e.Users.PutUser(t.Context(), u, w)
	require.NoError(t, err)
	return stored
}

func putUser(t *testing.T, e Env) {
	u := User(1)
	u.Version, u.UpdatedBy = 77, "somebody" // the store's to say
	stored, created, err := e.Users.PutUser(t.Context(), u, users.Write{Actor: "ann"})
	require.NoError(t, err)
	require.True(t, created)
	require.EqualValues(t, 1, stored.Version)
	require.Equal(t, "ann", stored.UpdatedBy)
	require.False(t, stored.UpdatedAt.IsZero())
	u.Revision = stored.Revision
	require.Equal(t, u, stored)
	read, err := e.Users.User(t.Context(), "acme", "u0001")
	require.NoError(t, err)
	require.Equal(t, stored, read)

	again, created, err := e.Users.PutUser(t.Context(), u, users.Write{Actor: "bob"})
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, stored, again, "what is as it was is no change")

	u.Preferences.DoNotDisturb, u.Numbers.Mobile = true, ""
	again = e.putUser(t, u, users.Write{Actor: "bob"})
	require.EqualValues(t, 2, again.Version)
	require.Equal(t, "bob", again.UpdatedBy)

	versions, err := e.Users.UserVersions(t.Context(), "acme", "u0001", 0, 0)
	require.NoError(t, err)
	require.Len(t, versions, 2, "newest first")
	require.Equal(t, []int64{2, 1}, []int64{versions[0].Version, versions[1].Version})
	require.Equal(t, []string{"bob", "ann"}, []string{versions[0].Actor, versions[1].Actor})
	require.Equal(t, again, *versions[0].Document)
	require.Equal(t, stored, *versions[1].Document)
	require.Equal(t, stored.UpdatedAt, versions[1].At)
	older, err := e.Users.UserVersions(t.Context(), "acme", "u0001", 2, 1)
	require.NoError(t, err)
	require.Equal(t, versions[1:], older)

	lines := e.actions(t, "acme", callmodel.AuditUserStored)
	require.Len(t, lines, 2)
	require.Equal(t, "u0001", lines[1].Subject)
	require.Equal(t, "bob", lines[1].Actor)
	require.Equal(t, map[string]string{"version": "2", "fields": "numbers.mobile preferences.do_not_disturb"}, lines[1].Detail)

	bad := User(2)
	bad.Numbers.Mobile, bad.Preferences.Region = "1", "x"
	_, _, err = e.Users.PutUser(t.Context(), bad, users.Write{Actor: "ann"})
	requireCode(t, callmodel.CodeInvalid, err)
	for _, id := range []users.ID{"u0002", "", "\x00"} {
		_, err = e.Users.User(t.Context(), "acme", id)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Users.UserVersions(t.Context(), "acme", id, 0, 0)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		require.ErrorIs(t, e.Users.DeleteUser(t.Context(), "acme", id, users.Write{}), callmodel.ErrNotFound)
	}
}

func userPreconditions(t *testing.T, e Env) {
	put := func(p users.Precondition, name string) error {
		u := User(1)
		u.Name = name
		_, _, err := e.Users.PutUser(t.Context(), u, users.Write{Actor: "ann", If: p})
		return err
	}
	requireCode(t, callmodel.CodePrecondition, put(users.IfPresent, "a"))
	requireCode(t, callmodel.CodePrecondition, put(1, "a"))
	_, err := e.Users.User(t.Context(), "acme", "u0001")
	require.ErrorIs(t, err, callmodel.ErrNotFound, "what was refused left nothing")
	require.NoError(t, put(users.IfAbsent, "a"))
	requireCode(t, callmodel.CodePrecondition, put(users.IfAbsent, "b"))
	require.NoError(t, put(1, "b"))
	requireCode(t, callmodel.CodePrecondition, put(1, "c"))
	require.NoError(t, put(users.IfPresent, "c"))
	requireCode(t, callmodel.CodePrecondition, e.Users.DeleteUser(t.Context(), "acme", "u0001", users.Write{If: 2}))
	u, err := e.Users.User(t.Context(), "acme", "u0001")
	require.NoError(t, err)
	require.Equal(t, "c", u.Name)
	require.EqualValues(t, 3, u.Version)
	require.Len(t, e.actions(t, "acme", callmodel.AuditUserStored), 3)
	require.NoError(t, e.Users.DeleteUser(t.Context(), "acme", "u0001", users.Write{If: 3}))
}

func userDeletedAndBack(t *testing.T, e Env) {
	first := e.putUser(t, User(1), users.Write{Actor: "ann"})
	require.NoError(t, e.Users.DeleteUser(t.Context(), "acme", "u0001", users.Write{Actor: "bob"}))
	_, err := e.Users.User(t.Context(), "acme", "u0001")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	require.ErrorIs(t, e.Users.DeleteUser(t.Context(), "acme", "u0001", users.Write{}), callmodel.ErrNotFound)
	other := User(2)
	other.Numbers = first.Numbers
	e.putUser(t, other, users.Write{Actor: "ann"}) // they are free
	back := User(1)
	back.Numbers = users.Numbers{}
	again, created, err := e.Users.PutUser(t.Context(), back, users.Write{Actor: "ann", If: users.IfAbsent})
	require.NoError(t, err)
	require.True(t, created)
	require.EqualValues(t, 3, again.Version, "no version is given twice")
	versions, err := e.Users.UserVersions(t.Context(), "acme", "u0001", 0, 0)
	require.NoError(t, err)
	require.Len(t, versions, 3)
	require.True(t, versions[1].Deleted)
	require.Nil(t, versions[1].Document)
	require.Equal(t, "bob", versions[1].Actor)
	lines := e.actions(t, "acme", callmodel.AuditUserDeleted)
	require.Len(t, lines, 1)
	require.Equal(t, "u0001", lines[0].Subject)
}

func numbersLeadToOne(t *testing.T, e Env) {
	find := func(tenant callmodel.TenantID, number string) string {
		t.Helper()
		page, err := e.Users.Users(t.Context(), users.Filter{TenantID: tenant, Number: number})
		require.NoError(t, err)
		if len(page.Items) == 0 {
			return ""
		}
		require.Len(t, page.Items, 1)
		return string(page.Items[0].ID)
	}
	one := e.putUser(t, User(1), users.Write{Actor: "ann"})
	for _, n := range one.Numbers.All() {
		require.Equal(t, "u0001", find("acme", n))
	}
	require.Empty(t, find("acme", "+4930"))
	require.Empty(t, find("umbrella", one.Numbers.DIDs[0]))

	two := User(2)
	two.Numbers.Extension, two.Numbers.DIDs = one.Numbers.Extension, []string{"+49301", one.Numbers.DIDs[1], one.Numbers.Mobile}
	two.Numbers.DIDs[0] = "+493099999"
	_, _, err := e.Users.PutUser(t.Context(), two, users.Write{Actor: "ann"})
	requireCode(t, callmodel.CodeInvalid, err)
	for _, path := range []string{"numbers.extension", "numbers.dids[1]", "numbers.dids[2]"} {
		require.ErrorContains(t, err, path, "every one that is taken")
	}
	require.Empty(t, find("acme", "+493099999"), "nothing of it is stored")

	// The same extension and the same mobile are others' in another tenant, and a DID is nobody's.
	far := User(1)
	far.TenantID, far.Numbers.DIDs = "umbrella", nil
	e.putUser(t, far, users.Write{Actor: "eve"})
	require.Equal(t, "u0001", find("umbrella", one.Numbers.Extension))
	far.Numbers.DIDs = one.Numbers.DIDs[:1]
	_, _, err = e.Users.PutUser(t.Context(), far, users.Write{Actor: "eve"})
	requireCode(t, callmodel.CodeInvalid, err)
	require.NotContains(t, err.Error(), "acme", "whose it is, is not told")

	one.Numbers.DIDs, one.Numbers.Extension = nil, "299"
	e.putUser(t, one, users.Write{Actor: "ann"})
	require.Equal(t, "u0001", find("acme", "299"))
	require.Empty(t, find("acme", "10001"), "what it gave up")
	e.putUser(t, far, users.Write{Actor: "eve"})
}

func listsUsers(t *testing.T, e Env) {
	const n = 7
	for i := range n {
		e.putUser(t, User(n-i), users.Write{Actor: "ann"})
	}
	require.NoError(t, e.Users.DeleteUser(t.Context(), "acme", "u0004", users.Write{}))
	var ids []string
	f := users.Filter{TenantID: "acme", Limit: 2}
	for pages := 0; ; pages++ {
		require.Less(t, pages, n)
		page, err := e.Users.Users(t.Context(), f)
		require.NoError(t, err)
		for _, u := range page.Items {
			ids = append(ids, string(u.ID))
		}
		if page.Next == "" {
			break
		}
		if pages == 0 { // what is written meanwhile shifts nothing
			u := User(0)
			e.putUser(t, u, users.Write{})
		}
		f.After = page.Next
	}
	require.Equal(t, strings.Fields("u0001 u0002 u0003 u0005 u0006 u0007"), ids)
	for _, bad := range []string{"x", "u0001", "i:u0001", strings.Repeat("A", 500)} {
		_, err := e.Users.Users(t.Context(), users.Filter{TenantID: "acme", After: bad})
		requireCode(t, callmodel.CodeInvalid, err)
	}
	page, err := e.Users.Users(t.Context(), users.Filter{TenantID: "nobody"})
	require.NoError(t, err)
	require.NotNil(t, page.Items)
	require.Empty(t, page.Items)
}

func userTenantsApart(t *testing.T, e Env) {
	e.putUser(t, User(1), users.Write{Actor: "ann"})
	_, err := e.Users.User(t.Context(), "umbrella", "u0001")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, err = e.Users.UserVersions(t.Context(), "umbrella", "u0001", 0, 0)
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	require.ErrorIs(t, e.Users.DeleteUser(t.Context(), "umbrella", "u0001", users.Write{}), callmodel.ErrNotFound)
	page, err := e.Users.Users(t.Context(), users.Filter{TenantID: "umbrella"})
	require.NoError(t, err)
	require.Empty(t, page.Items)
	require.Empty(t, e.actions(t, "umbrella", callmodel.AuditUserStored))
}

func storesTenants(t *testing.T, e Env) {
	tenant := func(id string) users.Tenant {
		return users.Tenant{
			ID: callmodel.TenantID(id), Profile: users.Profile{Name: "Acme", Contact: "ops"},
			Defaults: users.Defaults{
				Region: "DE", OutsidePrefixes: []string{"0"}, RetentionDays: 90, Recording: &record.Preference{Enabled: true, Outputs: Defaults()},
				Webhooks: []users.Webhook{{URL: "https://acme.example/", Events: []string{"recording.completed"}}},
			},
			Metadata: map[string]string{"plan": "gold"},
		}
	}
	for _, id := range []string{"c", "acme", "b"} {
		stored, created, err := e.Users.PutTenant(t.Context(), tenant(id), users.Write{Actor: "ann", If: users.IfAbsent})
		require.NoError(t, err)
		require.True(t, created)
		want := tenant(id)
		want.Revision = stored.Revision
		require.Equal(t, want, stored)
		require.EqualValues(t, 1, stored.Version)
		read, err := e.Users.Tenant(t.Context(), callmodel.TenantID(id))
		require.NoError(t, err)
		require.Equal(t, stored, read)
	}
	next := tenant("acme")
	next.Defaults.Region = "FR"
	_, _, err := e.Users.PutTenant(t.Context(), next, users.Write{Actor: "bob", If: 7})
	requireCode(t, callmodel.CodePrecondition, err)
	_, _, err = e.Users.PutTenant(t.Context(), next, users.Write{Actor: "bob", If: 1})
	require.NoError(t, err)
	versions, err := e.Users.TenantVersions(t.Context(), "acme", 0, 0)
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, "FR", versions[0].Document.Defaults.Region)
	require.Equal(t, "DE", versions[1].Document.Defaults.Region)
	lines := e.actions(t, "acme", callmodel.AuditTenantStored)
	require.Len(t, lines, 2)
	require.Equal(t, "acme", lines[1].Subject)
	require.Equal(t, "defaults.region", lines[1].Detail["fields"])

	page, err := e.Users.Tenants(t.Context(), "", 2)
	require.NoError(t, err)
	require.Len(t, page.Items, 2)
	require.Equal(t, callmodel.TenantID("acme"), page.Items[0].ID)
	page, err = e.Users.Tenants(t.Context(), page.Next, 2)
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	require.Empty(t, page.Next)
	require.Equal(t, callmodel.TenantID("c"), page.Items[0].ID)

	require.NoError(t, e.Users.DeleteTenant(t.Context(), "b", users.Write{Actor: "ann"}))
	_, err = e.Users.Tenant(t.Context(), "b")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	require.Len(t, e.actions(t, "b", callmodel.AuditTenantDeleted), 1)
	_, err = e.Users.Tenant(t.Context(), "never")
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, err = e.Users.TenantVersions(t.Context(), "never", 0, 0)
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, _, err = e.Users.PutTenant(t.Context(), users.Tenant{ID: "..", Defaults: users.Defaults{RetentionDays: -1}}, users.Write{})
	requireCode(t, callmodel.CodeInvalid, err)
}

func putsUsers(t *testing.T, e Env) {
	list := []users.User{User(1), User(2), User(3)}
	require.NoError(t, e.Users.PutUsers(t.Context(), list, "import"))
	require.NoError(t, e.Users.PutUsers(t.Context(), list, "import"), "once more changes nothing")
	require.NoError(t, e.Users.PutUsers(t.Context(), nil, "import"))
	require.Len(t, e.actions(t, "acme", callmodel.AuditUserStored), 3)
	list[0].Numbers, list[1].Numbers = list[1].Numbers, list[0].Numbers
	require.NoError(t, e.Users.PutUsers(t.Context(), list[:2], "import"), "they exchange their numbers")
	page, err := e.Users.Users(t.Context(), users.Filter{TenantID: "acme", Number: list[0].Numbers.Extension})
	require.NoError(t, err)
	require.Equal(t, list[0].ID, page.Items[0].ID)

	more := []users.User{User(4), User(5), User(6)}
	more[1].Numbers.Extension = list[2].Numbers.Extension
	err = e.Users.PutUsers(t.Context(), more, "import")
	requireCode(t, callmodel.CodeInvalid, err)
	require.ErrorContains(t, err, "[1].numbers.extension")
	_, err = e.Users.User(t.Context(), "acme", "u0004")
	require.ErrorIs(t, err, callmodel.ErrNotFound, "all of them or none")
	more[1], more[2] = User(4), User(5)
	more[2].Numbers.Mobile = "1"
	err = e.Users.PutUsers(t.Context(), more, "import")
	require.ErrorContains(t, err, "[1].id")
	require.ErrorContains(t, err, "[2].numbers.mobile")
}

func followsUsers(t *testing.T, e Env) {
	var after int64
	changes := func(limit int) []users.Change {
		t.Helper()
		list, err := e.Users.UserChanges(t.Context(), after, limit)
		require.NoError(t, err)
		for _, c := range list {
			require.Greater(t, c.Seq, after)
			after = c.Seq
		}
		return list
	}
	require.Empty(t, changes(0))
	for i := range 3 {
		e.putUser(t, User(i), users.Write{})
	}
	_, _, err := e.Users.PutTenant(t.Context(), users.Tenant{ID: "acme", Defaults: users.Defaults{Region: "DE"}}, users.Write{})
	require.NoError(t, err)
	first := changes(2)
	require.Len(t, first, 2)
	require.Equal(t, users.ID("u0000"), first[0].User.ID)
	rest := changes(0)
	require.Len(t, rest, 2)
	require.Nil(t, rest[1].User)
	require.Equal(t, "DE", rest[1].Tenant.Defaults.Region)
	require.Empty(t, changes(0))

	u := User(1)
	u.Name = "other"
	e.putUser(t, u, users.Write{})
	u.Name = "another"
	stored := e.putUser(t, u, users.Write{})
	require.NoError(t, e.Users.DeleteUser(t.Context(), "acme", "u0002", users.Write{}))
	list := changes(0)
	require.Len(t, list, 2, "each is at its last change alone")
	require.Equal(t, stored, *list[0].User)
	require.True(t, list[1].Deleted)
	require.Equal(t, users.ID("u0002"), list[1].User.ID)
	require.EqualValues(t, 2, list[1].User.Version)
	e.putUser(t, u, users.Write{})
	require.Empty(t, changes(0), "what is as it was is no change")
}

// usersAtOnce: of writers of one user with the same precondition one succeeds, of those
// who want one number one gets it, and who follows the changes meanwhile misses none.
func usersAtOnce(t *testing.T, e Env) {
	const writers, rounds = 4, 5
	done := make(chan struct{})
	seen := map[users.ID]int64{}
	var follower sync.WaitGroup
	follow := func() {
		var after int64
		for last := false; ; {
			list, err := e.Users.UserChanges(t.Context(), after, 3)
			if !assert.NoError(t, err) {
				return
			}
			for _, c := range list {
				after, seen[c.User.ID] = c.Seq, c.User.Version
			}
			if last && len(list) == 0 {
				return
			}
			select {
			case <-done:
				last = true
			default:
			}
		}
	}
	follower.Go(follow)
	var mu sync.Mutex
	won, got := 0, 0
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for r := range rounds {
				u := User(0)
				u.Name, u.Numbers = fmt.Sprintf("%d-%d", w, r), users.Numbers{}
				_, _, err := e.Users.PutUser(t.Context(), u, users.Write{If: max(users.Precondition(r), users.IfAbsent)})
				mine := User(1 + w*rounds + r)
				mine.Numbers = users.Numbers{DIDs: []string{fmt.Sprintf("+49301%05d", r)}}
				_, _, taken := e.Users.PutUser(t.Context(), mine, users.Write{})
				mu.Lock()
				if err == nil {
					won++
				} else {
					assert.Equal(t, callmodel.CodePrecondition, callmodel.CodeOf(err), "%v", err)
				}
				if taken == nil {
					got++
				} else {
					assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(taken), "%v", taken)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	close(done)
	follower.Wait()
	require.Equal(t, rounds, got, "each number went to one")
	u, err := e.Users.User(t.Context(), "acme", "u0000")
	require.NoError(t, err)
	require.EqualValues(t, won, u.Version)
	page, err := e.Users.Users(t.Context(), users.Filter{TenantID: "acme", Limit: 500})
	require.NoError(t, err)
	for _, u := range page.Items {
		require.Equal(t, u.Version, seen[u.ID], "%s", u.ID)
	}
}
