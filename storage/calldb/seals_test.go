package calldb_test

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/seals"
	"github.com/switchtape/switchtape/storage/calldb"
)

// sealed writes n lines to the audit log, and seals them.
func sealed(t *testing.T, db *calldb.DB, n int) seals.Seal {
	t.Helper()
	for i := range n {
		require.NoError(t, db.Audit(t.Context(), callmodel.AuditEvent{
			TenantID: "acme", Actor: "ann", Action: "x", Subject: fmt.Sprint("s", i), Detail: map[string]string{"π": "\x00", "b": "c"},
		}))
	}
	seal, more, err := db.SealAudit(t.Context())
	require.NoError(t, err)
	require.False(t, more)
	require.NotNil(t, seal)
	return *seal
}

// verified is the report, with a fault as "kind line".
func verified(t *testing.T, db *calldb.DB, head string) (r seals.Report, faults []string) {
	t.Helper()
	r, err := db.VerifyAudit(t.Context(), head)
	require.NoError(t, err)
	for _, f := range r.Faults {
		faults = append(faults, fmt.Sprint(f.Kind, " ", f.LineID))
	}
	return r, faults
}

// TestTamperingShows: whatever is done to lines that are sealed, it is said which.
func TestTamperingShows(t *testing.T) {
	t.Parallel()
	const put = "INSERT INTO audit (id, tenant_id, at, actor, action, subject, detail) VALUES "
	for name, c := range map[string]struct {
		statements []string // on the ids 1 to 6, of which each two are a seal's
		want       []string
	}{
		"nothing":             {nil, nil},
		"a field":             {[]string{"UPDATE audit SET actor = 'eve' WHERE id = 3"}, []string{"changed 3"}},
		"a detail":            {[]string{"UPDATE audit SET detail = '' WHERE id = 2"}, []string{"changed 2"}},
		"a time":              {[]string{"UPDATE audit SET at = at + 1 WHERE id = 6"}, []string{"changed 6"}},
		"one out":             {[]string{"DELETE FROM audit WHERE id = 4"}, []string{"missing 4"}},
		"two swapped":         {[]string{"UPDATE audit SET id = 99 WHERE id = 1", "UPDATE audit SET id = 1 WHERE id = 4", "UPDATE audit SET id = 4 WHERE id = 99"}, []string{"changed 1", "changed 4"}},
		"the tail":            {[]string{"DELETE FROM audit WHERE id > 4"}, []string{"missing 5", "missing 6"}},
		"one in its place":    {[]string{"DELETE FROM audit WHERE id = 5", put + "(5, 'acme', 1, 'ann', 'x', 's', '')"}, []string{"changed 5"}},
		"one more":            {[]string{put + "(0, 'acme', 1, 'ann', 'x', 's', '')"}, []string{"inserted 0"}}, // before the first
		"a seal":              {[]string{"UPDATE audit_seals SET lines = 1 WHERE seq = 2"}, []string{"broken 0", "broken 0"}},
		"a seal out":          {[]string{"DELETE FROM audit_seals WHERE seq = 2"}, []string{"cut 0"}},
		"the tail and a seal": {[]string{"DELETE FROM audit WHERE id > 4", "DELETE FROM audit_seals WHERE seq = 3"}, []string{"cut 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, at string) {
				db := migrated(t, at)
				var head seals.Seal
				for range 3 {
					head = sealed(t, db, 2)
				}
				for _, s := range c.statements {
					require.NoError(t, db.Exec(t.Context(), s))
				}
				r, faults := verified(t, db, head.Hash)
				assert.Equal(t, c.want, faults)
				if c.want == nil {
					assert.Equal(t, seals.Report{Seals: 3, Lines: 6, Head: head.Hash, Faults: []seals.Fault{}}, r)
				}
			})
		})
	}
}

// TestSealsAtOnce: any number of processes may seal while any number writes; every line
// is sealed once, and more than a seal holds take several.
func TestSealsAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		const writers, each = 4, 300
		var writing, sealing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					assert.NoError(t, db.Audit(t.Context(), callmodel.AuditEvent{TenantID: "acme", Actor: strconv.Itoa(w), Action: "x", Subject: strconv.Itoa(i)}))
				}
			})
		}
		done := make(chan struct{})
		for range 3 {
			sealing.Go(func() {
				for last := false; ; {
					_, more, err := db.SealAudit(t.Context())
					assert.NoError(t, err)
					if last && !more || err != nil {
						return
					}
					select {
					case <-done:
						last = true
					default:
					}
				}
			})
		}
		writing.Wait()
		close(done)
		sealing.Wait()
		r, faults := verified(t, db, "")
		assert.Empty(t, faults)
		assert.EqualValues(t, writers*each, r.Lines+r.Unsealed)
		assert.Zero(t, r.Unsealed)
	})
}

// TestPruneLeavesTheChain: what is taken out for its age is no fault, what is put in its
// place is; lines that were tampered with are kept.
func TestPruneLeavesTheChain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, at string) {
		db := migrated(t, at)
		for range 4 {
			sealed(t, db, 3)
		}
		now, err := db.Now(t.Context())
		require.NoError(t, err)
		n, err := db.PruneAudit(t.Context(), now.Add(-time.Hour), "platform", "ann")
		require.NoError(t, err)
		require.Zero(t, n)
		require.NoError(t, db.Exec(t.Context(), "UPDATE audit SET actor = 'eve' WHERE id = 8"))
		n, err = db.PruneAudit(t.Context(), now.Add(time.Hour), "platform", "ann")
		require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "%v", err)
		require.ErrorContains(t, err, "line 8 is changed")
		require.EqualValues(t, 6, n)
		require.NoError(t, db.Exec(t.Context(), "UPDATE audit SET actor = 'ann' WHERE id = 8"))
		n, err = db.PruneAudit(t.Context(), now.Add(time.Hour), "platform", "ann")
		require.NoError(t, err)
		require.EqualValues(t, 3, n)
		head := sealed(t, db, 1)
		r, faults := verified(t, db, head.Hash)
		require.Empty(t, faults)
		require.EqualValues(t, 9, r.Pruned)
		require.EqualValues(t, 3+3+1, r.Lines, "the newest seal's, and that it was pruned")
		lines, err := db.AuditEvents(t.Context(), "platform", 0, 10)
		require.NoError(t, err)
		require.Len(t, lines, 3)
		require.Equal(t, callmodel.AuditPruned, lines[0].Action)

		require.NoError(t, db.Exec(t.Context(), "INSERT INTO audit (id, tenant_id, at, actor, action, subject, detail) VALUES (2, 'acme', 1, 'eve', 'x', 's', '')"))
		_, faults = verified(t, db, head.Hash)
		require.Equal(t, []string{"inserted 2"}, faults)
	})
}

// TestSealsOnTheSchemaBefore: there are none, and nothing fails.
func TestSealsOnTheSchemaBefore(t *testing.T) {
	t.Parallel()
	db := before(t, sqliteURL(t))
	require.NoError(t, db.Audit(t.Context(), callmodel.AuditEvent{TenantID: "acme", Actor: "ann", Action: "x"}))
	seal, more, err := db.SealAudit(t.Context())
	require.NoError(t, err)
	require.Nil(t, seal)
	require.False(t, more)
	r, err := db.VerifyAudit(t.Context(), "")
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Unsealed)
}
