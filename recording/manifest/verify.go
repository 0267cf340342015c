package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
)

// Opener opens a file by its name: that of an output, or the URI of a leg's
// file. The error for a file that isn't there wraps fs.ErrNotExist.
type Opener func(ctx context.Context, name string) (io.ReadCloser, error)

// VerifyOptions say what [Verify] looks at.
type VerifyOptions struct {
	// Legs opens the source files. Nil: they aren't looked at, as they are
	// usually deleted once the recording is safe.
	Legs Opener
	// Codecs decode the outputs, to count their frames. Nil: only sizes and
	// hashes are compared.
	Codecs *codec.Registry
}

// Report is what [Verify] found.
type Report struct {
	OK    bool    `json:"ok"` // nothing differs
	Files []Check `json:"files"`
}

// Check is what was found about one file.
type Check struct {
	File string `json:"file"`
	Leg  string `json:"leg,omitempty"` // whose source it is; "" for an output
	OK   bool   `json:"ok"`
	// Problem says what differs, and from what.
	Problem string `json:"problem,omitempty"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256,omitempty"`  // of the file as it is
	Decoded bool   `json:"decoded,omitempty"` // its audio was counted, too
}

// Verify compares the files with the manifest. Differences and missing files are in
// the report; the error is that of reading.
func Verify(ctx context.Context, m *Manifest, outputs Opener, o *VerifyOptions) (Report, error) {
	if o == nil {
		o = &VerifyOptions{}
	}
	r := Report{OK: true, Files: []Check{}}
	add := func(c Check, err error) error {
		c.OK = c.Problem == ""
		r.OK = r.OK && c.OK
		r.Files = append(r.Files, c)
		return err
	}
	for i := range m.Outputs {
		if err := add(verifyOutput(ctx, &m.Outputs[i], outputs, o.Codecs)); err != nil {
			return r, err
		}
	}
	if o.Legs == nil {
		return r, nil
	}
	for i := range m.Sources {
		for j := range m.Sources[i].Files {
			c, err := verifySource(ctx, &m.Sources[i].Files[j], o.Legs)
			c.Leg = m.Sources[i].Name
			if err := add(c, err); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

func verifyOutput(ctx context.Context, o *Output, open Opener, codecs *codec.Registry) (Check, error) {
	c := Check{File: o.File}
	if err := c.compare(ctx, o.File, open, o.Bytes, o.SHA256); err != nil || c.Problem != "" || codecs == nil || !o.Codec.Audio() {
		return c, err
	}
	f, err := open(ctx, o.File)
	if err != nil {
		return c, fmt.Errorf("manifest: open %s: %w", o.File, err)
	}
	defer f.Close() //nolint:errcheck // only read from
	src, _, err := codecs.Decode(f, codec.Hint{Size: o.Bytes})
	if _, unreadable := errors.AsType[*codec.DecodeError](err); unreadable {
		return c, nil // this program can write the format, but not read it
	}
	if err != nil {
		return c, fmt.Errorf("manifest: read %s: %w", o.File, err)
	}
	frames, err := countFrames(ctx, src)
	if err != nil {
		return c, fmt.Errorf("manifest: decode %s: %w", o.File, err)
	}
	c.Decoded = true
	if got := src.Format(); frames != o.Frames || got.SampleRate != o.Rate || got.NumChannels != o.Channels {
		c.Problem = fmt.Sprintf("it holds %d frames of %d channels at %d Hz, the manifest says %d of %d at %d",
			frames, got.NumChannels, got.SampleRate, o.Frames, o.Channels, o.Rate)
	}
	return c, nil
}

func countFrames(ctx context.Context, src audio.Source) (int64, error) {
	block := make([]float32, 4096*src.Format().NumChannels)
	for total := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := src.ReadFrames(block)
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func verifySource(ctx context.Context, f *File, open Opener) (Check, error) {
	c := Check{File: f.URI}
	if f.SHA256 != "" {
		return c, c.compare(ctx, f.URI, open, f.Bytes, f.SHA256)
	}
	rc, err := open(ctx, f.URI)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("manifest: open %s: %w", f.URI, err)
	}
	c.Problem = "it is there now; when the recording was made it was missing"
	return c, rc.Close()
}

// compare reads the file and notes how it differs from the manifest.
func (c *Check) compare(ctx context.Context, name string, open Opener, size int64, sum string) error {
	rc, err := open(ctx, name)
	if errors.Is(err, fs.ErrNotExist) || callmodel.CodeOf(err) == callmodel.CodeNotFound {
		c.Problem = "the file is missing"
		return nil
	}
	if err != nil {
		return fmt.Errorf("manifest: open %s: %w", name, err)
	}
	defer rc.Close() //nolint:errcheck // only read from
	h := sha256.New()
	if c.Bytes, err = io.Copy(h, rc); err != nil {
		return fmt.Errorf("manifest: read %s: %w", name, err)
	}
	c.SHA256 = hex.EncodeToString(h.Sum(nil))
	switch {
	case c.Bytes != size:
		c.Problem = fmt.Sprintf("it has %d bytes, the manifest says %d", c.Bytes, size)
	case c.SHA256 != sum:
		c.Problem = fmt.Sprintf("its SHA-256 is %s, the manifest says %s: the file was changed", c.SHA256, sum)
	}
	return nil
}
