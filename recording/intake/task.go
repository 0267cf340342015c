package intake

import (
	"encoding/json"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task"
)

// Task is a job that is asked for of another kind than recordings. Make one by Door.Task
// and decode it by callmodel.DecodeJSON, which has every fault of it reported at once.
type Task struct {
	Kind     string           `json:"kind"`
	Key      string           `json:"key"`
	CallID   callmodel.CallID `json:"call_id"`
	Payload  json.RawMessage  `json:"payload"`
	Queue    string           `json:"queue"`
	Priority int              `json:"priority"`

	tenant callmodel.TenantID // whose it is
	kinds  task.Kinds
	said   string // the kind that was said besides; "": none was
}

// Asked is the job. actor is who asks for it.
func (q *Task) Asked(actor string) Asked {
	return Asked{Request: ledger.Request{
		Kind: q.Kind, TenantID: q.tenant, CallID: q.CallID, Key: q.Key, Payload: q.Payload, Queue: q.Queue, Priority: q.Priority, Actor: actor,
	}}
}

// Validate reports every fault at once. callmodel.DecodeJSON calls it.
func (q *Task) Validate() error {
	var faults callmodel.FieldErrors
	if q.said != "" && q.Kind != q.said {
		faults.Add("kind", "is %q, and the message says that it is %q", q.Kind, q.said)
	}
	faults.CheckID("key", q.Key)
	if q.CallID != "" {
		faults.CheckID("call_id", string(q.CallID))
	}
	if q.Queue != "" {
		faults.CheckID("queue", q.Queue)
	}
	if q.Priority < calls.MinPriority || q.Priority > calls.MaxPriority {
		faults.Add("priority", "must be %d to %d, is %d", calls.MinPriority, calls.MaxPriority, q.Priority)
	}
	switch a := q.Asked(""); {
	case q.Kind == record.Kind:
		faults.Add("kind", "%q is for POST /v1/recordings", q.Kind)
	case len(q.Payload) == 0:
		faults.Add("payload", "is missing; say what to do, in the form of the kind")
	default:
		err := q.kinds.Check(&a.Request)
		var more callmodel.FieldErrors
		if err != nil && !errors.As(err, &more) {
			return err
		}
		faults = append(faults, more...)
	}
	return faults.Err()
}
