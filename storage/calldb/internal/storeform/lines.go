package storeform

import (
	"fmt"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Written is what the end of a job, or the publication of its result, leaves
// behind besides the job's own row.
type Written struct {
	ledger.Effects

	Audit callmodel.AuditEvent
}

// Effects is what an outcome has to leave behind in the transaction of the commit
// c of a job of that kind, done by actor.
func Effects(o *ledger.Outcome, kind string, c ledger.Commit, actor string) (Written, error) {
	var w Written
	if o.Effects != nil {
		var err error
		if w.Effects, err = o.Effects(c); err != nil {
			return Written{}, err
		}
	}
	if w.Event != nil {
		if err := CheckKey("event.key", w.Event.Key); err != nil {
			return Written{}, err
		}
		e := *w.Event
		e.At = c.At
		w.Event = &e
	}
	action := callmodel.AuditJobCompleted
	switch {
	case c.Token > 0:
		action = callmodel.AuditJobPublished
	case o.Quarantine:
		action = callmodel.AuditJobQuarantined
	}
	if w.Detail == nil {
		w.Detail = jobDetail(kind, c.CallID, c.Key)
		if o.Reason != "" {
			w.Detail["reason"] = Text(o.Reason, MaxText)
		}
	}
	w.Audit = callmodel.AuditEvent{
		TenantID: c.TenantID, At: c.At, Actor: actor, Action: action, Subject: string(c.JobID), Detail: w.Detail,
	}
	return w, nil
}

// jobDetail says in an audit line which job it is about.
func jobDetail(kind string, call callmodel.CallID, key string) map[string]string {
	if kind == record.Kind {
		return map[string]string{"call_id": string(call), "recording_id": key}
	}
	d := map[string]string{"kind": kind, "key": key}
	if call != "" {
		d["call_id"] = string(call)
	}
	return d
}

// Published is the outcome of a job that ends with what it published before.
func Published(j *ledger.Job) (ledger.Outcome, error) {
	if j.Kind != record.Kind {
		return ledger.Outcome{Result: j.Result}, nil
	}
	r, err := record.ResultOf(j)
	if r == nil {
		return ledger.Outcome{Result: j.Result}, err
	}
	o, err := record.Outcome(*r)
	o.Result = j.Result // as it was written
	return o, err
}

// WasPublished reports whether a recording job's result, of a job that isn't done,
// is a published one. Programs that know the schema up to version 2 leave no other
// sign of it; those of a kind of their own they don't have.
func WasPublished(j *ledger.Job) bool {
	if j.Kind != record.Kind {
		return false
	}
	r, err := record.ResultOf(j)
	return err == nil && r != nil && r.Made()
}

// Retry is what putting the job back makes of it: its state, and whether the result
// that it has stays published. A job that is done is put back if more can come of it.
func Retry(j *ledger.Job) (state ledger.State, published bool, err error) {
	if state, err = j.State.Next(j.ID, ledger.Retried); err != nil {
		return state, false, err
	}
	if j.State != ledger.Done {
		return state, j.Published, nil
	}
	switch {
	case j.Kind != record.Kind && j.Retriable:
		return state, len(j.Result) > 0, nil
	case j.Kind != record.Kind:
		return j.State, false, callmodel.Errorf(callmodel.CodeConflict,
			"job %s is done, and by what its kind %q says more can't come of it", j.ID, j.Kind)
	case !record.Retriable(j):
		return j.State, false, callmodel.Errorf(callmodel.CodeConflict,
			"job %s is done, and more can't come of it: a recording is made again that is absent or was completed_degraded", j.ID)
	}
	return state, WasPublished(j), nil
}

// QuarantinedLine is the audit line of a job that was set aside although a
// result of it is published: all that is told, as that stays.
func QuarantinedLine(j *ledger.Job, actor, cause string) callmodel.AuditEvent {
	detail := jobDetail(j.Kind, j.CallID, j.Key)
	detail["reason"] = Text(cause, MaxText)
	if j.Kind == record.Kind {
		detail["status"] = string(record.StatusQuarantined)
		if r, err := record.ResultOf(j); err == nil && r != nil {
			detail["published"] = r.URL()
		}
	}
	return callmodel.AuditEvent{
		TenantID: j.TenantID, Actor: actor, Action: callmodel.AuditJobQuarantined, Subject: string(j.ID), Detail: detail,
	}
}

// SetAside is the outcome of a job of that kind that was set aside for cause.
func SetAside(kind, cause string) ledger.Outcome {
	cause = Text(cause, MaxText)
	if kind == record.Kind {
		return record.SetAside(cause)
	}
	return ledger.Outcome{Empty: true, Quarantine: true, Reason: cause}
}

// LeaseExpired is the cause of an attempt whose worker went silent.
func LeaseExpired(worker string, attempts int) string {
	return fmt.Sprintf("attempt %d of %d: the lease of worker %q ended without a word from it",
		attempts, ledger.MaxAttempts, worker)
}

// Suspected is what is said of a job whose worker went silent, until it is known
// whether the job was the cause.
func Suspected(worker string) string {
	return Text(fmt.Sprintf("the lease of worker %q ended without a word from it; it is found out alone whether this job is the cause", worker), MaxText)
}

// EnqueuedLine is the audit line of a new job.
func EnqueuedLine(id callmodel.JobID, r *ledger.Request, actor string) callmodel.AuditEvent {
	detail := jobDetail(r.Kind, r.CallID, r.Key)
	detail["queue"] = r.Queue
	return callmodel.AuditEvent{
		TenantID: r.TenantID, Actor: actor, Action: callmodel.AuditJobEnqueued, Subject: string(id), Detail: detail,
	}
}

// CreatedLine is the audit line of a new call.
func CreatedLine(c *calls.Call, actor string) callmodel.AuditEvent {
	e := callmodel.AuditEvent{
		TenantID: c.TenantID, Actor: actor, Action: callmodel.AuditCallCreated, Subject: string(c.ID),
		Detail: map[string]string{"state": string(c.State)},
	}
	if c.State == calls.Rejected {
		e.Action = callmodel.AuditCallRejected
	}
	if d := c.Decision; d != nil {
		e.Detail["rule"], e.Detail["ruleset"], e.Detail["source"] = d.Rule, d.RuleSet, string(d.Source)
	}
	addSettings(e.Detail, c.SettingsFrom)
	return e
}

// addSettings says who said how the call is recorded.
func addSettings(detail map[string]string, from origin.Settings) {
	if from != (origin.Settings{}) {
		detail["settings_from"] = from.String()
	}
}

// EventLine is the audit line of an event that moved a call.
func EventLine(c *calls.Call, ev *calls.Event, actor string) callmodel.AuditEvent {
	detail := map[string]string{"event": string(ev.Type), "event_id": ev.ID, "state": string(c.State)}
	if ev.Settled != nil {
		addSettings(detail, ev.Settled.From)
	}
	return callmodel.AuditEvent{TenantID: c.TenantID, Actor: actor, Action: callmodel.AuditCallEvent, Subject: string(c.ID), Detail: detail}
}

// RetriedLine is the audit line of a job that a person put back, with what it had
// come to.
func RetriedLine(j *ledger.Job, actor string) callmodel.AuditEvent {
	detail := jobDetail(j.Kind, j.CallID, j.Key)
	if status := statusOf(j); status != "" {
		detail["status"] = status
	}
	return callmodel.AuditEvent{TenantID: j.TenantID, Actor: actor, Action: callmodel.AuditJobRetried, Subject: string(j.ID), Detail: detail}
}

// RuleSetLine is the audit line of a rule set that was stored or activated.
func RuleSetLine(action string, t callmodel.TenantID, hash, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{TenantID: t, Actor: actor, Action: action, Subject: hash}
}

// Routine are the actions that every call and every job leaves a line of by itself. What came
// of a call is in its events, and of a job in the job.
func Routine() []string {
	return []string{
		callmodel.AuditCallCreated, callmodel.AuditCallRejected, callmodel.AuditCallEvent,
		callmodel.AuditJobEnqueued, callmodel.AuditJobCompleted, callmodel.AuditJobPublished,
	}
}

// maxSubjects is how many subjects the audit log can be asked about at once.
const maxSubjects = 100

// CheckSubjects refuses more subjects than the audit log can be asked about at once.
func CheckSubjects(subjects []string) error {
	if len(subjects) > maxSubjects {
		return callmodel.FieldErrors{{Path: "subject", Message: fmt.Sprintf("there are %d, and at most %d can be asked about at once", len(subjects), maxSubjects)}}
	}
	return nil
}

// Subject is what a line has of a subject.
func Subject(s string) string { return Text(s, MaxText) }

// Begin is what the index of subjects has of one: its first 128 characters.
func Begin(s string) string {
	n := 0
	for i := range s {
		if n++; n > 128 {
			return s[:i]
		}
	}
	return s
}
