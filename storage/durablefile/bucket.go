package durablefile

import (
	"context"
	"crypto/md5" //nolint:gosec // gocloud's integrity check is MD5
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"
)

// Options are optional.
type Options struct {
	// Signer makes and checks signed URLs, e.g. fileblob.NewURLSignerHMAC.
	// Nil: signed URLs are not supported.
	Signer fileblob.URLSigner
	// DirMode is the mode of directories made for keys. 0 means 0o750.
	DirMode fs.FileMode
	// FileMode is the mode of objects. 0 means 0o640.
	FileMode fs.FileMode
	// NoUnnamed makes it use temporary names even where the file system has
	// unnamed files. For tests.
	NoUnnamed bool
}

// OpenBucket opens the directory dir, which must exist, as a bucket. What dead
// writers left behind there is removed.
func OpenBucket(dir string, o *Options) (*blob.Bucket, error) {
	drv, err := openDriver(dir, o)
	if err != nil {
		return nil, err
	}
	return blob.NewBucket(drv), nil
}

func openDriver(dir string, o *Options) (driver.Bucket, error) {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	if opts.DirMode == 0 {
		opts.DirMode = 0o750
	}
	if opts.FileMode == 0 {
		opts.FileMode = 0o640
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("bucket directory %s: %w", dir, err)
	}
	info, err := os.Stat(abs) //nolint:gosec // the operator names the directory
	if err != nil {
		return nil, fmt.Errorf("bucket directory %s: %w", dir, err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("bucket directory %s is not a directory", dir)
	}
	b := &bucket{dir: abs, opts: opts}
	if err := b.sweep(); err != nil {
		return nil, fmt.Errorf("bucket directory %s: removing what dead writers left: %w", dir, err)
	}
	return b, nil
}

type bucket struct {
	dir  string
	opts Options
	// committing is held for the few system calls that link an object and its
	// attributes, beside the file lock that other processes see.
	committing sync.Mutex
}

const (
	lockName   = ".lock"
	tempPrefix = ".tmp-"
)

// attrs is the sidecar of an object. Size and ModTime tie it to the object it
// was written for: one that doesn't match is another's and is ignored.
type attrs struct {
	CacheControl       string            `json:"cache_control,omitempty"`
	ContentDisposition string            `json:"content_disposition,omitempty"`
	ContentEncoding    string            `json:"content_encoding,omitempty"`
	ContentLanguage    string            `json:"content_language,omitempty"`
	ContentType        string            `json:"content_type"`
	Metadata           map[string]string `json:"metadata,omitempty"`
	MD5                []byte            `json:"md5"`
	Size               int64             `json:"size"`
	ModTimeNS          int64             `json:"mod_time_ns"`
}

func (b *bucket) Close() error { return nil }

func (b *bucket) As(any) bool { return false }

func (b *bucket) ErrorAs(err error, i any) bool {
	if p, ok := i.(**fs.PathError); ok {
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			*p = pe
			return true
		}
	}
	return false
}

// errExists is a create-only write that lost.
var errExists = errors.New("the object exists already")

// errNoSigner is a signed URL asked of a bucket that was opened without a signer.
var errNoSigner = errors.New("signed URLs need a signer; give one when the bucket is opened")

func (b *bucket) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gcerrors.NotFound
	case errors.Is(err, errExists):
		return gcerrors.FailedPrecondition
	case errors.Is(err, fs.ErrPermission):
		return gcerrors.PermissionDenied
	case errors.Is(err, errNoSigner):
		return gcerrors.Unimplemented
	case errors.Is(err, errBadKey), errors.Is(err, errEmptyKey):
		return gcerrors.InvalidArgument
	case errors.Is(err, context.Canceled):
		return gcerrors.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return gcerrors.DeadlineExceeded
	}
	return gcerrors.Unknown
}

// stat finds the object of key and its attributes.
func (b *bucket) stat(key string) (string, fs.FileInfo, attrs, error) {
	path, err := b.path(key)
	if err != nil {
		return "", nil, attrs{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", nil, attrs{}, notExistBelowFile(err)
	}
	if info.IsDir() {
		return "", nil, attrs{}, fmt.Errorf("%s is a directory: %w", key, fs.ErrNotExist)
	}
	return path, info, readAttrs(path, info), nil
}

// notExistBelowFile makes "a/b" of a file "a" simply not exist.
func notExistBelowFile(err error) error {
	if isNotDir(err) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

func readAttrs(path string, info fs.FileInfo) attrs {
	plain := attrs{ContentType: "application/octet-stream"}
	raw, err := os.ReadFile(attrsPath(path))
	if err != nil {
		return plain
	}
	var a attrs
	if json.Unmarshal(raw, &a) != nil || a.Size != info.Size() || a.ModTimeNS != info.ModTime().UnixNano() {
		return plain
	}
	return a
}

func (b *bucket) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	_, info, a, err := b.stat(key)
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, ContentType: a.ContentType, Metadata: a.Metadata,
		ModTime: info.ModTime(), Size: info.Size(), MD5: a.MD5,
		ETag: fmt.Sprintf("\"%x-%x\"", info.ModTime().UnixNano(), info.Size()),
	}, nil
}

func (b *bucket) NewRangeReader(_ context.Context, key string, offset, length int64, opts *driver.ReaderOptions) (driver.Reader, error) {
	path, info, a, err := b.stat(key)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path) //nolint:gosec // the path is the bucket's own
	if err != nil {
		return nil, err
	}
	if opts.BeforeRead != nil {
		if err := opts.BeforeRead(func(any) bool { return false }); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	if offset > 0 {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	var r io.Reader = f
	if length >= 0 {
		r = io.LimitReader(r, length)
	}
	return &reader{r: r, f: f, attrs: driver.ReaderAttributes{ContentType: a.ContentType, ModTime: info.ModTime(), Size: info.Size()}}, nil
}

type reader struct {
	r     io.Reader
	f     *os.File
	attrs driver.ReaderAttributes
}

func (r *reader) Read(p []byte) (int, error)           { return r.r.Read(p) }
func (r *reader) Close() error                         { return r.f.Close() }
func (r *reader) Attributes() *driver.ReaderAttributes { return &r.attrs }
func (r *reader) As(any) bool                          { return false }

func (b *bucket) Copy(ctx context.Context, dstKey, srcKey string, opts *driver.CopyOptions) error {
	path, info, a, err := b.stat(srcKey)
	if err != nil {
		return err
	}
	src, err := os.Open(path) //nolint:gosec // the path is the bucket's own
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // only read from
	if opts.BeforeCopy != nil {
		if err := opts.BeforeCopy(func(any) bool { return false }); err != nil {
			return err
		}
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.NewTypedWriter(own, dstKey, a.ContentType, &driver.WriterOptions{
		CacheControl: a.CacheControl, ContentDisposition: a.ContentDisposition, ContentEncoding: a.ContentEncoding,
		ContentLanguage: a.ContentLanguage, Metadata: a.Metadata,
	})
	if err != nil {
		return err
	}
	n, err := io.Copy(w, src)
	if err == nil && n != info.Size() {
		err = fmt.Errorf("copied %d of %d bytes of %s", n, info.Size(), srcKey)
	}
	if err != nil {
		cancel() // so that Close discards what was copied
		return errors.Join(err, w.Close())
	}
	return w.Close()
}

func (b *bucket) Delete(_ context.Context, key string, opts *driver.DeleteOptions) error {
	path, _, _, err := b.stat(key)
	if err != nil {
		return err
	}
	if opts != nil && opts.BeforeDelete != nil {
		if err := opts.BeforeDelete(func(any) bool { return false }); err != nil {
			return err
		}
	}
	return b.locked(func() error {
		// The object goes first: attributes without one are harmless.
		if err := os.Remove(path); err != nil {
			return err
		}
		if err := os.Remove(attrsPath(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(b.removeEmpty(filepath.Dir(path)))
	})
}

func (b *bucket) SignedURL(ctx context.Context, key string, opts *driver.SignedURLOptions) (string, error) {
	if b.opts.Signer == nil {
		return "", errNoSigner
	}
	if opts.BeforeSign != nil {
		if err := opts.BeforeSign(func(any) bool { return false }); err != nil {
			return "", err
		}
	}
	u, err := b.opts.Signer.URLFromKey(ctx, key, opts)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

func (b *bucket) NewTypedWriter(ctx context.Context, key, contentType string, opts *driver.WriterOptions) (driver.Writer, error) {
	path, err := b.path(key)
	if err != nil {
		return nil, err
	}
	f, err := b.tempIn(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	if opts.BeforeWrite != nil {
		if err := opts.BeforeWrite(func(any) bool { return false }); err != nil {
			return nil, errors.Join(err, f.discard())
		}
	}
	return &writer{
		b: b, ctx: ctx, path: path, f: f, createOnly: opts.IfNotExist, wantMD5: opts.ContentMD5, hash: md5.New(), //nolint:gosec // as above
		attrs: attrs{
			CacheControl: opts.CacheControl, ContentDisposition: opts.ContentDisposition, ContentEncoding: opts.ContentEncoding,
			ContentLanguage: opts.ContentLanguage, ContentType: contentType, Metadata: opts.Metadata,
		},
	}, nil
}

// removeEmpty removes dir and those above it while they are empty, below the bucket's own:
// their names may be those of calls. It returns the first that stays. The bucket is locked.
func (b *bucket) removeEmpty(dir string) string {
	for dir != b.dir && os.Remove(dir) == nil { // one that isn't empty can't be removed
		dir = filepath.Dir(dir)
	}
	return dir
}

// tempIn makes dir, and a file in it. Whoever deletes its last object may remove it in
// between.
func (b *bucket) tempIn(dir string) (f *tempFile, err error) {
	const tries = 100
	for range tries {
		if err = b.makeDir(dir); err == nil {
			f, err = b.temp(dir)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return f, err
}

// makeDir makes dir and makes its making durable: every new directory's entry
// is synced in the one above.
func (b *bucket) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if dir != b.dir {
		if err := b.makeDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, b.opts.DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the path is the bucket's own
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
