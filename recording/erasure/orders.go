package erasure

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Ledger is where the jobs of a recording are, and what was deleted of it. *calldb.DB and
// *memdb.Store are ledgers.
type Ledger interface {
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	// Erasures are the deletions of a recording, and of versions of it.
	Erasures(ctx context.Context, t callmodel.TenantID, id callmodel.RecordingID) ([]retention.Erasure, error)
}

// Order is a deletion or a redaction of a recording that was asked for and isn't done.
type Order struct {
	JobID     callmodel.JobID `json:"job_id"` // that is to do it
	Kind      string          `json:"kind"`   // retention.KindErase or retention.KindRedact
	State     ledger.State    `json:"state"`
	Reason    string          `json:"reason"` // why it was asked for
	Actor     string          `json:"actor"`  // who asks for it
	OrderedAt time.Time       `json:"ordered_at"`
	// Error is why the last attempt came to nothing; "" if there was none.
	Error string `json:"error,omitempty"`
	// NextAt is when it is tried again, of one that waits after an attempt.
	NextAt time.Time `json:"next_at,omitzero"`
	Help   string    `json:"help"` // what to do, in words
}

// Orders are those of the recording of the job made that aren't done, by their jobs' ids.
func Orders(ctx context.Context, l Ledger, made *ledger.Job) ([]Order, error) {
	orders := []Order{}
	for _, kind := range []string{retention.KindErase, retention.KindRedact} {
		err := each(ctx, l, made, kind, func(j *ledger.Job) {
			if j.State != ledger.Done {
				orders = append(orders, orderOf(j))
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(orders, func(a, b Order) int { return cmp.Compare(a.JobID, b.JobID) })
	return orders, nil
}

// each passes the jobs of a kind to do that are about the recording of the job made.
func each(ctx context.Context, l Ledger, made *ledger.Job, kind string, do func(*ledger.Job)) error {
	f := ledger.Filter{TenantID: made.TenantID, CallID: made.CallID, Kind: kind, Limit: 1000}
	for {
		jobs, err := l.Jobs(ctx, f)
		if err != nil {
			return err
		}
		for i := range jobs {
			var of Payload
			if json.Unmarshal(jobs[i].Payload, &of) == nil && of.JobID == made.ID {
				do(&jobs[i])
			}
		}
		if len(jobs) < f.Limit {
			return nil
		}
		f.After = jobs[len(jobs)-1].ID
	}
}

func orderOf(j *ledger.Job) Order {
	var p Payload
	_ = json.Unmarshal(j.Payload, &p) // each has read it
	o := Order{JobID: j.ID, Kind: j.Kind, State: j.State, Reason: p.Reason, Actor: p.Actor, OrderedAt: j.CreatedAt, Error: j.LastError}
	switch {
	case j.State == ledger.Quarantined && j.Kind == retention.KindRedact:
		o.Help = fmt.Sprintf("it was set aside: ask for other ranges or for all parties, erase the recording, or mend what is wrong and put it back with switchtape jobs retry %s", j.ID)
	case j.State == ledger.Quarantined:
		o.Help = fmt.Sprintf("it was set aside: mend what is wrong, and put it back with switchtape jobs retry %s", j.ID)
	case j.State == ledger.Running:
		o.Help = "a worker is at it"
	case j.LastError != "":
		o.NextAt = j.RunAt
		o.Help = "it is tried again at " + j.RunAt.UTC().Format(time.RFC3339)
	default:
		o.Help = fmt.Sprintf("it waits for a worker of the queue %s that does jobs of the kind %s", j.Queue, j.Kind)
	}
	return o
}

// CheckRedaction refuses a redaction of the recording of the job made that, by all that the
// ledger knows, no worker can do: CodeConflict for a recording that is set aside, and
// FieldErrors for parties that can't be told apart any more, as the legs are deleted and no
// output has them apart. [RedactionJob] checks the rest.
func CheckRedaction(ctx context.Context, l Ledger, made *ledger.Job, redactions []record.Redaction) error {
	if made.State == ledger.Quarantined {
		return callmodel.Errorf(callmodel.CodeConflict, "recording %s is set aside, so that there is nothing whole to redact: retry its job %s first, or erase the recording", made.Key, made.ID)
	}
	result, err := record.ResultOf(made)
	if err != nil || result == nil || !result.Made() {
		return nil //nolint:nilerr // RedactionJob says so, or nobody knows yet
	}
	spec, err := record.SpecOf(made)
	if err != nil {
		return nil //nolint:nilerr // RedactionJob says so
	}
	apart, heard := false, false
	for i := range result.Outputs {
		o := &result.Outputs[i]
		heard = heard || o.Codec.Audio()
		apart = apart || o.Codec.Audio() && o.Channels > 1
	}
	var faults callmodel.FieldErrors
	if !heard {
		faults.Add("redactions", "can't be made: the legs are deleted, and no output of the recording has audio to read; erase the recording")
	}
	for i := range redactions {
		if heard && !apart && slices.ContainsFunc(spec.Legs, func(leg record.LegSpec) bool { return !redactions[i].Covers(leg.Name) }) {
			faults.Add("redactions["+strconv.Itoa(i)+"].legs", "can't be redacted alone: the legs are deleted, and every output has all parties in one channel; leave legs out, which redacts all, or erase the recording")
		}
	}
	if len(faults) == 0 {
		return nil
	}
	gone, err := legsGone(ctx, l, made)
	if err != nil || !gone {
		return err
	}
	return faults.Err()
}

// legsGone reports whether the ledger knows that a leg of the recording was deleted.
func legsGone(ctx context.Context, l Ledger, made *ledger.Job) (gone bool, err error) {
	err = each(ctx, l, made, retention.KindDeleteLegs, func(j *ledger.Job) {
		var done struct {
			Files []struct {
				End string `json:"end"`
			} `json:"files"`
		}
		if j.State != ledger.Done || json.Unmarshal(j.Result, &done) != nil {
			return
		}
		for _, f := range done.Files {
			gone = gone || f.End == retention.LegDeleted || f.End == retention.LegGone
		}
	})
	if err != nil || gone {
		return gone, err
	}
	erasures, err := l.Erasures(ctx, made.TenantID, callmodel.RecordingID(made.Key))
	if err != nil {
		return false, err
	}
	for i := range erasures {
		for _, leg := range erasures[i].Legs {
			gone = gone || leg.End == retention.LegDeleted || leg.End == retention.LegGone
		}
	}
	return gone, nil
}
