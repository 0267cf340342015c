package storage

import (
	"bytes"
	"context"
	"crypto/md5" //nolint:gosec // it is what buckets have, against faults and not against people
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"gocloud.dev/blob"
)

// verify reports whether the bucket holds the very bytes that were sent under name, by what
// the bucket says of them itself: its MD5, or the ETag that S3 makes of the parts' MD5s.
// Where it has none, or another one, as of what it encrypts, the object is read back.
func (s *Store) verify(ctx context.Context, name string, st *staged) (bool, error) {
	a, err := s.bucket.Attributes(ctx, name)
	if err != nil {
		return false, s.fault("describing", name, err)
	}
	return s.isSent(ctx, name, a, st)
}

func (s *Store) isSent(ctx context.Context, name string, a *blob.Attributes, st *staged) (bool, error) {
	if a.Size != st.Size() {
		return false, nil
	}
	same, err := sameSum(a, st)
	if same || err != nil {
		return same, err
	}
	want, err := st.sentSHA256()
	if err != nil {
		return false, err
	}
	sum, err := s.readSent(ctx, name)
	return sum == want, err
}

// holds reports whether the object that is there under name is the same plaintext as the
// staged one. It may be encrypted or not, whatever the staged one is: an encrypted object
// never has the same bytes twice. What it holds isn't believed of its metadata.
func (s *Store) holds(ctx context.Context, name string, st *staged) (bool, error) {
	a, err := s.bucket.Attributes(ctx, name)
	if err != nil {
		return false, s.fault("describing", name, err)
	}
	if a.Size == st.Size() {
		if same, err := s.isSent(ctx, name, a, st); same || err != nil {
			return same, err
		}
	}
	plain, ok := DecryptedSize(a.Size)
	if (!ok || plain != st.bytes) && (!st.encrypted || a.Size != st.bytes) {
		return false, nil // neither encrypted nor not
	}
	sum, err := s.readBack(ctx, name)
	return sum == st.sum, err
}

// sameSum reports whether the bucket has a checksum of its own that is that of the
// spool's bytes.
func sameSum(a *blob.Attributes, sp *staged) (bool, error) {
	if len(a.MD5) > 0 {
		h := md5.New() //nolint:gosec // see the import
		if _, err := io.Copy(h, sp.Reader()); err != nil {
			return false, err
		}
		return bytes.Equal(h.Sum(nil), a.MD5), nil
	}
	if etag := strings.Trim(a.ETag, `"`); strings.Contains(etag, "-") {
		of, err := partsETag(sp.Reader())
		return of == etag, err
	}
	return false, nil
}

// partsETag is S3's ETag of an object that was sent in parts of uploadBuffer bytes.
func partsETag(r io.Reader) (string, error) {
	all := md5.New() //nolint:gosec // see the import
	for parts := 0; ; parts++ {
		part := md5.New() //nolint:gosec // see the import
		n, err := io.CopyN(part, r, uploadBuffer)
		if n > 0 {
			all.Write(part.Sum(nil))
		}
		switch {
		case errors.Is(err, io.EOF) && n > 0:
			return fmt.Sprintf("%x-%d", all.Sum(nil), parts+1), nil
		case errors.Is(err, io.EOF):
			return fmt.Sprintf("%x-%d", all.Sum(nil), parts), nil
		case err != nil:
			return "", err
		}
	}
}

// readSent is the SHA-256 of the object's bytes as they are in the bucket, in hex.
func (s *Store) readSent(ctx context.Context, name string) (string, error) {
	return s.readAll(ctx, name, sumOf)
}

// readBack is the SHA-256 of the object's plaintext, in hex.
func (s *Store) readBack(ctx context.Context, name string) (string, error) {
	return s.readAll(ctx, name, func(r io.Reader) (string, error) { return s.plainSum(name, r) })
}

// plainSum is the SHA-256 of the plaintext of an object that is read, encrypted or not.
func (s *Store) plainSum(name string, object io.Reader) (string, error) {
	head := make([]byte, len(EncryptedMagic))
	n, err := io.ReadFull(object, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	whole := io.MultiReader(bytes.NewReader(head[:n]), object)
	switch {
	case !isEncrypted(head[:n]):
		return sumOf(whole)
	case s.opts.Encryption == nil:
		return "", s.keyless(name)
	}
	return s.opts.Encryption.Sum(name, whole)
}

func sumOf(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), err
}

// readAll has the object read in one request.
func (s *Store) readAll(ctx context.Context, name string, read func(io.Reader) (string, error)) (string, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	r, err := s.bucket.NewReader(ctx, name, nil)
	if err != nil {
		return "", s.fault("reading", name, err)
	}
	sum, err := read(r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", s.fault("reading", name, err)
	}
	return sum, nil
}
