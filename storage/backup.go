package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// orBackup is what read says of the bucket or, where that fails, of its backup. The
// error is the bucket's own.
func orBackup[T any](s *Store, read func(*Store) (T, error)) (T, error) {
	v, err := read(s)
	if b := s.opts.Backup; err != nil && b != nil {
		if there, backupErr := read(b); backupErr == nil {
			return there, nil
		}
	}
	return v, err
}

// Alone is the store without its backup, over the same connections: what isn't in the bucket
// isn't there for it. It is for who compares the two. It isn't closed by itself.
func (s *Store) Alone() *Store {
	alone := *s
	alone.opts.Backup = nil
	return &alone
}

// TakeFrom copies the object of the key from another bucket to this one, under the same
// key, and verifies it. It must have that SHA-256, in hex, or nothing is stored; one that
// is here already with the same bytes is a success, also if the other bucket has lost it.
// Other bytes under the key are a CodeConflict error, and stay. An object that is in
// neither bucket is an error that wraps fs.ErrNotExist. Errors of either bucket are those
// of Put and Open: callmodel.BucketAwayError says whose they are.
func (s *Store) TakeFrom(ctx context.Context, from *Store, key, sha256 string) (record.ObjectInfo, error) {
	info := record.ObjectInfo{URL: s.URL(key), SHA256: sha256}
	head, err := from.stat(ctx, key)
	sp := s.newSpool()
	defer sp.Close()
	if err == nil {
		err = copyFrom(ctx, sp, from, key) // somebody else may have taken it meanwhile
	}
	if errors.Is(err, fs.ErrNotExist) {
		return s.here(ctx, key, info)
	}
	if err != nil {
		return info, err
	}
	st, err := s.copied(key, sp)
	if err != nil {
		return info, err
	}
	if st.sum != sha256 {
		return info, fmt.Errorf("%s in %s has the SHA-256 %s, and was stored with %s: it was changed there", key, from.base, st.sum, sha256)
	}
	info, done, err := s.putOnce(ctx, key, st, cmp.Or(head.ContentType, defaultContentType), head.Metadata)
	if err == nil && !done {
		err = s.taken(key)
	}
	return info, err
}

// copied is an object that another bucket, or a version, has: encrypted as it was there, so
// that it takes no key to decrypt it.
func (s *Store) copied(key string, sp *spool) (*staged, error) {
	st := &staged{spool: sp, sum: sp.SHA256(), bytes: sp.Size()}
	head := make([]byte, len(EncryptedMagic))
	if n, err := io.ReadFull(sp.Reader(), head); err != nil || !isEncrypted(head[:n]) {
		return st, nil //nolint:nilerr // it is too short to be encrypted
	}
	sum, err := s.plainSum(key, sp.Reader())
	if err != nil {
		return nil, s.fault("reading", key, err)
	}
	size, ok := DecryptedSize(sp.Size())
	if !ok {
		return nil, NewEncryptionError(Tampered, key, "", "%s is encrypted, and its %d bytes aren't the size of any encrypted object: it was cut", key, sp.Size())
	}
	st.sum, st.bytes, st.encrypted = sum, size, true
	return st, nil
}

// here is the object that TakeFrom finds to be in this bucket alone, if it has that SHA-256.
func (s *Store) here(ctx context.Context, key string, info record.ObjectInfo) (record.ObjectInfo, error) {
	head, err := s.stat(ctx, key)
	if err != nil {
		return info, err
	}
	sum, err := s.readBack(ctx, key)
	if err != nil {
		return info, err
	}
	if info.Bytes, info.Existed = head.Bytes, true; sum != info.SHA256 {
		return info, s.taken(key)
	}
	return info, nil
}

func (s *Store) taken(key string) error {
	return callmodel.Errorf(callmodel.CodeConflict, "%s in %s has other bytes; they stay", key, s.base)
}

func copyFrom(ctx context.Context, to io.Writer, from *Store, key string) error {
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	r, err := from.stream(ctx, key)
	if err != nil {
		return err
	}
	tee := &writeFault{w: to}
	_, err = io.Copy(tee, r)
	if err = errors.Join(err, r.Close()); err != nil {
		if tee.err != nil {
			return tee.err
		}
		return from.fault("reading", key, err)
	}
	return nil
}

// writeFault keeps a writer's error apart from the reader's.
type writeFault struct {
	w   io.Writer
	err error
}

func (f *writeFault) Write(p []byte) (n int, err error) {
	n, err = f.w.Write(p)
	f.err = cmp.Or(f.err, err)
	return n, err
}

// Remove deletes the object of the key, if its metadata says that SHA-256, in hex. One
// that isn't there, or is another one, is left alone without an error. A bucket with
// versions keeps it as one.
func (s *Store) Remove(ctx context.Context, key, sha256 string) error {
	head, err := s.stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) || err == nil && head.SHA256 != sha256 {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.bucket.Delete(ctx, key)
	if err == nil {
		return nil
	}
	if err = s.fault("deleting", key, err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
