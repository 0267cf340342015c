package ledger

import (
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Role is what a process does with the ledger.
type Role string

// The roles of processes.
const (
	RoleWorker Role = "worker" // claims jobs
	RoleAPI    Role = "api"    // takes calls and recordings
	// RoleVerifier compares what should be of recordings with what there is, if it is the
	// first of them. It is a part of a worker's or an API's process.
	RoleVerifier Role = "verifier"
)

// How often processes say that they are there, and what their silence means.
const (
	PresenceEvery = 15 * time.Second
	// PresenceTTL is for how long a process counts as there after it said so.
	PresenceTTL = 3 * PresenceEvery
	// UnservedAfter is how long jobs that can run may wait in a queue that nobody
	// serves before that is a fault: a worker may have been started anew.
	UnservedAfter = time.Minute
)

// Presence is a process that says that it is there.
type Presence struct {
	Role   Role      `json:"role"`
	Name   string    `json:"name"`             // its own within the role
	Queues []string  `json:"queues,omitempty"` // that a worker serves; nil for every queue
	Kinds  []string  `json:"kinds,omitempty"`  // of job that it does, or what else it is for; nil for every kind
	Since  time.Time `json:"since"`            // by the database's clock, as Seen is; the ledger sets both
	Seen   time.Time `json:"seen"`
}

// Serves reports whether the process runs jobs of that kind in that queue; of any kind
// for "".
func (p *Presence) Serves(kind, queue string) bool {
	return p.Role == RoleWorker && (len(p.Queues) == 0 || slices.Contains(p.Queues, queue)) && (kind == "" || p.Does(kind))
}

// Does reports whether the process runs jobs of that kind.
func (p *Presence) Does(kind string) bool { return len(p.Kinds) == 0 || slices.Contains(p.Kinds, kind) }

// QueueState is how the jobs of a kind in a queue stand that aren't at their end.
type QueueState struct {
	Kind    string        `json:"kind"`
	Queue   string        `json:"queue"`
	Queued  int64         `json:"queued"`
	Due     int64         `json:"due"` // of the queued ones, those that can run now
	Running int64         `json:"running"`
	Oldest  time.Duration `json:"-"`       // how long the oldest due one has been able to run
	Workers int           `json:"workers"` // processes that say that they serve it
	// Served says that somebody does: a worker, or a job of it is running, as one
	// that says nothing may run it.
	Served bool `json:"served"`
}

// Unserved reports whether jobs wait there for nobody.
func (q *QueueState) Unserved() bool { return q.Due > 0 && !q.Served && q.Oldest >= UnservedAfter }

// QueueFilter selects queues.
type QueueFilter struct {
	TenantID callmodel.TenantID // counts this tenant's jobs only; "" for every tenant's
	Limit    int                // those whose jobs wait longest; 0 means 100, at most 1000
}
