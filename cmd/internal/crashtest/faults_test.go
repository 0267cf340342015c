//go:build linux

package crashtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// chance is the time and the choices of one who makes faults.
type chance struct{ *rand.Rand }

// between is a time of at least from and less than to.
func (c chance) between(from, to time.Duration) time.Duration {
	return from + time.Duration(c.Int64N(int64(to-from)))
}

// fault is something that goes wrong for a while. Those of the same place come one after
// the other.
type fault struct {
	name, place string
	share       int
	do          func(s *scene, c chance)
}

// hold is for how long a fault goes on.
func (c chance) hold() { time.Sleep(c.between(200*time.Millisecond, 3*time.Second)) }

func faults() []fault {
	list := []fault{
		{"disk full", "disk", 3, (*scene).fillDisk},
		{"clock set", "clock", 4, (*scene).setClock},
		{"stood still past its lease", "sleeper", 5, (*scene).suspend},
		{"stood still in its uploads", "bucket", 4, (*scene).suspendBusy},
		{"a day passes", "time", 2, (*scene).passTime},
		{"NATS restarted", "nats", 2, func(s *scene, c chance) {
			s.nats.Kill()
			time.Sleep(c.between(0, time.Second)) // the outage
			s.nats.Start(s.t)
		}},
		{"messages sent again", "messages", 3, (*scene).sendAgain},
		{"database restarted", "database", 2, func(s *scene, c chance) { s.restartDB(c, (*pgtest.Server).Stop) }},
		{"database crashed", "database", 2, func(s *scene, c chance) { s.restartDB(c, (*pgtest.Server).Crash) }},
	}
	for _, b := range []struct {
		name string
		of   func(s *scene) *bucket
	}{{"bucket", func(s *scene) *bucket { return &s.home }}, {"backup", func(s *scene) *bucket { return &s.backup }}} {
		share := map[string]int{"bucket": 2, "backup": 1}[b.name]
		list = append(list,
			fault{b.name + " throttled", b.name, 2 * share, func(s *scene, c chance) {
				b.of(s).front.refuse(503, "SlowDown", []string{"", "1", "2"}[c.IntN(3)])
				c.hold()
				b.of(s).front.let()
			}},
			fault{b.name + " forbidden", b.name, share, func(s *scene, c chance) {
				b.of(s).front.refuse(403, "ExpiredToken", "")
				c.hold()
				b.of(s).front.let()
			}})
		list = append(list, lineFaults(b.name, share, func(s *scene) *line { return b.of(s).line })...)
	}
	list = append(list, lineFaults("nats", 1, func(s *scene) *line { return s.natsLine })...)
	return append(list, lineFaults("database", 1, func(s *scene) *line { return s.dbLines[s.primary] })...)
}

// lineFaults are those of a line.
func lineFaults(name string, share int, of func(s *scene) *line) []fault {
	spoiled := func(toxics ...toxic) func(s *scene, c chance) {
		return func(s *scene, c chance) {
			l := of(s)
			l.spoil(s.t, toxics...)
			c.hold()
			l.clear()
		}
	}
	return []fault{
		{name + " cut", name, 2 * share, func(s *scene, c chance) {
			l := of(s)
			l.cut()
			c.hold()
			l.mend(s.t)
		}},
		{name + " hiccup", name, 2 * share, func(s *scene, _ chance) {
			l := of(s)
			l.cut()
			l.mend(s.t)
		}},
		{name + " silent", name, 2 * share, spoiled(mute())},
		{name + " slow", name, share, spoiled(late(150))},
		{name + " narrow", name, share, spoiled(narrow(40))},
	}
}

// fillDisk has nothing left on the small disk for a while.
func (s *scene) fillDisk(c chance) {
	ballast := filepath.Join(s.small, "ballast")
	f, err := os.Create(ballast)
	require.NoError(s.t, err)
	part := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(part)
	}
	require.ErrorIs(s.t, err, syscall.ENOSPC)
	require.NoError(s.t, f.Close())
	c.hold()
	require.NoError(s.t, os.Remove(ballast))
}

// setClock sets the clock of one of our machines.
func (s *scene) setClock(c chance) {
	all := s.all()
	all[c.IntN(len(all))].setClock(s.t, c.between(-30*time.Hour, 30*time.Hour))
}

// suspend has one of our processes stand still for longer than a lease.
func (s *scene) suspend(c chance) {
	all := s.all()
	all[c.IntN(len(all))].suspend(leaseTTL + c.between(500*time.Millisecond, 2*time.Second))
}

// suspendBusy is suspend for a worker that has jobs, and is in the middle of them as its
// bucket is slow. Others have time to take them meanwhile, and to end them.
func (s *scene) suspendBusy(c chance) {
	const slow = 700 // ms
	s.home.line.spoil(s.t, late(slow))
	time.Sleep(c.between(slow*time.Millisecond, 4*slow*time.Millisecond)) // jobs begin
	var stopped sync.WaitGroup
	stopped.Go(func() { s.workers[c.IntN(len(s.workers))].suspend(2*leaseTTL + c.between(0, 2*time.Second)) })
	time.Sleep(slow * time.Millisecond) // it stands still
	s.home.line.clear()
	stopped.Wait()
}

// restartDB stops the database, and starts it after an outage.
func (s *scene) restartDB(c chance, stop func(*pgtest.Server)) {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	stop(s.primary)
	time.Sleep(c.between(0, time.Second)) // the outage
	s.primary.Start(s.t)
}

// failOver ends the database's server for good. Its standby takes over, and gets one of its
// own.
func (s *scene) failOver() {
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	lost, next := s.primary, s.standby
	lost.Crash()
	next.Promote(s.t)
	s.primary = next
	s.standby = next.StandbyAt(s.t, s.ports.take(s.t))
	s.dbLines[s.standby] = s.dbLines[lost]
	s.dbLines[s.standby].leadTo(s.t, s.standby.Address)
	delete(s.dbLines, lost)
}

// passTime has the jobs that are done be two hours older, so that their legs may be deleted.
// It notes which ones before.
func (s *scene) passTime(chance) {
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	c, err := pgx.Connect(ctx, s.primary.URL)
	require.NoError(s.t, err)
	var through int64
	err = c.QueryRow(ctx, `SELECT COALESCE(max(seq), 0) FROM jobs`).Scan(&through)
	if err == nil {
		err = s.aged.age(ctx, c, through)
	}
	require.NoError(s.t, errors.Join(err, c.Close(ctx)))
}

// run makes faults until ctx ends, one after the other. Places that another has are left.
func (s *scene) run(ctx context.Context, c chance, pause time.Duration) {
	all := faults()
	total := 0
	for i := range all {
		if all[i].place == "disk" && s.small == "" {
			all[i].share = 0
		}
		total += all[i].share
	}
	for ctx.Err() == nil {
		f := pick(all, c.IntN(total))
		wait := c.between(0, 2*pause)
		if place := s.places[f.place]; place.TryLock() {
			f.do(s, c)
			place.Unlock()
			s.count(f.name)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

func pick(all []fault, n int) *fault {
	for i := range all {
		if n -= all[i].share; n < 0 {
			return &all[i]
		}
	}
	return nil
}

func (s *scene) count(name string) {
	s.countMu.Lock()
	defer s.countMu.Unlock()
	s.counts[name]++
}

// newPlaces is a lock of each place of faults.
func newPlaces() map[string]*sync.Mutex {
	m := map[string]*sync.Mutex{}
	for _, f := range faults() {
		m[f.place] = &sync.Mutex{}
	}
	return m
}
