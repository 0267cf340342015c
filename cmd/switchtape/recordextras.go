package main

import (
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// recordExtras are the flags of what else is made from the same read of the legs.
type recordExtras struct {
	Also       []string `help:"Another recording from the same read, LAYOUT=FILE, in the format of the file's extension: mono=playback.mp3." placeholder:"LAYOUT=FILE" sep:"none"`
	Peaks      string   `help:"Write the waveform beside the recording, in audiowaveform's format: json or dat." enum:"json,dat," default:""`
	PeaksPixel int      `help:"Samples per pixel of the waveform." default:"256" name:"samples-per-pixel" placeholder:"N"`
	Analysis   bool     `help:"Write who talked when, levels, loudness and alignment beside the recording, as JSON."`
	Manifest   bool     `help:"Write a manifest beside the recording: what it was made of, and the hashes of everything. See verify-recording." default:"true" negatable:""`
}

// alsoFiles are the further recordings' files, by the names of their outputs.
func (e *recordExtras) alsoFiles() map[string]string {
	files := map[string]string{}
	for i, arg := range e.Also {
		_, file, _ := strings.Cut(arg, "=")
		files[alsoName(i)] = file
	}
	return files
}

func alsoName(i int) string { return "also-" + strconv.Itoa(i+1) }

// addTo adds what was asked for to the spec.
func (e *recordExtras) addTo(spec *record.Spec) error {
	main := spec.Outputs[0]
	for i, arg := range e.Also {
		layout, file, ok := strings.Cut(arg, "=")
		if !ok || file == "" {
			return cli.Usagef("--also %s: give LAYOUT=FILE, like mono=playback.mp3", arg)
		}
		codec, err := codecOf(file)
		if err != nil {
			return cli.Usagef("--also %s: %w", arg, err)
		}
		spec.Outputs = append(spec.Outputs, record.OutputSpec{
			Name: alsoName(i), Codec: codec, Layout: record.Layout(layout), SampleRateHz: main.SampleRateHz,
		})
	}
	if e.Peaks != "" {
		spec.Outputs = append(spec.Outputs, record.OutputSpec{
			Codec: record.Codec("peaks-" + e.Peaks), Layout: main.Layout, SamplesPerPixel: e.PeaksPixel,
		})
	}
	if e.Analysis {
		spec.Outputs = append(spec.Outputs, record.OutputSpec{Codec: record.CodecAnalysis})
	}
	spec.NoManifest = !e.Manifest
	return nil
}
