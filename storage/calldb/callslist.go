package calldb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// maxLookedAt bounds how many calls are looked at for one page: those of a number, a
// trunk or a pair of metadata, or all, of which something else is asked that no index
// knows. It is what both databases look at in 100 ms.
const maxLookedAt = 1_000

// Calls implements callservice.CallStore. The cursor is a place in the order of
// (creation, id), so calls that come or go meanwhile don't shift the pages.
//
// A page walks an index from its place on, newest first: that of the number, of a pair
// of metadata, of the trunk, or of all calls. What else is asked is tested on the way,
// and after maxLookedAt calls the page ends where it is.
func (d *DB) Calls(ctx context.Context, tenant callmodel.TenantID, f calls.Filter) (calls.Page, error) {
	var before *storeform.Cursor
	if f.Before != "" {
		c, err := storeform.ParseCursor(f.Before)
		if err != nil {
			return calls.Page{}, err
		}
		before = &c
	}
	var page calls.Page
	look := d.list
	if f.IdempotencyKey != "" { // it may have been given a moment ago
		look = d.view
	}
	err := look(ctx, "list calls", func(ctx context.Context, t *tx) error {
		var err error
		page, err = t.callsPage(ctx, callmodel.TenantID(storeform.Text(string(tenant), storeform.MaxKey)), &f, before)
		return err
	})
	if err != nil {
		return calls.Page{}, err
	}
	return page, nil
}

func (t *tx) callsPage(ctx context.Context, tenant callmodel.TenantID, f *calls.Filter, before *storeform.Cursor) (calls.Page, error) {
	page := calls.Page{Calls: []calls.Call{}}
	s := callSearch{walks: t.walks(tenant, f), tests: t.callTests(f), limit: storeform.CallsLimit(f.Limit)}
	s.within(f, before)
	if f.IdempotencyKey != "" {
		id, err := t.callOfKey(ctx, tenant, f.IdempotencyKey)
		if err != nil || id == "" {
			return page, err
		}
		s.tests.and("c.id = ?", string(id))
		s.walks = []walk{byCall(tenant, id)}
	}
	stop, err := t.stop(ctx, &s)
	if err != nil {
		return page, err
	}
	query, args := s.matches(stop)
	var places []storeform.Cursor
	err = t.eachOnce(ctx, func(s scanner) error {
		var at storeform.Cursor
		var doc string
		if err := s.Scan(&at.ID, &at.Micros, &doc); err != nil {
			return err
		}
		var c calls.Call
		if err := json.Unmarshal([]byte(doc), &c); err != nil {
			return fmt.Errorf("the document of call %s: %w", at.ID, err)
		}
		page.Calls, places = append(page.Calls, c), append(places, at)
		return nil
	}, query, args...)
	if err != nil {
		return page, err
	}
	switch {
	case len(places) > s.limit: // one more tells that there is a next page
		page.Calls, page.Next = page.Calls[:s.limit], places[s.limit-1].String()
	case stop != nil:
		page.Next = stop.String()
	}
	if err := t.recordings(ctx, tenant, page.Calls); err != nil {
		return page, err
	}
	// The statement's tests let a few more pass.
	page.Calls = slices.DeleteFunc(page.Calls, func(c calls.Call) bool { return !f.Matches(&c) })
	return page, nil
}

// callOfKey is the call that was made by the request with the key; "" for none.
func (t *tx) callOfKey(ctx context.Context, tenant callmodel.TenantID, key string) (callmodel.CallID, error) {
	if storeform.CheckKey("idempotency_key", key) != nil {
		return "", nil //nolint:nilerr // no call was made with a key that can't be one
	}
	var body []byte
	err := t.row(ctx, "SELECT body FROM idempotency_keys WHERE tenant_id = ? AND idem_key = ?", string(tenant), key).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return storeform.CallOfAnswer(body), err
}

// walk is an order of calls, newest first, that an index gives: the rows of from for
// which its condition holds, by the columns at and id.
type walk struct {
	from, calls string // a table, and how the calls c are joined to it; "" if it is theirs
	at, id      string
	is          condition
}

func newWalk(part string, args ...any) walk {
	w := walk{from: "calls AS c", at: "c.created_at", id: "c.id"}
	w.is.and(part, args...)
	return w
}

func byCall(tenant callmodel.TenantID, id callmodel.CallID) walk {
	return newWalk("c.tenant_id = ? AND c.id = ?", string(tenant), string(id))
}

// walks are those that together have every call of the filter, and none twice.
func (t *tx) walks(tenant callmodel.TenantID, f *calls.Filter) []walk {
	if f.Number != "" {
		n := storeform.Text(f.Number, storeform.MaxKey)
		return []walk{
			newWalk("c.tenant_id = ? AND c.from_number = ?", string(tenant), n),
			newWalk("c.tenant_id = ? AND c.to_number = ? AND c.from_number <> ?", string(tenant), n, n),
		}
	}
	term := ""
	switch {
	case !t.terms:
	case len(f.Metadata) > 0:
		key := slices.Min(slices.Collect(maps.Keys(f.Metadata)))
		term = storeform.PairTerm(key, f.Metadata[key])
	case f.Trunk != "":
		term = storeform.TrunkTerm(f.Trunk)
	}
	if term == "" {
		return []walk{newWalk("c.tenant_id = ?", string(tenant))}
	}
	listed := walk{
		from: "call_terms AS x", calls: " JOIN calls AS c ON c.tenant_id = x.tenant_id AND c.id = x.call_id",
		at: "x.created_at", id: "x.call_id",
	}
	listed.is.and("x.tenant_id = ? AND x.term = ?", string(tenant), term)
	return []walk{listed, newWalk("c.tenant_id = ? AND c.terms = 0", string(tenant))}
}

// callTests is what the filter asks of each call, but for what Filter.Matches knows
// better: the document is searched for the text that it has then.
func (t *tx) callTests(f *calls.Filter) condition {
	var c condition
	if f.State != "" {
		c.and("c.state = ?", storeform.Text(string(f.State), storeform.MaxKey))
	}
	if f.Direction != "" {
		c.and("@find(c.doc, ?) > 0", pairText("direction", string(f.Direction)))
	}
	if f.Trunk != "" {
		c.and("@find(c.doc, ?) > 0", pairText("trunk", f.Trunk))
	}
	for _, key := range slices.Sorted(maps.Keys(f.Metadata)) {
		c.and("@find(c.doc, ?) > 0", pairText(key, f.Metadata[key]))
	}
	// Counts, which a planner leaves where they are: EXISTS it may turn into a join with
	// every recording that there is.
	const has = "(SELECT count(*) FROM call_recordings AS r WHERE r.tenant_id = c.tenant_id AND r.call_id = c.id @indexed"
	made := "(SELECT count(*) FROM jobs AS j WHERE j.tenant_id = c.tenant_id AND " + t.jobsCall("j") + " = c.id @indexed AND " + t.makes("j") + ")"
	switch f.Recording {
	case "":
	case calls.RecordingPending:
		c.and(made + " > 0")
	case calls.RecordingNone:
		c.and(has + ") = 0 AND " + made + " = 0")
	case calls.RecordingMissing:
		c.and("c.state = 'ended' AND @find(c.doc, '\"enabled\":true') > 0 AND " + has + ") = 0 AND " + made + " = 0")
	default:
		c.and(has+" AND @find(r.doc, ?) > 0) > 0", pairText("status", string(f.Recording.Status())))
	}
	return c
}

// pairText is a pair of an object as a document has it.
func pairText(key, value string) string {
	text := func(s string) string {
		b, err := json.Marshal(s)
		if err != nil { // a string can always be encoded
			return s
		}
		return string(b)
	}
	return text(key) + ":" + text(value)
}

// callSearch is a page of calls to look for.
type callSearch struct {
	walks []walk
	tests condition
	limit int
}

// within bounds every walk by the filter's times and the cursor.
func (s *callSearch) within(f *calls.Filter, before *storeform.Cursor) {
	for i := range s.walks {
		w := &s.walks[i]
		if !f.Since.IsZero() {
			w.is.and(w.at+" >= ?", storeform.Micros(f.Since))
		}
		if !f.Until.IsZero() {
			w.is.and(w.at+" < ?", storeform.Micros(f.Until))
		}
		if before != nil {
			w.is.and("("+w.at+", "+w.id+") < (?, ?)", before.Micros, string(before.ID))
		}
	}
}

// stop is the last call that the page may look at; nil if it may look at all.
func (t *tx) stop(ctx context.Context, s *callSearch) (*storeform.Cursor, error) {
	if len(s.tests.parts) == 0 {
		return nil, nil //nolint:nilnil // every call that the walk meets is one of the page
	}
	query, args := s.newest(maxLookedAt, func(w *walk) (string, condition) {
		return "SELECT " + w.at + " AS at, " + w.id + " AS id FROM " + w.from, w.is
	})
	var at storeform.Cursor
	n := 0
	err := t.eachOnce(ctx, func(s scanner) error { n++; return s.Scan(&at.Micros, &at.ID) },
		query+" LIMIT 1 OFFSET ?", append(args, maxLookedAt-1)...)
	if err != nil || n == 0 {
		return nil, err
	}
	return &at, nil
}

// matches is the query for the calls of the page, and one more, as far as stop.
func (s *callSearch) matches(stop *storeform.Cursor) (string, []any) {
	query, args := s.newest(s.limit+1, func(w *walk) (string, condition) {
		is := condition{parts: slices.Concat(w.is.parts, s.tests.parts), args: slices.Concat(w.is.args, s.tests.args)}
		if stop != nil {
			is.and("("+w.at+", "+w.id+") >= (?, ?)", stop.Micros, string(stop.ID))
		}
		return "SELECT " + w.id + " AS id, " + w.at + " AS at, c.doc AS doc FROM " + w.from + w.calls, is
	})
	return query + " LIMIT ?", append(args, s.limit+1)
}

// newest is a query for what each of the walks selects, newest first, at most limit of
// each walk if there are several.
func (s *callSearch) newest(limit int, selects func(*walk) (string, condition)) (string, []any) {
	if len(s.walks) == 1 {
		query, is := selects(&s.walks[0])
		return query + " WHERE " + strings.Join(is.parts, " AND ") + " ORDER BY " + s.walks[0].order(), is.args
	}
	var parts []string
	var args []any
	for i := range s.walks {
		query, is := selects(&s.walks[i])
		parts = append(parts, fmt.Sprintf("SELECT * FROM (%s WHERE %s ORDER BY %s LIMIT ?) AS w%d", query, strings.Join(is.parts, " AND "), s.walks[i].order(), i))
		args = append(append(args, is.args...), limit)
	}
	return "SELECT * FROM (" + strings.Join(parts, " UNION ALL ") + ") AS w ORDER BY at DESC, id DESC", args
}

func (w *walk) order() string { return w.at + " DESC, " + w.id + " DESC" }

// putTerms stores what a new call is found by.
func (t *tx) putTerms(ctx context.Context, c *calls.Call) error {
	if !t.terms {
		return nil
	}
	terms := storeform.Terms(c)
	if len(terms) == 0 {
		return nil
	}
	args := make([]any, 0, 4*len(terms))
	for _, term := range terms {
		args = append(args, string(c.TenantID), term, storeform.Micros(c.CreatedAt), string(c.ID))
	}
	_, err := t.exec(ctx, "INSERT INTO call_terms (tenant_id, term, created_at, call_id) VALUES "+
		strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?),", len(terms)), ","), args...)
	return err
}
