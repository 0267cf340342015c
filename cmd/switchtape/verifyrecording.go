package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/manifest"
)

type verifyRecordingCommand struct {
	Manifest string `arg:"" help:"The recording's manifest: a file or bucket URL. What it names lies beside it." placeholder:"MANIFEST"`
	Legs     string `help:"Directory in which the legs still are, to be verified, too." placeholder:"DIR" type:"path"`
	Deep     bool   `help:"Decode the files with somebody else's decoders, too, go-mp3 and mewkiz/flac where they can, and compare lengths and samples with ours and the manifest."`
	JSON     bool   `help:"Print JSON." name:"json"`

	service.EncryptionOptions
}

// verified is what verify-recording --json prints.
type verified struct {
	manifest.Report

	CallID      callmodel.CallID      `json:"call_id"`
	RecordingID callmodel.RecordingID `json:"recording_id"`
	Status      record.Status         `json:"status"`
	Defects     []record.Defect       `json:"defects"`
	Deep        []decoded             `json:"deep,omitempty"` // with --deep
}

// Run fails when a file differs from what the manifest says of it.
func (c *verifyRecordingCommand) Run(ctx context.Context, s cli.Streams) error {
	open, name, closeAll, err := beside(ctx, c.Manifest, c.EncryptionOptions)
	if err != nil {
		return err
	}
	defer closeAll()
	f, err := open(ctx, name)
	if err != nil {
		return fmt.Errorf("the manifest can't be read: %w", err)
	}
	m, err := manifest.Parse(f)
	_ = f.Close() // only read from
	if err != nil {
		return fmt.Errorf("%s: %w", c.Manifest, err)
	}
	opts := &manifest.VerifyOptions{Codecs: recording.BuiltinCodecs()}
	if c.Legs != "" {
		opts.Legs = legOpener(c.Legs)
	}
	r, err := manifest.Verify(ctx, m, open, opts)
	if err != nil {
		return err
	}
	v := verified{Report: r, CallID: m.CallID, RecordingID: m.RecordingID, Status: m.Status, Defects: m.Defects}
	if c.Deep {
		if v.Deep, err = deepVerify(ctx, m, open); err != nil {
			return err
		}
		v.OK = v.OK && !anyDiffers(v.Deep)
	}
	if c.JSON {
		err = s.JSON(v)
	} else {
		v.print(s)
	}
	if err == nil && !v.OK {
		return cli.Silent()
	}
	return err
}

func (v *verified) print(s cli.Streams) {
	s.Printf("recording %s of call %s: %s\n", v.RecordingID, v.CallID, v.Status)
	for _, d := range v.Defects {
		s.Printf("  defect    %s %s %s\n", d.Code, d.Leg, d.Detail)
	}
	for _, f := range v.Files {
		what := "verified  "
		if !f.OK {
			what = "DIFFERS   "
		}
		s.Printf("  %s%s", what, f.File)
		switch {
		case !f.OK:
			s.Printf(": %s", f.Problem)
		case f.SHA256 == "":
			s.Printf(": still missing, as it was")
		default:
			s.Printf("  %d bytes, sha256 %s", f.Bytes, f.SHA256)
		}
		s.Printf("\n")
	}
	for i := range v.Deep {
		v.Deep[i].print(s)
	}
}

// beside opens what lies in the place of a file or object, and tells its name there.
func beside(ctx context.Context, where string, keys service.EncryptionOptions) (open manifest.Opener, name string, done func(), err error) {
	nothing := func() {}
	if !strings.Contains(where, "://") {
		return fileOpener(filepath.Dir(where)), filepath.Base(where), nothing, nil
	}
	u, err := url.Parse(where)
	if err != nil {
		return nil, "", nil, cli.Usagef("%s: %w", where, err)
	}
	if u.Scheme == "file" {
		file := filepath.FromSlash(u.Path)
		return fileOpener(filepath.Dir(file)), filepath.Base(file), nothing, nil
	}
	bucket, key := splitBucketURL(u)
	store, err := buckets().OpenRecordings(ctx, bucket, keys)
	if err != nil {
		return nil, "", nil, err
	}
	open = func(ctx context.Context, name string) (io.ReadCloser, error) {
		return store.Open(ctx, path.Join(path.Dir(key), name))
	}
	return open, path.Base(key), func() { _ = store.Close() }, nil
}

// legOpener opens legs below a directory, by the paths that a recording was made
// of, or, if there is no such file, by their last part: the manifest names files
// as they were given on the command line.
func legOpener(dir string) manifest.Opener {
	open := fileOpener(dir)
	return func(ctx context.Context, name string) (io.ReadCloser, error) {
		f, err := open(ctx, name)
		if err == nil {
			return f, nil
		}
		if last, lastErr := open(ctx, path.Base(filepath.ToSlash(name))); lastErr == nil {
			return last, nil
		}
		return nil, err
	}
}

// fileOpener opens files below a directory, and none outside of it.
func fileOpener(dir string) manifest.Opener {
	return func(_ context.Context, name string) (io.ReadCloser, error) {
		return os.OpenInRoot(dir, filepath.FromSlash(name))
	}
}
