package storeform

import (
	"encoding/json"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// CheckFilter refuses a status or a code that no job can have.
func CheckFilter(f *ledger.Filter) error {
	var e callmodel.FieldErrors
	statuses := []string{
		"", string(record.StatusCompleted), string(record.StatusCompletedDegraded), string(record.StatusAbsent), string(record.StatusQuarantined),
	}
	if !slices.Contains(statuses, f.Status) {
		e.Add("status", "%.64q is not one of completed, completed_degraded, absent, quarantined", f.Status)
	}
	if f.Code != "" && !callmodel.ValidID(f.Code) {
		e.Add("code", "is not a code; give one of a defect, as leg_missing, or a reason, as no_media")
	}
	return e.Err()
}

// Matches reports whether the job came to what the filter asks for: its status and
// its code.
func Matches(f *ledger.Filter, j *ledger.Job) bool {
	if f.Status != "" && statusOf(j) != f.Status {
		return false
	}
	if f.Code == "" || string(j.Reason) == f.Code {
		return true
	}
	said, ok := saidBy(j)
	return ok && (said.Reason == f.Code || slices.ContainsFunc(said.Defects, func(d record.Defect) bool { return string(d.Code) == f.Code }))
}

// said is what the result of a job says of it, whatever its kind: see ledger.Outcome.
type said struct {
	Status  string          `json:"status"`
	Reason  string          `json:"reason"`
	Defects []record.Defect `json:"defects"`
}

// saidBy is what the job's result says; false if there is none, or one of another form.
func saidBy(j *ledger.Job) (said, bool) {
	var s said
	return s, len(j.Result) > 0 && json.Unmarshal(j.Result, &s) == nil
}

// statusOf is what the job came to so far that isn't going on; "" for nothing.
func statusOf(j *ledger.Job) string {
	switch {
	case j.State == ledger.Quarantined:
		return string(record.StatusQuarantined)
	case j.State != ledger.Done:
		return ""
	}
	said, _ := saidBy(j)
	return said.Status
}
