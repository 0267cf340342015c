package calldb

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// Retention is how long what is kept is kept. 0 means for ever.
type Retention struct {
	// Calls is for calls, from when they were made, with their events and the entries
	// of their recordings, and for jobs. Those of which something is still to be done
	// stay, however old they are: a call that hasn't ended, or a job that isn't done. So do
	// those that a legal hold is on.
	// Recordings stay in their bucket.
	Calls time.Duration
	// Answers is for the answers to idempotency keys: what is sent again after it is
	// taken for something new.
	Answers time.Duration
	// Outbox is for the outbox's events, and for the deliveries of webhooks that wait no
	// more. Events stay that a reader has still to tell, unless it has not read for
	// ReaderGone, and those of a delivery that waits, which it does for ReaderGone at most.
	Outbox time.Duration
	// Letters is for dead letters, from when they were replayed or discarded. Those that
	// wait stay.
	Letters time.Duration
	// Rules is for versions of rule sets, from when they were stored. Those stay that are in
	// service, that have a share of the calls, that a rollback would put back, and that were
	// put in service, or taken out of it, later than that.
	Rules time.Duration
}

// Forgotten is how many there were of what was forgotten.
type Forgotten struct {
	Calls, Jobs, Answers, Outbox, Letters, Deliveries, Rules int64
}

// Add adds n.
func (f *Forgotten) Add(n Forgotten) {
	f.Calls, f.Jobs, f.Answers, f.Outbox = f.Calls+n.Calls, f.Jobs+n.Jobs, f.Answers+n.Answers, f.Outbox+n.Outbox
	f.Letters, f.Deliveries, f.Rules = f.Letters+n.Letters, f.Deliveries+n.Deliveries, f.Rules+n.Rules
}

// forgetAtOnce is how many rows are looked at in one transaction: few enough that
// nobody waits long for it.
const forgetAtOnce = 128

// ForgetPlace is how far a pass of [DB.Forget] has come. The zero value is its beginning.
type ForgetPlace struct {
	stage  forgetStage
	tenant string
	at     storeform.Cursor // of the tenant's calls
	seq    int64            // of the jobs, or of the rule sets
}

type forgetStage uint8

const (
	forgetCalls forgetStage = iota
	forgetJobs
	forgetAnswers
	forgetDeliveries
	forgetOutbox
	forgetLetters
	forgetRules
	forgetRuleParts
	forgetNothing
)

// Done reports whether the pass is over.
func (p ForgetPlace) Done() bool { return p.stage == forgetNothing }

// Forget takes out some of what is older than the retention, in one transaction, and
// returns where to go on. Called until the place is done it has looked at everything
// once. Any number of processes may do so at once. actor is who it is for, in the audit
// log of each tenant that has lost calls.
func (d *DB) Forget(ctx context.Context, r Retention, from ForgetPlace, actor string) (next ForgetPlace, gone Forgotten, err error) {
	err = d.update(ctx, "forget what is old", func(ctx context.Context, t *tx) error {
		next, gone = from, Forgotten{}
		if !t.retention {
			next.stage = forgetNothing
			return nil
		}
		var err error
		switch from.stage {
		case forgetCalls:
			err = t.forgetCalls(ctx, r.Calls, &next, &gone, actor)
		case forgetJobs:
			err = t.forgetJobs(ctx, r.Calls, &next, &gone)
		case forgetAnswers:
			gone.Answers, err = t.forgetRows(ctx, r.Answers, &next, `DELETE FROM idempotency_keys WHERE (tenant_id, idem_key) IN (
				SELECT tenant_id, idem_key FROM idempotency_keys WHERE created_at < @now - ? ORDER BY created_at LIMIT ?)`, r.Answers.Microseconds(), forgetAtOnce)
		case forgetDeliveries:
			gone.Deliveries, err = t.forgetDeliveries(ctx, r.Outbox, &next)
		case forgetOutbox:
			gone.Outbox, err = t.forgetOutbox(ctx, r.Outbox, &next)
		case forgetLetters:
			if !t.intake {
				next.stage++
				return nil
			}
			gone.Letters, err = t.forgetRows(ctx, r.Letters, &next, `DELETE FROM dead_letters WHERE seq IN (
				SELECT seq FROM dead_letters WHERE state <> 'waiting' AND settled_at < @now - ? ORDER BY settled_at LIMIT ?)`, r.Letters.Microseconds(), forgetAtOnce)
		case forgetRules:
			gone.Rules, err = t.forgetRules(ctx, r.Rules, &next, actor)
		case forgetRuleParts:
			err = t.forgetRuleParts(ctx, r.Rules, &next)
		case forgetNothing:
		}
		return err
	})
	return next, gone, err
}

// forgetRows runs a statement that deletes up to forgetAtOnce rows. The stage is over
// when it finds fewer.
func (t *tx) forgetRows(ctx context.Context, keep time.Duration, next *ForgetPlace, stmt string, args ...any) (n int64, err error) {
	if keep > 0 {
		n, err = t.exec(ctx, stmt, args...)
	}
	if n < forgetAtOnce {
		next.stage++
	}
	return n, err
}

// ReaderGone is after how long a reader of the outbox that reads no more is waited for no
// longer.
const ReaderGone = 30 * 24 * time.Hour

// forgetOutbox is for the outbox's oldest events, as far as its readers have come.
func (t *tx) forgetOutbox(ctx context.Context, keep time.Duration, next *ForgetPlace) (int64, error) {
	which, told, args := "", "", []any{forgetAtOnce, keep.Microseconds()}
	if t.webhooks {
		told = " WHERE NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = outbox.id AND d.state = 'waiting')"
	}
	if t.intake {
		which = " AND id <= COALESCE((SELECT min(through) FROM outbox_readers WHERE read_at > @now - ?), id)"
		args = append(args, ReaderGone.Microseconds())
	}
	return t.forgetRows(ctx, keep, next, `DELETE FROM outbox WHERE id IN (
		SELECT id FROM (SELECT id, at FROM outbox`+told+` ORDER BY id LIMIT ?) AS oldest WHERE at < @now - ?`+which+`)`, args...)
}

// forgetDeliveries is for the deliveries of webhooks that were deleted, and for those that
// are older than the outbox's events may be, unless they wait. It is over when neither
// finds as many as it may take.
func (t *tx) forgetDeliveries(ctx context.Context, keep time.Duration, next *ForgetPlace) (int64, error) {
	if !t.webhooks {
		next.stage++
		return 0, nil
	}
	n, err := t.exec(ctx, `DELETE FROM webhook_deliveries WHERE id IN (SELECT d.id FROM webhook_endpoints e JOIN webhook_deliveries d ON d.endpoint_id = e.id
		WHERE e.state = 'deleted' LIMIT ?)`, forgetAtOnce)
	if err != nil {
		return n, err
	}
	if n == forgetAtOnce {
		return n, nil
	}
	if _, err := t.exec(ctx, `DELETE FROM webhook_endpoints WHERE state = 'deleted'
		AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = webhook_endpoints.id)`); err != nil {
		return n, err
	}
	more, err := t.forgetRows(ctx, keep, next, `DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM webhook_deliveries
		WHERE made_at < @now - ? AND (state <> 'waiting' OR made_at < @now - ?) ORDER BY made_at LIMIT ?)`,
		keep.Microseconds(), max(keep, ReaderGone).Microseconds(), forgetAtOnce)
	return n + more, err
}

// oldCall is a call that may be forgotten.
type oldCall struct {
	id    string
	made  int64
	terms []string
	ended bool
}

func (t *tx) forgetCalls(ctx context.Context, keep time.Duration, next *ForgetPlace, gone *Forgotten, actor string) error {
	if keep <= 0 {
		next.stage++
		return nil
	}
	old, err := t.oldCalls(ctx, keep, next.tenant, next.at)
	if err != nil {
		return err
	}
	if len(old) == 0 { // the next tenant
		var tenant *string
		if err := t.row(ctx, "SELECT min(tenant_id) FROM calls WHERE tenant_id > ?", next.tenant).Scan(&tenant); err != nil {
			return err
		}
		if tenant == nil {
			next.stage++
			return nil
		}
		next.tenant, next.at = *tenant, storeform.Cursor{}
		return nil
	}
	last := old[len(old)-1]
	next.at = storeform.Cursor{Micros: last.made, ID: callmodel.CallID(last.id)}
	jobs, err := t.jobsOf(ctx, next.tenant, old)
	if err != nil {
		return err
	}
	uncounted, err := t.uncounted(ctx, next.tenant, old)
	if err != nil {
		return err
	}
	var ids []callmodel.CallID
	var finished []oldJob
	for i := range old {
		c := &old[i]
		if !c.ended || uncounted[c.id] || !allDone(jobs[c.id]) {
			continue
		}
		held, err := t.anyHeld(ctx, next.tenant, c.id, jobs[c.id])
		if err != nil {
			return err
		}
		if held {
			continue
		}
		ids = append(ids, callmodel.CallID(c.id))
		finished = append(finished, jobs[c.id]...)
		for _, term := range c.terms {
			if _, err := t.exec(ctx, "DELETE FROM call_terms WHERE tenant_id = ? AND term = ? AND created_at = ? AND call_id = ?", next.tenant, term, c.made, c.id); err != nil {
				return err
			}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	if gone.Jobs, err = t.dropJobs(ctx, finished); err != nil {
		return err
	}
	of := append([]any{next.tenant}, pad(ids)...)
	for _, table := range []string{"call_recordings", "call_events"} {
		if _, err := t.exec(ctx, "DELETE FROM "+table+" WHERE tenant_id = ? AND call_id IN ("+marks(len(ids))+")", of...); err != nil {
			return err
		}
	}
	if gone.Calls, err = t.exec(ctx, "DELETE FROM calls WHERE tenant_id = ? AND id IN ("+marks(len(ids))+")", of...); err != nil {
		return err
	}
	return t.audit(ctx, callmodel.AuditEvent{
		TenantID: callmodel.TenantID(next.tenant), Actor: actor, Action: callmodel.AuditCallsForgotten, Subject: string(ids[0]),
		Detail: map[string]string{"calls": strconv.Itoa(len(ids)), "to": string(ids[len(ids)-1]), "made_before": storeform.Time(last.made).Format(time.RFC3339)},
	})
}

// oldCalls are the tenant's next calls that are old enough, locked, but for those that
// somebody else has locked.
func (t *tx) oldCalls(ctx context.Context, keep time.Duration, tenant string, after storeform.Cursor) ([]oldCall, error) {
	var old []oldCall
	err := t.each(ctx, func(s scanner) error {
		var o oldCall
		var state, doc string
		if err := s.Scan(&o.id, &o.made, &state, &doc); err != nil {
			return err
		}
		var c calls.Call
		if err := json.Unmarshal([]byte(doc), &c); err == nil { // else it stays, for whoever mends it
			o.terms, o.ended = storeform.Terms(&c), calls.State(state).Final()
		}
		old = append(old, o)
		return nil
	}, `SELECT c.id, c.created_at, c.state, c.doc FROM calls AS c
		WHERE c.tenant_id = ? AND (c.created_at, c.id) > (?, ?) AND c.created_at < @now - ? ORDER BY c.created_at, c.id LIMIT ? @skiplocked`,
		tenant, after.Micros, after.ID, keep.Microseconds(), forgetAtOnce)
	return old, err
}

// oldJob is a job that may be forgotten.
type oldJob struct {
	seq                  int64
	kind                 string
	done                 bool
	tenant, call, unique string
}

// anyHeld reports whether a legal hold is on the call, or on a recording of it.
func (t *tx) anyHeld(ctx context.Context, tenant, call string, jobs []oldJob) (bool, error) {
	r := retention.Recording{TenantID: callmodel.TenantID(tenant), CallID: callmodel.CallID(call)}
	held, err := t.heldBy(ctx, r)
	for i := 0; i < len(jobs) && held == nil && err == nil; i++ {
		if jobs[i].kind == record.Kind {
			r.RecordingID = callmodel.RecordingID(jobs[i].unique)
			held, err = t.heldBy(ctx, r)
		}
	}
	return held != nil, err
}

func allDone(jobs []oldJob) bool {
	for _, j := range jobs {
		if !j.done {
			return false
		}
	}
	return true
}

func idsOf(old []oldCall) []callmodel.CallID {
	ids := make([]callmodel.CallID, len(old))
	for i := range old {
		ids[i] = callmodel.CallID(old[i].id)
	}
	return ids
}

// jobsOf are the jobs of the calls, locked.
func (t *tx) jobsOf(ctx context.Context, tenant string, old []oldCall) (map[string][]oldJob, error) {
	jobs := map[string][]oldJob{}
	err := t.each(ctx, func(s scanner) error {
		var call string
		var j oldJob
		var state ledger.State
		if err := s.Scan(&call, &j.seq, &j.kind, &state, &j.unique); err != nil {
			return err
		}
		j.done = state == ledger.Done
		jobs[call] = append(jobs[call], j)
		return nil
	}, "SELECT call_id, seq, kind, state, recording_id FROM jobs WHERE tenant_id = ? AND call_id IN ("+marks(len(old))+") @forupdate", append([]any{tenant}, pad(idsOf(old))...)...)
	return jobs, err
}

// uncounted are those of the calls that the reports still wait for, or for a recording of.
func (t *tx) uncounted(ctx context.Context, tenant string, old []oldCall) (map[string]bool, error) {
	waiting := map[string]bool{}
	in := marks(len(old))
	of := append([]any{tenant}, pad(idsOf(old))...)
	err := t.each(ctx, func(s scanner) error {
		var call string
		err := s.Scan(&call)
		waiting[call] = true
		return err
	}, "SELECT call_id FROM uncounted_calls WHERE tenant_id = ? AND call_id IN ("+in+
		") UNION ALL SELECT call_id FROM call_recordings WHERE uncounted = 1 AND tenant_id = ? AND call_id IN ("+in+")", append(of, of...)...)
	return waiting, err
}

// forgetJobs is for jobs without a call, in the order in which they were made. Those of
// calls went with them, or stay as they do.
func (t *tx) forgetJobs(ctx context.Context, keep time.Duration, next *ForgetPlace, gone *Forgotten) error {
	if keep <= 0 {
		next.stage++
		return nil
	}
	var old []oldJob
	looked := 0
	err := t.each(ctx, func(s scanner) error {
		var j oldJob
		var state ledger.State
		var isOld, hasCall bool
		if err := s.Scan(&j.seq, &j.kind, &state, &j.tenant, &j.call, &j.unique, &isOld, &hasCall); err != nil {
			return err
		}
		if j.done = state == ledger.Done; isOld {
			looked++
			next.seq = j.seq
		}
		if j.done && isOld && !hasCall {
			old = append(old, j)
		}
		return nil
	}, `SELECT j.seq, j.kind, j.state, j.tenant_id, j.call_id, j.recording_id, j.created_at < @now - ?, EXISTS (SELECT 1 FROM calls AS c WHERE c.tenant_id = j.tenant_id AND c.id = j.call_id)
		FROM jobs AS j WHERE j.seq > ? ORDER BY j.seq LIMIT ?`, keep.Microseconds(), next.seq, forgetAtOnce)
	if err != nil {
		return err
	}
	if looked < forgetAtOnce { // behind them are none that are old
		next.stage, next.seq = next.stage+1, 0
	}
	var free []oldJob
	for _, j := range old {
		held, err := t.anyHeld(ctx, j.tenant, j.call, []oldJob{j})
		if err != nil {
			return err
		}
		if !held {
			free = append(free, j)
		}
	}
	gone.Jobs, err = t.dropJobs(ctx, free)
	return err
}

// dropJobs takes out jobs that are done, and takes them off the totals that have them.
func (t *tx) dropJobs(ctx context.Context, jobs []oldJob) (n int64, err error) {
	if len(jobs) == 0 {
		return 0, nil
	}
	k, err := t.totals(ctx, " @forupdate")
	if err != nil {
		return 0, err
	}
	for _, j := range jobs {
		one, err := t.exec(ctx, "DELETE FROM jobs WHERE seq = ? AND state = 'done'", j.seq)
		if err != nil {
			return 0, err
		}
		if one == 0 { // somebody has put it back meanwhile
			continue
		}
		n++
		if j.seq <= k.through {
			k.counts[j.kind]--
		}
		if j.seq <= k.againThrough {
			k.again[j.kind]--
		}
	}
	return n, t.putTotals(ctx, &k)
}
