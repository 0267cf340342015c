package calldb

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// A claim takes what can run in this order:
//
//	suspects      one, by itself: see tx.claim
//	emergency     the recordings of emergency calls, oldest first
//	fresh         three of four of what is left to take, while there is a backlog
//	backlog       the jobs that aren't fresh any more: one of four
//
// In the last two the tenants take turns, from the one behind the tenant that was
// served last, and of a tenant's jobs the one with the highest priority comes first,
// then the oldest. What one lane doesn't use is the other's.
//
// Who is in line is found by steps in an index, from a tenant to the next: a claim
// costs what it takes, however many jobs wait and whosever they are.

// linePasses bounds how often one claim looks who is in line: again only if it wasn't
// given what it asked for, and there may be more.
const linePasses = 8

// What the indexes that claims walk in say of their rows. Only these conditions state
// it, so that no index is taken for another: see the migration 6.
const waits = "(CASE WHEN state = 'queued' AND due = 0 AND suspect = 0 THEN 'waits' ELSE '' END) = 'waits'"

// inLine is the condition of the index with that name for its rows.
func inLine(index string) string {
	return "(CASE WHEN state = 'queued' AND due = 1 THEN '" + index + "' ELSE '' END) = '" + index + "'"
}

// Jobs are fresh in the period in which they were enqueued, and in the next one.
const (
	period    = "(created_at / 5000000)"
	periodNow = "(@now / 5000000)"
)

// claimable is what there is for a claim to do, as it was a moment ago: in a fleet most
// claims find nothing.
type claimable struct {
	expired   bool // leases that have ended
	ripe      bool // jobs whose time has come
	suspect   bool
	emergency bool
	parts     []part // of the line, that aren't empty
}

// part is the part of the line with the jobs of a kind, in a queue; "" is any.
type part struct{ kind, queue string }

// lookParts bounds the parts that a claim looks into before it walks in them.
const lookParts = 16

// claimable looks for it, by the first rows of an index each. On PostgreSQL what follows in
// the transaction is planned once a connection, and not anew the first five times, which
// takes several times as long as to run it: each worker of some hundreds would need many
// minutes until it was over that.
func (t *tx) claimable(ctx context.Context, r *ledger.Claim) (there claimable, err error) {
	if !t.turns {
		return claimable{expired: true, ripe: true}, nil
	}
	parts, err := t.parts(ctx, r)
	if err != nil {
		return there, err
	}
	var planned string
	some := make([]bool, len(parts))
	into := []any{&planned, &there.expired, &there.ripe, &there.suspect, &there.emergency}
	look := parts
	if len(look) > lookParts {
		look = nil
	}
	for i := range look {
		into = append(into, &some[i])
	}
	query, args := claimableQuery(r, look)
	if err := t.row(ctx, query, args...).Scan(into...); err != nil {
		return there, err
	}
	for i, p := range parts {
		if some[i] || len(look) == 0 {
			there.parts = append(there.parts, p)
		}
	}
	return there, nil
}

// claimableQuery is the query of claimable: one row, of a text and truths.
func claimableQuery(r *ledger.Claim, parts []part) (string, []any) {
	which, args := ofThese(r)
	args = append(args, args...)
	var query strings.Builder
	query.WriteString("SELECT @planonce, EXISTS (SELECT 1 FROM jobs WHERE state = 'running' AND lease_until <= @now)" +
		", EXISTS (SELECT 1 FROM jobs WHERE " + waits + " AND run_at <= @now)" +
		", EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND suspect = 1 AND run_at <= @now" + which + ")" +
		", EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND due = 1 AND emergency = 1 AND run_at <= @now" + which + ")")
	for _, p := range parts {
		where, these, in := p.where()
		// In the order of its index, so that no planner prefers to go through all jobs.
		query.WriteString(", (SELECT tenant_id FROM jobs WHERE " + inLine("backlog"+in) + where + " ORDER BY tenant_id LIMIT 1) IS NOT NULL")
		args = append(args, these...)
	}
	return query.String(), args
}

// parts are the parts of the line that the claim takes from.
func (t *tx) parts(ctx context.Context, r *ledger.Claim) ([]part, error) {
	kinds, queues := clean(r.Kinds), clean(r.Queues)
	if len(kinds) == 0 || len(kinds)*max(len(queues), 1) > lookParts {
		// Most kinds that a worker does have no jobs in line.
		there, err := t.kindsInLine(ctx)
		if err != nil {
			return nil, err
		}
		if len(kinds) > 0 {
			there = slices.DeleteFunc(there, func(kind string) bool { return !slices.Contains(kinds, kind) })
		}
		kinds = there
	}
	slices.Sort(kinds)
	slices.Sort(queues)
	kinds, queues = slices.Compact(kinds), slices.Compact(queues)
	if len(queues) == 0 {
		queues = []string{""}
	}
	parts := make([]part, 0, len(kinds)*len(queues))
	for _, kind := range kinds {
		for _, queue := range queues {
			parts = append(parts, part{kind, queue})
		}
	}
	return parts, nil
}

// where is the condition for the part's jobs, with its arguments, and the end of the
// names of the indexes that serve it.
func (p part) where() (where string, args []any, in string) {
	where, args = named("kind", p.kind)
	if p.queue == "" {
		return where, args, ""
	}
	and, more := named("queue", p.queue)
	return where + and, append(args, more...), " in queue"
}

// named is the condition that the column is that name, and its argument. What is sure to
// need no quoting is written out: where SQLite looks at an argument's value when it plans,
// it plans the statement anew at each use, which costs a claim more than all else. There
// are as many statements as a worker has kinds and queues.
func named(column, name string) (where string, args []any) {
	if callmodel.ValidID(name) {
		return " AND " + column + " = '" + name + "'", nil
	}
	return " AND " + column + " = ?", []any{name}
}

// place is a part of the line that has an order of its own: the jobs of a kind, in one
// queue or in any.
type place struct {
	where string
	args  []any
	// any holds for the jobs by which the place isn't empty; "" if a walk finds that out
	// at once.
	any string
}

// placesIn are those in the parts, by lane.
func placesIn(parts []part) (all [2][]place) {
	for _, p := range parts {
		where, args, in := p.where()
		fresh, backlog := inLine("fresh"+in)+where, inLine("backlog"+in)+where
		all[storeform.Fresh] = append(all[storeform.Fresh],
			place{where: fresh + " AND " + period + " = " + periodNow, args: args},
			place{where: fresh + " AND " + period + " = " + periodNow + " - 1", args: args})
		all[storeform.Backlog] = append(all[storeform.Backlog], place{
			where: backlog + " AND created_at < (" + periodNow + " - 1) * 5000000", args: args,
			// The walk would pass over every fresh job to find that there are no others.
			any: fresh + " AND " + period + " < " + periodNow + " - 1",
		})
	}
	return all
}

// kindsInLine are the kinds of the jobs that are in line, by steps in the index.
func (t *tx) kindsInLine(ctx context.Context) (kinds []string, err error) {
	err = t.each(ctx, func(s scanner) error {
		var kind string
		err := s.Scan(&kind)
		kinds = append(kinds, kind)
		return err
	}, `WITH RECURSIVE kinds(kind) AS (
			SELECT min(kind) FROM jobs WHERE `+inLine("backlog")+`
			UNION ALL
			SELECT (SELECT min(kind) FROM jobs WHERE `+inLine("backlog")+` AND kind > kinds.kind) FROM kinds WHERE kind IS NOT NULL)
		SELECT kind FROM kinds WHERE kind IS NOT NULL`)
	return kinds, err
}

// takeTurns leases up to r.Limit of the jobs that are there. turn is whose turn it is, and
// then whose it is next.
func (t *tx) takeTurns(ctx context.Context, r *ledger.Claim, there *claimable, turn *storeform.Turn, leases *[]ledger.Lease) error {
	if there.suspect && !r.NoSuspects {
		if err := t.leaseSuspect(ctx, r, leases); err != nil || len(*leases) > 0 {
			return err
		}
	}
	places, more := placesIn(there.parts), true
	emergency := there.emergency
	for range linePasses {
		left := r.Limit - len(*leases)
		if left <= 0 || !more {
			return nil
		}
		if emergency {
			which, args := ofThese(r)
			before := len(*leases)
			if err := t.lease(ctx, r, leases, "", "SELECT seq FROM jobs WHERE state = 'queued' AND due = 1 AND emergency = 1 AND run_at <= @now"+which+`
				ORDER BY seq LIMIT ? @skiplocked`, append(args, left)...); err != nil {
				return err
			}
			left = r.Limit - len(*leases)
			emergency = len(*leases) > before
		}
		if len(there.parts) == 0 {
			more = emergency
			continue
		}
		tenants, err := t.inLine(ctx, &places, turn, left)
		if err != nil {
			return err
		}
		if more, err = t.takeLanes(ctx, r, &places, &tenants, turn, left, leases); err != nil {
			return err
		}
		more = more || emergency
	}
	return nil
}

// takeLanes leases up to n jobs of the tenants in line. It reports whether there may be
// more of them.
func (t *tx) takeLanes(ctx context.Context, r *ledger.Claim, places *[2][]place, inLine *[2][]callmodel.TenantID, turn *storeform.Turn, n int, leases *[]ledger.Lease) (more bool, err error) {
	share := map[storeform.Lane]int{storeform.Fresh: n, storeform.Backlog: n}
	if len(inLine[storeform.Fresh]) > 0 && len(inLine[storeform.Backlog]) > 0 {
		share[storeform.Fresh] = n - turn.Share(n)
		turn.Served += int64(n)
	}
	for _, lane := range []storeform.Lane{storeform.Fresh, storeform.Backlog} {
		tenants, want := inLine[lane], min(share[lane], n)
		if len(tenants) == 0 || want <= 0 {
			more = more || len(tenants) > 0
			continue
		}
		each := storeform.PerTenant(want, len(tenants))
		before := len(*leases)
		if err := t.take(ctx, r, places[lane], tenants, each, want, leases); err != nil {
			return false, err
		}
		taken := map[callmodel.TenantID]int{}
		for _, got := range (*leases)[before:] {
			taken[got.Job.TenantID]++
		}
		n -= len(*leases) - before
		// Those behind the last one who got something have their turn next. If others
		// hold every row of theirs, it is the turn of those behind them.
		turn.Last[lane] = tenants[len(tenants)-1]
		for i, tenant := range slices.Backward(tenants) {
			if taken[tenant] > 0 {
				turn.Last[lane] = tenants[i]
				break
			}
		}
		more = more || len(tenants) >= want || slices.ContainsFunc(tenants, func(t callmodel.TenantID) bool { return taken[t] >= each })
	}
	return more && n > 0, nil
}

// inLine looks who is in line, up to n tenants a lane in the order of their turns, from
// the one behind whom turn says was served last.
func (t *tx) inLine(ctx context.Context, places *[2][]place, turn *storeform.Turn, n int) (tenants [2][]callmodel.TenantID, err error) {
	query, all := lineQuery(places, turn, n)
	err = t.each(ctx, func(s scanner) error {
		var name string
		var tenant callmodel.TenantID
		var again, step int64
		if err := s.Scan(&name, &tenant, &again, &step); err != nil {
			return err
		}
		lane := storeform.Fresh
		if name == laneName(storeform.Backlog) {
			lane = storeform.Backlog
		}
		if len(tenants[lane]) < n {
			tenants[lane] = append(tenants[lane], tenant)
		}
		return nil
	}, query, all...)
	return tenants, err
}

// lineQuery is the query of inLine: rows of the lane, tenant and two numbers to sort by.
func lineQuery(places *[2][]place, turn *storeform.Turn, n int) (string, []any) {
	var query strings.Builder
	var all []any
	query.WriteString("WITH RECURSIVE ")
	for lane, last := range turn.Last {
		walk, walked := walkTenants(places[lane], storeform.Lane(lane), last, n)
		if lane > 0 {
			query.WriteString(", ")
		}
		query.WriteString(laneName(storeform.Lane(lane)) + walk)
		all = append(all, walked...)
	}
	for lane, last := range turn.Last {
		name := laneName(storeform.Lane(lane))
		query.WriteString(map[bool]string{true: " UNION ALL", false: ""}[lane > 0] + " SELECT '" + name + "', tenant, again, n FROM " + name +
			" WHERE n > 0 AND tenant IS NOT NULL AND (again = 0 OR tenant <= ?)")
		all = append(all, string(last))
	}
	query.WriteString(" ORDER BY 3, 4")
	return query.String(), all
}

func laneName(l storeform.Lane) string {
	if l == storeform.Backlog {
		return "backlog"
	}
	return "fresh"
}

// walkTenants is the table (tenant, n, again) of a lane: after last, the tenants that
// have jobs in the places, one step in the index each, up to the end, and again from the
// beginning up to last. A step that finds nobody has NULL.
func walkTenants(places []place, lane storeform.Lane, last callmodel.TenantID, n int) (string, []any) {
	args := []any{string(last)}
	var some []string
	for _, p := range places {
		if p.any == "" {
			continue
		}
		some = append(some, "EXISTS (SELECT 1 FROM jobs WHERE "+p.any+")")
		args = append(args, p.args...)
	}
	heads := make([]string, 0, len(places))
	for _, p := range places {
		heads = append(heads, "SELECT tenant_id FROM jobs WHERE "+p.where+
			" AND tenant_id > COALESCE(walk.tenant, '') ORDER BY tenant_id LIMIT 1")
		args = append(args, p.args...)
	}
	next := "NULL"
	switch len(heads) {
	case 0:
	case 1:
		next = "(" + heads[0] + ")"
	default:
		next = "(SELECT min(head) FROM (SELECT (" + strings.Join(heads, ") AS head UNION ALL SELECT (") + ")) AS heads)"
	}
	begin := ""
	if len(some) > 0 {
		begin = " WHERE " + strings.Join(some, " OR ")
	}
	name := laneName(lane)
	return `(tenant, n, again) AS (
			SELECT CAST(? AS TEXT), 0, 0` + begin + `
			UNION ALL
			SELECT ` + next + ", n + 1, CASE WHEN tenant IS NULL THEN 1 ELSE again END FROM " + name + ` AS walk
			WHERE n <= ? AND (again = 0 OR tenant <= ?))`, append(args, n, string(last))
}

// take leases up to n jobs of the tenants in a lane, up to each of one tenant.
func (t *tx) take(ctx context.Context, r *ledger.Claim, places []place, tenants []callmodel.TenantID, each, n int, leases *[]ledger.Lease) error {
	names, err := json.Marshal(tenants)
	if err != nil {
		return err
	}
	query, args := takeQuery(places, string(names), each, n)
	return t.lease(ctx, r, leases, "", query, args...)
}

// takeQuery is the query of take, for the tenants in a JSON list.
func takeQuery(places []place, tenants string, each, n int) (string, []any) {
	args := []any{tenants}
	parts := make([]string, 0, len(places))
	for _, p := range places {
		parts = append(parts, "SELECT seq, priority FROM (SELECT seq, priority FROM jobs WHERE "+p.where+
			" AND tenant_id = turn.value AND run_at <= @now ORDER BY priority DESC, seq LIMIT ? @skiplocked) AS head")
		args = append(args, append(slices.Clone(p.args), each)...)
	}
	return "SELECT due.value AS seq FROM @turns @each SELECT seq AS value FROM (" + strings.Join(parts, " UNION ALL ") +
		") AS heads ORDER BY priority DESC, seq LIMIT ? @endeach AS due ORDER BY turn.key LIMIT ?", append(args, each, n)
}
