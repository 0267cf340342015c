package storetest

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/shares"
)

// ShareStore is what [Shares] tests: the port sharehttp.Store, where the promises are
// written.
type ShareStore interface {
	CreateShare(ctx context.Context, n shares.New) (shares.Share, error)
	Share(ctx context.Context, t callmodel.TenantID, id string) (shares.Share, error)
	Shares(ctx context.Context, t callmodel.TenantID, f shares.Filter) ([]shares.Share, error)
	RevokeShare(ctx context.Context, t callmodel.TenantID, id, actor string) (shares.Share, error)
	FindShare(ctx context.Context, hash string) (shares.Share, error)
	OpenShare(ctx context.Context, o shares.Opening) (shares.Opened, error)
}

// Shares is what sharehttp.Store promises.
func Shares(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"KeepsWhatItIsGiven", withShares(shareKept)},
		{"Refuses", withShares(shareRefused)},
		{"Lists", withShares(shareLists)},
		{"Revokes", withShares(shareRevoked)},
		{"CountsOpenings", withShares(shareOpenings)},
		{"OpenedAtOnce", withShares(shareAtOnce)},
		{"Ends", withShares(shareEnds)},
	})
}

// withShares runs test on a schema that keeps shares. One before keeps none, and says so.
func withShares(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoShares {
			test(t, e)
			return
		}
		n, token := NewShare("a")
		_, create := e.Shares.CreateShare(t.Context(), n)
		_, read := e.Shares.Share(t.Context(), "acme", n.ID)
		_, list := e.Shares.Shares(t.Context(), "acme", shares.Filter{})
		_, revoke := e.Shares.RevokeShare(t.Context(), "acme", n.ID, "ann")
		_, find := e.Shares.FindShare(t.Context(), token.Hash())
		_, open := e.Shares.OpenShare(t.Context(), shares.Opening{Hash: token.Hash()})
		for _, err := range []error{create, read, list, revoke, find, open} {
			requireCode(t, callmodel.CodeUnavailable, err)
			require.ErrorContains(t, err, "migrate up")
		}
	}
}

// NewShare is a share of the tenant "acme", and its token.
func NewShare(name string) (shares.New, shares.Token) {
	token := shares.NewToken()
	return shares.New{
		Share: shares.Share{
			ID: "sh-" + name, TenantID: "acme", JobID: "j1", CallID: "c1", RecordingID: "r1", Codec: "wav",
			From: 1500 * time.Millisecond, To: 3 * time.Second, Description: "for the court",
		},
		Hash: token.Hash(), Life: time.Hour, Actor: "ann",
	}, token
}

func (e Env) createShare(t *testing.T, n shares.New) shares.Share {
	t.Helper()
	s, err := e.Shares.CreateShare(t.Context(), n)
	require.NoError(t, err)
	return s
}

// shareKept: what is given is kept, its tenant alone sees it, and its token finds it.
func shareKept(t *testing.T, e Env) {
	n, token := NewShare("a")
	n.Output, n.MaxOpenings = "mono", 5
	made := e.createShare(t, n)
	require.Equal(t, shares.Open, made.State)
	require.Equal(t, "ann", made.CreatedBy)
	require.True(t, made.ExpiresAt.Equal(made.CreatedAt.Add(time.Hour)))
	want := n.Share
	want.State, want.ExpiresAt, want.CreatedAt, want.CreatedBy = made.State, made.ExpiresAt, made.CreatedAt, made.CreatedBy
	same(t, want, made)
	read, err := e.Shares.Share(t.Context(), "acme", "sh-a")
	require.NoError(t, err)
	same(t, made, read)
	found, err := e.Shares.FindShare(t.Context(), token.Hash())
	require.NoError(t, err)
	same(t, made, found)
	for _, of := range []struct {
		tenant callmodel.TenantID
		id     string
	}{{"other", "sh-a"}, {"acme", "sh-b"}, {"", "sh-a"}, {"acme", "\x00"}} {
		_, err := e.Shares.Share(t.Context(), of.tenant, of.id)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Shares.RevokeShare(t.Context(), of.tenant, of.id, "ann")
		require.ErrorIs(t, err, callmodel.ErrNotFound)
	}
	for _, hash := range []string{"", shares.NewToken().Hash(), token.Hash()[:63], strings.ToUpper(token.Hash()), "\x00"} {
		_, err := e.Shares.FindShare(t.Context(), hash)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Shares.OpenShare(t.Context(), shares.Opening{Hash: hash, Client: "x"})
		require.ErrorIs(t, err, callmodel.ErrNotFound)
	}
	lines := e.actions(t, "acme", shares.AuditCreated)
	require.Len(t, lines, 1)
	require.Equal(t, "c1", lines[0].Detail["call_id"])
	require.Equal(t, "1500", lines[0].Detail["from_ms"])
}

func shareRefused(t *testing.T, e Env) {
	for name, change := range map[string]func(n *shares.New){
		"no id":         func(n *shares.New) { n.ID = "" },
		"no job":        func(n *shares.New) { n.JobID = "" },
		"bad tenant":    func(n *shares.New) { n.TenantID = "../x" },
		"no token":      func(n *shares.New) { n.Hash = "" },
		"backwards":     func(n *shares.New) { n.To = n.From },
		"negative":      func(n *shares.New) { n.From = -1 },
		"no time":       func(n *shares.New) { n.Life = 0 },
		"for ever":      func(n *shares.New) { n.Life = shares.MaxLife + 1 },
		"odd openings":  func(n *shares.New) { n.MaxOpenings = -1 },
		"a long reason": func(n *shares.New) { n.Description = strings.Repeat("x", shares.MaxDescription+1) },
	} {
		n, _ := NewShare("a")
		change(&n)
		_, err := e.Shares.CreateShare(t.Context(), n)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%s: %v", name, err)
	}
	for _, name := range names("x", shares.MaxOpen) {
		n, _ := NewShare(name)
		e.createShare(t, n)
	}
	n, _ := NewShare("y")
	_, err := e.Shares.CreateShare(t.Context(), n)
	requireCode(t, callmodel.CodeConflict, err)
	n.JobID = "j2"
	e.createShare(t, n)
}

func shareLists(t *testing.T, e Env) {
	for _, name := range []string{"c", "a", "b"} {
		n, _ := NewShare(name)
		if name == "b" {
			n.JobID = "j2"
		}
		e.createShare(t, n)
	}
	n, _ := NewShare("d")
	n.TenantID = "other"
	e.createShare(t, n)
	for _, c := range []struct {
		f    shares.Filter
		want []string
	}{
		{shares.Filter{}, []string{"sh-a", "sh-b", "sh-c"}},
		{shares.Filter{Limit: 2}, []string{"sh-a", "sh-b"}},
		{shares.Filter{After: "sh-a"}, []string{"sh-b", "sh-c"}},
		{shares.Filter{JobID: "j1"}, []string{"sh-a", "sh-c"}},
		{shares.Filter{JobID: "j3"}, nil},
	} {
		all, err := e.Shares.Shares(t.Context(), "acme", c.f)
		require.NoError(t, err)
		var ids []string
		for i := range all {
			ids = append(ids, all[i].ID)
		}
		require.Equal(t, c.want, ids)
	}
}

func shareRevoked(t *testing.T, e Env) {
	n, token := NewShare("a")
	e.createShare(t, n)
	for range 2 { // twice is once
		s, err := e.Shares.RevokeShare(t.Context(), "acme", "sh-a", "bob")
		require.NoError(t, err)
		require.Equal(t, shares.Revoked, s.State)
		require.Equal(t, "bob", s.RevokedBy)
	}
	require.Len(t, e.actions(t, "acme", shares.AuditRevoked), 1)
	requireEnded(t, e, token, shares.Revoked)
}

func requireEnded(t *testing.T, e Env, token shares.Token, state shares.State) {
	t.Helper()
	_, err := e.Shares.OpenShare(t.Context(), shares.Opening{Hash: token.Hash(), Client: "new"})
	var ended *shares.EndedError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, state, ended.State)
	found, err := e.Shares.FindShare(t.Context(), token.Hash())
	require.NoError(t, err)
	require.Equal(t, state, found.State)
}

// shareOpenings: requests of one client that follow each other are one opening, which has
// a line of the audit log; another client's is another.
func shareOpenings(t *testing.T, e Env) {
	n, token := NewShare("a")
	n.MaxOpenings = 2
	e.createShare(t, n)
	open := func(client string) shares.Opened {
		o, err := e.Shares.OpenShare(t.Context(), shares.Opening{Hash: token.Hash(), Client: client, Detail: map[string]string{"address": client}})
		require.NoError(t, err)
		return o
	}
	require.True(t, open("one").Fresh)
	for range 3 {
		o := open("one")
		require.False(t, o.Fresh)
		require.EqualValues(t, 1, o.Openings)
	}
	require.True(t, open("two").Fresh)
	lines := e.actions(t, "acme", shares.AuditOpened)
	require.Len(t, lines, 2)
	require.Equal(t, "two", lines[1].Detail["address"])
	require.Equal(t, "2", lines[1].Detail["opening"])
	require.Equal(t, "sh-a", lines[1].Subject)
	requireEnded(t, e, token, shares.UsedUp)
	require.False(t, open("two").Fresh, "an opening that was counted goes on")
	if e.Advance == nil {
		return
	}
	e.Advance(shares.Gap - time.Second)
	require.False(t, open("one").Fresh)
	e.Advance(shares.Gap - time.Second)
	require.False(t, open("one").Fresh, "it goes on as long as it is asked for")
	e.Advance(shares.Gap)
	_, err := e.Shares.OpenShare(t.Context(), shares.Opening{Hash: token.Hash(), Client: "one"})
	var ended *shares.EndedError
	require.ErrorAs(t, err, &ended)
}

// shareAtOnce: a share that may be opened some times is opened no more often by clients
// that ask at the same time.
func shareAtOnce(t *testing.T, e Env) {
	n, token := NewShare("a")
	n.MaxOpenings = 3
	e.createShare(t, n)
	var group sync.WaitGroup
	var mu sync.Mutex
	opened := 0
	for i := range 12 {
		group.Go(func() {
			o, err := e.Shares.OpenShare(t.Context(), shares.Opening{Hash: token.Hash(), Client: strconv.Itoa(i)})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && o.Fresh {
				opened++
			}
		})
	}
	group.Wait()
	require.Equal(t, 3, opened)
	require.Len(t, e.actions(t, "acme", shares.AuditOpened), 3)
}

func shareEnds(t *testing.T, e Env) {
	if e.Advance == nil {
		return // the clock of a database isn't moved
	}
	n, token := NewShare("a")
	e.createShare(t, n)
	e.Advance(n.Life)
	requireEnded(t, e, token, shares.Expired)
	next, _ := NewShare("b")
	e.createShare(t, next)
	_, err := e.Shares.Share(t.Context(), "acme", n.ID)
	require.NoError(t, err, "it is known for a while")
	e.Advance(shares.KeepEnded + time.Second)
	last, _ := NewShare("c")
	e.createShare(t, last)
	_, err = e.Shares.Share(t.Context(), "acme", n.ID)
	require.ErrorIs(t, err, callmodel.ErrNotFound)
	_, err = e.Shares.FindShare(t.Context(), token.Hash())
	require.ErrorIs(t, err, callmodel.ErrNotFound)
}
