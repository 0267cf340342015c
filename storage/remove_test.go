package storage_test

import (
	"io"
	"io/fs"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// TestRemoveNamed: an object that was stored under a name goes, and one that isn't there is
// no error.
func TestRemoveNamed(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"mem://", (&url.URL{Scheme: "file", Path: t.TempDir()}).String()} {
		s, err := storage.Open(t.Context(), at, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		for _, name := range []string{"acme/exports/x1/part-0001.zip", "acme/exports/x10/part-0001.zip"} {
			_, err := s.PutNamed(t.Context(), name, record.ObjectMeta{}, func(w io.Writer) error {
				_, err := io.WriteString(w, name)
				return err
			})
			require.NoError(t, err)
		}
		for range 2 {
			require.NoError(t, s.RemoveNamed(t.Context(), "acme/exports/x1/part-0001.zip"))
			_, err = s.Open(t.Context(), "acme/exports/x1/part-0001.zip")
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		in, err := s.Open(t.Context(), "acme/exports/x10/part-0001.zip")
		require.NoError(t, err)
		require.NoError(t, in.Close())
	}
}
