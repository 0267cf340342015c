package storage_test

import (
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// A leg in a bucket is removed if it is as it was.
func TestRemoveLeg(t *testing.T) {
	t.Parallel()
	s, err := storage.Open(t.Context(), "file://"+t.TempDir(), nil)
	require.NoError(t, err)
	defer s.Close()
	_, err = s.PutNamed(t.Context(), "acme/agent.wav", record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "agent")
		return err
	})
	require.NoError(t, err)
	size, modified, err := s.StatLeg(t.Context(), "acme", "acme/agent.wav")
	require.NoError(t, err)
	require.EqualValues(t, 5, size)
	_, err = s.RemoveLeg(t.Context(), "umbrella", "acme/agent.wav", size, modified)
	require.ErrorContains(t, err, "not below")
	for _, other := range []int64{size + 1, size} {
		at := modified
		if other == size {
			at = at.Add(time.Second)
		}
		removed, err := s.RemoveLeg(t.Context(), "", "acme/agent.wav", other, at)
		require.NoError(t, err)
		require.False(t, removed)
	}
	removed, err := s.RemoveLeg(t.Context(), "acme", "acme/agent.wav", size, modified)
	require.NoError(t, err)
	require.True(t, removed)
	_, err = s.RemoveLeg(t.Context(), "acme", "acme/agent.wav", size, modified)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
