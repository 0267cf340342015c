package storeform

import (
	"bytes"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
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

// SameRecording reports whether the job is the one that r asks for.
func SameRecording(j *ledger.Job, r *ledger.Request) bool {
	return j.Kind == r.Kind && j.CallID == r.CallID && bytes.Equal(j.Payload, r.Payload)
}
