package storeform

import (
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
	if j.Kind != record.Kind {
		return false
	}
	r, err := record.ResultOf(j)
	return err == nil && r != nil && (r.Reason == f.Code || r.Has(record.DefectCode(f.Code)))
}

// statusOf is what the job came to so far that isn't going on; "" for nothing.
func statusOf(j *ledger.Job) string {
	switch {
	case j.State == ledger.Quarantined:
		return string(record.StatusQuarantined)
	case j.State != ledger.Done || j.Kind != record.Kind:
		return ""
	}
	r, err := record.ResultOf(j)
	if err != nil || r == nil {
		return ""
	}
	return string(r.Status)
}
