package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/shares"
)

// deed is what somebody did with a call or its recordings, once or several times in a row.
type deed struct {
	At    time.Time // the last time
	Since time.Time // the first
	Times int
	Who   string
	What  string
	Of    string // the id of what it was done with; "" if it is the call
	More  string // why, and how
}

// How much of the audit log a page has.
const (
	linesAtOnce  = 1000
	linesAtMost  = 5000 // that are read
	deedsShown   = 200  // the newest
	mostSubjects = 100  // that are asked about at once
	inARow       = time.Hour
)

// deedsOf are what the audit log has of the call, newest first, for who may read it: who
// listened, shared, held, redacted, deleted, put back. more says that the log has others.
func (c *Console) deedsOf(r *http.Request, call *calls.Call) (list []deed, more bool, err error) {
	who, _ := callmodel.PrincipalFrom(r.Context())
	if !who.Allows(callmodel.ScopeAuditRead) {
		return nil, false, nil
	}
	about, err := c.subjectsOf(r, call, &who)
	if err != nil {
		return nil, false, err
	}
	more = len(about) > mostSubjects
	about = about[:min(len(about), mostSubjects)]
	q := url.Values{"subject": about, "limit": {strconv.Itoa(linesAtOnce)}}
	for read := 0; ; {
		if read >= linesAtMost {
			more = true
			break
		}
		got, err := get[struct {
			Events []callmodel.AuditEvent `json:"events"`
		}](c, r, "/v1/audit", q)
		if err != nil {
			return nil, false, err
		}
		for i := range got.Events {
			list = joined(list, deedOf(&got.Events[i], call))
		}
		read += len(got.Events)
		if len(got.Events) < linesAtOnce {
			break
		}
		q.Set("after", strconv.FormatInt(got.Events[len(got.Events)-1].ID, 10))
	}
	slices.Reverse(list)
	return list[:min(len(list), deedsShown)], more || len(list) > deedsShown, nil
}

// subjectsOf are the ids of the call and of all that belongs to it and has lines of its own.
func (c *Console) subjectsOf(r *http.Request, call *calls.Call, who *callmodel.Principal) ([]string, error) {
	about := []string{string(call.ID)}
	for i := range call.Recordings {
		about = append(about, string(call.Recordings[i].JobID))
	}
	if who.Allows(callmodel.ScopeHoldsRead) {
		got, err := get[struct {
			Holds []retention.Hold `json:"holds"`
		}](c, r, "/v1/holds", url.Values{"scope": {string(retention.HoldCall)}, "subject": {string(call.ID)}, "lifted": {"true"}})
		if err != nil {
			return nil, err
		}
		for i := range got.Holds {
			about = append(about, string(got.Holds[i].ID))
		}
	}
	for i := range call.Recordings {
		got, err := get[struct {
			Shares []shares.Share `json:"shares"`
		}](c, r, "/v1/shares", url.Values{"job_id": {string(call.Recordings[i].JobID)}})
		if _, refused := isRefused(err); refused { // no links are made here, or they aren't this one's to see
			break
		}
		if err != nil {
			return nil, err
		}
		for j := range got.Shares {
			about = append(about, got.Shares[j].ID)
		}
	}
	return about, nil
}

// deedOf is a line of the audit log in words.
func deedOf(e *callmodel.AuditEvent, call *calls.Call) deed {
	d := deed{At: e.At, Since: e.At, Times: 1, Who: e.Actor, What: cmp.Or(deeds()[e.Action], spaced(strings.ReplaceAll(e.Action, ".", " ")))}
	if e.Subject != string(call.ID) {
		d.Of = e.Subject
	}
	switch {
	case e.Action == shares.AuditOpened:
		d.Who = "somebody with the link"
	case e.Action == retention.AuditEraseBegun && e.Detail["kind"] == retention.KindRedact:
		d.What = "began to redact"
	}
	var more []string
	for _, name := range []string{"reason", "lift_reason", "description", "codec", "way", "queue"} {
		if v := e.Detail[name]; v != "" {
			more = append(more, v)
		}
	}
	d.More = strings.Join(more, ", ")
	return d
}

// deeds are the actions of the audit log in words.
func deeds() map[string]string {
	return map[string]string{
		callmodel.AuditListened:       "listened",
		callmodel.AuditJobRetried:     "put the job back",
		callmodel.AuditJobMoved:       "moved the job to another queue",
		callmodel.AuditJobQuarantined: "set the job aside",
		callmodel.AuditJobRelinked:    "left the result of the job on the call again",
		callmodel.AuditAccessDenied:   "was refused",
		shares.AuditCreated:           "made a link",
		shares.AuditOpened:            "opened the link",
		shares.AuditRevoked:           "revoked the link",
		retention.AuditHoldPlaced:     "placed a legal hold",
		retention.AuditHoldLifted:     "lifted the legal hold",
		retention.AuditEraseBegun:     "began to delete the recording",
		retention.AuditErased:         "deleted the recording, with proof",
		retention.AuditRedacted:       "redacted, and destroyed what it was before",
	}
}

// joined adds a deed to the list, to the last one like it if that was within the hour.
func joined(list []deed, d deed) []deed {
	for i := len(list) - 1; i >= 0 && d.At.Sub(list[i].At) < inARow; i-- {
		if l := &list[i]; l.Who == d.Who && l.What == d.What && l.Of == d.Of && l.More == d.More {
			same := *l
			same.At, same.Times = d.At, same.Times+1
			return append(slices.Delete(list, i, i+1), same)
		}
	}
	return append(list, d)
}
