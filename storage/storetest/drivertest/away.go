package drivertest

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// RunAway holds a bucket that can't be used for that reason to saying so, whatever is
// asked of it.
func RunAway(t *testing.T, s *storage.Store, reason callmodel.BucketReason) {
	t.Helper()
	const largePut = "put of several parts"
	for doing, do := range map[string]func() error{
		"put": func() error {
			_, err := s.Put(t.Context(), testKey("away"), record.ObjectMeta{}, write([]byte("recording")))
			return err
		},
		largePut: func() error {
			_, err := s.Put(t.Context(), testKey("away"), record.ObjectMeta{}, write(make([]byte, 20<<20)))
			return err
		},
		"list":  func() error { return s.List(t.Context(), "", func(string, int64) bool { return true }) },
		"check": func() error { return s.Check(t.Context()) },
		"leg": func() error {
			r, err := s.OpenLeg(t.Context(), "2026/agent.wav")
			if err == nil {
				_, err = io.ReadAll(r)
			}
			return err
		},
	} {
		err := do()
		away, ok := errors.AsType[*callmodel.BucketAwayError](err)
		if !assert.True(t, ok, "%s: %v", doing, err) {
			continue
		}
		// A server may cut an upload before it says why.
		if doing != largePut || away.Reason != callmodel.BucketUnreachable {
			assert.Equal(t, reason, away.Reason, "%s: %v", doing, err)
		}
		assert.Equal(t, s.URL(""), away.Bucket+"/", doing)
		var later *callmodel.RetryAfterError
		require.ErrorAs(t, err, &later, doing)
		var permanent *callmodel.PermanentError
		require.NotErrorAs(t, err, &permanent, doing)
	}
}
