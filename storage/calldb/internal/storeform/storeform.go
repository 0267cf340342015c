// Package storeform holds what every implementation of the stores decides in the
// same way: the form of job ids and page cursors, the limits of lists, and the
// lines that a transaction leaves in the audit log, the outbox and the call
// record. It does no I/O.
package storeform

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
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
func JobID(seq int64, nonce string) callmodel.JobID { return callmodel.JobID(rowID('j', seq, nonce)) }

// ParseJobID takes an id apart; ok is false for what [JobID] can't have made.
func ParseJobID(id callmodel.JobID) (seq int64, nonce string, ok bool) {
	return parseRowID('j', string(id))
}

// rowID is the id of a row of a table whose letter that is.
func rowID(letter byte, seq int64, nonce string) string {
	return fmt.Sprintf("%c%0*x-%s", letter, seqDigits, seq, nonce)
}

// parseRowID takes apart what [rowID] made.
func parseRowID(letter byte, s string) (seq int64, nonce string, ok bool) {
	if len(s) != 1+seqDigits+1+8 || s[0] != letter || s[1+seqDigits] != '-' {
		return 0, "", false
	}
	seq, err := strconv.ParseInt(s[1:1+seqDigits], 16, 64)
	nonce = s[2+seqDigits:]
	if err != nil || seq <= 0 || rowID(letter, seq, nonce) != s {
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
	if !callmodel.ValidID(r.Kind) {
		e.Add("kind", "is not a valid id; name who does the job")
	}
	if !callmodel.ValidID(string(r.TenantID)) && r.Kind != record.Kind { // a spec's own check says it, too
		e.Add("tenant_id", "is not a valid id")
	}
	if r.CallID != "" && !callmodel.ValidID(string(r.CallID)) && r.Kind != record.Kind {
		e.Add("call_id", "is not a valid id; leave it out if the job belongs to no call")
	}
	if !callmodel.ValidID(r.Key) && r.Kind != record.Kind {
		e.Add("key", "is not a valid id; give one that is the job's own within its tenant and kind")
	}
	switch {
	case len(r.Payload) > ledger.MaxPayload:
		e.Add("spec", "has %d bytes, and may have %d", len(r.Payload), ledger.MaxPayload)
	case r.Kind == record.Kind:
		e.AddAll("", record.CheckJob(r))
	case !isJSON(r.Payload):
		e.Add("spec", "is not JSON in UTF-8")
	}
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

// Unique is a job's place in the column that holds one job of a tenant each: the
// key of a recording's, which programs that know no other kind write, too, and of
// other kinds the kind and the key. A key has no '/', so none is another's.
func Unique(kind, key string) string {
	if kind == record.Kind {
		return key
	}
	return kind + "/" + key
}

// KeyOf is the key in what [Unique] makes of it.
func KeyOf(kind, unique string) string { return strings.TrimPrefix(unique, kind+"/") }

// isJSON reports whether raw is JSON that any database's text column takes.
func isJSON(raw json.RawMessage) bool { return json.Valid(raw) && utf8.Valid(raw) }

// JSON is a column's text as JSON: what isn't becomes a JSON string, so that the
// one who reads it fails, and not everybody who lists it. Nil for "".
func JSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	if raw := json.RawMessage(text); json.Valid(raw) {
		return raw
	}
	b, err := json.Marshal(Text(text, ledger.MaxPayload))
	if err != nil { // no string is refused
		return json.RawMessage("null")
	}
	return b
}

// Reason is a reason as its column holds it.
func Reason(r ledger.Reason) string { return Text(string(r), ledger.MaxReason) }

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

// CheckOutcome refuses an outcome whose result can't be kept.
func CheckOutcome(o *ledger.Outcome) error {
	if o.Result != nil && !isJSON(o.Result) {
		return callmodel.FieldErrors{{Path: "result", Message: "is not JSON in UTF-8"}}
	}
	return nil
}

// CheckPublished refuses an outcome that nobody could be told of: there would be
// no sign of it once the job goes on.
func CheckPublished(o *ledger.Outcome) error {
	if err := CheckOutcome(o); err != nil {
		return err
	}
	var e callmodel.FieldErrors
	if o.Empty || o.Quarantine || o.Result == nil {
		e.Add("result", "is nothing to publish; complete or fail the job")
	}
	if o.Effects == nil {
		e.Add("effects", "are missing; what is published is told to the outbox")
	}
	return e.Err()
}

// CheckAdopted refuses an outcome that isn't one to keep.
func CheckAdopted(o *ledger.Outcome) error {
	if err := CheckOutcome(o); err != nil {
		return err
	}
	if o.Empty || o.Quarantine || o.Result == nil {
		return callmodel.FieldErrors{{Path: "result", Message: "is nothing to adopt; enqueue the job"}}
	}
	return nil
}

// PublishedKey is the outbox key of what the outcome publishes under the lease's
// token. That it exists says that it was published.
func PublishedKey(o *ledger.Outcome, id callmodel.JobID, token int64) (string, error) {
	fx, err := o.Effects(ledger.Commit{JobID: id, Token: token})
	if err != nil {
		return "", err
	}
	if fx.Event == nil {
		return "", callmodel.FieldErrors{{Path: "effects.event", Message: "is missing; what is published is told to the outbox"}}
	}
	return fx.Event.Key, nil
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
