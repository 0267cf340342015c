package storage_test

import (
	"bytes"
	"context"
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
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
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

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	drivertest.Run(t, drivertest.Harness{
		Open:      func() *storage.Store { return drivertest.Open(t, "file://"+dir) },
		Leftovers: func() []string { return strayFiles(t, dir) },
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	s := drivertest.Open(t, "mem://")
	drivertest.Run(t, drivertest.Harness{Open: func() *storage.Store { return s }})
}

func TestEncrypted(t *testing.T) {
	t.Parallel()
	drivertest.RunEncrypted(t, "file://"+filepath.ToSlash(t.TempDir()))
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	drivertest.RunRewrap(t, "file://"+filepath.ToSlash(t.TempDir()))
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

func TestObjectWithoutItsHashIsComparedByItsBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := drivertest.Open(t, "file://"+dir)
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

// TestTypesOfOthersObjects: what something else has put into the bucket is served by its
// key's ending.
func TestTypesOfOthersObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	base, err := url.Parse("http://localhost/objects")
	require.NoError(t, err)
	s, err := storage.Open(t.Context(), "file://"+dir, &storage.Options{SignBase: base, SignSecret: []byte("secret of the test")})
	require.NoError(t, err)
	for name, want := range map[string]string{
		"a.mp3": "audio/mpeg", "b.MP3": "audio/mpeg", "c.wav": "audio/wav", "d.flac": "audio/flac", "e.txt": "application/octet-stream",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
		signed, err := s.SignedURL(t.Context(), name, time.Minute)
		require.NoError(t, err)
		w := httptest.NewRecorder()
		s.ServeSigned(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, signed, nil))
		require.Equal(t, http.StatusOK, w.Code, name)
		require.Equal(t, want, w.Header().Get("Content-Type"), name)
	}
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

func TestDriversOfTheProgram(t *testing.T) {
	t.Parallel()
	opened := ""
	own := storage.Driver{Scheme: "own", Open: func(_ context.Context, u *url.URL) (*blob.Bucket, error) {
		opened = u.String()
		return memblob.OpenBucket(nil), nil
	}}
	s, err := storage.Open(t.Context(), "own://recordings/below/?rack=7", &storage.Options{Drivers: []storage.Driver{own}})
	require.NoError(t, err)
	assert.Equal(t, "own://recordings/below/?rack=7", opened)
	assert.Equal(t, "own://recordings/below/call.wav", s.URL("call.wav"))
	require.NoError(t, s.Close())

	shouting, file, unregistered := own, own, own
	shouting.Scheme, file.Scheme, unregistered.Open = "OWN", "file", nil
	for _, c := range []struct {
		url     string
		drivers []storage.Driver
		part    string
		code    callmodel.Code
	}{
		{"s3://x", nil, "s3:// buckets need github.com/switchtape/switchtape/storage/s3, which this program doesn't link", callmodel.CodeUnsupported},
		{"gs://x", []storage.Driver{own}, "storage/gcs, which", callmodel.CodeUnsupported},
		{"azblob://x", nil, "storage/azure, which", callmodel.CodeUnsupported},
		{"other://x", []storage.Driver{own}, "the scheme must be s3, gs, azblob, own, file or mem", callmodel.CodeInvalid},
		{"own://x", []storage.Driver{own, own}, "two bucket drivers", callmodel.CodeInvalid},
		{"own://x", []storage.Driver{unregistered}, "no driver registered", callmodel.CodeUnavailable},
		{"own://x/legs", []storage.Driver{unregistered}, "write own://x?prefix=legs%2F for a part of it", callmodel.CodeInvalid},
		{"own://x", []storage.Driver{shouting}, "lower case", callmodel.CodeInvalid},
		{"own://x", []storage.Driver{file}, "neither file nor mem", callmodel.CodeInvalid},
		{"", []storage.Driver{{Open: own.Open}}, "a scheme", callmodel.CodeInvalid},
	} {
		_, err := storage.Open(t.Context(), c.url, &storage.Options{Drivers: c.drivers})
		require.ErrorContains(t, err, c.part, c.url)
		assert.Equal(t, c.code, callmodel.CodeOf(err), c.url)
		unlinked, ok := errors.AsType[*storage.NotLinkedError](err)
		assert.Equal(t, c.code == callmodel.CodeUnsupported, ok && strings.HasPrefix(c.url, unlinked.Scheme+"://"), c.url)
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
