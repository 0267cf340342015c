package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// OpenLeg is Open for a bucket in which the legs of recordings are: it implements
// recording.LegOpener. A leg isn't there only if the bucket could be listed, which
// its credentials must allow: clouds don't tell an object that doesn't exist from
// one in a bucket that doesn't, or that nobody may see.
func (s *Store) OpenLeg(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := orBackup(s, func(s *Store) (io.ReadCloser, error) { return s.stream(ctx, key) })
	if errors.Is(err, fs.ErrNotExist) {
		if away := s.away(ctx); away != nil {
			return nil, away
		}
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// stream reads an object as the bucket has it, from its beginning to its end, in one
// request.
func (s *Store) stream(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, s.fault("reading", key, err)
	}
	return r, nil
}

// away is why the bucket can't be listed; nil if it can.
func (s *Store) away(ctx context.Context) error {
	there, err := s.bucket.IsAccessible(ctx)
	if err == nil && !there {
		return s.awayError(Fault{Reason: callmodel.BucketMissing}, errNoBucket)
	}
	if err != nil {
		return s.explain(fmt.Errorf("listing %s: %w", s.base, err), err, true)
	}
	return nil
}

// StatLeg is the size of a leg and when it was written last. below is the prefix that its
// key must be below; "" for any. The errors are OpenLeg's.
func (s *Store) StatLeg(ctx context.Context, below, key string) (size int64, modified time.Time, err error) {
	if below != "" && !strings.HasPrefix(key, below+"/") {
		return 0, time.Time{}, callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%s is not below %s", key, below))
	}
	h, err := s.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		if away := s.away(ctx); away != nil {
			return 0, time.Time{}, away
		}
	}
	return h.Bytes, h.ModTime, err
}

// RemoveLeg deletes a leg, if it still has the size and the time of StatLeg: removed is
// false if it hasn't. What a bucket keeps as older versions its own rules end. The errors
// are StatLeg's.
func (s *Store) RemoveLeg(ctx context.Context, below, key string, size int64, modified time.Time) (removed bool, err error) {
	has, at, err := s.StatLeg(ctx, below, key)
	if err != nil || has != size || !at.Equal(modified) {
		return false, err
	}
	if err := s.bucket.Delete(ctx, key); err != nil {
		return false, s.fault("deleting", key, err)
	}
	return true, nil
}

var errNoBucket = errors.New("there is no such bucket")
