// Command record-two-files makes an MP3, a FLAC and a waveform of the two sides
// of a call: the agent on the left channel, the customer on the right, two
// seconds later.
//
//	go run ./examples/record-two-files agent.wav customer.wav call.mp3
//
// Without arguments it records the sample call into the temporary directory.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// makeRecording is all that it takes: what to make of which files, and a
// Processor that reads and writes local ones.
func makeRecording(ctx context.Context, agent, customer, out string) error {
	p := recording.NewProcessor(local.Files{}, local.NewTarget(out, nil), nil)
	result, err := p.Process(ctx, record.Spec{
		Legs:    []record.LegSpec{record.NewLeg("agent", agent), record.NewLeg("customer", customer).At(2 * time.Second)},
		Outputs: []record.OutputSpec{{Codec: record.CodecMP3}, {Codec: record.CodecFLAC}, {Codec: record.CodecPeaksJSON}},
	}, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %v\n", result.Status, result.Duration)
	for _, o := range result.Outputs {
		fmt.Println(filepath.Base(o.URL), o.Codec, o.Bytes, "bytes")
	}
	for _, d := range result.Defects {
		fmt.Println("defect:", d.Code, d.Leg, d.Detail)
	}
	return nil
}

func main() {
	args := os.Args[1:]
	if len(args) == 0 {
		var err error
		if args, err = sample(); err != nil {
			fail(err)
		}
	}
	if len(args) != 3 {
		fail(errors.New("give the agent's file, the customer's, and the MP3 to write"))
	}
	if err := makeRecording(context.Background(), args[0], args[1], args[2]); err != nil {
		fail(err)
	}
}

// sample puts the sample call's legs into a directory of their own.
func sample() ([]string, error) {
	dir, err := os.MkdirTemp("", "record-two-files-")
	if err != nil {
		return nil, err
	}
	agent, customer, err := samplecall.WriteLegs(dir)
	return []string{agent, customer, filepath.Join(dir, "call.mp3")}, err
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "record-two-files:", err)
	os.Exit(1)
}
