package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
)

type probeCommand struct {
	Files    []string `arg:"" help:"Files that a telephone server left behind. What one without a header holds can be said behind it, as in record's --leg: x.raw;encoding=s16le;rate=16000;channels=2" placeholder:"FILE[;encoding=…]"`
	Encoding string   `help:"Encoding of files without a header, if it isn't said behind them." placeholder:"ENCODING"`
	Rate     int      `help:"Their sample rate in Hz. 0: the encoding's own, mostly 8000." default:"0" placeholder:"HZ"`
	Channels int      `help:"Their channels." default:"1" placeholder:"N"`
	JSON     bool     `help:"Print JSON." name:"json"`
}

// probed is what a leg is and what is wrong with it.
type probed struct {
	File       string          `json:"file"`
	Format     string          `json:"format,omitempty"` // what it is: "WAV, PCM of 16 bits"
	Rate       int             `json:"rate,omitempty"`   // Hz
	Channels   int             `json:"channels,omitempty"`
	Frames     int64           `json:"frames"`
	DurationMS float64         `json:"duration_ms"`
	Bytes      int64           `json:"bytes"`
	SHA256     string          `json:"sha256,omitempty"`
	Defects    []record.Defect `json:"defects"`
	Error      string          `json:"error,omitempty"`
}

// Run fails when a file can't be read at all.
func (c *probeCommand) Run(ctx context.Context, s cli.Streams) error {
	registry := recording.BuiltinCodecs()
	list := make([]probed, 0, len(c.Files))
	unreadable := false
	files, raws, err := c.files()
	if err != nil {
		return err
	}
	for i, file := range files {
		p := c.probe(ctx, registry, file, raws[i])
		unreadable = unreadable || p.Error != ""
		list = append(list, p)
		if !c.JSON {
			printProbe(s, &p)
		}
	}
	if c.JSON {
		err := s.JSON(struct {
			Files []probed `json:"files"`
		}{list})
		if err != nil {
			return err
		}
	}
	if unreadable {
		return cli.Silent()
	}
	return nil
}

// files are the files, and what was said of each.
func (c *probeCommand) files() (files []string, raws []*record.RawFormat, err error) {
	for _, arg := range c.Files {
		file, raw, err := parseRaw("probe", arg)
		if err == nil && raw == nil && c.Encoding != "" {
			said := file + ";encoding=" + c.Encoding + ";channels=" + strconv.Itoa(c.Channels)
			if c.Rate != 0 {
				said += ";rate=" + strconv.Itoa(c.Rate)
			}
			_, raw, err = parseRaw("probe", said)
		}
		if err != nil {
			return nil, nil, err
		}
		files, raws = append(files, file), append(raws, raw)
	}
	return files, raws, nil
}

func (c *probeCommand) probe(ctx context.Context, registry *codec.Registry, file string, raw *record.RawFormat) probed {
	p := probed{File: file, Defects: []record.Defect{}}
	f, err := os.Open(file) //nolint:gosec // the user names the file
	if err != nil {
		p.Error = cli.Hinted(err).Error()
		return p
	}
	defer f.Close() //nolint:errcheck // only read from
	hint := codec.Hint{Size: codec.SizeUnknown, Name: file, Raw: raw}
	info, err := f.Stat()
	switch {
	case err != nil:
		p.Error = err.Error()
		return p
	case info.Mode().IsRegular():
		hint.Size, p.Bytes = info.Size(), info.Size()
	case info.Mode()&fs.ModeDevice != 0:
		p.Error = file + " is a device, not a leg" // it may have no end
		return p
	}
	h := sha256.New()
	hashed := io.TeeReader(f, h)
	r := hashed
	if hint.Size >= 0 {
		// Decoders look ahead where they can, as they do when a recording is made.
		r = struct {
			io.Reader
			io.ReaderAt
		}{hashed, f}
	}
	err = read(ctx, registry, r, hint, &p)
	if decode, ok := errors.AsType[*codec.DecodeError](err); ok {
		p.Defects = append(p.Defects, record.Defect{Code: decode.Code, Detail: decode.Detail})
	}
	if err == nil && p.Frames == 0 {
		p.Defects = append(p.Defects, record.Defect{Code: record.DefectLegEmpty, Detail: "the file holds no audio"})
	}
	if err != nil {
		p.Error = err.Error() + sayRaw(err, file)
	}
	// What the decoder had no use for is part of the file's hash all the same.
	if _, err := io.Copy(io.Discard, hashed); err != nil && p.Error == "" {
		p.Error = err.Error()
	}
	p.SHA256 = hex.EncodeToString(h.Sum(nil))
	return p
}

func read(ctx context.Context, registry *codec.Registry, r io.Reader, hint codec.Hint, p *probed) error {
	src, defects, err := registry.Decode(r, hint)
	p.Defects = append(p.Defects, defects...)
	if err != nil {
		return err
	}
	p.Format = codec.Describe(src)
	p.Rate, p.Channels = src.Format().SampleRate, src.Format().NumChannels
	block := make([]float32, recording.DefaultBlockFrames*p.Channels)
	for ctx.Err() == nil {
		n, err := src.ReadFrames(block)
		p.Frames += int64(n)
		if errors.Is(err, io.EOF) {
			p.Defects = append(p.Defects, codec.LaterDefects(src)...)
			p.DurationMS = float64(p.Frames) * 1000 / float64(p.Rate)
			return nil
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

func printProbe(s cli.Streams, p *probed) {
	s.Printf("%s\n", p.File)
	if p.Rate > 0 {
		if p.Format != "" {
			s.Printf("  %s\n", p.Format)
		}
		s.Printf("  %d Hz, %s, %s, %s\n", p.Rate, count(p.Channels, "channel"), count(p.Frames, "frame"), time.Duration(p.DurationMS*float64(time.Millisecond)))
	}
	s.Printf("  %d bytes, sha256 %s\n", p.Bytes, p.SHA256)
	for _, d := range p.Defects {
		s.Printf("  defect: %s: %s\n", d.Code, d.Detail)
	}
	if p.Error != "" {
		s.Printf("  error: %s\n", p.Error)
	}
}
