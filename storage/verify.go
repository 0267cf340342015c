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

	"github.com/switchtape/switchtape/callmodel/record"
)

// verify reports whether the bucket holds these bytes under name, by what the bucket
// says of them itself: its MD5, or the ETag that S3 makes of the parts' MD5s. Where it
// has none, or another one, as of what it encrypts, the object is read back.
func (s *Store) verify(ctx context.Context, name string, sp *spool, want record.ObjectInfo) (bool, error) {
	a, err := s.bucket.Attributes(ctx, name)
	if err != nil {
		return false, s.fault("describing", name, err)
	}
	if a.Size != want.Bytes {
		return false, nil
	}
	same, err := sameSum(a, sp)
	if same || err != nil {
		return same, err
	}
	sum, err := s.readBack(ctx, name)
	return sum == want.SHA256, err
}

// sameSum reports whether the bucket has a checksum of its own that is that of the
// spool's bytes.
func sameSum(a *blob.Attributes, sp *spool) (bool, error) {
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

// readBack is the SHA-256 of the object's bytes, in hex.
func (s *Store) readBack(ctx context.Context, name string) (string, error) {
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	r, err := s.open(ctx, name)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.Copy(h, r)
	if err = errors.Join(err, r.Close()); err != nil {
		return "", s.fault("reading", name, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
