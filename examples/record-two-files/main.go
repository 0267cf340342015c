// Command record-two-files makes one stereo recording of two WAV files: the
// first leg on the left channel, the second on the right and as late as you
// say.
//
//	go run ./examples/record-two-files agent.wav customer.wav 2s out.wav
//
// Without arguments it records the sample call into the temporary directory.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "record-two-files:", err)
		os.Exit(1)
	}
}

// files are the legs and the recording, as plain files: the two ports that a
// Processor needs, in a dozen lines.
type files struct{ out string }

func (files) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) { return os.Open(uri) }

func (f files) Put(_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	w, err := os.Create(f.out)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{Key: key, URL: f.out}, errors.Join(write(w), w.Close())
}

func run(args []string) error {
	if len(args) == 0 {
		dir, err := os.MkdirTemp("", "record-two-files-")
		if err != nil {
			return err
		}
		args = []string{"agent.wav", "customer.wav", "2s", filepath.Join(dir, "out.wav")}
		err = errors.Join(
			os.WriteFile(filepath.Join(dir, args[0]), samplecall.Agent(), 0o600),
			os.WriteFile(filepath.Join(dir, args[1]), samplecall.Customer(), 0o600),
			os.Chdir(dir))
		if err != nil {
			return err
		}
	}
	if len(args) != 4 {
		return errors.New("give two WAV files, the second one's offset, and the file to write")
	}
	offset, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	spec := record.Spec{
		TenantID: "example", CallID: "call-1", RecordingID: "call-1", StartedAt: time.Now(),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: args[0]}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: args[1], Offset: offset}}},
		},
		Outputs:    []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo}},
		NoManifest: true, // these files have room for one object
	}
	f := files{out: args[3]}
	result, err := recording.NewProcessor(f, f, nil).Process(context.Background(), spec, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.2f s\n", result.Status, float64(result.Duration)/1000)
	for _, o := range result.Outputs {
		fmt.Printf("%s: %d channels, %d frames at %d Hz\n", filepath.Base(o.URL), o.Channels, o.Frames, o.Rate)
	}
	for _, d := range result.Defects {
		fmt.Println("defect:", d.Code, d.Leg, d.Detail)
	}
	return nil
}
