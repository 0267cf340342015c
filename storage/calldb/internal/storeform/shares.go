package storeform

import (
	"maps"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/shares"
)

// MaxClient is how much is kept of who opened a share.
const MaxClient = 64

// NewShare is the share as it is kept first. n is valid.
func NewShare(n *shares.New, now time.Time) shares.Share {
	s := n.Share
	s.From, s.To = s.From.Truncate(time.Microsecond), s.To.Truncate(time.Microsecond)
	s.ExpiresAt, s.CreatedAt, s.CreatedBy = now.Add(n.Life).Truncate(time.Microsecond), now, Text(n.Actor, MaxText)
	s.Openings, s.LastOpenedAt, s.RevokedAt, s.RevokedBy = 0, time.Time{}, time.Time{}, ""
	return s.At(now)
}

// ShareLine is the audit line of what was done with a share.
func ShareLine(action string, s *shares.Share, actor string, more map[string]string) callmodel.AuditEvent {
	detail := map[string]string{
		"call_id": string(s.CallID), "recording_id": string(s.RecordingID), "job_id": string(s.JobID), "codec": s.Codec,
		"from_ms": strconv.FormatInt(s.From.Milliseconds(), 10), "to_ms": strconv.FormatInt(s.To.Milliseconds(), 10),
	}
	if s.Output != "" {
		detail["output"] = s.Output
	}
	if action == shares.AuditCreated {
		detail["expires_at"] = s.ExpiresAt.Format(time.RFC3339)
		if s.MaxOpenings > 0 {
			detail["max_openings"] = strconv.FormatInt(s.MaxOpenings, 10)
		}
	}
	maps.Copy(detail, more)
	return callmodel.AuditEvent{TenantID: s.TenantID, Actor: actor, Action: action, Subject: s.ID, Detail: detail}
}

// OpenedLine is the audit line of an opening: of nobody who is known by name.
func OpenedLine(s *shares.Share, o *shares.Opening) callmodel.AuditEvent {
	more := map[string]string{"opening": strconv.FormatInt(s.Openings, 10)}
	for k, v := range o.Detail {
		more[k] = Text(v, MaxText)
	}
	return ShareLine(shares.AuditOpened, s, "share:"+s.ID, more)
}

// TooManyShares refuses one more share of a recording.
func TooManyShares(id callmodel.JobID) error {
	return conflict("the recording of job %s has %d open shares, and may have no more; revoke some", id, shares.MaxOpen)
}

// GoesOn reports whether a client that asked for a share at last goes on with its opening.
func GoesOn(last, now time.Time) bool { return !last.IsZero() && now.Sub(last) < shares.Gap }
