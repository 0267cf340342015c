package callservice_test

import (
	"context"
	"encoding"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// disk is a directory of snapshots on a disk that hangs until it is released, or
// that fails as often as it is told.
type disk struct {
	*snapshot.Dir

	release chan struct{} // nil: it doesn't hang
	fails   atomic.Int32
	used    atomic.Int32
}

func newDisk(t *testing.T, path string) *disk {
	t.Helper()
	dir, err := snapshot.Open(path)
	require.NoError(t, err)
	return &disk{Dir: dir}
}

func (d *disk) pass() error {
	d.used.Add(1)
	if d.release != nil {
		<-d.release
	}
	if d.fails.Add(-1) >= 0 {
		return errors.New("the disk is full")
	}
	return nil
}

func (d *disk) HasRules(t callmodel.TenantID, hash string) bool {
	return d.pass() == nil && d.Dir.HasRules(t, hash)
}

func (d *disk) Rules(t callmodel.TenantID, hash string) (*routing.Router, error) {
	if err := d.pass(); err != nil {
		return nil, err
	}
	return d.Dir.Rules(t, hash)
}

func (d *disk) SaveRules(t callmodel.TenantID, hash string, rs encoding.BinaryMarshaler) error {
	if err := d.pass(); err != nil {
		return err
	}
	return d.Dir.SaveRules(t, hash, rs)
}

func (d *disk) SaveState(s snapshot.State) error {
	if err := d.pass(); err != nil {
		return err
	}
	return d.Dir.SaveState(s)
}

func (d *disk) SaveWithout(tenants []callmodel.TenantID) error {
	if err := d.pass(); err != nil {
		return err
	}
	return d.Dir.SaveWithout(tenants)
}

// TestCallsWaitForNoDisk: while the snapshot's disk hangs, tenants' first calls
// are routed and stored, rules are installed and refreshed, and emergency calls
// that could not be stored at once are stored. What is in service is written when
// the disk is back.
func TestCallsWaitForNoDisk(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	path := t.TempDir()
	d := newDisk(t, path)
	d.release = make(chan struct{})
	f := newFaulty(db)
	s := over(f, callservice.Options{Snapshot: d, RulesRefresh: 5 * time.Millisecond})
	for i := range 3 {
		install(t, over(db, callservice.Options{}), callmodel.TenantID(fmt.Sprint("tenant-", i)), rules)
	}
	stop := run(t, s)
	first := func(tenant callmodel.TenantID) {
		t.Helper()
		c, err := s.Create(t.Context(), tenant, nyc(""), "test", nil)
		require.NoError(t, err)
		assert.Equal(t, "nyc", c.Call.Decision.Rule)
	}
	first("tenant-0")
	require.Eventually(t, func() bool { return d.used.Load() > 0 }, 30*time.Second, time.Millisecond, "the disk hangs in Run")
	first("tenant-1")
	install(t, s, "acme", rules)
	create(t, s, nyc(""))
	f.set(down)
	help := create(t, s, sos(""))
	f.set(healthy)
	require.Eventually(t, func() bool { _, err := db.Call(t.Context(), "acme", help.ID); return err == nil }, 30*time.Second, time.Millisecond)
	moved := install(t, over(db, callservice.Options{}), "acme", renamed("moved"))
	require.Eventually(t, func() bool { return dry(t, s, "") == "moved" }, 30*time.Second, time.Millisecond)
	_, err := s.Create(t.Context(), "poor", nyc(""), "test", nil)
	require.NoError(t, err)
	assert.EqualValues(t, 1, d.used.Load(), "nobody but Run waits for it")
	close(d.release)
	first("tenant-2")
	require.Eventually(t, func() bool {
		tenants, without, err := d.Load()
		return err == nil && len(tenants) == 4 && tenants[0].Active == moved && len(without) == 1
	}, 30*time.Second, 5*time.Millisecond)
	stop()

	down := newFaulty(db)
	down.set(hanging)
	again := over(down, callservice.Options{Snapshot: newDisk(t, path)})
	require.NoError(t, again.LoadSnapshot(t.Context()))
	in := again.RulesInService()
	assert.Equal(t, 4, in.Tenants)
	assert.Equal(t, 4, in.FromSnapshot)
	assert.Equal(t, "moved", dry(t, again, ""))
	_, err = again.Try(t.Context(), "poor", nyc(""), noon)
	requireCode(t, callmodel.CodeNoRoute, err)
}

// TestSnapshotIsTriedAgain: a write that failed is counted and made good, and
// what is written last is what is in service.
func TestSnapshotIsTriedAgain(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := newDisk(t, path)
	d.fails.Store(3)
	s := over(memdb.New(nil), callservice.Options{Snapshot: d, RulesRefresh: time.Millisecond})
	stop := run(t, s)
	install(t, s, "acme", rules)
	require.Eventually(t, func() bool { return s.RulesInService().SnapshotFailures > 0 && d.fails.Load() < 0 }, 30*time.Second, time.Millisecond)
	trial := put(t, s, renamed("trial"))
	change(t, s, canary(trial, rulesets.AllCalls))
	stop()
	require.Eventually(t, func() bool { // a slow disk takes longer than the end waits
		tenants, _, err := d.Load()
		return err == nil && len(tenants) == 1 && tenants[0].Canary != nil && tenants[0].Canary.Hash == trial && tenants[0].Versions.Canary != nil
	}, 30*time.Second, 5*time.Millisecond)
}

// bodiless are stores that have lost the texts of the rules.
type bodiless struct{ callservice.Stores }

func (bodiless) RuleSet(context.Context, callmodel.TenantID, string) (rulesets.Version, error) {
	return rulesets.Version{}, callmodel.Errorf(callmodel.CodeUnavailable, "it takes too long")
}

// TestRollbackFromSnapshot: the version before is compiled already, on the disk.
func TestRollbackFromSnapshot(t *testing.T) {
	t.Parallel()
	db := bodiless{memdb.New(nil)}
	d := newDisk(t, t.TempDir())
	s := over(db, callservice.Options{Snapshot: d, RulesRefresh: time.Millisecond})
	run(t, s)
	for _, name := range []string{"first", "second"} {
		hash := install(t, s, "acme", renamed(name))
		require.Eventually(t, func() bool { return d.Dir.HasRules("acme", hash) }, 30*time.Second, time.Millisecond)
	}
	change(t, s, rulesets.Change{Action: rulesets.ActionRollback})
	assert.Equal(t, "first", dry(t, s, ""))
}

// TestEndDoesNotWaitForTheDisk: Run ends though the snapshot can't be written.
func TestEndDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	d := newDisk(t, t.TempDir())
	d.release = make(chan struct{})
	d.fails.Store(100) // what hung writes nothing afterwards into a directory that goes
	defer close(d.release)
	s := on(t, memdb.New(nil), callservice.Options{Snapshot: d})
	run(t, s)()
	assert.EqualValues(t, 1, d.used.Load())
}
