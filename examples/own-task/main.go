// Command own-task has a kind of job of its own: it bills a call by the second. The job is
// enqueued in the transaction that stores the call's end, and a worker does it.
//
//	go run ./examples/own-task
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// bill is the payload of the kind, and how it is checked.
type bill struct {
	CentsPerMinute int `json:"cents_per_minute"`
}

func (b *bill) Validate() error {
	var e callmodel.FieldErrors
	if b.CentsPerMinute < 1 || b.CentsPerMinute > 1000 {
		e.Add("cents_per_minute", "must be 1 to 1000, is %d", b.CentsPerMinute)
	}
	return e.Err()
}

// billing is the kind: a name, a payload, and who does it. What do returns is the job's
// result; its error would say what becomes of the job.
func billing(db *calldb.DB) task.Kind {
	return task.Of("bill", func(ctx context.Context, j *task.Job, b bill) (any, error) {
		call, err := db.Call(ctx, j.TenantID, j.CallID)
		if err != nil {
			return nil, err
		}
		seconds := int(call.EndedAt.Sub(call.AnsweredAt).Seconds())
		return map[string]int{"seconds": seconds, "cents": (seconds*b.CentsPerMinute + 59) / 60}, nil
	})
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "own-task:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "own-task-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "calls.db")), nil)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}
	kinds, err := task.NewKinds(billing(db))
	if err != nil {
		return err
	}

	// A call ends, and its bill is asked for with the same event: there is never one
	// without the other. The same event again changes nothing.
	answered := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	if _, err := db.CreateCall(ctx, calls.NewCall{Call: calls.Call{ID: "call-1", TenantID: "acme", State: calls.Routed, CreatedAt: answered}}); err != nil {
		return err
	}
	job := ledger.Request{Kind: "bill", Key: "call-1", Payload: []byte(`{"cents_per_minute": 3}`)}
	if err := kinds.Check(&job); err != nil {
		return err
	}
	for _, event := range []calls.Event{
		{ID: "e1", Type: calls.EventAnswered, At: answered},
		{ID: "e2", Type: calls.EventEnded, At: answered.Add(90 * time.Second), Jobs: []ledger.Request{job}},
	} {
		if _, err := db.AppendEvent(ctx, "acme", "call-1", event, "telephone server", nil); err != nil {
			return err
		}
	}

	ctx, stop := context.WithCancel(ctx)
	return worker.New(db, nil, &worker.Options{Kinds: kinds, Finished: func(r worker.Report) {
		fmt.Printf("%s %s of %s: %s %s\n", r.Job.Kind, r.Job.Key, r.Job.TenantID, r.Outcome, r.JSON)
		stop()
	}}).Run(ctx)
}
