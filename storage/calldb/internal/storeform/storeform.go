// Package storeform holds what every implementation of the stores decides in the
// same way: the form of job ids and page cursors, the limits of lists, and the
// lines that a transaction leaves in the audit log, the outbox and the call
// record. It does no I/O.
package storeform

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// System is the actor of what no person and no worker did.
const System = "switchtape"

// Limits of lists and texts.
const (
	defaultJobs, maxJobs   = 100, 1000
	defaultCalls, maxCalls = 50, 500
	defaultLines, maxLines = 100, 1000
	// Of the history of rule sets.
	defaultHistory, maxHistory = 50, 1000
	// MaxClaim bounds one claim, so that one worker can't lease the ledger.
	MaxClaim = 1000
	// MaxText bounds free texts (causes, reasons, actors), in bytes.
	MaxText = 4096
	// MaxKey bounds idempotency keys and rule set hashes, in bytes.
	MaxKey = 255
)

// MaxPriority bounds a job's priority to both sides of 0.
const MaxPriority = 1_000_000

// JobsLimit is the limit of a list of jobs that was asked for n.
func JobsLimit(n int) int { return limit(n, defaultJobs, maxJobs) }

// CallsLimit is the limit of a page of calls that was asked for n.
func CallsLimit(n int) int { return limit(n, defaultCalls, maxCalls) }

// LinesLimit is the limit of a list of audit lines or outbox events that was asked for n.
func LinesLimit(n int) int { return limit(n, defaultLines, maxLines) }

// HistoryLimit is the limit of a history of rule sets that was asked for n.
func HistoryLimit(n int) int { return limit(n, defaultHistory, maxHistory) }

func limit(n, usual, most int) int {
	if n <= 0 {
		return usual
	}
	return min(n, most)
}

// Nonce is the part of a job id that can't be guessed: 8 hex digits.
func Nonce() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}

// seqDigits hold 2^48 jobs: 5 million a day for 150,000 years.
const seqDigits = 12

// JobID is the id of the ledger's row seq: "j" + 12 hex digits of seq + "-" +
// nonce. Its text sorts as seq does, in the order of creation, whatever the
// clocks of the machines say.
func JobID(seq int64, nonce string) callmodel.JobID {
	return callmodel.JobID(fmt.Sprintf("j%0*x-%s", seqDigits, seq, nonce))
}

// ParseJobID takes an id apart; ok is false for what [JobID] can't have made.
func ParseJobID(id callmodel.JobID) (seq int64, nonce string, ok bool) {
	s := string(id)
	if len(s) != 1+seqDigits+1+8 || s[0] != 'j' || s[1+seqDigits] != '-' {
		return 0, "", false
	}
	seq, err := strconv.ParseInt(s[1:1+seqDigits], 16, 64)
	nonce = s[2+seqDigits:]
	if err != nil || seq <= 0 || JobID(seq, nonce) != id {
		return 0, "", false
	}
	return seq, nonce, true
}

// AfterJob is the row that a list of jobs continues behind; 0 for "".
func AfterJob(id callmodel.JobID) (int64, error) {
	if id == "" {
		return 0, nil
	}
	seq, _, ok := ParseJobID(id)
	if !ok {
		return 0, callmodel.FieldErrors{{Path: "after", Message: "is not the id of a job; give the last id of the page before"}}
	}
	return seq, nil
}

// Text makes s fit for a text column of any database: valid UTF-8, no NUL, at
// most most bytes.
func Text(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	for len(s) > most { // the replacements may have made it longer
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// Micros is t as a column holds it: microseconds since 1970 UTC, 0 for no time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the time that a column holds; 0 is the zero time.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// CheckKey refuses a key that would not fit its column as it is.
func CheckKey(path, s string) error {
	if s == "" || len(s) > MaxKey || Text(s, MaxKey) != s {
		return callmodel.FieldErrors{{Path: path, Message: fmt.Sprintf("must be 1 to %d bytes of UTF-8 without NUL", MaxKey)}}
	}
	return nil
}

// CheckIDs refuses a tenant or call id that can't be one.
func CheckIDs(t callmodel.TenantID, id callmodel.CallID) error {
	var e callmodel.FieldErrors
	if !callmodel.ValidID(string(t)) {
		e.Add("tenant_id", "is not a valid id")
	}
	if !callmodel.ValidID(string(id)) {
		e.Add("id", "is not a valid id")
	}
	return e.Err()
}

// CheckJob reports every fault of a job to enqueue and fills in its queue.
func CheckJob(r *ledger.Request) error {
	var e callmodel.FieldErrors
	e.AddAll("", r.Spec.Validate())
	e.AddAll("", record.ValidateRelative(r.Spec.Legs))
	if r.Queue == "" {
		r.Queue = ledger.DefaultQueue
	}
	if !callmodel.ValidID(r.Queue) {
		e.Add("queue", "is not a valid id; give a host's name, or nothing for %q", ledger.DefaultQueue)
	}
	if r.Priority < -MaxPriority || r.Priority > MaxPriority {
		e.Add("priority", "must be within ±%d, is %d", MaxPriority, r.Priority)
	}
	return e.Err()
}

// CheckClaim refuses a claim without a worker and fills in the defaults.
func CheckClaim(r *ledger.Claim) error {
	if r.Worker == "" {
		return callmodel.FieldErrors{{Path: "worker", Message: "is missing; name the worker that claims"}}
	}
	r.Worker = Text(r.Worker, MaxKey)
	if r.Limit <= 0 {
		r.Limit = 1
	}
	r.Limit = min(r.Limit, MaxClaim)
	if r.TTL <= 0 {
		r.TTL = ledger.DefaultLeaseTTL
	}
	return nil
}

// CheckResult refuses a result that isn't one of the four outcomes.
func CheckResult(r *record.Result) error {
	switch r.Status {
	case record.StatusCompleted, record.StatusCompletedDegraded, record.StatusAbsent, record.StatusQuarantined:
		return nil
	}
	return callmodel.FieldErrors{{
		Path:    "status",
		Message: fmt.Sprintf("%q is not one of completed, completed_degraded, absent, quarantined", Text(string(r.Status), 64)),
	}}
}

// CheckPublished refuses a result that is no recording.
func CheckPublished(r *record.Result) error {
	if err := CheckResult(r); err != nil {
		return err
	}
	if !r.Made() {
		return callmodel.FieldErrors{{
			Path:    "outputs",
			Message: fmt.Sprintf("a result that is %s with %d outputs is no recording to publish; complete or fail the job", r.Status, len(r.Outputs)),
		}}
	}
	return nil
}

// MaxAgain bounds how far a published job is put off.
const MaxAgain = 366 * 24 * time.Hour

// CheckRuleSet refuses a rule set that can't be stored as it is and fills in
// who made it.
func CheckRuleSet(s *rulesets.Version, actor string) error {
	var e callmodel.FieldErrors
	if !callmodel.ValidID(string(s.TenantID)) {
		e.Add("tenant_id", "is not a valid id")
	}
	if CheckKey("hash", s.Hash) != nil {
		e.Add("hash", "must be 1 to %d bytes of UTF-8 without NUL", MaxKey)
	}
	s.Format = Text(s.Format, MaxKey)
	if s.Body == nil {
		s.Body = []byte{}
	}
	if s.CreatedBy == "" {
		s.CreatedBy = actor
	}
	s.CreatedBy = Text(s.CreatedBy, MaxText)
	return e.Err()
}
