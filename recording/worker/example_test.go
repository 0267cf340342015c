package worker_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"

	_ "gocloud.dev/blob/memblob"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A worker takes jobs from a ledger, makes their recordings of the legs, and puts
// them in a bucket, until its context ends; then it drains. A service has its
// ledger in a database, with calldb.Open.
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
	job, err := record.NewJob(spec("call-1"), "", 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, _, err := jobs.Enqueue(ctx, job); err != nil {
		fmt.Println(err)
		return
	}
	w := worker.New(jobs, recording.NewProcessor(sampleLegs{}, bucket, nil), &worker.Options{
		Finished: func(r worker.Report) {
			fmt.Println(r.Outcome, r.Result.Status, r.Result.Duration, path.Base(r.Result.Outputs[0].Key))
			stop()
		},
	})
	fmt.Println(w.Run(ctx))
	// Output:
	// done completed 49.339s call-1.v1.wav
	// <nil>
}

// sampleLegs opens the agent's leg of a call made of real speech.
type sampleLegs struct{}

func (sampleLegs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	if uri != "agent.wav" {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(samplecall.Agent())), nil
}
