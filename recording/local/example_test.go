package local_test

import (
	"context"
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
	dir, err := os.MkdirTemp("", "call-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	agent, customer, err := samplecall.WriteLegs(dir)
	if err != nil {
		fmt.Println(err)
		return
	}

	p := recording.NewProcessor(local.Files{}, local.NewTarget(filepath.Join(dir, "call.mp3"), nil), nil)
	result, err := p.Process(context.Background(), record.Spec{
		Legs:    []record.LegSpec{record.NewLeg("agent", agent), record.NewLeg("customer", customer).At(2 * time.Second)},
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
