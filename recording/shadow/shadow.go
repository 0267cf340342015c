// Package shadow makes recordings again that are done, with the program at hand, and
// compares what comes with what is stored: the check of a new version, or of another kind
// of machine, before it makes recordings that count. Nothing is stored and no job changes.
//
//	job that is done ─▶ its spec, its legs ─▶ recording.Processor ─▶ files that are deleted
//	        │                                                             │
//	        └─▶ its result, its objects ─────────────────────────────────▶ compared
//
// Its legs must still be there, and be the same by their hashes.
package shadow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// Objects is where the recordings are. *storage.Store is such a place.
type Objects interface {
	// Open reads an object. The error for a missing one wraps fs.ErrNotExist.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
}

// Options say how to compare. Now is needed.
type Options struct {
	// TempDir is where a recording is made; "" means the system's temporary directory. It
	// needs room for one.
	TempDir string
	// Now is the machine's clock, which measures how long it takes.
	Now func() time.Time
}

// Status is what a comparison came to.
type Status string

// What comparisons come to.
const (
	Same    Status = "same"    // byte by byte
	Differs Status = "differs" // Report.Why, or an Output, says in what
	Skipped Status = "skipped" // it can't be made again; Report.Why says why
)

// Report is what was found about a recording.
type Report struct {
	Status  Status   `json:"status"`
	Why     string   `json:"why,omitempty"`
	Outputs []Output `json:"outputs,omitempty"`
	// Elapsed is how long making it took, and Audio how long it is.
	Elapsed time.Duration `json:"-"`
	Audio   time.Duration `json:"-"`
}

// Output is an output as it was stored and as it comes now.
type Output struct {
	Name   string       `json:"name,omitempty"`
	Codec  record.Codec `json:"codec"`
	Same   bool         `json:"same"`
	Before Made         `json:"before"`
	Now    Made         `json:"now"`
	// Of sound that isn't the same, both decoded: the level of what was stored above that
	// of the difference, in dB, if there is one, and the largest difference between two
	// samples, of full scale. Frames beyond the shorter one aren't compared.
	SNRdB         float64 `json:"snr_db,omitempty"`
	MaxDifference float64 `json:"max_difference"`
	// Problem is why it couldn't be measured; "" if it was.
	Problem string `json:"problem,omitempty"`
}

// Made is what is said of an output.
type Made struct {
	Encoder string `json:"encoder,omitempty"`
	Frames  int64  `json:"frames"`
	Bytes   int64  `json:"bytes"`
	SHA256  string `json:"sha256"`
}

// Compare makes the recording of the spec again of the legs, and compares it with the
// result that is stored. The error is that of the place where it is made, or ctx's.
func Compare(ctx context.Context, legs recording.LegOpener, stored Objects, spec *record.Spec, before *record.Result, o Options) (Report, error) {
	if !before.Made() {
		return Report{Status: Skipped, Why: fmt.Sprintf("there is no recording: it is %s %s", before.Status, before.Reason)}, nil
	}
	dir, err := os.MkdirTemp(o.TempDir, "switchtape-shadow-*")
	if err != nil {
		return Report{}, fmt.Errorf("shadow: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left there is nobody's
	made := &files{dir: dir}
	begun := o.Now()
	now, err := recording.NewProcessor(legs, made, nil).Process(ctx, *spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
	r := Report{Status: Same, Elapsed: o.Now().Sub(begun), Audio: before.Duration}
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case made.fault() != nil:
		return r, fmt.Errorf("shadow: %w", made.fault())
	}
	if why := otherLegs(before, &now, err); why != "" {
		r.Status, r.Why = Skipped, why
		return r, nil
	}
	switch {
	case err != nil:
		r.Status, r.Why = Differs, "it can't be made any more: "+err.Error()
	case !now.Made():
		r.Status, r.Why = Differs, fmt.Sprintf("it is %s %s now", now.Status, now.Reason)
	case len(now.Outputs) != len(before.Outputs):
		r.Status, r.Why = Differs, fmt.Sprintf("there are %d outputs now and were %d", len(now.Outputs), len(before.Outputs))
	default:
		for i := range now.Outputs {
			r.Outputs = append(r.Outputs, compareOutput(ctx, &before.Outputs[i], &now.Outputs[i], stored, made))
			if !r.Outputs[i].Same {
				r.Status = Differs
			}
		}
		if !slices.Equal(before.Defects, now.Defects) {
			r.Status, r.Why = Differs, fmt.Sprintf("its defects are %v now and were %v", now.Defects, before.Defects)
		}
	}
	return r, ctx.Err()
}

// otherLegs says why the legs aren't those that were recorded; "" if they are.
func otherLegs(before, now *record.Result, err error) string {
	var missing *recording.LegsNotReadyError
	var away *recording.LegsAwayError
	if errors.As(err, &missing) || errors.As(err, &away) {
		return "its legs aren't here: " + err.Error()
	}
	if err != nil || len(now.Legs) != len(before.Legs) {
		return ""
	}
	for i := range before.Legs {
		was, is := &before.Legs[i], &now.Legs[i]
		switch {
		case was.SHA256 == is.SHA256:
		case is.SHA256 == "":
			return fmt.Sprintf("leg %s isn't here any more", was.Name)
		default:
			return fmt.Sprintf("leg %s is another one: its SHA-256 is %s and was %s", was.Name, is.SHA256, was.SHA256)
		}
	}
	return ""
}

func compareOutput(ctx context.Context, before, now *record.OutputResult, stored Objects, made *files) Output {
	o := Output{Name: before.Name, Codec: before.Codec, Before: of(before), Now: of(now), Same: before.SHA256 == now.SHA256 && before.Bytes == now.Bytes}
	if o.Same || !before.Codec.Audio() {
		return o
	}
	old, err := stored.Open(ctx, before.Key)
	if err == nil {
		defer old.Close() //nolint:errcheck // only read from
		var f *os.File
		if f, err = made.open(now.Key); err == nil {
			defer f.Close() //nolint:errcheck // only read from
			err = o.measure(ctx, old, f)
		}
	}
	if err != nil {
		o.Problem = err.Error()
	}
	return o
}

func of(o *record.OutputResult) Made {
	return Made{Encoder: o.Encoder, Frames: o.Frames, Bytes: o.Bytes, SHA256: o.SHA256}
}

// blockFrames is how much is compared at a time.
const blockFrames = 4096

// measure decodes both and compares their samples.
func (o *Output) measure(ctx context.Context, before, now io.Reader) error {
	codecs := recording.BuiltinCodecs()
	a, _, err := codecs.Decode(before, codec.Hint{Size: o.Before.Bytes})
	if err != nil {
		return fmt.Errorf("what is stored can't be decoded: %w", err)
	}
	b, _, err := codecs.Decode(now, codec.Hint{Size: o.Now.Bytes})
	if err != nil {
		return fmt.Errorf("what comes now can't be decoded: %w", err)
	}
	if x, y := a.Format(), b.Format(); x.NumChannels != y.NumChannels || x.SampleRate != y.SampleRate {
		return fmt.Errorf("it has %d channels at %d Hz now and had %d at %d", y.NumChannels, y.SampleRate, x.NumChannels, x.SampleRate)
	}
	channels := a.Format().NumChannels
	x, y := make([]float32, blockFrames*channels), make([]float32, blockFrames*channels)
	var signal, difference float64
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := fill(a, x, channels)
		if err != nil {
			return fmt.Errorf("what is stored can't be decoded: %w", err)
		}
		m, err := fill(b, y, channels)
		if err != nil {
			return fmt.Errorf("what comes now can't be decoded: %w", err)
		}
		for i := range min(n, m) {
			d := float64(x[i]) - float64(y[i])
			signal += float64(float64(x[i]) * float64(x[i]))
			difference += float64(d * d)
			o.MaxDifference = max(o.MaxDifference, math.Abs(d))
		}
		if min(n, m) < len(x) {
			break
		}
	}
	if difference > 0 && signal > 0 {
		o.SNRdB = 10 * exactmath.Log10(signal/difference)
	}
	return nil
}

// fill reads samples until the block is full or the source ends.
func fill(src audio.Source, block []float32, channels int) (samples int, err error) {
	for samples < len(block) {
		n, err := src.ReadFrames(block[samples:])
		samples += n * channels
		if errors.Is(err, io.EOF) {
			return samples, nil
		}
		if err != nil {
			return samples, err
		}
	}
	return samples, nil
}

// files are the objects of a recording that nobody keeps. It is a recording.Objects.
type files struct {
	dir string

	mu  sync.Mutex
	err error // of the directory
}

func (f *files) path(key string) string { return filepath.Join(f.dir, filepath.Base(key)) }

func (f *files) open(key string) (*os.File, error) { return os.Open(f.path(key)) }

func (f *files) fault() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Put implements recording.Objects.
func (f *files) Put(_ context.Context, key record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	name := key.String()
	w := &hashed{hash: sha256.New()}
	var err error
	if w.file, err = os.OpenFile(f.path(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return record.ObjectInfo{}, f.fails(err)
	}
	err = write(w)
	closed := w.file.Close()
	if err == nil {
		err = closed
	}
	if w.err != nil || closed != nil {
		return record.ObjectInfo{}, f.fails(errors.Join(w.err, closed))
	}
	if err != nil {
		return record.ObjectInfo{}, err
	}
	return record.ObjectInfo{Key: key, URL: "shadow:" + name, Bytes: w.bytes, SHA256: hex.EncodeToString(w.hash.Sum(nil))}, nil
}

func (f *files) fails(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = errors.Join(f.err, err)
	return err
}

// hashed is a file that is hashed as it is written.
type hashed struct {
	file  *os.File
	hash  hash.Hash
	bytes int64
	err   error // of the file
}

func (h *hashed) Write(p []byte) (int, error) {
	n, err := h.file.Write(p)
	h.hash.Write(p[:n])
	h.bytes += int64(n)
	h.err = err
	return n, err
}
