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
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
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
	spec := record.Spec{
		TenantID: "example", CallID: "call-1", RecordingID: "call-1", StartedAt: time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC),
		Legs: []record.LegSpec{
			{Name: "agent", Segments: []record.SegmentSpec{{URI: "agent"}}},
			{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer", Offset: samplecall.CustomerOffsetMS * time.Millisecond}}},
		},
		Outputs: []record.OutputSpec{{Codec: "x-au", Layout: record.LayoutStereo}},
	}
	here := place(dir)
	result, err := recording.NewProcessor(here, here, options).Process(context.Background(), spec, nil)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %s, %d frames, by %s\n", result.Status, result.Outputs[0].URL, result.Outputs[0].Frames, result.Outputs[0].Encoder)
	fmt.Printf("the longest silence of all lasts %v\n", longest.Result())

	file, err := os.Open(result.Outputs[0].URL)
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

// place is a directory for objects, and the legs of the sample call.
type place string

func (place) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	if uri == "agent" {
		return leg{bytes.NewReader(samplecall.Agent())}, nil
	}
	return leg{bytes.NewReader(samplecall.Customer())}, nil
}

type leg struct{ *bytes.Reader }

func (leg) Close() error { return nil }

func (p place) Put(_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	path := filepath.Join(string(p), filepath.Base(key.String()))
	f, err := os.Create(path)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return record.ObjectInfo{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{Key: key, URL: path, Bytes: info.Size()}, nil
}
