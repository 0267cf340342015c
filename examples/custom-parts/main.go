// Command custom-parts records the sample call with parts of a program's own:
// a stage that takes the direct current off the agent's leg, a codec that
// writes Sun's AU files, a decoder that reads them back, and a tap that measures
// the longest silence.
//
//	go run ./examples/custom-parts [DIR]
//
// Each part is a file of its own here. Their tests hold them to the contract
// suites of package recordingtest, which the module's own parts pass.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "custom-parts:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	dir, err := os.MkdirTemp("", "custom-parts-")
	if len(args) > 0 {
		dir, err = args[0], os.MkdirAll(args[0], 0o750)
	}
	if err != nil {
		return err
	}
	var longest *silence
	codecs := recording.BuiltinCodecs()
	codecs.Outputs["x-au"] = codec.OutputFormat{New: newAU, Version: "example-au/1", ContentType: "audio/basic"}
	codecs.Inputs = append(codecs.Inputs, codec.InputFormat{Name: "AU", Sniff: sniffAU, Decode: decodeAU})
	options := &recording.Options{
		Codecs: codecs,
		Stages: []recording.Stage{func(leg *record.LegSpec, src audio.Source) (audio.Source, error) {
			if leg.Name == "agent" {
				return withoutDC(src), nil
			}
			return src, nil
		}},
		Taps: []recording.NewTap{func(_ *record.Spec, f *goaudio.Format, _ int64) (analysis.Tap, error) {
			longest = newSilence(f, -50)
			return longest, nil
		}},
	}
	agent, customer, err := samplecall.WriteLegs(dir)
	if err != nil {
		return err
	}
	out := filepath.Join(dir, "call.au")
	result, err := recording.NewProcessor(local.Files{}, local.NewTarget(out, nil), options).Process(context.Background(), record.Spec{
		Legs:    []record.LegSpec{record.NewLeg("agent", agent), record.NewLeg("customer", customer).At(samplecall.CustomerOffset)},
		Outputs: []record.OutputSpec{{Codec: "x-au"}},
	}, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s, %d frames, by %s\n", result.Status, out, result.Outputs[0].Frames, result.Outputs[0].Encoder)
	fmt.Printf("the longest silence of all lasts %v\n", longest.Result())

	file, err := os.Open(out)
	if err != nil {
		return err
	}
	defer file.Close()
	src, _, err := codecs.Decode(file, codec.Hint{Size: result.Outputs[0].Bytes})
	if err != nil {
		return err
	}
	frames, _ := audio.FramesOf(src)
	fmt.Printf("read back: %d frames of %d channels at %d Hz\n", frames, src.Format().NumChannels, src.Format().SampleRate)
	return nil
}
