package storage_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/storage"
)

// A bucket of legs is away when it isn't there, and not empty.
func TestStoreKeepsTheLegsContract(t *testing.T) {
	t.Parallel()
	put := func(s *storage.Store) func(string, []byte) error {
		return func(uri string, body []byte) error {
			_, err := s.PutNamed(t.Context(), uri, record.ObjectMeta{}, func(w io.Writer) error {
				_, err := w.Write(body)
				return err
			})
			return err
		}
	}
	open := func(t *testing.T, url string) *storage.Store {
		t.Helper()
		s, err := storage.Open(t.Context(), url, nil)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		recordingtest.LegOpenerContract(t, func(t *testing.T) recordingtest.LegPlace {
			t.Helper()
			s := open(t, "mem://")
			return recordingtest.LegPlace{Legs: s, Put: put(s)}
		})
	})
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		recordingtest.LegOpenerContract(t, func(t *testing.T) recordingtest.LegPlace {
			t.Helper()
			dir := filepath.Join(t.TempDir(), "legs")
			s := open(t, "file://"+filepath.ToSlash(dir))
			return recordingtest.LegPlace{Legs: s, Put: put(s), Away: map[string]func() (func() error, error){
				"gone": func() (func() error, error) {
					return func() error { return os.Rename(dir+"-was", dir) }, os.Rename(dir, dir+"-was")
				},
			}}
		})
	})
}

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
