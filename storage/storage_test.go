package storage_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "gocloud.dev/blob/azureblob"
	_ "gocloud.dev/blob/gcsblob"
	_ "gocloud.dev/blob/s3blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

func testKey(id string) record.ObjectKey {
	return record.ObjectKey{
		TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
		StartedAt: time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC), Version: 1, Ext: "wav",
	}
}

func write(b []byte) func(io.Writer) error {
	return func(w io.Writer) error { _, err := w.Write(b); return err }
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// Every bucket keeps the same promises.
func TestStoreOnEveryBucket(t *testing.T) {
	open := map[string]func(t *testing.T) (func() *storage.Store, func() []string){
		"file": func(t *testing.T) (func() *storage.Store, func() []string) {
			t.Helper()
			dir := t.TempDir()
			return func() *storage.Store { return mustOpen(t, "file://"+dir) }, func() []string { return strayFiles(t, dir) }
		},
		"mem": func(t *testing.T) (func() *storage.Store, func() []string) {
			t.Helper()
			s := mustOpen(t, "mem://")
			return func() *storage.Store { return s }, func() []string { return nil }
		},
		"s3": func(t *testing.T) (func() *storage.Store, func() []string) {
			t.Helper()
			srv := buckettest.S3(t)
			srv.Setenv(t)
			return func() *storage.Store { return mustOpen(t, srv.URL) }, func() []string { return multipartLeftovers(t, srv.Dir) }
		},
		"gs": func(t *testing.T) (func() *storage.Store, func() []string) {
			t.Helper()
			srv := buckettest.GCS(t)
			srv.Setenv(t)
			return func() *storage.Store { return mustOpen(t, srv.URL) }, func() []string { return nil }
		},
		"azblob": func(t *testing.T) (func() *storage.Store, func() []string) {
			t.Helper()
			srv := buckettest.Azure(t)
			srv.Setenv(t)
			return func() *storage.Store { return mustOpen(t, srv.URL) }, func() []string { return nil }
		},
	}
	for name, setup := range open {
		t.Run(name, func(t *testing.T) {
			again, leftovers := setup(t)
			runSuite(t, again, leftovers)
		})
	}
}

func mustOpen(t *testing.T, u string) *storage.Store {
	t.Helper()
	s, err := storage.Open(t.Context(), u, &storage.Options{SpoolMemory: 1 << 20, SpoolDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// That other bytes have a key is told as an error, unless they are expected.
func TestNewVersionIsTold(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, err := storage.Open(t.Context(), "mem://", &storage.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	var meta record.ObjectMeta
	later := record.ObjectMeta{NewVersion: true}
	for i, m := range []record.ObjectMeta{later, meta, later} {
		info, err := s.Put(t.Context(), testKey("told"), m, write([]byte{byte(i)}))
		require.NoError(t, err)
		assert.Equal(t, i+1, info.Key.Version)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	require.Len(t, lines, 2, "the first version is nothing to tell of")
	assert.Contains(t, lines[0], "level=ERROR")
	assert.Contains(t, lines[1], "level=INFO")
	assert.Contains(t, lines[1], ".v3.")
}

func runSuite(t *testing.T, open func() *storage.Store, leftovers func() []string) {
	t.Helper()
	s := open()
	ctx := t.Context()
	small, large := []byte("a small object"), bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB: several parts
	meta := record.ObjectMeta{ContentType: "audio/wav", Metadata: map[string]string{"channel_map": "0=agent,1=customer"}}

	for i, data := range [][]byte{small, large, {}} {
		k := testKey(fmt.Sprintf("c%d", i))
		info, err := s.Put(ctx, k, meta, write(data))
		require.NoError(t, err)
		assert.Equal(t, k, info.Key)
		assert.Equal(t, int64(len(data)), info.Bytes)
		assert.Equal(t, sum(data), info.SHA256)
		assert.False(t, info.Existed)
		assert.True(t, strings.HasSuffix(info.URL, k.String()), info.URL)
		r, err := s.Open(ctx, k.String())
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.True(t, bytes.Equal(data, got))
		head, err := s.Stat(ctx, k.String())
		require.NoError(t, err)
		assert.Equal(t, info.SHA256, head.SHA256)
		assert.Equal(t, "audio/wav", head.ContentType)
		assert.Equal(t, "0=agent,1=customer", head.Metadata["channel_map"])

		again, err := open().Put(ctx, k, meta, write(data))
		require.NoError(t, err)
		assert.True(t, again.Existed, "the same bytes again are a success that writes nothing")
		assert.Equal(t, info.URL, again.URL)
	}

	t.Run("other bytes become a new version", func(t *testing.T) {
		k := testKey("versions")
		_, err := s.Put(ctx, k, meta, write([]byte("first")))
		require.NoError(t, err)
		info, err := s.Put(ctx, k, meta, write([]byte("other")))
		require.NoError(t, err)
		assert.Equal(t, 2, info.Key.Version)
		info, err = s.Put(ctx, k, meta, write([]byte("other")))
		require.NoError(t, err)
		assert.Equal(t, 2, info.Key.Version)
		assert.True(t, info.Existed)
		r, err := s.Open(ctx, k.String())
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, errors.Join(err, r.Close()))
		assert.Equal(t, "first", string(got), "the existing object stays")
	})

	t.Run("a failing writer stores nothing", func(t *testing.T) {
		boom := errors.New("boom")
		for _, n := range []int{0, 10, 9 << 20} {
			_, err := s.Put(ctx, testKey("failed"), meta, func(w io.Writer) error {
				if _, err := w.Write(make([]byte, n)); err != nil {
					return err
				}
				return boom
			})
			require.ErrorIs(t, err, boom)
		}
		_, err := s.Stat(ctx, testKey("failed").String())
		require.ErrorIs(t, err, fs.ErrNotExist)
		assert.Equal(t, callmodel.CodeNotFound, callmodel.CodeOf(err))
	})

	t.Run("a cancelled upload stores nothing", func(t *testing.T) {
		for _, n := range []int{10, 12 << 20} {
			cancelled, cancel := context.WithCancel(ctx)
			_, err := s.Put(cancelled, testKey("cancelled"), meta, func(w io.Writer) error {
				_, err := w.Write(make([]byte, n))
				cancel()
				return err
			})
			require.ErrorIs(t, err, context.Canceled)
		}
		_, err := s.Stat(ctx, testKey("cancelled").String())
		require.ErrorIs(t, err, fs.ErrNotExist)
	})

	t.Run("racing writers leave every version whole", func(t *testing.T) {
		var created, existed atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				info, err := s.Put(ctx, testKey("race"), meta, write([]byte{'0' + byte(i%2)}))
				switch {
				case err != nil:
					t.Error(err)
				case info.Existed:
					existed.Add(1)
				default:
					created.Add(1)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, 2, created.Load())
		assert.EqualValues(t, 6, existed.Load())
	})

	t.Run("list", func(t *testing.T) {
		var keys []string
		require.NoError(t, s.List(ctx, "acme/", func(key string, _ int64) bool { keys = append(keys, key); return true }))
		assert.Len(t, keys, 7)
		assert.IsNonDecreasing(t, keys)
	})

	t.Run("names are taken once", func(t *testing.T) {
		_, err := s.PutNamed(ctx, "named/x.wav", meta, write(small))
		require.NoError(t, err)
		info, err := s.PutNamed(ctx, "named/x.wav", meta, write(small))
		require.NoError(t, err)
		assert.True(t, info.Existed)
		_, err = s.PutNamed(ctx, "named/x.wav", meta, write(large))
		assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
		_, err = s.PutNamed(ctx, "../x.wav", meta, write(small))
		require.ErrorContains(t, err, "clean path")
	})

	t.Run("bad keys are refused", func(t *testing.T) {
		k := testKey("x")
		k.TenantID = "../../etc"
		_, err := s.Put(ctx, k, meta, write(small))
		require.ErrorContains(t, err, "tenant_id")
		var permanent *callmodel.PermanentError
		require.ErrorAs(t, err, &permanent)
	})
	assert.Empty(t, leftovers())
}

func strayFiles(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), ".") && d.Name() != ".lock" && !strings.HasSuffix(d.Name(), ".attrs") {
			list = append(list, p)
		}
		return err
	}))
	return list
}

// multipartLeftovers finds the parts that the server keeps of uploads that
// were neither completed nor aborted.
func multipartLeftovers(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(p, "sgwtmp") {
			list = append(list, p)
		}
		return err
	}))
	return list
}

func TestObjectWithoutItsHashIsComparedByItsBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := mustOpen(t, "file://"+dir)
	k := testKey("copied")
	p := filepath.Join(dir, filepath.FromSlash(k.String()))
	require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o750))
	require.NoError(t, os.WriteFile(p, []byte("same"), 0o600))
	info, err := s.Put(t.Context(), k, record.ObjectMeta{}, write([]byte("same")))
	require.NoError(t, err)
	assert.True(t, info.Existed)
	info, err = s.Put(t.Context(), k, record.ObjectMeta{}, write([]byte("else")))
	require.NoError(t, err)
	assert.Equal(t, 2, info.Key.Version)
}

func TestSignedURLs(t *testing.T) {
	t.Parallel()
	var s *storage.Store
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeSigned(w, r) }))
	t.Cleanup(srv.Close)
	base, err := url.Parse(srv.URL + "/objects")
	require.NoError(t, err)
	s, err = storage.Open(t.Context(), "file://"+t.TempDir(), &storage.Options{SignBase: base, SignSecret: []byte("secret of the test")})
	require.NoError(t, err)
	k := testKey("signed")
	_, err = s.Put(t.Context(), k, record.ObjectMeta{ContentType: "audio/wav"}, write([]byte("0123456789")))
	require.NoError(t, err)
	signed, err := s.SignedURL(t.Context(), k.String(), time.Minute)
	require.NoError(t, err)

	get := func(u, rng string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		require.NoError(t, err)
		if rng != "" {
			req.Header.Set("Range", rng)
		}
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, string(b)
	}
	code, body := get(signed, "")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "0123456789", body)
	code, body = get(signed, "bytes=2-4")
	assert.Equal(t, http.StatusPartialContent, code)
	assert.Equal(t, "234", body)
	code, _ = get(strings.Replace(signed, "signed", "other", 1), "")
	assert.Equal(t, http.StatusForbidden, code)
	expired, err := s.SignedURL(t.Context(), k.String(), time.Nanosecond)
	require.NoError(t, err)
	require.Eventually(t, func() bool { code, _ := get(expired, ""); return code == http.StatusForbidden }, 30*time.Second, 50*time.Millisecond)
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for u, part := range map[string]string{
		"ftp://x": "scheme", "": "scheme", "file://relative/x": "three slashes", "file://" + file + "/below": "not a directory",
		"http://user:hunter2@host": "scheme", ":": "bucket URL",
	} {
		_, err := storage.Open(t.Context(), u, nil)
		require.ErrorContains(t, err, part, u)
		assert.NotContains(t, err.Error(), "hunter2")
	}
}

func TestUnwritableSpool(t *testing.T) {
	t.Parallel()
	s, err := storage.Open(t.Context(), "mem://", &storage.Options{SpoolMemory: 1, SpoolDir: filepath.Join(t.TempDir(), "missing")})
	require.NoError(t, err)
	_, err = s.Put(t.Context(), testKey("c"), record.ObjectMeta{}, write(make([]byte, 100)))
	var later *callmodel.RetryAfterError
	require.ErrorAs(t, err, &later)
	require.ErrorContains(t, err, "choose another spool directory")
}

func ExampleStore_Put() {
	ctx := context.Background()
	store, err := storage.Open(ctx, "mem://", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	key := record.ObjectKey{
		TenantID: "acme", CallID: "c1", RecordingID: "c1", Version: 1, Ext: "txt",
		StartedAt: time.Date(2026, 3, 1, 15, 0, 0, 0, time.UTC),
	}
	put := func(text string) {
		info, err := store.Put(ctx, key, record.ObjectMeta{ContentType: "text/plain"}, func(w io.Writer) error {
			_, err := io.WriteString(w, text)
			return err
		})
		fmt.Println(info.Key, info.Existed, err)
	}
	put("hello")
	put("hello")
	put("other")
	// Output:
	// acme/year=2026/month=03/day=01/hour=15/c1/c1.v1.txt false <nil>
	// acme/year=2026/month=03/day=01/hour=15/c1/c1.v1.txt true <nil>
	// acme/year=2026/month=03/day=01/hour=15/c1/c1.v2.txt false <nil>
}
