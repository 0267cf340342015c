package calldb

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// together stores new calls on PostgreSQL in one statement, and so in one round trip
// and one commit: a call that comes alone, and all those at once that came while others
// were on their way. What is anything but new, a key or an id that is there already, it
// leaves alone: a transaction looks into that.
//
// There is no goroutine but that of a statement whose caller gives up: the first to come
// leads, and hands the lead on to one that waits.
type together struct {
	d *DB

	mu      sync.Mutex
	leading int // statements on their way
	queue   []*newcomer
}

const (
	// togetherMost bounds the calls of a statement.
	togetherMost = 64
	// togetherAtOnce bounds the statements on their way. There is one where all is well:
	// what comes meanwhile goes together. A call that has waited for togetherPatience goes
	// beside it: it may be waiting for a row that somebody else writes.
	togetherAtOnce   = 4
	togetherPatience = 20 * time.Millisecond
)

// newcomer is a call that is to be stored.
type newcomer struct {
	ctx    context.Context //nolint:containedctx // lives only as long as its caller waits
	call   *calls.NewCall
	doc    string
	line   callmodel.AuditEvent
	detail string                 // of the line, as its column has it
	event  *callmodel.OutboxEvent // nil: nobody asks for it
	asked  bool                   // to lead, while it is in the queue; together.mu
	wake   chan bool              // true: lead; false: stored and err are set
	stored bool
	err    error
}

// do stores the call, or reports false: it is not new, or it can't be said.
func (g *together) do(ctx context.Context, n *calls.NewCall) (stored bool, err error) {
	m := &newcomer{ctx: ctx, call: n, line: storeform.CreatedLine(&n.Call, n.Actor), wake: make(chan bool, 1)}
	if m.doc, err = newCallDoc(n); err != nil {
		return false, err
	}
	if m.detail, err = auditDetail(&m.line); err != nil {
		return false, err
	}
	if g.d.schema.Load() >= webhooksSchema && g.d.listeners.asked(n.Call.TenantID, storeform.CreatedType(&n.Call)) {
		e, err := storeform.CreatedEvent(&n.Call, []byte(m.doc))
		if err != nil {
			return false, err
		}
		m.event = &e
	}
	g.mu.Lock()
	g.queue = append(g.queue, m)
	lead := g.leading == 0
	if lead {
		g.leading++
		m.asked = true
	}
	g.mu.Unlock()
	if !lead {
		if lead, err = g.await(ctx, m); err != nil {
			return false, err
		}
	}
	if lead {
		g.lead(m) //nolint:contextcheck // it works for others too, whose contexts are their own
	}
	return m.stored, m.err
}

// await waits until m is stored, or is to lead.
func (g *together) await(ctx context.Context, m *newcomer) (lead bool, err error) {
	patience := time.NewTimer(togetherPatience)
	defer patience.Stop()
	for {
		select {
		case lead = <-m.wake:
			return lead, nil
		case <-patience.C:
			if g.besides(m) {
				return true, nil
			}
		case <-ctx.Done():
			if g.withdraw(m) {
				return false, ctx.Err()
			}
			return <-m.wake, nil // it is on its way, or was just asked to lead
		}
	}
}

// besides has m lead beside the others, if it still waits and there may be one more.
func (g *together) besides(m *newcomer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.asked || g.leading >= togetherAtOnce || !slices.Contains(g.queue, m) {
		return false
	}
	m.asked = true
	g.leading++
	return true
}

// withdraw takes m out of the queue, if nobody has begun with it.
func (g *together) withdraw(m *newcomer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.queue, m)
	if i < 0 || m.asked {
		return false
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	return true
}

// lead stores m and what waits, and hands the lead on.
func (g *together) lead(m *newcomer) {
	g.mu.Lock()
	batch := g.take(m)
	g.mu.Unlock()

	g.store(batch)

	for _, other := range batch {
		if other != m {
			other.wake <- false
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, next := range g.queue {
		if !next.asked {
			next.asked = true
			next.wake <- true // stays queued: it takes its own batch
			return
		}
	}
	g.leading--
}

// take takes m and what waits out of the queue, but for those that were asked to lead,
// and those that have the id or the key of another: the second is not new.
func (g *together) take(m *newcomer) []*newcomer {
	type name struct{ tenant, id string }
	ids, keys := map[name]bool{}, map[name]bool{}
	batch := make([]*newcomer, 0, min(len(g.queue), togetherMost))
	add := func(n *newcomer) bool {
		c := &n.call.Call
		id, key := name{string(c.TenantID), string(c.ID)}, name{string(c.TenantID), n.call.IdempotencyKey}
		if len(batch) == togetherMost || ids[id] || key.id != "" && keys[key] {
			return false
		}
		ids[id], keys[key] = true, true
		batch = append(batch, n)
		return true
	}
	add(m)
	g.queue = slices.DeleteFunc(g.queue, func(n *newcomer) bool { return n == m || !n.asked && add(n) })
	// In one order everywhere, so that two statements never wait for each other.
	slices.SortFunc(batch, func(a, b *newcomer) int {
		return cmp.Or(cmp.Compare(a.call.Call.TenantID, b.call.Call.TenantID), cmp.Compare(a.call.Call.ID, b.call.Call.ID))
	})
	return batch
}

// store stores the batch and sets everyone's stored and err.
func (g *together) store(batch []*newcomer) {
	// The statement outlives a caller that gives up: the others' calls are in it, too.
	ctx, cancel := context.WithTimeout(context.Background(), g.d.opts.Timeout)
	defer cancel()
	if len(batch) == 1 {
		ctx = batch[0].ctx
	}
	stored, err := g.insert(ctx, batch)
	if _, refused := errors.AsType[*pgconn.PgError](err); refused && g.d.dialect.classify(err) != faultUnavailable {
		stored, err = nil, nil // by what one of them is, or another's key: each is looked into by itself
	}
	for _, m := range batch {
		m.stored, m.err = stored[string(m.call.Call.TenantID)+"/"+string(m.call.Call.ID)], err
	}
}

// storeCalls stores calls with their keys, their terms and their audit lines: those that
// are new by their id and their key. A key that another transaction stores meanwhile
// fails the whole with a unique violation.
//
// Whatever may wait for another's row is done before the lock of the lines is taken: see
// tx. A part runs to its end before one that counts its rows begins; without that the last
// would be the first.
const storeCalls = storeCallsParts + `
)
SELECT tenant_id, id FROM c`

// storeCallsTold is storeCalls with events for the outbox, of those calls that somebody is
// to be told of.
const storeCallsTold = storeCallsParts + `
), o AS (
	INSERT INTO outbox (id, event_key, tenant_id, type, subject, at, body)
		SELECT nextval('outbox_id'), o.event_key, o.tenant_id, o.type, o.id, @now, o.body
		FROM lines, unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::bytea[]) AS o(tenant_id, id, event_key, type, body)
		JOIN c ON c.tenant_id = o.tenant_id AND c.id = o.id COLLATE "C"
)
SELECT tenant_id, id FROM c`

const storeCallsParts = `WITH n AS MATERIALIZED (
	SELECT * FROM unnest(?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::bytea[], ?::text[], ?::text[], ?::text[])
		AS n(tenant_id, id, state, from_number, to_number, created_at, doc, idem_key, request_sha256, status, body, actor, action, detail)
), c AS (
	INSERT INTO calls (tenant_id, id, state, from_number, to_number, created_at, doc, terms)
		SELECT tenant_id, id, state, from_number, to_number, created_at, doc, 1 FROM n
		WHERE idem_key = '' OR NOT EXISTS (SELECT 1 FROM idempotency_keys AS k WHERE k.tenant_id = n.tenant_id AND k.idem_key = n.idem_key)
	ON CONFLICT (tenant_id, id) DO NOTHING
	RETURNING tenant_id, id
), k AS (
	INSERT INTO idempotency_keys (tenant_id, idem_key, request_sha256, status, body, created_at)
		SELECT n.tenant_id, n.idem_key, n.request_sha256, n.status, n.body, @now FROM n JOIN c ON c.tenant_id = n.tenant_id AND c.id = n.id COLLATE "C" WHERE n.idem_key <> ''
	RETURNING 1
), t AS (
	INSERT INTO call_terms (tenant_id, term, created_at, call_id)
		SELECT t.tenant_id, t.term, t.created_at, t.id FROM unnest(?::text[], ?::text[], ?::bigint[], ?::text[]) AS t(tenant_id, term, created_at, id)
		JOIN c ON c.tenant_id = t.tenant_id AND c.id = t.id COLLATE "C"
	RETURNING 1
), lines AS MATERIALIZED (
	SELECT pg_advisory_xact_lock_shared(` + lineLock + `) AS locked FROM (SELECT count(*) FROM k) AS k, (SELECT count(*) FROM t) AS t
), a AS (
	INSERT INTO audit (id, tenant_id, at, actor, action, subject, detail)
		SELECT nextval('audit_id'), n.tenant_id, @now, n.actor, n.action, n.id, n.detail FROM lines, n JOIN c ON c.tenant_id = n.tenant_id AND c.id = n.id COLLATE "C"`

// insert runs storeCalls and gives which calls were stored, as "tenant/id".
func (g *together) insert(ctx context.Context, batch []*newcomer) (map[string]bool, error) {
	var tenants, ids, states, from, to, docs, keys, shas, actors, actions, details []string
	var created, statuses []int64
	var bodies [][]byte
	var termTenants, terms, termIDs []string
	var termAt []int64
	var eventTenants, eventIDs, eventKeys, eventTypes []string
	var eventBodies [][]byte
	for _, m := range batch {
		n, c := m.call, &m.call.Call
		tenants, ids, states = append(tenants, string(c.TenantID)), append(ids, string(c.ID)), append(states, string(c.State))
		from, to, created = append(from, number(c.From)), append(to, number(c.To)), append(created, storeform.Micros(c.CreatedAt))
		docs, keys, shas = append(docs, m.doc), append(keys, n.IdempotencyKey), append(shas, storeform.Text(n.RequestSHA256, storeform.MaxKey))
		statuses, bodies = append(statuses, int64(n.StatusCode)), append(bodies, n.Response)
		actors, actions = append(actors, storeform.Text(n.Actor, storeform.MaxText)), append(actions, m.line.Action)
		details = append(details, m.detail)
		for _, term := range storeform.Terms(c) {
			termTenants, terms = append(termTenants, string(c.TenantID)), append(terms, term)
			termAt, termIDs = append(termAt, storeform.Micros(c.CreatedAt)), append(termIDs, string(c.ID))
		}
		if e := m.event; e != nil {
			eventTenants, eventIDs, eventKeys = append(eventTenants, string(c.TenantID)), append(eventIDs, string(c.ID)), append(eventKeys, e.Key)
			eventTypes, eventBodies = append(eventTypes, e.Type), append(eventBodies, e.Body)
		}
	}
	statement := storeCalls
	args := []any{tenants, ids, states, from, to, created, docs, keys, shas, statuses, bodies, actors, actions, details, termTenants, terms, termAt, termIDs}
	if len(eventKeys) > 0 {
		statement, args = storeCallsTold, append(args, eventTenants, eventIDs, eventKeys, eventTypes, eventBodies)
	}
	conn, err := g.d.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to its pool
	stored := make(map[string]bool, len(batch))
	err = conn.Raw(func(driver any) error {
		rows, err := driver.(*stdlib.Conn).Conn().Query(ctx, g.d.write.text(statement), args...) //nolint:forcetypeassert // the pool has no others
		if err != nil {
			return err
		}
		var tenant, id string
		_, err = pgx.ForEachRow(rows, []any{&tenant, &id}, func() error {
			stored[tenant+"/"+id] = true
			return nil
		})
		return err
	})
	return stored, err
}
