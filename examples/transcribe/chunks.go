package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/task/command"
)

// transcript is what the program writes to its standard output.
type transcript struct {
	Chunks []chunk `json:"chunks"`
}

// chunk is a stretch in which a party talks. Times are of the recording.
type chunk struct {
	Leg     string `json:"leg"`
	StartMS int64  `json:"start_ms"`
	EndMS   int64  `json:"end_ms"`
	Text    string `json:"text"`
}

// talk is what of an analysis is needed here.
type talk struct {
	Conversation struct {
		Parties []struct {
			Leg  string `json:"leg"`
			Talk []struct {
				StartMS float64 `json:"start_ms"`
				EndMS   float64 `json:"end_ms"`
			} `json:"talk"`
		} `json:"parties"`
	} `json:"conversation"`
}

// chunks is the job's program: dir has the recording's parts.
func chunks(ctx context.Context, dir, recogniser string, out io.Writer) error {
	var job command.Description
	var found talk
	for name, v := range map[string]any{"job.json": &job, "recording.analysis.json": &found} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(b, v); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	samples, format, err := decode(filepath.Join(dir, "recording.wav"))
	if err != nil {
		return err
	}
	t := transcript{Chunks: []chunk{}}
	for _, p := range found.Conversation.Parties {
		channel := slices.Index(job.Legs, p.Leg)
		if channel < 0 || channel >= format.NumChannels {
			return fmt.Errorf("leg %s has no channel of its own", p.Leg)
		}
		for _, s := range p.Talk {
			c := chunk{Leg: p.Leg, StartMS: int64(s.StartMS), EndMS: int64(s.EndMS)}
			if c.Text, err = text(ctx, dir, recogniser, cut(samples, format, channel, c)); err != nil {
				return err
			}
			t.Chunks = append(t.Chunks, c)
		}
	}
	slices.SortStableFunc(t.Chunks, func(a, b chunk) int { return cmp.Compare(a.StartMS, b.StartMS) })
	return json.NewEncoder(out).Encode(t)
}

// decode reads a file whole, interleaved.
func decode(name string) ([]float32, *goaudio.Format, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	src, _, err := recording.BuiltinCodecs().Decode(f, codec.Hint{Size: codec.SizeUnknown})
	if err != nil {
		return nil, nil, err
	}
	var all []float32
	block := make([]float32, 8192*src.Format().NumChannels)
	for {
		n, err := audio.ReadFull(src, block)
		all = append(all, block[:n*src.Format().NumChannels]...)
		if errors.Is(err, io.EOF) {
			return all, src.Format(), nil
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// cut is the chunk's speech alone, as a source of one channel.
func cut(samples []float32, f *goaudio.Format, channel int, c chunk) audio.Source {
	frames := int64(len(samples) / f.NumChannels)
	from, to := min(c.StartMS*int64(f.SampleRate)/1000, frames), min(c.EndMS*int64(f.SampleRate)/1000, frames)
	one := make([]float32, 0, to-from)
	for i := from; i < to; i++ {
		one = append(one, samples[i*int64(f.NumChannels)+int64(channel)])
	}
	return audio.NewSource(&goaudio.Format{NumChannels: 1, SampleRate: f.SampleRate}, one)
}

// text is what the recogniser hears in the chunk, which it gets as a WAV file.
func text(ctx context.Context, dir, recogniser string, speech audio.Source) (string, error) {
	name := filepath.Join(dir, "chunk.wav")
	f, err := os.Create(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	frames, _ := audio.FramesOf(speech)
	e, err := recording.BuiltinCodecs().NewEncoder(record.CodecWAV, f, speech.Format(), codec.Options{Frames: frames})
	if err != nil {
		return "", err
	}
	block := make([]float32, frames)
	n, err := audio.ReadFull(speech, block)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if err := errors.Join(e.WriteFrames(block[:n]), e.Finish()); err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, recogniser, name)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", recogniser, err)
	}
	return strings.TrimSpace(string(out)), nil
}
