package worker_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// A worker runs until its context ends, and then drains. The processor here
// only says what it was asked for; a recording.Processor makes the recording.
func Example() {
	dir, err := os.MkdirTemp("", "worker")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	jobLedger, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer jobLedger.Close()
	if _, err := jobLedger.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}
	if _, _, err := jobLedger.Enqueue(ctx, ledger.Request{Spec: spec("call-1")}); err != nil {
		fmt.Println(err)
		return
	}
	w := worker.New(jobLedger, announcer{}, &worker.Options{
		Finished: func(r worker.Report) {
			fmt.Println(r.Outcome, r.Result.Status)
			stop()
		},
	})
	fmt.Println(w.Run(ctx))
	// Output:
	// call-1: 1 leg, as wav
	// done completed
	// <nil>
}

type announcer struct{}

func (announcer) Process(_ context.Context, s record.Spec, _ *recording.ProcessOptions) (record.Result, error) {
	fmt.Printf("%s: %d leg, as %s\n", s.CallID, len(s.Legs), s.Outputs[0].Codec)
	return record.Result{Status: record.StatusCompleted}, nil
}
