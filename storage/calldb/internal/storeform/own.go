package storeform

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/record"
)

// OwnRecording is the job that records a call itself, for the try at enqueueing it:
// at first as it is, under the call's id, and when that is taken by what somebody
// else has submitted, under an id that is the call's with an ending.
func OwnRecording(r *ledger.Request, try int) (*ledger.Request, error) {
	if try == 0 {
		return r, nil
	}
	s, err := record.SpecOf(&ledger.Job{Kind: r.Kind, Payload: r.Payload})
	if err != nil {
		return nil, err
	}
	end := ".call"
	if try > 1 { // and that one, too
		end += "-" + Nonce()
	}
	start := r.Key[:min(len(r.Key), callmodel.MaxIDLen-len(end))]
	s.RecordingID = callmodel.RecordingID(strings.TrimRight(start, ".") + end) // an id has no ".."
	own, err := record.NewJob(s, r.Queue, r.Priority)
	return &own, err
}

// SameRecording reports whether the job makes what r asks for: of the same call, and
// the same but for when the call is said to have begun and ended, and who said how it
// is recorded.
func SameRecording(j *ledger.Job, r *ledger.Request) bool {
	if j.Kind != r.Kind || j.CallID != r.CallID {
		return false
	}
	have, err := whatIsMade(j.Payload)
	if err != nil {
		return false
	}
	want, err := whatIsMade(r.Payload)
	return err == nil && bytes.Equal(have, want)
}

// whatIsMade is a recording's payload without the times of its call, and without who said
// how it is recorded and what wrote its legs.
func whatIsMade(payload []byte) ([]byte, error) {
	s, err := record.SpecOf(&ledger.Job{Kind: record.Kind, Payload: payload})
	if err != nil {
		return nil, err
	}
	s.StartedAt, s.EndedAt, s.Span, s.SettingsFrom = time.Time{}, time.Time{}, 0, origin.Settings{}
	s.HostSoftware = ""
	return json.Marshal(s)
}

// EventJobs are the jobs that are enqueued with the event of the call, with its ids and
// who asks for them where that isn't said. Every fault is told, as FieldErrors.
func EventJobs(c *calls.Call, ev *calls.Event, actor string) ([]ledger.Request, error) {
	jobs := slices.Clone(ev.Jobs)
	var e callmodel.FieldErrors
	for i := range jobs {
		r, at := &jobs[i], fmt.Sprintf("jobs[%d]", i)
		r.TenantID, r.CallID = cmp.Or(r.TenantID, c.TenantID), cmp.Or(r.CallID, c.ID)
		r.Actor = cmp.Or(r.Actor, actor)
		if r.TenantID != c.TenantID || r.CallID != c.ID {
			e.Add(at, "is of another tenant or call than the event")
		}
		e.AddAll(at, CheckJob(r))
	}
	return jobs, e.Err()
}
