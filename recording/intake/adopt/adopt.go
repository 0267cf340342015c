package adopt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/recording/manifest"
)

// Bucket is where the recordings are. *storage.Store is one.
type Bucket interface {
	// List calls f with every object below prefix, in the order of their names, until
	// it returns false. It holds a page of them at a time.
	List(ctx context.Context, prefix string, f func(key string, bytes int64) bool) error
	// Open reads an object.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// PutNamed creates an object; one that is there with the same bytes will do, with
	// others it is a CodeConflict error.
	PutNamed(ctx context.Context, name string, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error)
	// URL is where the object is.
	URL(key string) string
	// LocalPath is the file of an object in a bucket that is a directory, "" in any other
	// and for keys that no file can have.
	LocalPath(key string) string
}

// Ledger is where what is adopted is kept. *calldb.DB and *memdb.Store are ledgers:
// every one passes storetest.Jobs.
type Ledger interface {
	// Adopt puts a job in the ledger that is done already, with its outcome, in one
	// transaction. It is idempotent on (tenant, kind, key): the id of the first job is
	// returned, created is false, and that job is left as it is. An invalid request, or
	// an outcome without a result to keep, is refused with FieldErrors.
	Adopt(ctx context.Context, r ledger.Request, o ledger.Outcome) (id callmodel.JobID, created bool, err error)
	// Jobs lists jobs by id, ascending.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
}

// Options say what the objects are. Patterns, and Tenant or Tenants, are needed.
type Options struct {
	// Patterns say how the objects are named below the prefix; they are tried in order.
	// Each object is all of a call: patterns with {leg} don't fit.
	Patterns []spool.Pattern
	// Tenant and Tenants say whose they are, as spool.Options do.
	Tenant  callmodel.TenantID
	Tenants map[string]callmodel.TenantID
	// Zone is that of the times in names. Nil means UTC.
	Zone *time.Location
	// Codecs read them.
	Codecs *codec.Registry
	// Modified tells when an object was written, which is about its call's end: the
	// start of one whose name doesn't say it. Nil, or a zero time: such are left out.
	Modified func(ctx context.Context, key string) (time.Time, error)
	// Dir is the directory that the bucket is; "" for a bucket that is none. Files that it
	// doesn't list are told of, and links that leave it are left out.
	Dir string
	// Actor is who asks for it, for the audit log.
	Actor string
}

// Found is an object, and what became of it.
type Found struct {
	Key         string // in the bucket
	Bytes       int64
	TenantID    callmodel.TenantID // of those and the ids: empty if it is left out
	CallID      callmodel.CallID
	RecordingID callmodel.RecordingID
	StartedAt   time.Time
	// Own says that Switchtape has made it: Key is its manifest.
	Own     bool
	JobID   callmodel.JobID // "" if nothing was done
	LeftOut string          // why it isn't, or wouldn't be, adopted; "" if it is
}

// Adopter adopts recordings. Make one with New.
type Adopter struct {
	bucket Bucket
	ledger Ledger // nil: it isn't known what is adopted
	opts   Options
}

// New makes an Adopter. Without a ledger it can only say what could be adopted.
func New(b Bucket, l Ledger, o *Options) *Adopter {
	a := &Adopter{bucket: b, ledger: l, opts: *o}
	if a.opts.Zone == nil {
		a.opts.Zone = time.UTC
	}
	return a
}

// Run goes through the objects below prefix, which ends in a slash or is empty, and
// tells of each to each, in the order of their names: what it is, or why it is left out.
// With do it adopts them, without it changes nothing and reads of each no more than tells
// whether it is audio. It holds a page of names at a time. The files of a directory that
// the bucket has no names for come last. An error ends it: that of each, of the bucket or of the
// ledger; run again, it goes on.
func (a *Adopter) Run(ctx context.Context, prefix string, do bool, each func(Found) error) error {
	var failed error
	var root *os.Root
	if a.opts.Dir != "" {
		var err error
		if root, err = os.OpenRoot(a.opts.Dir); err != nil {
			return err
		}
		defer root.Close() //nolint:errcheck // only read from
	}
	err := a.bucket.List(ctx, prefix, func(key string, bytes int64) bool {
		f, err := a.object(ctx, root, prefix, key, bytes, do)
		if err == nil {
			err = each(f)
		}
		failed = err
		return err == nil && ctx.Err() == nil
	})
	if err := errors.Join(failed, err, ctx.Err()); err != nil || root == nil {
		return err
	}
	return a.unlisted(ctx, root, prefix, each)
}

// object looks at an object, and adopts it.
func (a *Adopter) object(ctx context.Context, root *os.Root, prefix, key string, bytes int64, do bool) (Found, error) {
	f := Found{Key: key, Bytes: bytes}
	leave := func(why string) (Found, error) {
		return Found{Key: key, Bytes: bytes, LeftOut: why}, nil
	}
	name := strings.TrimPrefix(key, prefix)
	switch {
	case strings.HasSuffix(key, record.AdoptedManifest("")):
		if isOwn(key) {
			return a.own(ctx, f, do)
		}
		return leave("not audio: a manifest")
	case isOwn(key):
		return leave("a recording of Switchtape's own: it goes by its manifest")
	}
	file, pattern, ok := a.named(name)
	if !ok {
		return leave("its name fits no pattern")
	}
	switch {
	case len(pattern.Legs()) != 1:
		return leave("its name is that of a leg: legs are adopted from a directory")
	case file.Name.Segment > 0 || !file.Name.Begin.IsZero():
		return leave("its name is that of a part of a call: parts are adopted from a directory")
	}
	if why := a.wrongFile(root, key); why != "" {
		return leave(why)
	}
	if bytes == 0 {
		return leave("empty: it has no bytes")
	}
	if file.Name.Start.IsZero() && a.opts.Modified != nil {
		at, err := a.opts.Modified(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return leave(gone)
		}
		if err != nil {
			return f, err
		}
		file.ModTime = at
	}
	if file.Name.Start.IsZero() && file.ModTime.IsZero() {
		return leave("it isn't known when its call began: the name doesn't say it")
	}
	spec, err := a.spec(prefix, file, pattern)
	if err != nil {
		return leave("no recording can be made of it: " + err.Error())
	}
	f.TenantID, f.CallID, f.RecordingID, f.StartedAt = spec.TenantID, spec.CallID, spec.RecordingID, spec.StartedAt
	if known, err := a.known(ctx, &spec, key); err != nil || known != "" {
		if err != nil {
			return f, err
		}
		return leave(known)
	}
	var why string
	if !do {
		if why, err = a.look(ctx, key); err != nil || why == "" {
			return f, err
		}
		return leave(why)
	}
	var created bool
	f.JobID, created, why, err = a.adopt(ctx, key, &spec)
	switch {
	case err != nil:
		return f, err
	case why != "":
		return leave(why)
	case !created:
		return leave("already adopted")
	}
	return f, nil
}

// gone is said of an object that was listed and can't be found: files of a file bucket
// that somebody else has put there under names that the bucket writes otherwise, too.
const gone = "it isn't there by this name: it is gone, or the bucket writes such names otherwise"

// named reads the object's name.
func (a *Adopter) named(name string) (spool.File, *spool.Pattern, bool) {
	for i := range a.opts.Patterns {
		if n, ok := a.opts.Patterns[i].Match(name, a.opts.Zone); ok {
			return spool.File{Path: name, Name: n}, &a.opts.Patterns[i], true
		}
	}
	return spool.File{}, nil, false
}

// spec is that of the object's recording, but for its outputs.
func (a *Adopter) spec(prefix string, f spool.File, p *spool.Pattern) (record.Spec, error) {
	o := spool.Options{
		Below: strings.TrimSuffix(prefix, "/"), Tenant: a.opts.Tenant, Tenants: a.opts.Tenants,
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}}, // until it is read
	}
	s, err := o.Spec(&spool.Set{Pattern: p, Files: []spool.File{f}, Whole: true})
	// What the names of a call's files have in common is without {ext}: here each of them
	// is a recording, whatever others are called.
	if f.Name.Ext != "" {
		s.RecordingID += callmodel.RecordingID("-" + strings.TrimPrefix(path.Ext(f.Path), "."))
	}
	return s, err
}

// known says why the object isn't adopted that has a job already, or whose id has; "" if
// neither has.
func (a *Adopter) known(ctx context.Context, spec *record.Spec, key string) (string, error) {
	if a.ledger == nil {
		return "", nil
	}
	jobs, err := a.ledger.Jobs(ctx, ledger.Filter{Kind: record.Kind, TenantID: spec.TenantID, CallID: spec.CallID, Limit: maxJobs})
	if err != nil {
		return "", err
	}
	for i := range jobs {
		r, err := record.ResultOf(&jobs[i])
		ours := err == nil && slices.ContainsFunc(r.Outputs, func(o record.OutputResult) bool { return o.Key == key })
		switch {
		case ours:
			return "already adopted", nil
		case jobs[i].Key == string(spec.RecordingID):
			return "another object's recording has its id already: by the pattern both have one name", nil
		}
	}
	return "", nil
}

// maxJobs is how many jobs of a call are looked at.
const maxJobs = 1000

// adopt reads the object, and puts its manifest beside it and its job in the ledger. why
// says what is wrong with an object that can't be adopted.
func (a *Adopter) adopt(ctx context.Context, key string, spec *record.Spec) (id callmodel.JobID, created bool, why string, err error) {
	r, file, why, err := a.read(ctx, key, spec)
	if err != nil || why != "" {
		return "", false, why, err
	}
	m, err := manifest.New(spec, &r, [][]manifest.File{{file}})
	if err != nil {
		return "", false, "", err
	}
	info, err := a.bucket.PutNamed(ctx, record.AdoptedManifest(key), record.ObjectMeta{ContentType: "application/json"}, m.Write)
	switch {
	case callmodel.CodeOf(err) == callmodel.CodeConflict, callmodel.CodeOf(err) == callmodel.CodeInvalid:
		return "", false, "its manifest can't be put beside it: " + err.Error(), nil
	case err != nil:
		return "", false, "", err
	}
	r.Manifest = &record.ManifestResult{URL: info.URL, Key: record.AdoptedManifest(key), Bytes: info.Bytes, SHA256: info.SHA256}
	return a.settle(ctx, spec, &r)
}

// read reads the object once, to its end: its hash, and what its audio is.
func (a *Adopter) read(ctx context.Context, key string, spec *record.Spec) (r record.Result, file manifest.File, why string, err error) {
	body, why, err := a.open(ctx, key)
	if body == nil {
		return r, file, why, err
	}
	defer body.Close() //nolint:errcheck // only read from
	counted := &counter{r: body, h: sha256.New()}
	src, defects, err := a.opts.Codecs.Decode(counted, codec.Hint{Size: codec.SizeUnknown})
	var frames int64
	if err == nil {
		frames, err = drain(ctx, src)
	}
	switch {
	case ctx.Err() != nil:
		return r, file, "", ctx.Err()
	case counted.err != nil: // the bucket's, not the object's
		return r, file, "", counted.err
	case err != nil:
		return r, file, "not audio: " + err.Error(), nil
	case frames == 0:
		return r, file, "empty: it holds no audio", nil
	}
	defects = append(append([]record.Defect{}, defects...), codec.LaterDefects(src)...)
	if _, err := io.Copy(io.Discard, counted); err != nil { // what is behind the audio is part of the file
		return r, file, "", err
	}
	format := src.Format()
	sum := hex.EncodeToString(counted.h.Sum(nil))
	duration := time.Duration(float64(frames) / float64(format.SampleRate) * float64(time.Second)).Round(time.Millisecond)
	out := record.OutputSpec{Codec: codecOf(key, codec.Describe(src)), Layout: layoutOf(format.NumChannels), SampleRateHz: format.SampleRate}
	if out.Codec == "" {
		return r, file, strangeFormat + codec.Describe(src), nil
	}
	spec.Outputs = []record.OutputSpec{out}
	r = record.Result{
		Status: record.StatusCompleted, Defects: defects, Duration: duration,
		Legs: []record.LegResult{{Name: spec.Legs[0].Name, Frames: frames, Rate: format.SampleRate, SHA256: sum}},
		Outputs: []record.OutputResult{{
			URL: a.bucket.URL(key), Key: key, Codec: out.Codec, Layout: out.Layout, Channels: format.NumChannels, Rate: format.SampleRate,
			Bitrate: bitrate(counted.n, duration), Frames: frames, Bytes: counted.n, SHA256: sum,
		}},
	}
	if len(defects) > 0 {
		for i := range r.Defects {
			r.Defects[i].Leg = spec.Legs[0].Name
		}
		r.Status = record.StatusCompletedDegraded
	}
	file = manifest.File{URI: key, Bytes: counted.n, SHA256: sum, Frames: frames, Rate: format.SampleRate, Channels: format.NumChannels}
	return r, file, "", nil
}

// strangeFormat is said of audio that recordings don't come in.
const strangeFormat = "a format that recordings don't have: "

// open opens the object; why says what is wrong with one that isn't there.
func (a *Adopter) open(ctx context.Context, key string) (body io.ReadCloser, why string, err error) {
	body, err = a.bucket.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, gone, nil
	}
	return body, "", err
}

// look reads the beginning of an object: why says what is wrong with one that isn't audio.
func (a *Adopter) look(ctx context.Context, key string) (why string, err error) {
	body, why, err := a.open(ctx, key)
	if body == nil {
		return why, err
	}
	defer body.Close() //nolint:errcheck // only read from
	counted := &counter{r: body, h: sha256.New()}
	src, _, err := a.opts.Codecs.Decode(counted, codec.Hint{Size: codec.SizeUnknown})
	frames := 0
	if err == nil {
		frames, err = src.ReadFrames(make([]float32, src.Format().NumChannels))
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case counted.err != nil: // the bucket's, not the object's
		return "", counted.err
	case err != nil && !errors.Is(err, io.EOF):
		return "not audio: " + err.Error(), nil
	case frames == 0 && err != nil:
		return "empty: it holds no audio", nil
	case codecOf(key, codec.Describe(src)) == "":
		return strangeFormat + codec.Describe(src), nil
	}
	return "", nil
}

// drain counts the frames of a source.
func drain(ctx context.Context, src audio.Source) (frames int64, err error) {
	const block = 4096 // frames
	buf := make([]float32, block*src.Format().NumChannels)
	for ctx.Err() == nil {
		n, err := src.ReadFrames(buf)
		frames += int64(n)
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return frames, err
		}
	}
	return frames, ctx.Err()
}

// counter hashes what is read through it, and keeps the reader's error.
type counter struct {
	r   io.Reader
	h   hash.Hash
	n   int64
	err error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	_, _ = c.h.Write(p[:n]) // never fails
	c.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		c.err = err
	}
	return n, err
}

// bitrate is that of so many bytes in that time, in bit/s.
func bitrate(bytes int64, d time.Duration) int {
	if d <= 0 {
		return 0
	}
	return int(float64(bytes) * 8 / d.Seconds())
}

// layoutOf is that of a file of so many channels.
func layoutOf(channels int) record.Layout {
	switch channels {
	case 1:
		return record.LayoutMono
	case 2:
		return record.LayoutStereo
	}
	return record.LayoutMultichannel
}

// codecOf is that of a file, by its name and what it holds; "" for none that recordings
// have.
func codecOf(key, format string) record.Codec {
	switch ext := strings.ToLower(path.Ext(key)); {
	case ext == ".mp3" || strings.HasPrefix(format, "MP3"):
		return record.CodecMP3
	case ext == ".flac" || strings.HasPrefix(format, "FLAC"):
		return record.CodecFLAC
	case strings.Contains(format, "µ-law"):
		return record.CodecMulaw
	case strings.Contains(format, "A-law"):
		return record.CodecAlaw
	case strings.HasPrefix(format, "WAV"):
		return record.CodecWAV
	}
	return ""
}
