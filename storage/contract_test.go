package storage_test

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/storage"
)

// A Store is one of the places that recordings may go to.
func TestStoreKeepsThePortsContract(t *testing.T) {
	t.Parallel()
	for name, bucket := range map[string]func(t *testing.T) string{
		"memory": func(*testing.T) string { return "mem://" },
		"files":  func(t *testing.T) string { t.Helper(); return "file://" + filepath.ToSlash(t.TempDir()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recordingtest.ObjectsContract(t, func(t *testing.T) recordingtest.Place {
				t.Helper()
				s, err := storage.Open(t.Context(), bucket(t), nil)
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, s.Close()) })
				return recordingtest.Place{
					Objects: s,
					Read: func(i record.ObjectInfo) ([]byte, error) {
						r, err := s.Open(t.Context(), i.Key.String())
						if err != nil {
							return nil, err
						}
						b, err := io.ReadAll(r)
						return b, errors.Join(err, r.Close())
					},
					Count: func() (n int, err error) {
						err = s.List(t.Context(), "", func(key string, _ int64) bool {
							if !strings.HasPrefix(filepath.Base(key), ".") {
								n++
							}
							return true
						})
						return n, err
					},
				}
			})
		})
	}
}
