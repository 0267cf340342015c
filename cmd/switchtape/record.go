package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/storage"
)

type recordCommand struct {
	Leg     []string      `help:"A leg: its name, where its file is (a path or bucket URL), and where on the call's timeline it begins: agent=agent.wav, customer=customer.wav@2s. The same name again adds a segment. Of a file without a header, say what its name doesn't: a=x.raw;encoding=s16le;rate=16000;channels=2." placeholder:"NAME=URL[@OFFSET][;encoding=…]" required:"" sep:"none"`
	Layout  string        `help:"How legs become channels: ${enum}." enum:"mono,stereo,multichannel" default:"stereo"`
	Codec   string        `help:"Format of the recording: mp3, wav, mulaw, alaw, flac or opus. Default: that of the file's extension, mp3 for a name without one." enum:"mp3,wav,mulaw,alaw,flac,opus," default:""`
	Rate    int           `help:"Sample rate in Hz. 0: the highest of the legs." default:"0" placeholder:"HZ"`
	Bitrate string        `help:"Bitrate of lossy codecs, like 32k. Default: the codec's own." placeholder:"BPS"`
	Span    time.Duration `help:"Length of the call. What legs hold beyond it is kept, and told. Default: until the end of the longest leg." placeholder:"DURATION"`

	timelineFlags `embed:""`
	recordExtras  `embed:""`

	Out string `help:"File or bucket URL to write the recording to." required:"" placeholder:"FILE|URL"`
	service.EncryptionOptions

	Force bool `help:"Replace files that are there already. Without it they are kept, and the command fails before it writes any."`
	JSON  bool `help:"Print the result as JSON." name:"json"`

	AllowMissing bool `help:"Make the recording although a leg is missing or empty, which is silence then."`
}

func (c *recordCommand) Run(ctx context.Context, s cli.Streams) error {
	spec, err := c.spec()
	if err != nil {
		return err
	}
	sources := &legSources{}
	defer sources.close()
	options := &local.TargetOptions{Also: c.alsoFiles(), Overwrite: c.Force}
	if err := c.keepsFiles(&spec, options); err != nil {
		return err
	}
	out, err := openTarget(ctx, c.Out, c.EncryptionOptions, options)
	if err != nil {
		return err
	}
	opts := &recording.Options{}
	bar := progress.New(s, "recording", "", progress.Unknown)
	defer bar.Done()
	opts.Progress = bar.Set
	p := recording.NewProcessor(sources, out, opts)
	if err := p.Check(spec); err != nil {
		return err
	}
	result, err := p.Process(ctx, spec, &recording.ProcessOptions{
		AcceptMissing: c.AllowMissing, AcceptGrowing: true, RefuseOutside: true, RefuseUnreadable: !c.AllowMissing,
	})
	if _, missing := errors.AsType[*recording.LegsNotReadyError](err); missing {
		err = fmt.Errorf("%w; nothing was written: mend the path, or --allow-missing to record silence in its place", err)
	}
	if faults, ok := errors.AsType[callmodel.FieldErrors](err); ok && ofRawFormat(faults) {
		err = fmt.Errorf("%w; nothing was written: say what a file without a header holds, like --leg 'a=x.raw;encoding=mulaw;rate=8000;channels=1', "+
			"or --allow-missing to record silence in its place", err)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	for i := range result.Outputs {
		result.Outputs[i].Key = "" // the URL says it all
	}
	if result.Manifest != nil {
		result.Manifest.Key = ""
	}
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

// ofRawFormat reports whether a fault is that nobody says what a leg is.
func ofRawFormat(faults callmodel.FieldErrors) bool {
	return slices.ContainsFunc(faults, func(f callmodel.FieldError) bool { return strings.HasSuffix(f.Path, ".raw") })
}

// keepsItsLegs refuses to write where a leg is, --force or not. It asks of the
// files that would be written, which may be others than the flags name: an
// extension that isn't the codec's is replaced.
func (c *recordCommand) keepsItsLegs(spec *record.Spec, paths []string) error {
	for i := range spec.Legs {
		for _, segment := range spec.Legs[i].Segments {
			uri, isLocal := localPath(segment.URI)
			if !isLocal {
				continue
			}
			leg, err := os.Stat(uri)
			if err != nil {
				continue // missing: then it isn't overwritten
			}
			for _, path := range paths {
				if info, err := os.Stat(path); err == nil && os.SameFile(leg, info) {
					return cli.Usagef("%s is the file of leg %s: give another name for the recording", path, spec.Legs[i].Name)
				}
			}
		}
	}
	return nil
}

// keepsFiles refuses to begin where a leg or one of two files would be lost, and,
// without --force, where one is there already, so that none is written if not all
// can be.
func (c *recordCommand) keepsFiles(spec *record.Spec, o *local.TargetOptions) error {
	out, isLocal := localPath(c.Out)
	if !isLocal {
		return nil // buckets refuse by themselves
	}
	target := local.NewTarget(out, o)
	var paths []string
	for _, output := range spec.Outputs {
		paths = append(paths, target.Path(spec.Key(output)))
	}
	if !spec.NoManifest {
		paths = append(paths, target.Path(spec.ManifestKey()))
	}
	seen := map[string]bool{}
	for _, path := range paths {
		whole, err := wholePath(path)
		if err != nil {
			return err
		}
		if seen[whole] {
			return cli.Usagef("%s would be written twice: give every recording a name of its own", path)
		}
		seen[whole] = true
	}
	if err := c.keepsItsLegs(spec, paths); err != nil {
		return err
	}
	for _, path := range paths {
		if _, err := os.Lstat(path); err == nil && !c.Force {
			return fmt.Errorf("%s exists already; nothing was written: choose another name, or --force to replace what is there", path)
		}
	}
	return nil
}

// localPath is the path of what is no bucket's: a path as it is, or that of a
// file:// URL.
func localPath(where string) (path string, isLocal bool) {
	if !strings.Contains(where, "://") {
		return where, true
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "file" {
		return "", false
	}
	return filepath.FromSlash(u.Path), true
}

// wholePath is the one name of a file that may be named in several ways: absolute,
// and in the directory that it is really in.
func wholePath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return path, nil //nolint:nilerr // no such directory: what writes there says so
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

// legSources opens the legs of the command line: files by any path, and objects
// in buckets.
type legSources struct{ stores map[string]*storage.Store }

func (l *legSources) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	if !strings.Contains(uri, "://") || strings.HasPrefix(uri, "file://") {
		return local.Files{}.OpenLeg(ctx, uri)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return nil, fmt.Errorf("leg %s: %w", uri, err)
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
	return s.OpenLeg(ctx, key)
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
