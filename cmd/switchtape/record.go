package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/storage"
)

type recordCommand struct {
	Leg     []string      `help:"A leg: its name, where its file is (a path or bucket URL), and where on the call's timeline it begins: agent=agent.wav, customer=customer.wav@2s. The same name again adds a segment." placeholder:"NAME=URL[@OFFSET]" required:"" sep:"none"`
	Layout  string        `help:"How legs become channels: ${enum}." enum:"mono,stereo,multichannel" default:"stereo"`
	Codec   string        `help:"Format of the recording: mp3, wav, mulaw, alaw, flac or opus. Default: that of the file's extension, mp3 for a name without one." enum:"mp3,wav,mulaw,alaw,flac,opus," default:""`
	Rate    int           `help:"Sample rate in Hz. 0: the highest of the legs." default:"0" placeholder:"HZ"`
	Bitrate string        `help:"Bitrate of lossy codecs, like 32k. Default: the codec's own." placeholder:"BPS"`
	Span    time.Duration `help:"Length of the call. Default: until the end of the longest leg." placeholder:"DURATION"`

	timelineFlags `embed:""`
	recordExtras  `embed:""`

	Out  string `help:"File or bucket URL to write the recording to." required:"" placeholder:"FILE|URL"`
	JSON bool   `help:"Print the result as JSON." name:"json"`
}

func (c *recordCommand) Run(ctx context.Context, s cli.Streams) error {
	spec, files, err := c.spec()
	if err != nil {
		return err
	}
	sources := &legSources{at: files}
	defer sources.close()
	out, err := openTarget(ctx, c.Out, c.alsoFiles())
	if err != nil {
		return err
	}
	opts := &recording.Options{}
	if s.Terminal() {
		bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(s.Err), progressbar.OptionSetDescription("recording"),
			progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowBytes(false))
		defer bar.Finish() //nolint:errcheck // a picture
		opts.Progress = func(done, total int64) {
			bar.ChangeMax64(total)
			_ = bar.Set64(done)
		}
	}
	p := recording.NewProcessor(sources, out, opts)
	if err := p.Check(spec); err != nil {
		return err
	}
	result, err := p.Process(ctx, spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	c.name(&result, files)
	if c.JSON {
		err = s.JSON(result)
	} else {
		printResult(s, &result)
	}
	if err == nil && len(result.Outputs) == 0 {
		return cli.Silent()
	}
	return err
}

// name puts the names that people gave in the place of the stand-ins.
func (c *recordCommand) name(r *record.Result, files map[string]string) {
	for i := range r.Outputs {
		r.Outputs[i].Key = "" // the URL says it all
	}
	if r.Manifest != nil {
		r.Manifest.Key = ""
	}
	for uri, where := range files {
		for i := range r.Defects {
			r.Defects[i].Detail = strings.ReplaceAll(r.Defects[i].Detail, "no file "+uri, "no file "+where)
		}
	}
}

// legSources opens the legs of the command line.
type legSources struct {
	at     map[string]string
	stores map[string]*storage.Store
}

func (l *legSources) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	where := l.at[uri]
	if !strings.Contains(where, "://") {
		return openFile(where)
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, fmt.Errorf("leg %s: %w", where, err)
	}
	if u.Scheme == "file" {
		return openFile(filepath.FromSlash(u.Path))
	}
	bucket, key := splitBucketURL(u)
	s, ok := l.stores[bucket]
	if !ok {
		if s, err = buckets().Open(ctx, bucket, nil); err != nil {
			return nil, err
		}
		if l.stores == nil {
			l.stores = map[string]*storage.Store{}
		}
		l.stores[bucket] = s
	}
	return s.Open(ctx, key)
}

// openFile opens a leg's file. Legs are read more than once, so that a pipe can't
// be one; opening it would wait for a writer, and a device may have no end.
func openFile(path string) (io.ReadCloser, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s is a directory, not a leg", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is a pipe or a device: a leg is read more than once, save it to a file first", path)
	}
	return os.Open(path) //nolint:gosec // the user names the file
}

func (l *legSources) close() {
	for _, s := range l.stores {
		_ = s.Close() // only read from
	}
}

// splitBucketURL splits s3://bucket/some/key?options into the bucket's URL and
// the key.
func splitBucketURL(u *url.URL) (bucket, key string) {
	b := *u
	b.Path, b.RawPath = "", ""
	return b.String(), strings.TrimPrefix(u.Path, "/")
}

// printResult tells people what a recording came to.
func printResult(s cli.Streams, r *record.Result) {
	s.Printf("%s", r.Status)
	if r.Reason != "" {
		s.Printf(": %s", r.Reason)
	}
	s.Printf("\n  length      %s\n", r.Duration)
	for _, l := range r.Legs {
		s.Printf("  leg         %s: %d frames at %d Hz, from %s%s\n", l.Name, l.Frames, l.Rate, l.Offset, legNotes(&l))
	}
	if len(r.Timeline) > 0 {
		s.Printf("  holds       %s\n", pieces(r.Timeline))
	}
	for _, o := range r.Outputs {
		kind := "recording"
		if !o.Codec.Audio() {
			kind = "derived"
		}
		s.Printf("  %-11s %s\n              %s, %s, %d Hz, %d bytes, sha256 %s\n", kind, o.URL, o.Codec, o.Layout, o.Rate, o.Bytes, o.SHA256)
	}
	if r.Manifest != nil {
		s.Printf("  manifest    %s\n", r.Manifest.URL)
	}
	if r.Analysis != nil {
		for _, l := range r.Analysis.Legs {
			s.Printf("  talk        %s: %.1f s of %.1f, %.1f LUFS\n", l.Name, l.TalkTime.Seconds(), r.Analysis.Duration.Seconds(), l.LoudnessLUFS)
		}
	}
	for _, d := range r.Defects {
		s.Printf("  defect      %s %s %s\n", d.Code, d.Leg, d.Detail)
	}
}
