package storage

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"gocloud.dev/blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// listedAtOnce is how many objects a page of a listing has at most.
const listedAtOnce = 1000

// Versions is how a driver's bucket keeps what was overwritten or deleted. drivertest has
// the tests that every driver with versions must pass.
type Versions struct {
	// List is the page of all versions that begins at token, "" for the first, of at most
	// limit versions and marks of deletions: the keys in byte order, the versions of one
	// key in any order, one behind the other. Keys are those that the bucket at u gives,
	// without its prefix. It is also that of a bucket without versions. A CodeUnsupported
	// error where there are none, and a CodeForbidden one where they may not be listed: the
	// objects are listed then.
	List func(ctx context.Context, b *blob.Bucket, u *url.URL, token string, limit int) (record.Listing, error)
	// Remove deletes a version, or the mark of a deletion, as List has listed it, for good:
	// the bucket keeps nothing of it. One that isn't there any more is an error of the
	// bucket's, or none. What the bucket's own lock keeps is a *retention.LockedError.
	Remove func(ctx context.Context, b *blob.Bucket, u *url.URL, o record.Listed) error
	// Open reads a version of the key. One that isn't there any more is an error of the
	// bucket's.
	Open func(ctx context.Context, b *blob.Bucket, u *url.URL, key, version string) (*Version, error)
}

// Version is a version of an object that is read.
type Version struct {
	Body        io.ReadCloser
	ContentType string
	Metadata    map[string]string // its keys in lower case
}

// ofVersions begins the tokens of pages of versions.
const ofVersions = "versions:"

// ListPage is the page of the bucket's objects that begins at token, "" for the first. A
// token stays good in another process. Of a bucket with versions, whose driver knows
// them, all versions are listed, if they may be.
func (s *Store) ListPage(ctx context.Context, token string) (record.Listing, error) {
	if v := s.driver.Versions; v != nil && (token == "" || strings.HasPrefix(token, ofVersions)) {
		page, err := v.List(ctx, s.bucket, s.url, strings.TrimPrefix(token, ofVersions), listedAtOnce)
		holds(page.Objects)
		switch {
		case err == nil && page.Next != "":
			page.Next = ofVersions + page.Next
			return page, nil
		case err == nil:
			return page, nil
		case token != "" || callmodel.CodeOf(err) != callmodel.CodeUnsupported && callmodel.CodeOf(err) != callmodel.CodeForbidden:
			return record.Listing{}, s.explain(fmt.Errorf("listing %s: %w", s.base, err), err, true)
		}
	}
	from := blob.FirstPageToken
	if token != "" {
		from = []byte(token)
	}
	list, next, err := s.bucket.ListPage(ctx, from, listedAtOnce, nil)
	if err != nil && err != io.EOF { //nolint:errorlint // gocloud returns it as it is
		return record.Listing{}, s.explain(fmt.Errorf("listing %s: %w", s.base, err), err, true)
	}
	page := record.Listing{Objects: make([]record.Listed, 0, len(list))}
	for _, o := range list {
		page.Objects = append(page.Objects, record.Listed{Key: o.Key, Bytes: o.Size, ModTime: o.ModTime, Current: true})
	}
	holds(page.Objects)
	if len(next) > 0 && !bytes.Equal(next, from) {
		page.Next = string(next)
	}
	return page, nil
}

// holds says of each object what it holds if it is encrypted.
func holds(objects []record.Listed) {
	for i := range objects {
		if size, ok := DecryptedSize(objects[i].Bytes); ok {
			objects[i].Decrypted = size
		}
	}
}

// Restore makes a version of the key, as [Store.ListPage] has named it, the newest one,
// if it is the object with the SHA-256: false if its metadata has another one. What was the
// newest stays as a version. A version whose bytes aren't those of its metadata is an error,
// and nothing is stored. A CodeUnsupported error where the bucket has no versions.
func (s *Store) Restore(ctx context.Context, key, version, sha256 string) (bool, error) {
	v := s.driver.Versions
	if v == nil || version == "" {
		return false, callmodel.Errorf(callmodel.CodeUnsupported, "%s in %s has no versions to go back to", key, s.base)
	}
	ctx, cancel := context.WithCancel(ctx) // ends the download, whatever becomes of it
	defer cancel()
	old, err := v.Open(ctx, s.bucket, s.url, key, version)
	if err != nil {
		return false, s.fault("restoring", key, err)
	}
	defer old.Body.Close() //nolint:errcheck // only read from
	if old.Metadata[metaSHA256] != sha256 {
		return false, nil
	}
	sp := s.newSpool()
	defer sp.Close()
	tee := &writeFault{w: sp}
	if _, err := io.Copy(tee, old.Body); err != nil {
		if tee.err != nil {
			return false, tee.err
		}
		return false, s.fault("restoring", key, err)
	}
	st, err := s.copied(key, sp)
	if err != nil {
		return false, err
	}
	if st.sum != sha256 {
		return false, fmt.Errorf("version %s of %s in %s has the SHA-256 %s, and was stored with %s: it was changed there", version, key, s.base, st.sum, sha256)
	}
	err = s.upload(ctx, key, st.Reader(), &blob.WriterOptions{
		ContentType: cmp.Or(old.ContentType, defaultContentType), Metadata: old.Metadata, BufferSize: uploadBuffer, MaxConcurrency: uploadConcurrency,
	})
	if err != nil {
		return false, s.fault("restoring", key, err)
	}
	same, err := s.verify(ctx, key, st)
	if err == nil && !same {
		err = s.awayError(Fault{}, fmt.Errorf("%s in %s holds other bytes after version %s was stored again", key, s.base, version))
	}
	return err == nil, err
}

// SHA256 is that of the object's plaintext, in hex, which is read for it. A missing object is
// an error that wraps fs.ErrNotExist.
func (s *Store) SHA256(ctx context.Context, key string) (string, error) {
	return orBackup(s, func(s *Store) (string, error) { return s.readBack(ctx, key) })
}

// Size is that of the object's plaintext in bytes. A missing one is an error that wraps fs.ErrNotExist.
func (s *Store) Size(ctx context.Context, key string) (int64, error) {
	h, err := s.Stat(ctx, key)
	return h.Bytes, err
}
