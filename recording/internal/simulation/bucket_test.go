package simulation

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// bucket is a store like S3: objects come about whole, at the end of an upload in parts,
// and an upload that nobody ends or takes back stays.
type bucket struct {
	objects map[string]*object
	uploads map[int]*upload
	begun   int
}

type object struct {
	body        []byte
	sha256      string // hex
	contentType string
	metadata    map[string]string
	at          time.Time
	visible     time.Time // what wrote it is told by then, and nobody sees it before
}

type upload struct {
	key   string
	body  []byte
	begun time.Time
}

// bucketError is an answer that is an error.
type bucketError struct {
	code gcerrors.ErrorCode
	storage.Fault
}

func (e *bucketError) Error() string {
	return fmt.Sprintf("the bucket answers %v %s", e.code, e.Reason)
}

// bucketPort is the bucket as a process reaches it: a driver of gocloud's.
type bucketPort struct {
	p *process
	b *bucket
}

// requestTime bounds what the bucket takes to answer a request.
const requestTime = 29 * time.Second

// bucketDriver opens the bucket for a process.
func bucketDriver(p *process, wrap func(driver.Bucket, *process) driver.Bucket) storage.Driver {
	var b driver.Bucket = &bucketPort{p, p.world.bucket}
	if wrap != nil {
		b = wrap(b, p)
	}
	return storage.Driver{
		Scheme: "sim", LeavesParts: true,
		Open: func(context.Context, *url.URL) (*blob.Bucket, error) { return blob.NewBucket(b), nil },
		Fault: func(err error) storage.Fault {
			if e, ok := errors.AsType[*bucketError](err); ok {
				return e.Fault
			}
			return storage.Fault{}
		},
		Sweep: func(ctx context.Context, _ *blob.Bucket, _ *url.URL, before time.Time, ours func(string) bool) (int, error) {
			return p.world.bucket.sweep(before, ours), ctx.Err()
		},
	}
}

// sweep takes back the uploads that were begun before that time.
func (b *bucket) sweep(before time.Time, ours func(string) bool) (n int) {
	maps.DeleteFunc(b.uploads, func(_ int, u *upload) bool {
		old := u.begun.Before(before) && ours(u.key)
		if old {
			n++
		}
		return old
	})
	return n
}

// ask makes a request.
func (b *bucketPort) ask(ctx context.Context, op, key string, do func(context.Context) error) error {
	timed, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	w := b.p.world
	key = path.Base(key) // the rest has the time in it, which is the lane's
	err := b.p.ask(timed, port{op: op, about: key, place: "bucket", wrong: w.answer}, do)
	if err != nil && timed.Err() != nil && ctx.Err() == nil {
		return &bucketError{code: gcerrors.Unknown, Fault: storage.Fault{Reason: callmodel.BucketUnreachable}}
	}
	return err
}

// answer is what the bucket says of a request that fails.
func (w *world) answer(id string) error {
	e := &bucketError{code: gcerrors.Unknown, Fault: storage.Fault{Reason: callmodel.BucketUnreachable}}
	switch w.draw("which error", id) % 8 {
	case 0, 1, 2:
		e.Fault = storage.Fault{Reason: callmodel.BucketThrottled, RetryAfter: w.between(0, 20*time.Second, "retry after", id)}
	case 3:
		e.Fault = storage.Fault{Reason: callmodel.BucketForbidden}
	}
	return e
}

// ErrorCode implements driver.Bucket.
func (b *bucketPort) ErrorCode(err error) gcerrors.ErrorCode {
	if e, ok := errors.AsType[*bucketError](err); ok {
		return e.code
	}
	return gcerrors.Unknown
}

// As implements driver.Bucket.
func (b *bucketPort) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (b *bucketPort) ErrorAs(error, any) bool { return false }

// see is the object that is there now.
func (b *bucket) see(key string) (*object, error) {
	o := b.objects[key]
	if o == nil || o.visible.After(time.Now()) {
		return nil, &bucketError{code: gcerrors.NotFound}
	}
	return o, nil
}

// Attributes implements driver.Bucket.
func (b *bucketPort) Attributes(ctx context.Context, key string) (a *driver.Attributes, err error) {
	err = b.ask(ctx, "describe", key, func(context.Context) error {
		o, err := b.b.see(key)
		if err != nil {
			return err
		}
		sum := md5Of(o.body)
		a = &driver.Attributes{
			ContentType: o.contentType, Metadata: maps.Clone(o.metadata), CreateTime: o.at, ModTime: o.at, Size: int64(len(o.body)),
			ETag: hex.EncodeToString(sum), MD5: sum,
		}
		if strings.HasSuffix(key, ".json") {
			a.MD5 = nil // as of what a bucket encrypts: it is read back
		}
		return nil
	})
	return a, err
}

// ListPaged implements driver.Bucket.
func (b *bucketPort) ListPaged(ctx context.Context, o *driver.ListOptions) (page *driver.ListPage, err error) {
	err = b.ask(ctx, "list", o.Prefix, func(context.Context) error {
		page = &driver.ListPage{}
		for _, key := range slices.Sorted(maps.Keys(b.b.objects)) {
			if strings.HasPrefix(key, o.Prefix) {
				page.Objects = append(page.Objects, &driver.ListObject{Key: key, Size: int64(len(b.b.objects[key].body))})
			}
		}
		return nil
	})
	return page, err
}

type objectReader struct {
	*bytes.Reader

	a driver.ReaderAttributes
}

func (r *objectReader) Close() error                         { return nil }
func (r *objectReader) Attributes() *driver.ReaderAttributes { return &r.a }
func (r *objectReader) As(any) bool                          { return false }

// NewRangeReader implements driver.Bucket.
func (b *bucketPort) NewRangeReader(ctx context.Context, key string, offset, length int64, _ *driver.ReaderOptions) (r driver.Reader, err error) {
	err = b.ask(ctx, "read", key, func(context.Context) error {
		o, err := b.b.see(key)
		if err != nil {
			return err
		}
		body := o.body[min(offset, int64(len(o.body))):]
		if length >= 0 {
			body = body[:min(length, int64(len(body)))]
		}
		r = &objectReader{bytes.NewReader(body), driver.ReaderAttributes{ContentType: o.contentType, ModTime: o.at, Size: int64(len(o.body))}}
		return nil
	})
	return r, err
}

// objectWriter is an upload in parts.
type objectWriter struct {
	ctx  context.Context
	b    *bucketPort
	key  string
	kind string
	o    *driver.WriterOptions
	id   int
	err  error
}

// NewTypedWriter implements driver.Bucket.
func (b *bucketPort) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	return &objectWriter{ctx: ctx, b: b, key: key, kind: contentType, o: o}, nil
}

// partBytes is so little that a recording has several parts.
const partBytes = 512

// Upload implements driver.Uploader.
func (w *objectWriter) Upload(r io.Reader) error {
	w.err = w.upload(r)
	return w.err
}

func (w *objectWriter) upload(r io.Reader) error {
	b := w.b.b
	if err := w.b.ask(w.ctx, "begin upload of", w.key, func(context.Context) error {
		b.begun++
		w.id = b.begun
		b.uploads[w.id] = &upload{key: w.key, begun: time.Now()}
		return nil
	}); err != nil {
		return err // perhaps it has begun all the same: who knows its name?
	}
	part := make([]byte, partBytes)
	for {
		n, err := io.ReadFull(r, part)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		if n > 0 {
			sent := slices.Clone(part[:n])
			if err := w.b.ask(w.ctx, "put part of", w.key, func(context.Context) error {
				u := b.uploads[w.id]
				if u == nil {
					return &bucketError{code: gcerrors.Unknown, Fault: storage.Fault{Reason: callmodel.BucketRefused}} // it was swept
				}
				u.body = append(u.body, sent...)
				return nil
			}); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// Write implements driver.Writer.
func (w *objectWriter) Write([]byte) (int, error) {
	return 0, errors.New("this bucket takes uploads alone")
}

// Close implements driver.Writer.
func (w *objectWriter) Close() error {
	if w.err != nil {
		if w.id > 0 {
			_ = w.b.ask(w.ctx, "take back upload of", w.key, func(context.Context) error {
				delete(w.b.b.uploads, w.id)
				return nil
			})
		}
		return w.err
	}
	var visible time.Time
	if err := w.b.ask(w.ctx, "complete upload of", w.key, func(context.Context) (err error) {
		visible, err = w.complete()
		return err
	}); err != nil {
		return err
	}
	time.Sleep(time.Until(visible))
	return nil
}

// complete makes the object of the upload.
func (w *objectWriter) complete() (visible time.Time, err error) {
	world, b := w.b.p.world, w.b.b
	u := b.uploads[w.id]
	if u == nil {
		return visible, &bucketError{code: gcerrors.Unknown, Fault: storage.Fault{Reason: callmodel.BucketRefused}}
	}
	delete(b.uploads, w.id)
	if w.o.IfNotExist && b.objects[w.key] != nil {
		return visible, &bucketError{code: gcerrors.FailedPrecondition}
	}
	sum := sha256.Sum256(u.body)
	o := &object{
		body: u.body, sha256: hex.EncodeToString(sum[:]), contentType: w.kind, metadata: w.o.Metadata, at: time.Now(), visible: time.Now(),
	}
	if world.draw("visible", path.Base(w.key))%8 == 0 {
		o.visible = o.at.Add(world.between(time.Millisecond, 2*time.Second, "visible when", path.Base(w.key)))
	}
	if before := b.objects[w.key]; before != nil {
		world.fail("objects are never changed", "%s, of sha256 %.8s, was overwritten by another of %.8s", w.key, before.sha256, o.sha256)
	}
	b.objects[w.key] = o
	return o.visible, nil
}

// Copy implements driver.Bucket.
func (b *bucketPort) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return &bucketError{code: gcerrors.Unimplemented}
}

// Delete implements driver.Bucket.
func (b *bucketPort) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return b.ask(ctx, "delete", key, func(context.Context) error {
		b.p.world.fail("objects are never changed", "%s was deleted", key)
		return nil
	})
}

// SignedURL implements driver.Bucket.
func (b *bucketPort) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", &bucketError{code: gcerrors.Unimplemented}
}

// Close implements driver.Bucket.
func (b *bucketPort) Close() error { return nil }

func md5Of(body []byte) []byte {
	sum := md5.Sum(body)
	return sum[:]
}
