//go:build linux

package crashtest

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// hours is how much older jobs become.
const hours = 2 * time.Hour

// aged are the recordings whose jobs were made older: those whose legs may be deleted.
type aged struct {
	mu  sync.Mutex
	ids map[string]bool
}

// age makes the jobs older, up to that row, that weren't made so before; those that are done
// are noted, and first, as nobody may be told of a commit. All of them get older, as a look for
// legs ends where jobs are too young to have any that are due.
func (a *aged) age(ctx context.Context, c *pgx.Conn, through int64) error {
	const these = ` seq <= $1 AND created_at > (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - $2::bigint / 2`
	rows, err := c.Query(ctx, "SELECT seq, COALESCE(NULLIF(call_id, ''), recording_id) FROM jobs WHERE kind = 'record' AND state = 'done' AND"+these, through, hours.Microseconds())
	if err != nil {
		return err
	}
	var seqs []int64
	for rows.Next() {
		var seq int64
		var id string
		if err := rows.Scan(&seq, &id); err != nil {
			return err
		}
		seqs = append(seqs, seq)
		a.mu.Lock()
		a.ids[id] = true
		a.mu.Unlock()
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if _, err = c.Exec(ctx, `UPDATE jobs SET finished_at = finished_at - $2::bigint WHERE seq = ANY($3) AND`+these, through, hours.Microseconds(), seqs); err != nil {
		return err
	}
	_, err = c.Exec(ctx, `UPDATE jobs SET created_at = created_at - $2::bigint WHERE`+these, through, hours.Microseconds())
	return err
}

func (a *aged) has(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ids[id]
}

// gone are the calls of which a leg was there and isn't any more.
func (s *scene) gone(made []call) ([]*call, error) {
	entries, err := os.ReadDir(s.legs.dir)
	if err != nil {
		return nil, err
	}
	there := make(map[string]bool, len(entries))
	for _, e := range entries {
		there[e.Name()] = true
	}
	var gone []*call
	for i := range made {
		k := made[i].kind
		if k.agent != "" && !there[made[i].id+"-agent.wav"] || k.client != "" && !there[made[i].id+"-customer.wav"] {
			gone = append(gone, &made[i])
		}
	}
	return gone, nil
}

// watchLegs looks for legs that are deleted too early, until ctx ends.
func (s *scene) watchLegs(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	told := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		gone, err := s.gone(s.callsMade())
		if err != nil {
			s.t.Error(err)
			return
		}
		for _, c := range gone {
			if !s.aged.has(c.id) && !told[c.id] {
				told[c.id] = true
				s.t.Errorf("%s (%s): a leg was deleted, and its recording isn't an hour old", c.id, c.kind.name)
			}
		}
	}
}
