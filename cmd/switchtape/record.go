package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/storage"
)

type recordCommand struct {
	Leg     []string      `help:"A leg: its name, where its file is (a path or bucket URL), and where on the call's timeline it begins: agent=agent.wav, customer=customer.wav@2s. The same name again adds a segment." placeholder:"NAME=URL[@OFFSET]" required:"" sep:"none"`
	Layout  string        `help:"How legs become channels: ${enum}." enum:"mono,stereo,multichannel" default:"stereo"`
	Codec   string        `help:"Format of the recording: mp3, wav, mulaw, alaw, flac or opus. Default: that of the file's extension, else mp3." enum:"mp3,wav,mulaw,alaw,flac,opus," default:""`
	Rate    int           `help:"Sample rate in Hz. 0: the highest of the legs." default:"0" placeholder:"HZ"`
	Bitrate string        `help:"Bitrate of lossy codecs, like 32k. Default: the codec's own." placeholder:"BPS"`
	Span    time.Duration `help:"Length of the call. Default: until the end of the longest leg." placeholder:"DURATION"`
	Redact  []string      `help:"A range of the call to replace by silence in the recording, like 1m10s-1m25s." placeholder:"FROM-TO" sep:"none"`
	Out     string        `help:"File or bucket URL to write the recording to." required:"" placeholder:"FILE|URL"`
	recordExtras
	JSON bool `help:"Print the result as JSON." name:"json"`
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
	result, err := p.Process(ctx, spec, &recording.ProcessOptions{AcceptMissing: true})
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

// spec turns the flags into a recording spec and the places of its files.
func (c *recordCommand) spec() (callmodel.RecordingSpec, map[string]string, error) {
	bitrate, err := parseBitrate(c.Bitrate)
	if err != nil {
		return callmodel.RecordingSpec{}, nil, err
	}
	spec := callmodel.RecordingSpec{
		TenantID: "local", CallID: "call", RecordingID: "recording", StartedAt: time.Unix(0, 0).UTC(), Span: callmodel.Millis(c.Span),
		Outputs: []callmodel.OutputSpec{{
			Codec: c.codec(), Layout: callmodel.Layout(c.Layout), SampleRateHz: c.Rate, BitrateBps: bitrate,
		}},
	}
	if err := c.addTo(&spec); err != nil {
		return spec, nil, err
	}
	for _, arg := range c.Redact {
		r, err := parseRedaction(arg)
		if err != nil {
			return spec, nil, err
		}
		spec.Redactions = append(spec.Redactions, r)
	}
	files := map[string]string{}
	for _, arg := range c.Leg {
		name, where, offset, err := parseLeg(arg)
		if err != nil {
			return spec, nil, err
		}
		uri := standIn(where, files)
		files[uri] = where
		seg := callmodel.SegmentSpec{URI: uri, Offset: callmodel.Millis(offset)}
		i := len(spec.Legs) - 1
		for i >= 0 && spec.Legs[i].Name != name {
			i--
		}
		if i < 0 {
			spec.Legs = append(spec.Legs, callmodel.LegSpec{Name: name})
			i = len(spec.Legs) - 1
		}
		spec.Legs[i].Segments = append(spec.Legs[i].Segments, seg)
	}
	return spec, files, nil
}

// codec is the codec that was asked for, if only by the file's name.
func (c *recordCommand) codec() callmodel.Codec {
	if c.Codec != "" {
		return callmodel.Codec(c.Codec)
	}
	return codecOf(c.Out)
}

// codecOf is the codec that a file's name stands for, MP3 if it stands for none.
func codecOf(file string) callmodel.Codec {
	for _, known := range callmodel.Codecs() {
		if known.Audio() && strings.HasSuffix(strings.ToLower(file), "."+known.Ext()) {
			return known
		}
	}
	return callmodel.CodecMP3
}

// standIn is a valid URI for a path or URL that people gave, which may be any:
// its last part, as far as a URI may hold it, and a number if it is taken.
func standIn(where string, taken map[string]string) string {
	where, _, _ = strings.Cut(filepath.ToSlash(where), "?")
	name := strings.Map(func(r rune) rune {
		if callmodel.BadURI(string(r)) != "" && r != '.' {
			return '_'
		}
		return r
	}, path.Base(where))
	if callmodel.BadURI(name) != "" {
		name = "leg"
	}
	uri := name
	for i := 2; ; i++ {
		if _, used := taken[uri]; !used {
			return uri
		}
		uri = strconv.Itoa(i) + "-" + name
	}
}

// name puts the names that people gave in the place of the stand-ins.
func (c *recordCommand) name(r *callmodel.RecordingResult, files map[string]string) {
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

// parseLeg splits NAME=URL[@OFFSET]. What follows the last @ is an offset only
// if it is a duration, so that a path may hold an @.
func parseLeg(arg string) (name, where string, offset time.Duration, err error) {
	name, where, ok := strings.Cut(arg, "=")
	if !ok || name == "" || where == "" {
		return "", "", 0, cli.Usagef("--leg %s: give NAME=URL, with @OFFSET behind it if the leg begins later, like customer=customer.wav@2s", arg)
	}
	if i := strings.LastIndexByte(where, '@'); i > 0 {
		if d, err := time.ParseDuration(where[i+1:]); err == nil {
			return name, where[:i], d, nil
		}
	}
	return name, where, 0, nil
}

// parseRedaction reads FROM-TO, both durations from the start of the call.
func parseRedaction(arg string) (callmodel.Redaction, error) {
	from, to, ok := strings.Cut(arg, "-")
	f, ferr := time.ParseDuration(from)
	t, terr := time.ParseDuration(to)
	if !ok || ferr != nil || terr != nil {
		return callmodel.Redaction{}, cli.Usagef("--redact %s: give the times from the call's start, like 1m10s-1m25s", arg)
	}
	return callmodel.Redaction{From: callmodel.Millis(f), To: callmodel.Millis(t)}, nil
}

// parseBitrate reads bits per second, with k for thousands.
func parseBitrate(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	digits, thousands := strings.CutSuffix(strings.ToLower(s), "k")
	n, err := strconv.Atoi(digits)
	if err != nil || n <= 0 || n > 10_000_000 {
		return 0, cli.Usagef("--bitrate %s: give bits per second, like 32k", s)
	}
	if thousands {
		n *= 1000
	}
	return n, nil
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
		if s, err = storage.Open(ctx, bucket, nil); err != nil {
			return nil, err
		}
		if l.stores == nil {
			l.stores = map[string]*storage.Store{}
		}
		l.stores[bucket] = s
	}
	return s.Open(ctx, key)
}

func openFile(path string) (io.ReadCloser, error) {
	f, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s is a directory, not a leg", path), err, f.Close())
	}
	return f, nil
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
func printResult(s cli.Streams, r *callmodel.RecordingResult) {
	s.Printf("%s", r.Status)
	if r.Reason != "" {
		s.Printf(": %s", r.Reason)
	}
	s.Printf("\n  length      %s\n", time.Duration(r.DurationMS)*time.Millisecond)
	for _, l := range r.Legs {
		s.Printf("  leg         %s: %d frames at %d Hz, from %s\n", l.Name, l.Frames, l.Rate, l.OffsetMS)
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
			s.Printf("  talk        %s: %.1f s of %.1f, %.1f LUFS\n", l.Name, float64(l.TalkMS)/1e3, float64(r.Analysis.DurationMS)/1e3, l.LoudnessLUFS)
		}
	}
	for _, d := range r.Defects {
		s.Printf("  defect      %s %s %s\n", d.Code, d.Leg, d.Detail)
	}
}
