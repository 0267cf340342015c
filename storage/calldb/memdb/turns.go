package memdb

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// inTurn picks up to n of the due jobs, which are in the order of their creation:
// emergency calls' recordings, then the fresh ones and the backlog by their shares. In
// both the tenants take turns.
func (s *Store) inTurn(due []*job, n int, now time.Time) []*job {
	var picked []*job
	var lanes [2]map[callmodel.TenantID][]*job
	for i := range lanes {
		lanes[i] = map[callmodel.TenantID][]*job{}
	}
	for _, j := range due {
		if j.Emergency {
			if len(picked) < n {
				picked = append(picked, j)
			}
			continue
		}
		lane := storeform.LaneOf(j.CreatedAt, now)
		lanes[lane][j.TenantID] = append(lanes[lane][j.TenantID], j)
	}
	turn := s.turns.Turn()
	left := n - len(picked)
	share := left
	if len(lanes[storeform.Fresh]) > 0 && len(lanes[storeform.Backlog]) > 0 {
		share = left - turn.Share(left)
		turn.Served += int64(left)
	}
	for _, part := range []struct {
		lane storeform.Lane
		most int
	}{{storeform.Fresh, share}, {storeform.Backlog, left}, {storeform.Fresh, left}} {
		got := goRound(lanes[part.lane], &turn.Last[part.lane], min(part.most, left))
		picked, left = append(picked, got...), left-len(got)
	}
	s.turns.Set(turn)
	return picked
}

// goRound takes up to n of the tenants' jobs, one of each in turn, beginning behind the
// tenant last, which becomes the one that was served last.
func goRound(of map[callmodel.TenantID][]*job, last *callmodel.TenantID, n int) []*job {
	for _, jobs := range of {
		slices.SortStableFunc(jobs, func(a, b *job) int { return cmp.Compare(b.Priority, a.Priority) })
	}
	var picked []*job
	for len(picked) < n && len(of) > 0 {
		tenants := slices.Sorted(maps.Keys(of))
		at, found := slices.BinarySearch(tenants, *last)
		if found {
			at++
		}
		*last = tenants[at%len(tenants)]
		jobs := of[*last]
		picked, of[*last] = append(picked, jobs[0]), jobs[1:]
		if len(jobs) == 1 {
			delete(of, *last)
		}
	}
	return picked
}
