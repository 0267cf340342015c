//go:build unix

package command_test

import (
	"context"
	"fmt"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/command"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// The program that a job names is run on the recording's files, and what it writes is the
// job's result.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	bucket, err := storage.Open(ctx, "mem://", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer bucket.Close()
	jobs := memdb.New(nil)
	kinds, err := task.NewKinds(command.New(stored.NewLibrary(jobs, bucket), command.Programs{
		"size": {"/bin/sh", "-c", `printf '{"bytes": %d}' "$(wc -c <recording.wav)"`},
	}, &command.Options{MaxMemory: 256 << 20}))
	if err != nil {
		fmt.Println(err)
		return
	}
	recorded, err := record.NewJob(record.Spec{
		TenantID: "acme", CallID: "call-1", RecordingID: "call-1", StartedAt: begun,
		Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")}, Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
	}, "", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, job := range []ledger.Request{recorded, {
		Kind: command.Kind, TenantID: "acme", Key: "first", Payload: []byte(`{"command": "size", "recording": {"call_id": "call-1"}}`),
	}} {
		if _, _, err := jobs.Enqueue(ctx, job); err != nil {
			fmt.Println(err)
			return
		}
	}
	w := worker.New(jobs, recording.NewProcessor(sampleLegs{}, bucket, nil), &worker.Options{Kinds: kinds, Finished: func(r worker.Report) {
		if r.Outcome == worker.Done && r.Job.Kind == command.Kind {
			fmt.Println(string(r.JSON))
			stop()
		}
	}})
	fmt.Println(w.Run(ctx))
	// Output:
	// {"bytes":789462}
	// <nil>
}
