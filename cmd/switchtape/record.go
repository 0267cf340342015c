package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
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

	timelineFlags `embed:""`

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
	out, err := openTarget(ctx, c.Out)
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

// name puts the names that people gave in the place of the stand-ins.
func (c *recordCommand) name(r *callmodel.RecordingResult, files map[string]string) {
	for i := range r.Outputs {
		r.Outputs[i].Key = "" // the URL says it all
	}
	for uri, where := range files {
		for i := range r.Defects {
			r.Defects[i].Detail = strings.ReplaceAll(r.Defects[i].Detail, uri, where)
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

// target is where the one output of the command goes.
type target interface {
	recording.Objects
	io.Closer
}

func openTarget(ctx context.Context, out string) (target, error) {
	if !strings.Contains(out, "://") {
		return fileTarget{out}, nil
	}
	u, err := url.Parse(out)
	if err != nil {
		return nil, cli.Usagef("--out %s: %w", out, err)
	}
	if u.Scheme == "file" {
		return fileTarget{filepath.FromSlash(u.Path)}, nil
	}
	bucket, key := splitBucketURL(u)
	if key == "" {
		return nil, cli.Usagef("--out %s: give the object's key behind the bucket's name", out)
	}
	s, err := storage.Open(ctx, bucket, nil)
	if err != nil {
		return nil, err
	}
	return bucketTarget{s, key}, nil
}

type bucketTarget struct {
	*storage.Store

	key string
}

func (b bucketTarget) Put(ctx context.Context, _ callmodel.ObjectKey, m callmodel.ObjectMeta, write func(io.Writer) error) (callmodel.ObjectInfo, error) {
	return b.PutNamed(ctx, b.key, m, write)
}

// fileTarget writes a file that appears whole or not at all. One that is there
// already stays until the new one is complete.
type fileTarget struct{ path string }

func (f fileTarget) Close() error { return nil }

func (f fileTarget) Put(_ context.Context, k callmodel.ObjectKey, _ callmodel.ObjectMeta, write func(io.Writer) error) (_ callmodel.ObjectInfo, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(f.path), ".switchtape-*")
	if err != nil {
		return callmodel.ObjectInfo{}, fmt.Errorf("the recording can't be written: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tmp.Close(), os.Remove(tmp.Name()))
		}
	}()
	h := sha256.New()
	if err := write(io.MultiWriter(tmp, h)); err != nil {
		return callmodel.ObjectInfo{}, err
	}
	info, err := tmp.Stat()
	if err != nil {
		return callmodel.ObjectInfo{}, err
	}
	const readable = 0o644
	if err := errors.Join(tmp.Sync(), tmp.Chmod(readable)); err != nil {
		return callmodel.ObjectInfo{}, fmt.Errorf("the recording can't be written: %w", err)
	}
	if err := os.Rename(tmp.Name(), f.path); err != nil {
		return callmodel.ObjectInfo{}, fmt.Errorf("the recording can't be written: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return callmodel.ObjectInfo{}, err
	}
	abs, err := filepath.Abs(f.path)
	if err != nil {
		return callmodel.ObjectInfo{}, err
	}
	return callmodel.ObjectInfo{
		Key: k, URL: (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs)}).String(), Bytes: info.Size(), SHA256: hex.EncodeToString(h.Sum(nil)),
	}, nil
}

// printResult tells people what a recording came to.
func printResult(s cli.Streams, r *callmodel.RecordingResult) {
	s.Printf("%s", r.Status)
	if r.Reason != "" {
		s.Printf(": %s", r.Reason)
	}
	s.Printf("\n  length      %s\n", time.Duration(r.DurationMS)*time.Millisecond)
	for _, l := range r.Legs {
		s.Printf("  leg         %s: %d frames at %d Hz, from %s%s\n", l.Name, l.Frames, l.Rate, l.OffsetMS, legNotes(&l))
	}
	if len(r.Timeline) > 0 {
		s.Printf("  holds       %s\n", pieces(r.Timeline))
	}
	for _, o := range r.Outputs {
		s.Printf("  recording   %s\n              %s, %s, %d Hz, %d bytes, sha256 %s\n", o.URL, o.Codec, o.Layout, o.Rate, o.Bytes, o.SHA256)
	}
	for _, d := range r.Defects {
		s.Printf("  defect      %s %s %s\n", d.Code, d.Leg, d.Detail)
	}
}
