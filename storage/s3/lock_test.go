package s3_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// What Object Lock keeps isn't deleted, and the error says until when; what isn't locked is.
func TestEraseOfWhatIsLocked(t *testing.T) {
	srv := buckettest.S3Versions(t)
	srv.Setenv(t)
	s := drivertest.Open(t, srv.URL, s3.Driver())
	for _, key := range []string{"a/1", "a/2"} {
		_, err := s.PutNamed(t.Context(), key, record.ObjectMeta{}, func(w io.Writer) error { _, err := w.Write([]byte(key)); return err })
		require.NoError(t, err)
	}
	until := time.Now().Add(time.Hour).Truncate(time.Second)
	srv.Lock(t, "a/1", until)
	gone, err := s.Erase(t.Context(), "a/", func(string) bool { return true })
	var locked *retention.LockedError
	require.ErrorAs(t, err, &locked)
	assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	assert.Equal(t, "a/1", locked.Object.Key)
	assert.Equal(t, s.String(), locked.Object.Bucket)
	assert.WithinDuration(t, until, locked.Until, time.Second)
	require.Len(t, gone, 1)
	assert.Equal(t, "a/2", gone[0].Key)
	left, err := s.Inventory(t.Context(), "a/", func(string) bool { return true })
	require.NoError(t, err)
	require.Len(t, left, 1)
	assert.True(t, left[0].Current, "no mark was put over it")
}
