package storage_test

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/storetest/smalldisk"
)

func TestHTTPFault(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		status     int
		code       string
		retryAfter string
		want       storage.Fault
	}{
		{404, "NoSuchBucket", "", storage.Fault{Reason: callmodel.BucketMissing}},
		{404, "NoSuchKey", "", storage.Fault{}},
		{409, "", "", storage.Fault{}},
		{412, "", "", storage.Fault{}},
		{403, "AccessDenied", "", storage.Fault{Reason: callmodel.BucketForbidden}},
		{401, "", "", storage.Fault{Reason: callmodel.BucketForbidden}},
		{400, "ExpiredToken", "", storage.Fault{Reason: callmodel.BucketForbidden}},
		{400, "RequestTimeout", "", storage.Fault{Reason: callmodel.BucketUnreachable}},
		{400, "BadDigest", "", storage.Fault{Reason: callmodel.BucketUnreachable}},
		{400, "EntityTooLarge", "", storage.Fault{Reason: callmodel.BucketRefused}},
		{507, "", "", storage.Fault{Reason: callmodel.BucketFull}},
		{403, "QuotaExceeded", "", storage.Fault{Reason: callmodel.BucketFull}},
		{503, "SlowDown", "7", storage.Fault{Reason: callmodel.BucketThrottled, RetryAfter: 7 * time.Second}},
		{429, "", "1.5", storage.Fault{Reason: callmodel.BucketThrottled, RetryAfter: 1500 * time.Millisecond}},
		{503, "", now.Add(time.Minute).Format(http.TimeFormat), storage.Fault{Reason: callmodel.BucketThrottled, RetryAfter: time.Minute}},
		{503, "", now.Add(-time.Minute).Format(http.TimeFormat), storage.Fault{Reason: callmodel.BucketThrottled}},
		{503, "", "-3", storage.Fault{Reason: callmodel.BucketThrottled}},
		{503, "", "NaN", storage.Fault{Reason: callmodel.BucketThrottled}},
		{503, "", "1e300", storage.Fault{Reason: callmodel.BucketThrottled, RetryAfter: 5 * time.Minute}},
		{503, "", "soon", storage.Fault{Reason: callmodel.BucketThrottled}},
		{500, "InternalError", "", storage.Fault{Reason: callmodel.BucketUnreachable}},
		{200, "", "", storage.Fault{}},
	} {
		h := http.Header{}
		if c.retryAfter != "" {
			h.Set("Retry-After", c.retryAfter)
		}
		assert.Equal(t, c.want, storage.HTTPFault(c.status, h, c.code, now), "%d %s %s", c.status, c.code, c.retryAfter)
	}
}

// The spool's directory is gone.
func TestSpoolThatIsGone(t *testing.T) {
	t.Parallel()
	spool := filepath.Join(t.TempDir(), "spool")
	s, err := storage.Open(t.Context(), "file://"+t.TempDir(), &storage.Options{SpoolDir: spool, SpoolMemory: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	for _, err := range []error{s.Check(t.Context()), put(t, s, "spooled", 100)} {
		assert.Equal(t, callmodel.BucketSpool, reasonOf(err), "%v", err)
	}
	require.NoError(t, os.Mkdir(spool, 0o750))
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, put(t, s, "spooled", 100))
}

func put(t *testing.T, s *storage.Store, id string, n int) error {
	t.Helper()
	_, err := s.Put(t.Context(), testKey(id), record.ObjectMeta{}, write(bytes.Repeat([]byte("x"), n)))
	return err
}

// A disk that is full is the bucket's fault, or the spool's, until there is room.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	smalldisk.Run(t, 2, onFullDisk)
}

func onFullDisk(t *testing.T, small string) {
	t.Helper()
	large := t.TempDir()
	for _, c := range []struct {
		bucket, spool string
		want          callmodel.BucketReason
	}{{small, large, callmodel.BucketFull}, {large, small, callmodel.BucketSpool}} {
		s, err := storage.Open(t.Context(), "file://"+c.bucket, &storage.Options{SpoolDir: c.spool, SpoolMemory: 1})
		require.NoError(t, err)
		require.NoError(t, s.Check(t.Context()))
		filler := filepath.Join(small, "filler")
		require.Error(t, os.WriteFile(filler, make([]byte, 8<<20), 0o600), "the disk is full now")
		assert.Equal(t, c.want, reasonOf(s.Check(t.Context())))
		err = put(t, s, "full", 100_000)
		assert.Equal(t, c.want, reasonOf(err), "%v", err)
		require.NoError(t, os.Remove(filler))
		require.NoError(t, s.Check(t.Context()))
		require.NoError(t, put(t, s, "full", 100_000))
		require.NoError(t, s.Close())
	}
}

func reasonOf(err error) callmodel.BucketReason {
	if away, ok := errors.AsType[*callmodel.BucketAwayError](err); ok {
		return away.Reason
	}
	return ""
}
