package erasure

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Gone is an error of CodeGone that says when and why, if the recording that the job has
// made was deleted, or what a job of another kind has made of one went with it. Nil if the
// job's result was not deleted.
func Gone(ctx context.Context, l Ledger, j *ledger.Job) error {
	var result struct {
		Status record.Status `json:"status"`
		Reason string        `json:"reason"`
	}
	if json.Unmarshal(j.Result, &result) != nil || result.Status != record.StatusAbsent || result.Reason != retention.ReasonErased {
		return nil //nolint:nilerr // who reads the result says what is wrong with it
	}
	if j.Kind != record.Kind {
		return derivedGone(ctx, l, j)
	}
	list, err := l.Erasures(ctx, j.TenantID, callmodel.RecordingID(j.Key))
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].Kind == retention.KindErase {
			return &retention.ErasedError{Erasure: list[i]}
		}
	}
	return callmodel.Errorf(callmodel.CodeGone, "recording %s was deleted", j.Key)
}

// derivedGone finds the deletion that took what the job has made with it, among those of
// the call's recordings.
func derivedGone(ctx context.Context, l Ledger, j *ledger.Job) error {
	var of struct {
		CallID    callmodel.CallID `json:"call_id"`
		Recording struct {
			CallID callmodel.CallID `json:"call_id"`
		} `json:"recording"`
	}
	_ = json.Unmarshal(j.Payload, &of) // a kind whose payload names no call has none
	call := cmp.Or(j.CallID, of.CallID, of.Recording.CallID)
	plain := callmodel.Errorf(callmodel.CodeGone, "what job %s has made was deleted with its recording", j.ID)
	if call == "" {
		return plain
	}
	f := ledger.Filter{TenantID: j.TenantID, Kind: record.Kind, CallID: call, Limit: 1000}
	for {
		jobs, err := l.Jobs(ctx, f)
		if err != nil {
			return err
		}
		for i := range jobs {
			list, err := l.Erasures(ctx, j.TenantID, callmodel.RecordingID(jobs[i].Key))
			if err != nil {
				return err
			}
			for k := range list {
				if e := &list[k]; took(e, j.Key) {
					at, what := e.BegunAt, "deleted"
					if e.Kind == retention.KindRedact {
						what = "redacted"
					}
					return callmodel.Errorf(callmodel.CodeGone, "what job %s has made was deleted at %s, as recording %s was %s: %s",
						j.ID, at.UTC().Format(time.RFC3339), e.RecordingID, what, e.Reason)
				}
			}
		}
		if len(jobs) < f.Limit {
			return plain
		}
		f.After = jobs[len(jobs)-1].ID
	}
}

// took reports whether an object of the job of that key was deleted: the key is a part of
// the object's.
func took(e *retention.Erasure, key string) bool {
	for i := range e.Objects {
		for part := range strings.FieldsFuncSeq(e.Objects[i].Key, func(r rune) bool { return r == '/' || r == '~' }) {
			if part == key || strings.HasPrefix(part, key+".") || strings.HasPrefix(part, key+"-") {
				return true
			}
		}
	}
	return false
}
