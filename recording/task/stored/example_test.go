package stored_test

import (
	"context"
	"fmt"

	_ "gocloud.dev/blob/memblob"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A recording is made, and read back. The job that reads it back may be enqueued before
// the recording is there: it waits. A service has its ledger in a database.
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
	kinds, err := task.NewKinds(stored.Kinds(stored.NewLibrary(jobs, bucket), nil)...)
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
	verified := ledger.Request{Kind: stored.KindVerify, TenantID: "acme", Key: "first", Payload: []byte(`{"recording": {"call_id": "call-1"}}`)}
	if err := kinds.Check(&verified); err != nil {
		fmt.Println(err)
		return
	}
	for _, job := range []ledger.Request{verified, recorded} {
		if _, _, err := jobs.Enqueue(ctx, job); err != nil {
			fmt.Println(err)
			return
		}
	}
	w := worker.New(jobs, recording.NewProcessor(sampleLegs{}, bucket, nil), &worker.Options{
		Kinds: kinds, Concurrency: 1,
		Finished: func(r worker.Report) {
			if r.Outcome == worker.Done {
				fmt.Println(r.Job.Kind, r.Outcome)
			}
			if r.Outcome == worker.Done && r.Job.Kind == stored.KindVerify {
				stop()
			}
		},
	})
	fmt.Println(w.Run(ctx))
	// Output:
	// record done
	// verify done
	// <nil>
}
