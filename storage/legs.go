package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/switchtape/switchtape/callmodel"
)

// OpenLeg is Open for a bucket in which the legs of recordings are: it implements
// recording.LegOpener. A leg isn't there only if the bucket could be listed, which
// its credentials must allow: clouds don't tell an object that doesn't exist from
// one in a bucket that doesn't, or that nobody may see.
func (s *Store) OpenLeg(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.Open(ctx, key)
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

var errNoBucket = errors.New("there is no such bucket")
