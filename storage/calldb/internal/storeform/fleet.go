package storeform

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// ForgetPresence is after how long a process that says nothing is struck off.
const ForgetPresence = 10 * time.Minute

// CheckPresence refuses a presence that is nobody's.
func CheckPresence(p *ledger.Presence) error {
	var e callmodel.FieldErrors
	switch p.Role {
	case ledger.RoleWorker, ledger.RoleAPI, ledger.RoleVerifier:
	default:
		e.Add("role", "%.64q is not one of worker, api, verifier", string(p.Role))
	}
	if CheckKey("name", p.Name) != nil {
		e.Add("name", "must be 1 to %d bytes of UTF-8 without NUL", MaxKey)
	}
	return e.Err()
}

// CheckQueue refuses a queue that jobs can't be moved to.
func CheckQueue(queue string) error {
	if !callmodel.ValidID(queue) {
		return callmodel.FieldErrors{{Path: "queue", Message: "is not a valid id; give a host's name, or " + ledger.DefaultQueue}}
	}
	return nil
}

// Movable reports whether the job can be moved to the queue: it is waiting, or set
// aside, in another.
func Movable(j *ledger.Job, to string) bool {
	return (j.State == ledger.Queued || j.State == ledger.Quarantined) && j.Queue != to
}

// MovedLine is the audit line of a job that a person moved to another queue.
func MovedLine(j *ledger.Job, to, actor string) callmodel.AuditEvent {
	detail := jobDetail(j.Kind, j.CallID, j.Key)
	detail["from"], detail["to"] = j.Queue, to
	return callmodel.AuditEvent{TenantID: j.TenantID, Actor: actor, Action: callmodel.AuditJobMoved, Subject: string(j.ID), Detail: detail}
}

// Names is a list of names as a column holds it: "" for nil.
func Names(names []string) string {
	if len(names) == 0 {
		return ""
	}
	b, err := json.Marshal(names)
	if err != nil { // no string is refused
		return ""
	}
	return Text(string(b), ledger.MaxPayload)
}

// ParseNames reads what [Names] wrote. What can't be read is every name: a queue is
// rather not alarmed.
func ParseNames(text string) []string {
	var names []string
	if json.Unmarshal([]byte(text), &names) != nil {
		return nil
	}
	return names
}

// QueuesLimit is the limit of a list of queues that was asked for n.
func QueuesLimit(n int) int { return limit(n, defaultJobs, maxJobs) }

// InUse is a queue of which some worker runs jobs of a kind.
type InUse struct{ Kind, Queue string }

// Serve fills in by whom the queues are served, and sorts them, those whose jobs
// wait longest first.
func Serve(queues []ledger.QueueState, inUse map[InUse]bool, there []ledger.Presence) []ledger.QueueState {
	for i := range queues {
		q := &queues[i]
		q.Workers = 0
		for j := range there {
			if there[j].Serves(q.Kind, q.Queue) {
				q.Workers++
			}
		}
		q.Served = q.Workers > 0 || inUse[InUse{q.Kind, q.Queue}]
	}
	slices.SortFunc(queues, func(a, b ledger.QueueState) int {
		return cmp.Or(cmp.Compare(b.Oldest, a.Oldest), strings.Compare(a.Queue, b.Queue), strings.Compare(a.Kind, b.Kind))
	})
	return queues
}
