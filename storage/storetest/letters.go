package storetest

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
)

// Letters is what [DeadLetters] tests: the ports intake.DeadLetters and
// recordinghttp.DeadLetters, where the promises are written.
type Letters interface {
	Tried(ctx context.Context, source, fingerprint string) (tries int, err error)
	Taken(ctx context.Context, source, fingerprint string) error
	KeepLetter(ctx context.Context, n deadletter.New) (id deadletter.ID, created bool, err error)
	Letter(ctx context.Context, t callmodel.TenantID, id deadletter.ID) (deadletter.Letter, error)
	Letters(ctx context.Context, f deadletter.Filter) ([]deadletter.Letter, error)
	SettleLetter(ctx context.Context, c deadletter.Settle) (deadletter.Letter, error)
}

// DeadLetters is what intake.DeadLetters and recordinghttp.DeadLetters promise.
func DeadLetters(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"KeepsWhatItIsGiven", withLetters(letterKept)},
		{"OneOfEachMessage", withLetters(letterOnce)},
		{"OddBodies", withLetters(letterBodies)},
		{"Refuses", withLetters(letterRefused)},
		{"Lists", withLetters(letterLists)},
		{"Settles", withLetters(letterSettled)},
		{"CountsTries", withLetters(letterTries)},
	})
}

// withLetters runs test on a schema that keeps dead letters. One before keeps none, says
// so, and takes each try for the first.
func withLetters(test func(t *testing.T, e Env)) func(t *testing.T, e Env) {
	return func(t *testing.T, e Env) {
		if !e.NoIntake {
			test(t, e)
			return
		}
		_, _, keep := e.Letters.KeepLetter(t.Context(), NewLetter("a"))
		_, read := e.Letters.Letter(t.Context(), "", "d000000000001-00000000")
		_, list := e.Letters.Letters(t.Context(), deadletter.Filter{})
		_, settle := e.Letters.SettleLetter(t.Context(), deadletter.Settle{State: deadletter.Discarded})
		for _, err := range []error{keep, read, list, settle} {
			requireCode(t, callmodel.CodeUnavailable, err)
			require.ErrorContains(t, err, "migrate up")
		}
		for range 3 {
			n, err := e.Letters.Tried(t.Context(), "nats://x", "f")
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		require.NoError(t, e.Letters.Taken(t.Context(), "nats://x", "f"))
	}
}

// NewLetter is a message of the tenant "acme" that can't be taken.
func NewLetter(text string) deadletter.New {
	return deadletter.New{
		TenantID: "acme", Source: "nats://127.0.0.1:4222?stream=jobs", Fingerprint: deadletter.Fingerprint("m-"+text, []byte(text)),
		MessageID: "m-" + text, Kind: "record", Code: callmodel.CodeInvalid, Reason: "legs: are missing", Body: []byte(text),
	}
}

func (e Env) keepLetter(t *testing.T, n deadletter.New) deadletter.ID {
	t.Helper()
	id, created, err := e.Letters.KeepLetter(t.Context(), n)
	require.NoError(t, err)
	require.True(t, created)
	return id
}

func (e Env) letter(t *testing.T, id deadletter.ID) deadletter.Letter {
	t.Helper()
	l, err := e.Letters.Letter(t.Context(), "", id)
	require.NoError(t, err)
	return l
}

func letterKept(t *testing.T, e Env) {
	n := NewLetter(`{"call_id": 7}`)
	id := e.keepLetter(t, n)
	l := e.letter(t, id)
	require.False(t, l.At.IsZero())
	l.At = started
	same(t, deadletter.Letter{
		ID: id, TenantID: "acme", Source: n.Source, MessageID: n.MessageID, Kind: "record", Code: callmodel.CodeInvalid,
		Reason: n.Reason, Text: `{"call_id": 7}`, Bytes: 14, State: deadletter.Waiting, At: started,
	}, l)
	_, err := e.Letters.Letter(t.Context(), "acme", id)
	require.NoError(t, err)
	for _, of := range []struct {
		tenant callmodel.TenantID
		id     deadletter.ID
	}{{"umbrella", id}, {"acme", "d000000000001-00000000"}, {"acme", "\x00"}, {"acme", ""}, {"", "j" + id[1:]}} {
		_, err = e.Letters.Letter(t.Context(), of.tenant, of.id)
		require.ErrorIs(t, err, callmodel.ErrNotFound)
		_, err = e.Letters.SettleLetter(t.Context(), deadletter.Settle{TenantID: of.tenant, ID: of.id, State: deadletter.Discarded})
		require.ErrorIs(t, err, callmodel.ErrNotFound)
	}
	lines := e.actions(t, "acme", deadletter.AuditKept)
	require.Len(t, lines, 1)
	require.Equal(t, string(id), lines[0].Subject)
	require.Equal(t, map[string]string{"source": n.Source, "kind": "record", "code": "invalid", "message_id": n.MessageID}, lines[0].Detail)
}

// letterOnce: however often a message is delivered, and to however many, it is one
// letter, and stays what became of it.
func letterOnce(t *testing.T, e Env) {
	n := NewLetter("x")
	var wg sync.WaitGroup
	created := make([]bool, 8)
	for i := range created {
		wg.Go(func() {
			var err error
			_, created[i], err = e.Letters.KeepLetter(t.Context(), n)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	count := 0
	for _, c := range created {
		if c {
			count++
		}
	}
	require.Equal(t, 1, count)
	all, err := e.Letters.Letters(t.Context(), deadletter.Filter{})
	require.NoError(t, err)
	require.Len(t, all, 1)
	_, err = e.Letters.SettleLetter(t.Context(), deadletter.Settle{ID: all[0].ID, State: deadletter.Discarded, Actor: "ann"})
	require.NoError(t, err)
	id, again, err := e.Letters.KeepLetter(t.Context(), n)
	require.NoError(t, err)
	require.False(t, again)
	require.Equal(t, all[0].ID, id)
	require.Equal(t, deadletter.Discarded, e.letter(t, id).State)
	require.Len(t, e.actions(t, "acme", deadletter.AuditKept), 1)

	n.Source = "nats://other"
	e.keepLetter(t, n)
}

func letterBodies(t *testing.T, e Env) {
	for name, body := range map[string][]byte{
		"empty": {}, "nul": []byte("a\x00b"), "no text": {0xff, 0xfe}, "quotes": []byte(`'"--`),
		"whole": []byte(strings.Repeat("x", deadletter.MaxBody)), "long": []byte(strings.Repeat("é", deadletter.MaxBody)),
	} {
		n := NewLetter(name)
		n.Body, n.TenantID, n.MessageID, n.Reason = body, "", "id\x00\xff", strings.Repeat("r\x00", deadletter.MaxReason)
		l := e.letter(t, e.keepLetter(t, n))
		require.Equal(t, string(body[:min(len(body), deadletter.MaxBody)]), string(l.Body()), name)
		require.Equal(t, len(body), l.Bytes, name)
		require.Equal(t, name == "long", l.Cut(), name)
		require.LessOrEqual(t, len(l.Reason), deadletter.MaxReason)
		require.NotContains(t, l.MessageID, "\x00")
	}
}

func letterRefused(t *testing.T, e Env) {
	for name, change := range map[string]func(n *deadletter.New){
		"no source":      func(n *deadletter.New) { n.Source = "" },
		"odd source":     func(n *deadletter.New) { n.Source = "\x00" },
		"no fingerprint": func(n *deadletter.New) { n.Fingerprint = "" },
		"odd tenant":     func(n *deadletter.New) { n.TenantID = "../x" },
		"no code":        func(n *deadletter.New) { n.Code = "" },
	} {
		n := NewLetter("x")
		change(&n)
		_, _, err := e.Letters.KeepLetter(t.Context(), n)
		require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), "%s: %v", name, err)
	}
	id := e.keepLetter(t, NewLetter("x"))
	for _, c := range []deadletter.Settle{
		{ID: id}, {ID: id, State: deadletter.Waiting}, {ID: id, State: deadletter.Replayed}, {ID: id, State: deadletter.Discarded, JobID: "j"},
	} {
		_, err := e.Letters.SettleLetter(t.Context(), c)
		requireCode(t, callmodel.CodeInvalid, err)
	}
	_, err := e.Letters.Letters(t.Context(), deadletter.Filter{After: "x"})
	requireCode(t, callmodel.CodeInvalid, err)
	_, err = e.Letters.Tried(t.Context(), "", "")
	requireCode(t, callmodel.CodeInvalid, err)
}

func letterLists(t *testing.T, e Env) {
	var ids []deadletter.ID
	for i, name := range names("m", 7) {
		n := NewLetter(name)
		if i%3 == 2 {
			n.TenantID, n.Source = "umbrella", "nats://other"
		}
		ids = append(ids, e.keepLetter(t, n))
	}
	_, err := e.Letters.SettleLetter(t.Context(), deadletter.Settle{ID: ids[0], State: deadletter.Discarded})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		f    deadletter.Filter
		want []int
	}{
		"all":       {deadletter.Filter{}, []int{0, 1, 2, 3, 4, 5, 6}},
		"tenant":    {deadletter.Filter{TenantID: "umbrella"}, []int{2, 5}},
		"waiting":   {deadletter.Filter{TenantID: "acme", State: deadletter.Waiting}, []int{1, 3, 4, 6}},
		"source":    {deadletter.Filter{Source: "nats://other"}, []int{2, 5}},
		"page":      {deadletter.Filter{After: ids[1], Limit: 3}, []int{2, 3, 4}},
		"last page": {deadletter.Filter{After: ids[6]}, nil},
		"nobody's":  {deadletter.Filter{TenantID: "x\x00"}, nil},
	} {
		got, err := e.Letters.Letters(t.Context(), c.f)
		require.NoError(t, err, name)
		require.NotNil(t, got, name)
		require.Len(t, got, len(c.want), name)
		for i, w := range c.want {
			require.Equal(t, ids[w], got[i].ID, name)
			require.Empty(t, got[i].Body(), "a list is short")
			require.Equal(t, 5, got[i].Bytes)
		}
	}
}

func letterSettled(t *testing.T, e Env) {
	id, other := e.keepLetter(t, NewLetter("a")), e.keepLetter(t, NewLetter("b"))
	replay := deadletter.Settle{ID: id, TenantID: "acme", State: deadletter.Replayed, JobID: "j1", Actor: "ann"}
	for range 2 { // the second time it is that already
		l, err := e.Letters.SettleLetter(t.Context(), replay)
		require.NoError(t, err)
		require.Equal(t, deadletter.Replayed, l.State)
		require.Equal(t, callmodel.JobID("j1"), l.JobID)
		require.Equal(t, "ann", l.SettledBy)
		require.False(t, l.SettledAt.IsZero())
		same(t, l, e.letter(t, id))
	}
	_, err := e.Letters.SettleLetter(t.Context(), deadletter.Settle{ID: id, State: deadletter.Discarded})
	requireCode(t, callmodel.CodeConflict, err)
	_, err = e.Letters.SettleLetter(t.Context(), deadletter.Settle{ID: other, State: deadletter.Discarded, Actor: "ben"})
	require.NoError(t, err)
	lines := e.actions(t, "acme", deadletter.AuditReplayed)
	require.Len(t, lines, 1)
	require.Equal(t, "ann", lines[0].Actor)
	require.Equal(t, "j1", lines[0].Detail["job_id"])
	require.Len(t, e.actions(t, "acme", deadletter.AuditDiscarded), 1)
}

func letterTries(t *testing.T, e Env) {
	n := NewLetter("x")
	try := func(source string) int {
		t.Helper()
		tries, err := e.Letters.Tried(t.Context(), source, n.Fingerprint)
		require.NoError(t, err)
		return tries
	}
	for i := 1; i <= 3; i++ {
		require.Equal(t, i, try(n.Source))
	}
	require.Equal(t, 1, try("another"))
	require.NoError(t, e.Letters.Taken(t.Context(), n.Source, n.Fingerprint))
	require.Equal(t, 1, try(n.Source))
	e.keepLetter(t, n)
	require.Equal(t, 1, try(n.Source), "a letter has no tries any more")
	require.Equal(t, 2, try("another"))
}
