package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"gocloud.dev/blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Inventory is all that the bucket has of the keys that begin with prefix and that which
// takes: the objects, their older versions and the marks of deletions. Nothing of them is
// read: see [Store.HashStored]. The error is CodeForbidden if versions may not be listed: then
// it can't be told what there is.
func (s *Store) Inventory(ctx context.Context, prefix string, which func(key string) bool) ([]retention.Object, error) {
	list, err := s.below(ctx, prefix, which)
	if err != nil {
		return nil, err
	}
	all := make([]retention.Object, len(list))
	for i, o := range list {
		all[i] = s.object(o)
	}
	return all, nil
}

func (s *Store) object(o record.Listed) retention.Object {
	return retention.Object{Bucket: s.base, Key: o.Key, Version: o.Version, Bytes: o.Bytes, StoredAt: o.ModTime.UTC(), Current: o.Current && !o.Deleted, Mark: o.Deleted}
}

// HashStored reads what [Store.Inventory] has listed, of whatever version, as the bucket has
// it, and sets its SHA256 and whether it is Encrypted. It takes no key. One that isn't there
// any more is an error that wraps fs.ErrNotExist.
func (s *Store) HashStored(ctx context.Context, o *retention.Object) error {
	ctx, cancel := context.WithCancel(ctx) // ends the download
	defer cancel()
	body, err := s.openListed(ctx, o)
	if err != nil {
		return s.fault("reading", o.Key, err)
	}
	head := make([]byte, len(EncryptedMagic))
	n, err := io.ReadFull(body, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil // it is shorter
	}
	sum := ""
	if err == nil {
		sum, err = sumOf(io.MultiReader(bytes.NewReader(head[:n]), body))
	}
	if err = errors.Join(err, body.Close()); err != nil {
		return s.fault("reading", o.Key, err)
	}
	o.SHA256, o.Encrypted = sum, isEncrypted(head[:n])
	return nil
}

// openListed reads the very version that was listed.
func (s *Store) openListed(ctx context.Context, o *retention.Object) (io.ReadCloser, error) {
	if v := s.driver.Versions; v != nil && (o.Version != "" || !o.Current) {
		version, err := v.Open(ctx, s.bucket, s.url, o.Key, o.Version)
		if err != nil {
			return nil, err
		}
		return version.Body, nil
	}
	return s.bucket.NewReader(ctx, o.Key, nil)
}

// below lists all that the bucket has of the keys that begin with prefix and that which takes.
func (s *Store) below(ctx context.Context, prefix string, which func(key string) bool) (all []record.Listed, err error) {
	if s.driver.Versions == nil {
		return s.objectsBelow(ctx, prefix, which)
	}
	u := *s.url
	q := u.Query()
	q.Set("prefix", s.prefix+prefix)
	u.RawQuery = q.Encode()
	for token := ""; ; {
		page, err := s.driver.Versions.List(ctx, s.bucket, &u, token, listedAtOnce)
		switch callmodel.CodeOf(err) {
		case "":
		case callmodel.CodeUnsupported:
			return s.objectsBelow(ctx, prefix, which)
		case callmodel.CodeForbidden:
			return nil, callmodel.Errorf(callmodel.CodeForbidden, "listing the versions of %s in %s: %w", prefix, s.base, err)
		default:
			return nil, s.explain(fmt.Errorf("listing %s in %s: %w", prefix, s.base, err), err, true)
		}
		for _, o := range page.Objects {
			if o.Key = prefix + o.Key; which(o.Key) {
				all = append(all, o)
			}
		}
		if token = page.Next; token == "" {
			return all, nil
		}
	}
}

// objectsBelow is below for a bucket without versions.
func (s *Store) objectsBelow(ctx context.Context, prefix string, which func(key string) bool) (all []record.Listed, err error) {
	it := s.bucket.List(&blob.ListOptions{Prefix: prefix})
	for {
		o, err := it.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, s.explain(fmt.Errorf("listing %s in %s: %w", prefix, s.base, err), err, true)
		case which(o.Key):
			all = append(all, record.Listed{Key: o.Key, Bytes: o.Size, ModTime: o.ModTime, Current: true})
		}
	}
}

// Erase deletes all that [Store.Inventory] lists, for good: objects, older versions, marks
// of deletions, and what uploads that were cut have left. It reports success only when the
// bucket lists nothing of it any more, and may be repeated. gone is what this call has
// deleted, also with an error. What the bucket's own lock keeps is a *retention.LockedError;
// what isn't locked is deleted all the same. What a bucket keeps beyond that, as soft
// delete does of Google's and Azure's, is seen by nobody but an administrator of the account.
func (s *Store) Erase(ctx context.Context, prefix string, which func(key string) bool) (gone []retention.Object, err error) {
	list, err := s.below(ctx, prefix, which)
	if err != nil {
		return nil, err
	}
	var locked error
	for _, o := range list {
		switch err := s.eraseOne(ctx, o); {
		case err == nil:
			gone = append(gone, s.object(o))
		case isLocked(err):
			locked = err
		default:
			return gone, err
		}
	}
	if s.driver.Sweep != nil {
		begun := func(key string) bool { return strings.HasPrefix(key, prefix) && which(key) }
		if _, err := s.driver.Sweep(ctx, s.bucket, s.url, farFuture, begun); err != nil {
			return gone, s.explain(fmt.Errorf("sweeping %s in %s: %w", prefix, s.base, err), err, true)
		}
	}
	if locked != nil {
		return gone, locked
	}
	left, err := s.below(ctx, prefix, which)
	if err == nil && len(left) > 0 {
		err = callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "%s in %s was deleted, and %d of it are listed again: something writes them", left[0].Key, s.base, len(left)), 0)
	}
	return gone, err
}

// farFuture is after the beginning of every upload.
var farFuture = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) //nolint:gochecknoglobals // a constant

func isLocked(err error) bool {
	_, ok := errors.AsType[*retention.LockedError](err)
	return ok
}

func (s *Store) eraseOne(ctx context.Context, o record.Listed) error {
	var err error
	if v := s.driver.Versions; v != nil && v.Remove != nil {
		err = v.Remove(ctx, s.bucket, s.url, o)
	} else {
		err = s.bucket.Delete(ctx, o.Key)
	}
	if locked, ok := errors.AsType[*retention.LockedError](err); ok {
		locked.Object.Bucket = s.base
		return locked
	}
	if err == nil {
		return nil
	}
	if err = s.fault("deleting", o.Key, err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// EraseLeg deletes a leg with all its versions, whatever it holds by now: deleted is false
// if there was nothing. The errors are those of StatLeg and Erase.
func (s *Store) EraseLeg(ctx context.Context, below, key string) (deleted bool, err error) {
	if below != "" && !strings.HasPrefix(key, below+"/") {
		return false, callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%s is not below %s", key, below))
	}
	if away := s.away(ctx); away != nil {
		return false, away
	}
	gone, err := s.Erase(ctx, key, func(k string) bool { return k == key })
	return len(gone) > 0, err
}
