package local_test

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

// Two files become an MP3, a FLAC and a waveform, beside each other.
func Example() {
	dir, err := sampleLegs()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	p := recording.NewProcessor(local.Files{}, local.NewTarget(filepath.Join(dir, "call.mp3"), nil), nil)
	result, err := p.Process(context.Background(), record.Spec{
		Legs: []record.LegSpec{
			record.NewLeg("agent", filepath.Join(dir, "agent.wav")),
			record.NewLeg("customer", filepath.Join(dir, "customer.wav")).At(2 * time.Second),
		},
		Outputs: []record.OutputSpec{{Codec: record.CodecMP3}, {Codec: record.CodecFLAC}, {Codec: record.CodecPeaksJSON}},
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Status, result.Duration)
	for _, o := range result.Outputs {
		fmt.Println(filepath.Base(o.URL), o.Layout)
	}
	fmt.Println(filepath.Base(result.Manifest.URL))
	// Output:
	// completed 49.339s
	// call.mp3 stereo
	// call.flac stereo
	// call.peaks.json stereo
	// call.manifest.json
}

// sampleLegs puts the sample call's two legs into a new directory.
func sampleLegs() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "call-"); err != nil {
		return "", err
	}
	return dir, errors.Join(
		os.WriteFile(filepath.Join(dir, "agent.wav"), samplecall.Agent(), 0o600),
		os.WriteFile(filepath.Join(dir, "customer.wav"), samplecall.Customer(), 0o600))
}
