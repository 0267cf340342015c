package storeform

import (
	"cmp"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
)

// Lane is a part of the line: in each the tenants take turns.
type Lane int

// The lanes.
const (
	Fresh   Lane = 0
	Backlog Lane = 1
)

// LaneOf is the lane of a job that was enqueued at created: it is fresh in the period of
// half of ledger.FreshFor in which it was enqueued, and in the next one.
func LaneOf(created, now time.Time) Lane {
	const period = int64(ledger.FreshFor/2) / int64(time.Microsecond)
	if Micros(created)/period < Micros(now)/period-1 {
		return Backlog
	}
	return Fresh
}

// Turn is whose turn it is: which tenant was served last in each lane, and how many
// jobs were claimed while there were some in both. The zero value begins.
type Turn struct {
	Last   [2]callmodel.TenantID
	Served int64
}

// Share is how many of the next n jobs are the backlog's when there are fresh ones, too.
func (t *Turn) Share(n int) int {
	return int((t.Served+int64(n))/ledger.BacklogShare - t.Served/ledger.BacklogShare)
}

// Turns keeps the turn of a store for all who claim from it at once. Each process has
// its own: every one of them goes round the tenants, so they do together.
type Turns struct {
	mu   sync.Mutex
	turn Turn
}

// Turn is whose turn it is now.
func (t *Turns) Turn() Turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.turn
}

// Set notes a claim that was made.
func (t *Turns) Set(turn Turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn = turn
}

// Urgent is the order of the leases of one claim: emergency calls' recordings, then by
// priority, then the oldest first.
func Urgent(a, b ledger.Lease) int {
	if a.Job.Emergency != b.Job.Emergency {
		return map[bool]int{true: -1, false: 1}[a.Job.Emergency]
	}
	return cmp.Or(cmp.Compare(b.Job.Priority, a.Job.Priority), cmp.Compare(a.Job.ID, b.Job.ID))
}

// PerTenant is how many of n jobs each of that many tenants may have: all but the
// last ones may get one more than their part.
func PerTenant(n, tenants int) int { return (n + tenants - 1) / max(tenants, 1) }
