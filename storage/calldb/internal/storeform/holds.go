package storeform

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/users"
)

// NewHold is the hold as it is kept, placed now by actor. An invalid one is refused with
// FieldErrors.
//
// last is the greatest id among the tenant's, behind which the new one sorts.
func NewHold(h *retention.Hold, actor string, now time.Time, last retention.HoldID) (retention.Hold, error) {
	var e callmodel.FieldErrors
	if !callmodel.ValidID(string(h.TenantID)) {
		e.Add("tenant_id", "is not a valid id")
	}
	e.AddAll("", h.Validate())
	if err := e.Err(); err != nil {
		return retention.Hold{}, err
	}
	const digits = 13 // of microseconds, until the year 2112
	at := now.UnixMicro()
	if len(last) > digits { // a database's clock may tick in milliseconds
		if before, err := strconv.ParseInt(string(last[1:1+digits]), 16, 64); err == nil {
			at = max(at, before+1)
		}
	}
	return retention.Hold{
		ID:       retention.HoldID(fmt.Sprintf("h%0*x-%s", digits, at, Nonce())),
		TenantID: h.TenantID, Scope: h.Scope, Subject: h.Subject, Reason: h.Reason, PlacedAt: now, PlacedBy: Text(actor, MaxText),
	}, nil
}

// LiftHold is the hold after it was lifted now. One that was lifted already is a conflict.
func LiftHold(h *retention.Hold, l *retention.Lift, now time.Time) error {
	if h.Lifted() {
		return conflict("the hold %s was lifted at %s by %s already", h.ID, h.LiftedAt.Format(time.RFC3339), h.LiftedBy)
	}
	h.LiftedAt, h.LiftedBy, h.LiftReason = now, Text(l.Actor, MaxText), l.Reason
	return nil
}

// HoldLine is the audit line of a hold that was placed or lifted.
func HoldLine(action string, h *retention.Hold) callmodel.AuditEvent {
	e := callmodel.AuditEvent{
		TenantID: h.TenantID, Actor: h.PlacedBy, Action: action, Subject: string(h.ID),
		Detail: map[string]string{"scope": string(h.Scope), "reason": h.Reason},
	}
	if h.Subject != "" {
		e.Detail["subject"] = h.Subject
	}
	if action == retention.AuditHoldLifted {
		e.Actor, e.Detail["lift_reason"] = h.LiftedBy, h.LiftReason
	}
	return e
}

// HoldsLimit is the limit of a list of holds that was asked for n.
func HoldsLimit(n int) int { return limit(n, defaultLines, maxLines) }

// WarnOfHold is what to tell who places a hold: "" if the ledger knows what it is on. known
// and erased say whether it has, or had, such a recording, call or user, and whether the
// recording was deleted.
func WarnOfHold(h *retention.Hold, known, erased bool) string {
	switch {
	case h.Scope == retention.HoldTenant || h.Scope == retention.HoldNumber:
		return ""
	case erased:
		return fmt.Sprintf("recording %s was deleted already: the hold keeps nothing of it", h.Subject)
	case known:
		return ""
	case h.Scope == retention.HoldUser:
		return fmt.Sprintf("there is no user %s, and never was: the hold is on calls of a user who is stored with that id later, and before that on none; look whether the id is right, or hold numbers", h.Subject)
	}
	return fmt.Sprintf("there is no %s yet: the hold is on it when it comes; look whether the id is right", h.On())
}

// Strangers are the numbers of a call's parties whom no user was known for.
func Strangers(c *calls.Call) (numbers []string) {
	for _, p := range [2]*calls.Party{&c.From, &c.To} {
		if p.User == "" {
			for _, n := range [2]string{p.Number, p.Raw} {
				if n != "" && !slices.Contains(numbers, n) {
					numbers = append(numbers, n)
				}
			}
		}
	}
	return numbers
}

// HasNumber reports whether a version of a user has one of the numbers.
func HasNumber(doc string, numbers []string) bool {
	e := Entry{Kind: KindUser, Doc: doc}
	u, err := e.User()
	return err == nil && slices.ContainsFunc(u.Numbers.All(), func(n string) bool { return slices.Contains(numbers, n) })
}

// Parties are the users and the numbers of a call, by which it may be held.
func Parties(c *calls.Call) (ids, numbers []string) {
	for _, p := range [2]*calls.Party{&c.From, &c.To} {
		if p.User != "" && !slices.Contains(ids, string(p.User)) {
			ids = append(ids, string(p.User))
		}
		for _, n := range [2]string{p.Number, p.Raw} {
			if n != "" && !slices.Contains(numbers, n) {
				numbers = append(numbers, n)
			}
		}
	}
	return ids, numbers
}

// Users are those of a call.
func Users(c *calls.Call) (list []users.ID) {
	ids, _ := Parties(c)
	for _, id := range ids {
		list = append(list, users.ID(id))
	}
	return list
}
