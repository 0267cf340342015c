package storage

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Sweep takes back the uploads of recordings that were begun before that time and
// never ended, as those of processes that were killed and of lines that were cut. It
// says how many there were. before must be well in the past: an upload that goes on is
// an upload that hasn't ended. Uploads of other programs, by their keys, are let alone.
func (s *Store) Sweep(ctx context.Context, before time.Time) (swept int, err error) {
	if s.driver.Sweep == nil {
		return 0, nil
	}
	swept, err = s.driver.Sweep(ctx, s.bucket, s.url, before, isRecordings)
	if err != nil {
		err = s.explain(fmt.Errorf("sweeping %s: %w", s.base, err), err, true)
	}
	return swept, err
}

// isRecordings reports whether the key, without a prefix, is one of ours; see
// record.ObjectKey.
func isRecordings(key string) bool {
	tenant, rest, ok := strings.Cut(key, "/year=")
	return ok && tenant != "" && !strings.Contains(tenant, "/") && strings.Contains(rest, "/hour=") && strings.Contains(rest, ".v")
}
