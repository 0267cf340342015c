package storeform

import (
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
)

// LetterID is the id of the row seq of the dead letters: as [JobID], with a "d".
func LetterID(seq int64, nonce string) deadletter.ID { return deadletter.ID(rowID('d', seq, nonce)) }

// ParseLetterID takes an id apart; ok is false for what [LetterID] can't have made.
func ParseLetterID(id deadletter.ID) (seq int64, nonce string, ok bool) {
	return parseRowID('d', string(id))
}

// AfterLetter is the row that a list of letters continues behind; 0 for "".
func AfterLetter(id deadletter.ID) (int64, error) {
	if id == "" {
		return 0, nil
	}
	seq, _, ok := ParseLetterID(id)
	if !ok {
		return 0, callmodel.FieldErrors{{Path: "after", Message: "is not the id of a dead letter; give the last id of the page before"}}
	}
	return seq, nil
}

// TriesKept is for how long it is remembered how often a message was tried.
const TriesKept = 7 * 24 * time.Hour

// CheckTry refuses what a message can't be told by.
func CheckTry(source, fingerprint string) error {
	var e callmodel.FieldErrors
	e.AddAll("", CheckKey("fingerprint", fingerprint))
	if source == "" || Text(source, deadletter.MaxSource) != source {
		e.Add("source", "must be 1 to %d bytes of UTF-8 without NUL", deadletter.MaxSource)
	}
	return e.Err()
}

// NewLetter is the letter as it is kept, but for its id and its time. An invalid one is
// refused with FieldErrors.
func NewLetter(n *deadletter.New) (deadletter.Letter, error) {
	var e callmodel.FieldErrors
	e.AddAll("", CheckTry(n.Source, n.Fingerprint))
	if n.TenantID != "" && !callmodel.ValidID(string(n.TenantID)) {
		e.Add("tenant_id", "is not a valid id; leave it out where nobody vouches for it")
	}
	if n.Code == "" {
		e.Add("code", "is missing; say why the message could not be taken")
	}
	if err := e.Err(); err != nil {
		return deadletter.Letter{}, err
	}
	l := deadletter.Letter{
		TenantID: n.TenantID, Source: n.Source, MessageID: Text(n.MessageID, deadletter.MaxID), Kind: Text(n.Kind, MaxKey),
		Code: callmodel.Code(Text(string(n.Code), MaxKey)), Reason: Text(n.Reason, deadletter.MaxReason), State: deadletter.Waiting,
	}
	if l.Kind == "" {
		l.Kind = record.Kind
	}
	l.SetBody(n.Body)
	return l, nil
}

// CheckSettle refuses what can't become of a letter.
func CheckSettle(c *deadletter.Settle) error {
	var e callmodel.FieldErrors
	if c.State != deadletter.Replayed && c.State != deadletter.Discarded {
		e.Add("state", "is not one of %s, %s", deadletter.Replayed, deadletter.Discarded)
	}
	if (c.State == deadletter.Replayed) != (c.JobID != "") {
		e.Add("job_id", "is that of the job that a replayed letter became")
	}
	return e.Err()
}

// SettleLetter works out what a letter is after c. done says that it is that already.
func SettleLetter(l *deadletter.Letter, c *deadletter.Settle, now time.Time) (line callmodel.AuditEvent, done bool, err error) {
	switch {
	case l.State == c.State && l.JobID == c.JobID:
		return line, true, nil
	case l.State != deadletter.Waiting:
		return line, false, conflict("the dead letter %s is %s already", l.ID, l.State)
	}
	l.State, l.JobID, l.SettledAt, l.SettledBy = c.State, c.JobID, now, Text(c.Actor, MaxText)
	action := deadletter.AuditDiscarded
	if c.State == deadletter.Replayed {
		action = deadletter.AuditReplayed
	}
	return LetterLine(action, l, l.SettledBy), false, nil
}

// LetterLine is the audit line of what was done with a letter.
func LetterLine(action string, l *deadletter.Letter, actor string) callmodel.AuditEvent {
	return callmodel.AuditEvent{TenantID: l.TenantID, Actor: actor, Action: action, Subject: string(l.ID), Detail: l.Detail()}
}

// CheckReader refuses a reader of the outbox that can't be one and fills in its TTL.
func CheckReader(r *outbox.Reader) error {
	var e callmodel.FieldErrors
	if !callmodel.ValidID(r.Name) {
		e.Add("name", "is not a valid id; name what reads, the same in all processes")
	}
	if r.Holder == "" {
		e.Add("holder", "is missing; name the process that reads")
	}
	r.Holder = Text(r.Holder, MaxKey)
	if r.TTL <= 0 {
		r.TTL = outbox.DefaultTTL
	}
	r.TTL = min(r.TTL, MaxAgain)
	return e.Err()
}
