package lifecycle_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A call is recorded, and a week later its leg is deleted.
func Example() {
	ctx, end := context.WithTimeout(context.Background(), time.Minute)
	defer end()
	dir, err := os.MkdirTemp("", "lifecycle")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	clock := &clock{at: time.Now()}
	db, legs := memdb.New(clock.now), local.NewDir(filepath.Join(dir, "legs"))
	defer legs.Close()
	store, err := storage.Open(ctx, "file://"+filepath.Join(dir, "bucket"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	deleter, err := lifecycle.NewLegs(db, legs, stored.NewLibrary(db, store), lifecycle.Options{Keep: 7 * 24 * time.Hour, Now: clock.now})
	if err != nil {
		fmt.Println(err)
		return
	}

	leg := filepath.Join(dir, "legs", "agent.wav")
	_ = os.Mkdir(filepath.Dir(leg), 0o700)
	_ = os.WriteFile(leg, samplecall.Agent(), 0o600)
	job, _ := record.NewJob(newSpec("c1", "agent.wav"), "", 0)
	_, _, _ = db.Enqueue(ctx, job)

	done := make(chan string)
	kinds, _ := task.NewKinds(deleter.Kind())
	w := worker.New(db, recording.NewProcessor(legs, store, nil), &worker.Options{
		AllLegs: true, Kinds: kinds, Poll: 5 * time.Millisecond, MissingLegWait: -1, Quiet: -1,
		Finished: func(r worker.Report) { done <- r.Job.Kind },
	})
	running, stop := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- w.Run(running) }() // and deleter.Run, beside it
	fmt.Println(<-done)
	clock.advance(8 * 24 * time.Hour)
	n, err := deleter.Sweep(ctx)
	fmt.Println(n, err)
	fmt.Println(<-done)
	stop()
	fmt.Println(<-stopped)
	_, err = os.Stat(leg)
	fmt.Println(os.IsNotExist(err))
	jobs, _ := db.Jobs(ctx, ledger.Filter{Kind: lifecycle.KindDeleteLegs, State: ledger.Done})
	fmt.Println(len(jobs))
	// Output:
	// record
	// 1 <nil>
	// delete-legs
	// <nil>
	// true
	// 1
}
