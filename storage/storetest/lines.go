package storetest

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// AuditLog is what callservice.AuditLog promises.
func AuditLog(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"AppendsAndPages", auditPages},
		{"AboutSubjects", auditAbout},
		{"HostileText", auditHostile},
		{"ReadersMissNothing", auditMissesNothing},
	})
}

// Outbox is what OutboxEvents promises.
func Outbox(t *testing.T, open func(t *testing.T) Env) {
	t.Helper()
	runAll(t, open, []run{
		{"Pages", outboxPages},
		{"ReadersMissNothing", outboxMissesNothing},
	})
}

func auditPages(t *testing.T, e Env) {
	for i, name := range names("s", 12) {
		tenant := callmodel.TenantID("acme")
		if i%3 == 0 {
			tenant = "umbrella"
		}
		require.NoError(t, e.Audit.Audit(t.Context(), callmodel.AuditEvent{
			ID: 77, TenantID: tenant, Actor: "ann", Action: callmodel.AuditAccessDenied, Subject: name,
			Detail: map[string]string{"path": "/v1/calls"},
		}))
	}
	var seen []string
	last := int64(0)
	for {
		page, err := e.Audit.AuditEvents(t.Context(), "acme", last, 3)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.LessOrEqual(t, len(page), 3)
		for _, a := range page {
			require.Greater(t, a.ID, last)
			last = a.ID
			seen = append(seen, a.Subject)
			require.Equal(t, "/v1/calls", a.Detail["path"])
			require.Equal(t, "ann", a.Actor)
			require.False(t, a.At.IsZero())
		}
	}
	require.Equal(t, []string{"s0001", "s0002", "s0004", "s0005", "s0007", "s0008", "s0010", "s0011"}, seen)
}

// auditAbout: who asks about subjects gets their lines alone, in pages, of one tenant, and
// not those that every call leaves.
func auditAbout(t *testing.T, e Env) {
	long := strings.Repeat("ü", 300) // longer than what an index has of it
	put := func(tenant callmodel.TenantID, action, subject string) {
		require.NoError(t, e.Audit.Audit(t.Context(), callmodel.AuditEvent{TenantID: tenant, Actor: "ann", Action: action, Subject: subject}))
	}
	for i := range 7 {
		put("acme", callmodel.AuditListened, "j1")
		put("acme", callmodel.AuditCallEvent, "c1")
		put("acme", callmodel.AuditJobRetried, "j2")
		put("umbrella", callmodel.AuditListened, "j1")
		put("acme", "hold.placed", long+strconv.Itoa(i))
	}
	put("acme", "hold.placed", "c1")
	about := func(tenant callmodel.TenantID, limit int, subjects ...string) []string {
		var seen []string
		for last := int64(0); ; {
			page, err := e.Audit.AuditAbout(t.Context(), tenant, subjects, last, limit)
			require.NoError(t, err)
			require.NotNil(t, page)
			if len(page) == 0 {
				return seen
			}
			require.LessOrEqual(t, len(page), limit)
			for _, a := range page {
				require.Greater(t, a.ID, last)
				last = a.ID
				require.Equal(t, tenant, a.TenantID)
				seen = append(seen, a.Action+" "+a.Subject)
			}
		}
	}
	require.Equal(t, slices.Repeat([]string{callmodel.AuditListened + " j1"}, 7), about("acme", 3, "j1"))
	require.Equal(t, []string{"hold.placed c1"}, about("acme", 3, "c1"), "what somebody did, not the call's own events")
	both := about("acme", 4, "j2", "c1", "j1", "nobody", "j1")
	require.Len(t, both, 15)
	require.Equal(t, []string{callmodel.AuditListened + " j1", callmodel.AuditJobRetried + " j2"}, both[:2], "in the order of all")
	require.Equal(t, []string{"hold.placed " + long + "4"}, about("acme", 10, long+"4"))
	require.Empty(t, about("nobody", 10, "j1"))
	require.Empty(t, about("acme", 10))
	require.Empty(t, about("acme", 10, "j1' OR '1'='1", "\x00"))
	_, err := e.Audit.AuditAbout(t.Context(), "acme", make([]string, 101), 0, 10)
	requireCode(t, callmodel.CodeInvalid, err)
}

func auditHostile(t *testing.T, e Env) {
	require.NoError(t, e.Audit.Audit(t.Context(), callmodel.AuditEvent{
		TenantID: "acme", Actor: "a\x00b\xff'; --", Action: "x", Subject: string(make([]byte, 100_000)),
		Detail: map[string]string{"k\x00": "v\xff\x00"},
	}))
	all, err := e.Audit.AuditEvents(t.Context(), "acme", 0, 10)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Less(t, len(all[0].Subject), 10_000)
}

// auditMissesNothing: who reads on behind the last id sees every line, however
// many are being written meanwhile.
func auditMissesNothing(t *testing.T, e Env) {
	const writers, each = 6, 30
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for _, name := range names("s", each) {
				assert.NoError(t, e.Audit.Audit(t.Context(), callmodel.AuditEvent{
					TenantID: "acme", Actor: string(rune('a' + w)), Action: "x", Subject: name,
				}))
			}
		})
	}
	seen, last := 0, int64(0)
	follow := func() {
		page, err := e.Audit.AuditEvents(t.Context(), "acme", last, 1000)
		require.NoError(t, err)
		seen += len(page)
		if len(page) > 0 {
			last = page[len(page)-1].ID
		}
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for running := true; running; {
		select {
		case <-done:
			running = false // and look once more
		default:
		}
		follow()
	}
	require.Equal(t, writers*each, seen)
}

func outboxPages(t *testing.T, e Env) {
	require.Empty(t, e.outbox(t))
	ids := names("c", 7)
	for _, n := range ids {
		e.enqueue(t, Request(n))
		require.NoError(t, e.Jobs.Complete(t.Context(), e.one(t, "w"), Completed(n)))
	}
	var seen []string
	for last := int64(0); ; {
		page, err := e.Outbox.OutboxEvents(t.Context(), last, 3)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		require.LessOrEqual(t, len(page), 3)
		for _, ev := range page {
			require.Greater(t, ev.ID, last)
			last = ev.ID
			seen = append(seen, ev.Subject)
		}
	}
	require.Equal(t, ids, seen)
}

func outboxMissesNothing(t *testing.T, e Env) {
	const jobs = 120
	for _, n := range names("c", jobs) {
		e.enqueue(t, Request(n))
	}
	leases := e.claim(t, ledger.Claim{Worker: "w", Limit: jobs, TTL: long})
	require.Len(t, leases, jobs)
	work := make(chan ledger.Lease, jobs)
	for _, l := range leases {
		work <- l
	}
	close(work)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for l := range work {
				assert.NoError(t, e.Jobs.Complete(t.Context(), l, Completed(string(l.Job.CallID))))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	keys, last := map[string]bool{}, int64(0)
	follow := func() {
		page, err := e.Outbox.OutboxEvents(t.Context(), last, 1000)
		require.NoError(t, err)
		for _, ev := range page {
			require.False(t, keys[ev.Key])
			keys[ev.Key], last = true, ev.ID
		}
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	require.Len(t, keys, jobs)
}
