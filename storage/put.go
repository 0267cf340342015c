package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"syscall"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// metaSHA256 is the metadata key of the object's own hash: multipart objects
// have no checksum of the whole that all clouds agree on.
const metaSHA256 = "sha256"

// S3 keeps a buffer a part: one of 5 MiB costs 39 MB at the peak where the
// defaults cost 99.
const (
	uploadBuffer      = 5 << 20
	uploadConcurrency = 1
)

// Put stores what write writes under key, create-only. The object appears
// whole, with its metadata and SHA-256, or not at all; an existing one is
// never touched:
//
//   - the same bytes are there already: success, ObjectInfo.Existed;
//   - other bytes are: ours become the next version, ObjectInfo.Key says which,
//     and the log is told, as of an error unless ObjectMeta.NewVersion is set.
//
// write may write in pieces of any size and is called once; its error is
// returned as it is, and nothing is stored. The upload may be tried again
// without it. Errors of the bucket are callmodel.RetryAfterError.
func (s *Store) Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if err := key.Validate(); err != nil {
		return record.ObjectInfo{}, callmodel.Permanent(fmt.Errorf("object key: %w", err))
	}
	st, err := s.stage(key.String(), write)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	defer st.Close()
	contentType := cmp.Or(m.ContentType, defaultContentType)
	first := key
	for range maxVersions {
		info, done, err := s.putOnce(ctx, key.String(), st, contentType, m.Metadata)
		if err != nil {
			return record.ObjectInfo{}, err
		}
		if done {
			info.Key = key
			switch told := []any{"key", first.String(), "stored_as", key.String(), "sha256", st.sum}; {
			case key.Version == first.Version:
			case m.NewVersion:
				s.opts.Logger.InfoContext(ctx, "a later version of the recording was stored beside the earlier ones", told...)
			default:
				s.opts.Logger.ErrorContext(ctx, "an object with other bytes has the recording's key: stored as a new version", told...)
			}
			return info, nil
		}
		key = key.Next()
	}
	return record.ObjectInfo{}, callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict,
		"%d versions of %s exist with other bytes in %s; find out what writes there", maxVersions, first, s.base))
}

// PutNamed is Put for an object that a person has named. There are no versions
// of it: other bytes under the name are a CodeConflict error.
func (s *Store) PutNamed(ctx context.Context, name string, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if why := callmodel.ValidateRelativePath(name); why != nil {
		return record.ObjectInfo{}, callmodel.Permanent(callmodel.FieldErrors{{Path: "name", Message: why.Error()}})
	}
	st, err := s.stage(name, write)
	if err != nil {
		return record.ObjectInfo{}, err
	}
	defer st.Close()
	info, done, err := s.putOnce(ctx, name, st, cmp.Or(m.ContentType, defaultContentType), m.Metadata)
	if err == nil && !done {
		err = callmodel.Permanent(callmodel.Errorf(callmodel.CodeConflict, "%s exists already with other bytes; choose another name", s.URL(name)))
	}
	return info, err
}

const defaultContentType = "application/octet-stream"

// withHash is the metadata of the staged object: what the caller gave, its hash, and how
// it is encrypted.
func withHash(metadata map[string]string, st *staged) map[string]string {
	meta := maps.Clone(metadata)
	if meta == nil {
		meta = map[string]string{}
	}
	meta[metaSHA256] = st.sum
	delete(meta, metaEncryption)
	if st.encrypted {
		meta[metaEncryption] = encryptionAge
	}
	return meta
}

// putOnce uploads to exactly this name. done is false when other bytes have it.
func (s *Store) putOnce(ctx context.Context, name string, st *staged, contentType string,
	metadata map[string]string,
) (info record.ObjectInfo, done bool, err error) {
	info = record.ObjectInfo{URL: s.URL(name), Bytes: st.bytes, SHA256: st.sum}
	if err := st.address(name); err != nil {
		return info, false, s.fault("encrypting", name, err)
	}
	info.Encrypted = st.encrypted // it is as of now
	err = s.upload(ctx, name, st.Reader(), &blob.WriterOptions{
		ContentType: contentType, Metadata: withHash(metadata, st), IfNotExist: true,
		BufferSize: uploadBuffer, MaxConcurrency: uploadConcurrency,
	})
	switch gcerrors.Code(err) {
	case gcerrors.OK:
		same, err := s.verify(ctx, name, st)
		if errors.Is(err, fs.ErrNotExist) {
			return info, false, s.awayError(Fault{}, fmt.Errorf("%s has said that it stored %s, and hasn't: %w", s.base, name, err))
		}
		if err == nil && !same {
			err = s.awayError(Fault{}, fmt.Errorf(
				"%s in %s holds other bytes after an upload of %d (sha256 %s): they were changed on their way or by the bucket; that object stays, and the recording is stored as its next version",
				name, s.base, info.Bytes, info.SHA256))
		}
		return info, same, err
	case gcerrors.FailedPrecondition, gcerrors.AlreadyExists:
		if info.Existed, err = s.settled(ctx, name, st); info.Existed && err == nil {
			info.Encrypted, err = s.heldEncrypted(ctx, name, st)
		}
		return info, info.Existed, err
	default:
		if ctx.Err() != nil {
			return info, false, context.Cause(ctx)
		}
		if cutShort(err) {
			if same, there := s.holds(ctx, name, st); there == nil {
				if info.Existed = same; same {
					info.Encrypted, err = s.heldEncrypted(ctx, name, st)
					return info, err == nil, err
				}
				return info, false, nil
			}
		}
		return info, false, s.putFault(name, err)
	}
}

// heldEncrypted reports whether the object that holds the staged one's plaintext has it
// encrypted, which its size tells: the staged one may be otherwise.
func (s *Store) heldEncrypted(ctx context.Context, name string, st *staged) (bool, error) {
	a, err := s.bucket.Attributes(ctx, name)
	if err != nil {
		return false, s.fault("describing", name, err)
	}
	return a.Size == EncryptedSize(st.bytes), nil
}

// cutShort reports whether the line was closed while the upload was sent. A server that
// refuses what is there already may close it before all was read, and its answer is lost;
// so is that of one that took it. Which of these errors it is depends on who notices first.
func cutShort(err error) bool {
	for _, closed := range []error{syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF} {
		if errors.Is(err, closed) {
			return true
		}
	}
	return false
}

// How long a competing upload is given to show its object: S3 refuses the
// second writer as soon as the first has begun to publish.
const (
	settleTries = 10
	settleFirst = 5 * time.Millisecond // doubles each time: some 5 s in all
)

// settled is holds, patient with an object that won but can't be seen yet.
func (s *Store) settled(ctx context.Context, key string, st *staged) (bool, error) {
	wait := settleFirst
	for range settleTries {
		same, err := s.holds(ctx, key, st)
		if !errors.Is(err, fs.ErrNotExist) {
			return same, err
		}
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			pause.Stop()
			return false, context.Cause(ctx)
		case <-pause.C:
		}
		wait *= 2
	}
	return false, callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict,
		"another upload of %s to %s began and has not finished", key, s.base), 0)
}

// upload is the one safe way through gocloud's writers. A reader that fails
// must not commit what was read before (file, mem, gcs do, unless the upload's
// own context is cancelled first), and a cancelled context must not reach S3
// (its abort would use it, and leave the parts dangling: Driver.LeavesParts) or
// Azure (whose driver panics). So the upload runs under a context of its own, and its
// reader watches the caller's.
func (s *Store) upload(ctx context.Context, key string, r io.Reader, o *blob.WriterOptions) error {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	watched := &watchedReader{ctx: ctx, r: r}
	if !s.driver.LeavesParts {
		watched.fail = cancel
	}
	if s.before != nil && o.BeforeWrite == nil {
		o.BeforeWrite = func(as func(any) bool) error { return s.before(as, nil) }
	}
	err := s.bucket.Upload(own, key, watched, o)
	if watched.err != nil {
		return watched.err
	}
	return err
}

// watchedReader ends with the caller's context. Just before it returns an
// error it calls fail.
type watchedReader struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one upload
	r    io.Reader
	fail func() // may be nil
	err  error
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := 0, w.ctx.Err()
	if err == nil {
		n, err = w.r.Read(p)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
		if w.fail != nil {
			w.fail()
		}
	}
	return n, err
}
