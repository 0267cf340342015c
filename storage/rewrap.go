package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Rewrap gives an encrypted object the recipients that its tenant has now. The header is
// replaced, and the body copied as it is: the object is written whole over the old one, at
// once, as buckets have it, and verified. Who reads it meanwhile has one or the other, of
// the same plaintext. It may be cut short and repeated at any time.
//
// The object must be as it was stored, which is seen to before it is written again. One that
// was deleted or replaced since is not written: a bucket is told which one is meant (If-Match, or
// the generation), and of a directory it is looked at just before. That is a
// callmodel.RetryAfterError, as is a lack of keys. A missing object is an error that
// wraps fs.ErrNotExist.
//
// The old object with its old header, which the old identities decrypt, is gone with it, but for
// a bucket that keeps versions: there it is one, as long as the bucket's rules have it.
//
// An object that is in the backup alone is re-wrapped there.
func (s *Store) Rewrap(ctx context.Context, key string) (record.Rewrapped, error) {
	done, err := s.rewrap(ctx, key)
	if b := s.opts.Backup; b != nil && errors.Is(err, fs.ErrNotExist) {
		return b.Rewrap(ctx, key)
	}
	return done, err
}

func (s *Store) rewrap(ctx context.Context, key string) (record.Rewrapped, error) {
	o, err := s.openObject(ctx, key)
	if err != nil {
		return "", err
	}
	switch {
	case !isEncrypted(o.head):
		return record.RewrapPlain, nil
	case s.opts.Encryption == nil:
		return "", s.fault("re-wrapping", key, s.keyless(key))
	case len(o.head) < EncryptedHeader:
		return "", NewEncryptionError(Tampered, key, "", "%s in %s is encrypted, and ends within its header", key, s.base)
	}
	fresh, err := s.opts.Encryption.Rewrap(key, o.head[:EncryptedHeader])
	if err != nil {
		return "", s.fault("re-wrapping", key, err)
	}
	if fresh == nil {
		return record.RewrapCurrent, nil
	}
	return s.rewrapBody(ctx, key)
}

func (s *Store) rewrapBody(ctx context.Context, key string) (record.Rewrapped, error) {
	a, err := s.bucket.Attributes(ctx, key)
	if err != nil {
		return "", s.fault("re-wrapping", key, err)
	}
	sp := s.newSpool()
	defer sp.Close()
	head, err := s.spoolBody(ctx, sp, key)
	if err != nil {
		return "", err
	}
	fresh, err := s.opts.Encryption.Rewrap(key, head)
	if err != nil {
		return "", s.fault("re-wrapping", key, err)
	}
	if fresh == nil {
		return record.RewrapCurrent, nil
	}
	if err := checkHeader(key, fresh); err != nil {
		return "", err
	}
	st := &staged{spool: sp, header: fresh, encrypted: true}
	plain, ok := DecryptedSize(st.Size())
	if !ok || a.Size != st.Size() {
		return "", s.changedError(key)
	}
	st.bytes = plain
	if st.sum, err = s.opts.Encryption.Sum(key, st.Reader()); err != nil {
		return "", s.fault("re-wrapping", key, err)
	}
	if err := s.replace(ctx, key, st, a); err != nil {
		return "", err
	}
	return record.RewrapDone, nil
}

// spoolBody spools what is behind the object's header, and returns that.
func (s *Store) spoolBody(ctx context.Context, sp *spool, key string) ([]byte, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	r, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, s.fault("reading", key, err)
	}
	head := make([]byte, EncryptedHeader)
	tee := &writeFault{w: sp}
	if _, err = io.ReadFull(r, head); err == nil {
		_, err = io.Copy(tee, r)
	}
	if err = errors.Join(err, r.Close()); err != nil {
		if tee.err != nil {
			return nil, tee.err
		}
		return nil, s.fault("reading", key, err)
	}
	return head, nil
}

// replace writes the object over the one that a describes.
func (s *Store) replace(ctx context.Context, key string, st *staged, a *blob.Attributes) error {
	o := &blob.WriterOptions{
		ContentType: cmp.Or(a.ContentType, defaultContentType), Metadata: withHash(a.Metadata, st),
		BufferSize: uploadBuffer, MaxConcurrency: uploadConcurrency,
	}
	if s.before != nil {
		o.BeforeWrite = func(as func(any) bool) error { return s.before(as, a) }
	} else if now, err := s.bucket.Attributes(ctx, key); err != nil {
		return s.fault("re-wrapping", key, err)
	} else if now.ETag != a.ETag || !now.ModTime.Equal(a.ModTime) {
		return s.changedError(key)
	}
	err := s.upload(ctx, key, st.Reader(), o)
	switch gcerrors.Code(err) {
	case gcerrors.OK:
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists, gcerrors.NotFound:
		return errors.Join(s.changedError(key), err)
	default:
		return s.putFault(key, err)
	}
	same, err := s.verify(ctx, key, st)
	if err == nil && !same {
		err = s.awayError(Fault{}, fmt.Errorf("%s in %s holds other bytes after it was re-wrapped", key, s.base))
	}
	return err
}

// changedError is that of an object that is another one, or none, since it was looked at.
func (s *Store) changedError(key string) error {
	return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "%s in %s was deleted or replaced while it was re-wrapped; it is left as it is", key, s.base), 0)
}
