package dataexport

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// The sections of a walk.
const (
	inProfile    = "profile"
	inUsers      = "users"
	inRules      = "rules"
	inKeys       = "keys"
	inWebhooks   = "webhooks"
	inLetters    = "dead_letters"
	inShares     = "shares"
	inHolds      = "holds"
	inCalls      = "calls"
	inJobs       = "jobs"
	inAudit      = "audit"
	inDeliveries = "deliveries"
	inNothing    = "" // the end
)

// sections are those of a walk, in their order.
func sections(of string) []string {
	switch of {
	case OfCall:
		return []string{inCalls, inAudit, inDeliveries}
	case OfNumber:
		return []string{inUsers, inCalls, inAudit, inDeliveries}
	default:
		return []string{inProfile, inUsers, inRules, inKeys, inWebhooks, inLetters, inShares, inHolds, inCalls, inJobs, inAudit, inDeliveries}
	}
}

// place is how far a walk has come.
type place struct {
	Section string `json:"section"`
	// Cursor is that of the page which comes next; of deliveries the webhook.
	Cursor string `json:"cursor,omitempty"`
	// Done are the calls of that page that are exported already.
	Done  []callmodel.CallID `json:"done,omitempty"`
	After int64              `json:"after,omitempty"` // the line or delivery
}

// unit is what is exported at once: it is in one part.
type unit struct {
	entries []entry
	missing []Missing
	counts  Counts
}

// entry is a file to export.
type entry struct {
	path  string
	write func(ctx context.Context, w io.Writer) error
	// Of an object in the bucket:
	key    string
	bytes  int64  // that the ledger says; -1: it doesn't
	sha256 string // "": it doesn't
	miss   Missing
}

// document is the file of a value.
func document(path string, v any) entry {
	return entry{path: path, write: func(_ context.Context, w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}}
}

// lines is the file of values, a line each.
func lines[T any](path string, list []T) entry {
	return entry{path: path, write: func(_ context.Context, w io.Writer) error {
		e := json.NewEncoder(w)
		for i := range list {
			if err := e.Encode(&list[i]); err != nil {
				return err
			}
		}
		return nil
	}}
}

// How much is asked for at once.
const (
	pageCalls = 50
	pageLines = 500
)

// walk goes through the data of an export, unit by unit.
type walk struct {
	source  Source
	objects Objects
	tenant  callmodel.TenantID
	p       *Payload
	asOf    time.Time

	at   place
	page *calls.Page // of at.Cursor; nil: it wasn't asked for yet
	// ids are those that audit lines and deliveries are about; nil: not gathered yet.
	ids map[string]struct{}
}

// done reports whether nothing is left.
func (w *walk) done() bool { return w.at.Section == inNothing }

// begin sets the walk at its first section.
func (w *walk) begin() { w.at = place{Section: sections(w.p.Of)[0]} }

// leave goes on to the next section.
func (w *walk) leave() {
	all := sections(w.p.Of)
	i := slices.Index(all, w.at.Section) + 1
	if w.at = (place{}); i > 0 && i < len(all) {
		w.at.Section = all[i]
	}
	w.page = nil
}

// next is the next unit, which may be empty, and moves the walk behind it.
func (w *walk) next(ctx context.Context) (unit, error) {
	switch w.at.Section {
	case inProfile:
		return w.profile(ctx)
	case inUsers:
		return w.users(ctx)
	case inRules:
		return w.rules(ctx)
	case inKeys:
		return w.keys(ctx)
	case inWebhooks:
		return w.webhooks(ctx)
	case inLetters:
		return w.letters(ctx)
	case inShares:
		return w.shares(ctx)
	case inHolds:
		return w.holds(ctx)
	case inCalls:
		return w.calls(ctx)
	case inJobs:
		return w.jobs(ctx)
	case inAudit:
		return w.audit(ctx)
	case inDeliveries:
		return w.deliveries(ctx)
	}
	return unit{}, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "the export's note names the section %q, which this program doesn't know", w.at.Section))
}

func (w *walk) profile(ctx context.Context) (u unit, err error) {
	t, err := w.source.Tenant(ctx, w.tenant)
	switch {
	case errors.Is(err, callmodel.ErrNotFound):
	case err != nil:
		return u, err
	default:
		u.entries = []entry{document("tenant.json", t)}
	}
	w.leave()
	return u, nil
}

func (w *walk) users(ctx context.Context) (u unit, err error) {
	page, err := w.source.Users(ctx, users.Filter{TenantID: w.tenant, Number: w.p.Number, Limit: pageLines, After: w.at.Cursor})
	if err != nil {
		return u, err
	}
	if len(page.Items) > 0 {
		u.entries = []entry{lines("users/"+string(page.Items[0].ID)+".jsonl", page.Items)}
		u.counts.Users = int64(len(page.Items))
	}
	w.turn(page.Next)
	return u, nil
}

// turn goes on to the next page of the section, or to the next section.
func (w *walk) turn(next string) {
	if next == "" {
		w.leave()
		return
	}
	w.at.Cursor = next
}

// rules is a version of the rules, or a tenant's state of them.
func (w *walk) rules(ctx context.Context) (u unit, err error) {
	list, err := w.source.RuleSets(ctx, w.tenant)
	if err != nil {
		return u, err
	}
	i := 0
	if w.at.Cursor != "" {
		i = 1 + slices.IndexFunc(list, func(v rulesVersion) bool { return v.Hash == w.at.Cursor })
	}
	if i >= len(list) {
		w.leave()
		return u, nil
	}
	v, err := w.source.RuleSet(ctx, w.tenant, list[i].Hash)
	if err != nil && !errors.Is(err, callmodel.ErrNotFound) { // one may be forgotten meanwhile
		return u, err
	}
	if err == nil {
		at := "rules/" + v.Hash
		body := v.Body
		v.Body = nil
		u.entries = []entry{document(at+".json", v), {path: at + "." + ext(v.Format), write: func(_ context.Context, w io.Writer) error {
			_, err := w.Write(body)
			return err
		}}}
		u.counts.Rules = 1
	}
	w.at.Cursor = list[i].Hash
	return u, nil
}

// ext is the ending of rules in that format, beside the .json of what is known of them.
func ext(format string) string {
	if format == "json" {
		return "rules.json"
	}
	return "rules." + safe(format)
}

func (w *walk) keys(ctx context.Context) (u unit, err error) {
	list, err := w.source.Keys(ctx, w.tenant, keys.Filter{After: w.at.Cursor, Limit: pageLines, Revoked: true})
	if err != nil {
		return u, err
	}
	next := ""
	if len(list) > 0 {
		u.entries = []entry{lines("keys/"+list[0].ID+".jsonl", list)}
		next = list[len(list)-1].ID
	}
	w.turn(next)
	return u, nil
}

func (w *walk) webhooks(ctx context.Context) (u unit, err error) {
	list, err := w.source.Webhooks(ctx, w.tenant, webhooks.Filter{After: w.at.Cursor, Limit: pageLines})
	if err != nil {
		return u, err
	}
	next := ""
	if len(list) > 0 {
		u.entries = []entry{lines("webhooks/"+list[0].ID+".jsonl", list)}
		next = list[len(list)-1].ID
	}
	w.turn(next)
	return u, nil
}

// letters are few at a time, as each may have a megabyte.
func (w *walk) letters(ctx context.Context) (u unit, err error) {
	list, err := w.source.Letters(ctx, deadletter.Filter{TenantID: w.tenant, After: deadletter.ID(w.at.Cursor), Limit: 8})
	if err != nil {
		return u, err
	}
	next := ""
	if len(list) > 0 {
		u.entries = []entry{lines("dead_letters/"+string(list[0].ID)+".jsonl", list)}
		next = string(list[len(list)-1].ID)
	}
	w.turn(next)
	return u, nil
}

func (w *walk) shares(ctx context.Context) (u unit, err error) {
	list, err := w.source.Shares(ctx, w.tenant, shares.Filter{After: w.at.Cursor, Limit: pageLines})
	if err != nil {
		return u, err
	}
	next := ""
	if len(list) > 0 {
		u.entries = []entry{lines("shares/"+list[0].ID+".jsonl", list)}
		next = list[len(list)-1].ID
	}
	w.turn(next)
	return u, nil
}

// holds are all that there are, those that were lifted as well. What proves deletions is in
// the audit log.
func (w *walk) holds(ctx context.Context) (u unit, err error) {
	list, err := w.source.Holds(ctx, retention.HoldFilter{TenantID: w.tenant, Lifted: true, After: retention.HoldID(w.at.Cursor), Limit: pageLines})
	if err != nil {
		return u, err
	}
	next := ""
	if len(list) > 0 {
		u.entries = []entry{lines("holds/"+string(list[0].ID)+".jsonl", list)}
		next = string(list[len(list)-1].ID)
	}
	w.turn(next)
	return u, nil
}

// calls is the next call, with all its parts. A page's cursor is kept until its last call:
// calls that come or go meanwhile shift nothing.
func (w *walk) calls(ctx context.Context) (u unit, err error) {
	if w.p.Of == OfCall {
		u, err = w.call(ctx)
		if err == nil {
			w.leave()
		}
		return u, err
	}
	if w.page == nil {
		page, err := w.source.Calls(ctx, w.tenant, w.filter(w.at.Cursor, pageCalls))
		if err != nil {
			return u, err
		}
		w.page = &page
	}
	for i := range w.page.Calls {
		c := &w.page.Calls[i]
		if slices.Contains(w.at.Done, c.ID) {
			continue
		}
		if u, err = w.ofCall(ctx, c.ID, c); err == nil {
			w.at.Done = append(w.at.Done, c.ID)
		}
		return u, err
	}
	next := w.page.Next
	w.page, w.at.Done = nil, nil
	w.turn(next)
	return u, nil
}

// filter selects the calls of the export.
func (w *walk) filter(before string, limit int) calls.Filter {
	f := calls.Filter{Number: w.p.Number, Since: w.p.Since, Until: w.p.Until, Before: before, Limit: limit}
	if f.Until.IsZero() || f.Until.After(w.asOf) {
		f.Until = w.asOf
	}
	return f
}

// call is the one call of an export of a call, or what recordings there are with its id.
func (w *walk) call(ctx context.Context) (unit, error) {
	c, err := w.source.Call(ctx, w.tenant, w.p.CallID)
	if errors.Is(err, callmodel.ErrNotFound) {
		return w.ofCall(ctx, w.p.CallID, nil)
	}
	if err != nil {
		return unit{}, err
	}
	return w.ofCall(ctx, c.ID, &c)
}

// jobs are those that are about no stored call, one at a time.
func (w *walk) jobs(ctx context.Context) (u unit, err error) {
	list, err := w.source.Jobs(ctx, ledger.Filter{TenantID: w.tenant, NoCall: true, After: callmodel.JobID(w.at.Cursor), Limit: 1})
	if err != nil || len(list) == 0 {
		if err == nil {
			w.leave()
		}
		return u, err
	}
	j := &list[0]
	if !j.CreatedAt.Before(w.asOf) { // the export's own, and what has come since
		w.at.Cursor = string(j.ID)
		return u, nil
	}
	if err = w.addJob(ctx, &u, path.Join("jobs", string(j.ID)), j); err == nil {
		err = w.addListed(ctx, &u, path.Join("jobs", string(j.ID)), list)
	}
	w.at.Cursor = string(j.ID)
	return u, err
}

// audit are lines of the audit log: all, or those about what is exported.
func (w *walk) audit(ctx context.Context) (u unit, err error) {
	if err := w.gather(ctx); err != nil {
		return u, err
	}
	var found []callmodel.AuditEvent
	end := false
	for !end && len(found) < pageLines {
		list, err := w.source.AuditEvents(ctx, w.tenant, w.at.After, pageLines)
		if err != nil {
			return u, err
		}
		end = len(list) == 0
		for i := range list {
			w.at.After = list[i].ID
			if !list[i].At.After(w.asOf) && w.isAbout(list[i].Subject, list[i].Detail["call_id"]) {
				found = append(found, list[i])
			}
		}
	}
	if len(found) > 0 {
		u.entries = []entry{lines("audit/"+strconv.FormatInt(found[0].ID, 10)+".jsonl", found)}
		u.counts.AuditLines = int64(len(found))
	}
	if end {
		w.leave()
	}
	return u, nil
}

// deliveries are those of the webhooks, webhook by webhook.
func (w *walk) deliveries(ctx context.Context) (u unit, err error) {
	if err := w.gather(ctx); err != nil {
		return u, err
	}
	if w.at.Cursor == "" { // the first webhook
		return u, w.nextWebhook(ctx)
	}
	var found []webhooks.Delivery
	end := false
	for !end && len(found) < pageLines {
		list, err := w.source.WebhookDeliveries(ctx, webhooks.DeliveryFilter{
			TenantID: w.tenant, EndpointID: w.at.Cursor, To: w.asOf, After: w.at.After, Limit: pageLines,
		})
		if err != nil && !errors.Is(err, callmodel.ErrNotFound) { // one may be deleted meanwhile
			return u, err
		}
		end = len(list) == 0
		for i := range list {
			w.at.After = list[i].ID
			if w.isAbout(list[i].Subject, "") {
				found = append(found, list[i])
			}
		}
	}
	if len(found) > 0 {
		name := w.at.Cursor + "-" + strconv.FormatInt(found[0].ID, 10) + ".jsonl"
		u.entries = []entry{lines("deliveries/"+name, found)}
		u.counts.Deliveries = int64(len(found))
	}
	if end {
		return u, w.nextWebhook(ctx)
	}
	return u, nil
}

func (w *walk) nextWebhook(ctx context.Context) error {
	list, err := w.source.Webhooks(ctx, w.tenant, webhooks.Filter{After: w.at.Cursor, Limit: 1})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		w.leave()
		return nil
	}
	w.at = place{Section: inDeliveries, Cursor: list[0].ID}
	return nil
}

// isAbout reports whether something with one of these ids is about what is exported.
func (w *walk) isAbout(subject, call string) bool {
	if w.p.Of == OfTenant {
		return true
	}
	_, is := w.ids[subject]
	if !is && call != "" {
		_, is = w.ids[call]
	}
	return is
}

// gather finds the ids of what an export of a call or a number has. A walk that goes on
// where another was stopped does it again.
func (w *walk) gather(ctx context.Context) error {
	if w.ids != nil || w.p.Of == OfTenant {
		return nil
	}
	ids := map[string]struct{}{}
	if w.p.Of == OfCall {
		if err := w.gatherCall(ctx, ids, w.p.CallID); err != nil {
			return err
		}
		w.ids = ids
		return nil
	}
	for f := (users.Filter{TenantID: w.tenant, Number: w.p.Number, Limit: pageLines}); ; {
		page, err := w.source.Users(ctx, f)
		if err != nil {
			return err
		}
		for i := range page.Items {
			ids[string(page.Items[i].ID)] = struct{}{}
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	n := 0
	for f := w.filter("", pageLines); ; {
		page, err := w.source.Calls(ctx, w.tenant, f)
		if err != nil {
			return err
		}
		for i := range page.Calls {
			if n++; n > MaxCalls {
				return callmodel.Permanent(callmodel.Errorf(callmodel.CodeTooLarge,
					"%s has more than %d calls in that time: ask for several exports, by since and until", w.p.Number, MaxCalls))
			}
			if err := w.gatherCall(ctx, ids, page.Calls[i].ID); err != nil {
				return err
			}
		}
		if f.Before = page.Next; f.Before == "" {
			break
		}
	}
	w.ids = ids
	return nil
}

func (w *walk) gatherCall(ctx context.Context, ids map[string]struct{}, id callmodel.CallID) error {
	ids[string(id)] = struct{}{}
	return w.eachJob(ctx, id, func(j *ledger.Job) error {
		ids[string(j.ID)] = struct{}{}
		return nil
	})
}

// eachJob calls f for the jobs that are about the call.
func (w *walk) eachJob(ctx context.Context, id callmodel.CallID, f func(*ledger.Job) error) error {
	for filter := (ledger.Filter{TenantID: w.tenant, CallID: id, Limit: pageLines}); ; {
		list, err := w.source.Jobs(ctx, filter)
		if err != nil {
			return err
		}
		for i := range list {
			if err := f(&list[i]); err != nil {
				return err
			}
		}
		if len(list) < filter.Limit {
			return nil
		}
		filter.After = list[len(list)-1].ID
	}
}
