// Command transcribe shows the hook for transcription: it records the sample call, and
// has a job of the kind "command" split each party's speech into chunks, by the times
// that the recording's analysis has found, and recognise them one by one. Silence is
// left out. The recogniser is a program: recognise.sh asks Debian's pocketsphinx where
// that is installed, and else says how long the chunk is.
//
//	go run ./examples/transcribe [RECOGNISER]
//
// The worker's configuration alone says which program is run, as
//
//	switchtape-worker --command 'transcribe=/opt/stt/transcribe --model small' …
//
// does. Here it is this program itself, as "transcribe chunks RECOGNISER": see chunks.go.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/command"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
)

//go:embed recognise.sh
var recognise []byte

func main() {
	do := func() error { return run(context.Background(), os.Args[1:]) }
	if len(os.Args) == 3 && os.Args[1] == "chunks" { // as the job's program
		do = func() error { return chunks(context.Background(), ".", os.Args[2], os.Stdout) }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "transcribe:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	dir, err := os.MkdirTemp("", "transcribe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	recogniser := filepath.Join(dir, "recognise.sh")
	if err := os.WriteFile(recogniser, recognise, 0o700); err != nil {
		return err
	}
	if len(args) > 0 {
		if recogniser, err = filepath.Abs(args[0]); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	db, bucket, legs, err := open(ctx, dir)
	if err != nil {
		return err
	}
	defer db.Close()
	defer bucket.Close()
	defer legs.Close()
	kinds, err := task.NewKinds(command.New(stored.NewLibrary(db, bucket), command.Programs{"transcribe": {self, "chunks", recogniser}}, nil))
	if err != nil {
		return err
	}
	if err := end(ctx, db); err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	var failed error
	err = worker.New(db, recording.NewProcessor(legs, bucket, nil), &worker.Options{AllLegs: true, Kinds: kinds, Finished: func(r worker.Report) {
		switch {
		case r.Outcome == worker.Quarantined:
			failed = r.Err
			stop()
		case r.Job.Kind == command.Kind && r.Outcome == worker.Done:
			failed = show(r.JSON)
			stop()
		}
	}}).Run(ctx)
	if err != nil {
		return err
	}
	return failed
}

// open makes a database, a bucket, and a directory with the sample call's legs.
func open(ctx context.Context, dir string) (*calldb.DB, *storage.Store, *local.Dir, error) {
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "calls.db")), nil)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return nil, nil, nil, err
	}
	bucket, err := storage.Open(ctx, "file://"+filepath.ToSlash(filepath.Join(dir, "recordings")), nil)
	if err != nil {
		return nil, nil, nil, err
	}
	if _, _, err := samplecall.WriteLegs(dir); err != nil {
		return nil, nil, nil, err
	}
	legs, err := local.OpenDir(dir)
	return db, bucket, legs, err
}

// end tells that the sample call has ended. With the event its transcript is asked for,
// too: that job waits until the recording is there.
func end(ctx context.Context, db *calldb.DB) error {
	answered := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	call := calls.Call{ID: "call-1", TenantID: "acme", State: calls.Routed, CreatedAt: answered, Recording: &calls.RecordingPreference{
		Enabled: true, Outputs: []record.OutputSpec{
			{Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 16000}, {Codec: record.CodecAnalysis},
		},
	}}
	if _, err := db.CreateCall(ctx, calls.NewCall{Call: call}); err != nil {
		return err
	}
	transcript := ledger.Request{Kind: command.Kind, Key: "call-1.transcript", Payload: []byte(`{"command": "transcribe", "recording": {"call_id": "call-1"}}`)}
	for _, event := range []calls.Event{
		{ID: "e1", Type: calls.EventAnswered, At: answered},
		{
			ID: "e2", Type: calls.EventEnded, At: answered.Add(52 * time.Second), Jobs: []ledger.Request{transcript},
			Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav"), record.NewLeg("customer", "customer.wav").At(2 * time.Second)},
		},
	} {
		if _, err := db.AppendEvent(ctx, "acme", "call-1", event, "telephone server", nil); err != nil {
			return err
		}
	}
	return nil
}

// show prints the transcript that is the job's result.
func show(result json.RawMessage) error {
	var t transcript
	if err := json.Unmarshal(result, &t); err != nil {
		return err
	}
	for _, c := range t.Chunks {
		fmt.Printf("%7.3f–%7.3f s  %-9s %s\n", float64(c.StartMS)/1000, float64(c.EndMS)/1000, c.Leg, c.Text)
	}
	return nil
}
