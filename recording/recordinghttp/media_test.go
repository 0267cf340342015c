package recordinghttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/storetest"
)

var _ recordinghttp.Media = (*storage.Store)(nil)

func openStore(t *testing.T, o *storage.Options) *storage.Store {
	t.Helper()
	dir := filepath.ToSlash(t.TempDir())
	s, err := storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: dir}).String(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// audio is what every recording of these tests holds.
const audio = "0123456789abcdefghij"

// record takes the job through the ledger, with an object for each output.
func (s *service) record(t *testing.T, bucket *storage.Store, id string, outputs ...record.OutputSpec) callmodel.JobID {
	t.Helper()
	job := s.enqueue(t, id)
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	result := record.Result{Status: record.StatusCompleted}
	for _, o := range outputs {
		spec := storetest.Spec(id)
		info, err := bucket.Put(t.Context(), spec.Key(o), record.ObjectMeta{ContentType: o.Codec.ContentType()},
			func(w io.Writer) error { _, err := io.WriteString(w, audio+o.Name+string(o.Codec)); return err })
		require.NoError(t, err)
		result.Outputs = append(result.Outputs, record.OutputResult{
			Name: o.Name, Codec: o.Codec, Layout: o.Layout, URL: info.URL, Key: info.Key.String(), Bytes: info.Bytes, SHA256: info.SHA256,
		})
	}
	require.NoError(t, s.db.Complete(t.Context(), leases[0], storetest.Outcome(result)))
	return job
}

func mediaOf(id callmodel.JobID) string { return "/v1/recordings/jobs/" + string(id) + "/media" }

func TestMediaIsStreamed(t *testing.T) {
	t.Parallel()
	bucket := openStore(t, nil)
	s := newService(t, bucket)
	reader := as(reads(), "acme")
	id := s.record(t, bucket, "c1",
		record.OutputSpec{Codec: record.CodecWAV}, record.OutputSpec{Codec: record.CodecMP3},
		record.OutputSpec{Name: "archive", Codec: record.CodecFLAC})
	for query, want := range map[string]struct{ body, kind string }{
		"":                {audio + "wav", "audio/wav"},
		"?output=archive": {audio + "archiveflac", "audio/flac"},
		"?codec=mp3":      {audio + "mp3", "audio/mpeg"},
		"?output=":        {audio + "wav", "audio/wav"},
	} {
		w := s.do(t, reader, http.MethodGet, mediaOf(id)+query, "", nil)
		require.Equal(t, http.StatusOK, w.Code, "%s %s", query, w.Body)
		assert.Equal(t, want.body, w.Body.String(), query)
		assert.Equal(t, want.kind, w.Header().Get("Content-Type"), query)
		assert.Contains(t, w.Header().Get("Content-Disposition"), "c1")
	}
	for _, query := range []string{"?output=none", "?codec=opus", "?output=archive&codec=wav"} {
		s.fails(t, reader, http.MethodGet, mediaOf(id)+query, "", http.StatusNotFound, callmodel.CodeNotFound)
	}

	ranged := func(header, value string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), reader), http.MethodGet, mediaOf(id), nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		contract(t).Serve(t, s.h, w, r)
		return w
	}
	part := ranged("Range", "bytes=10-12")
	require.Equal(t, http.StatusPartialContent, part.Code)
	assert.Equal(t, "abc", part.Body.String())
	assert.Equal(t, "bytes 10-12/23", part.Header().Get("Content-Range"))
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, ranged("Range", "bytes=99-").Code)
	assert.Equal(t, http.StatusNotModified, ranged("If-None-Match", part.Header().Get("ETag")).Code)
	head := s.do(t, reader, http.MethodHead, mediaOf(id), "", nil)
	assert.Equal(t, "23", head.Header().Get("Content-Length"))
	assert.Empty(t, head.Body.String())

	s.fails(t, as(operates(), "globex"), http.MethodGet, mediaOf(id), "", http.StatusNotFound, callmodel.CodeNotFound)
}

// TestMediaIsSigned follows the redirect as a client would, without credentials.
func TestMediaIsSigned(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("http://media.example.com/signed")
	require.NoError(t, err)
	bucket := openStore(t, &storage.Options{SignBase: base, SignSecret: []byte("a secret of the test")})
	s := newService(t, bucket)
	id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
	w := s.do(t, as(reads(), "acme"), http.MethodGet, mediaOf(id), "", nil)
	require.Equal(t, http.StatusTemporaryRedirect, w.Code, "%s", w.Body)
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	to := w.Header().Get("Location")
	require.True(t, strings.HasPrefix(to, base.String()), to)
	got := httptest.NewRecorder()
	bucket.ServeSigned(got, httptest.NewRequestWithContext(t.Context(), http.MethodGet, to, nil))
	require.Equal(t, http.StatusOK, got.Code)
	assert.Equal(t, audio+"wav", got.Body.String())
}

func TestNoMedia(t *testing.T) {
	t.Parallel()
	bucket := openStore(t, nil)
	reader := as(reads(), "acme")

	none := newService(t, nil)
	id := none.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
	none.fails(t, reader, http.MethodGet, mediaOf(id), "", http.StatusNotFound, callmodel.CodeNotFound)

	s := newService(t, bucket)
	absent := s.record(t, bucket, "c0")
	p := s.fails(t, reader, http.MethodGet, mediaOf(absent), "", http.StatusNotFound, callmodel.CodeNotFound)
	assert.Contains(t, p.Detail, "no recording")

	// A result whose object went, and one that points elsewhere.
	for name, key := range map[string]string{"c2": "acme/gone.wav", "c3": "globex/theirs.wav", "c4": ""} {
		id := s.enqueue(t, name)
		leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		res := storetest.Result(name)
		res.Outputs[0].Key = key
		require.NoError(t, s.db.Complete(t.Context(), leases[0], storetest.Outcome(res)))
		p := s.fails(t, reader, http.MethodGet, mediaOf(id), "", http.StatusNotFound, callmodel.CodeNotFound)
		assert.NotContains(t, p.Detail, "file://", "the bucket's place stays inside")
	}
	queued := s.enqueue(t, "c9")
	p = s.fails(t, reader, http.MethodGet, mediaOf(queued), "", http.StatusNotFound, callmodel.CodeNotFound)
	assert.Contains(t, p.Detail, "queued")
}

// A recording that is published can be had while its job goes on, and when that
// was set aside; then the later version can.
func TestMediaOfAPublishedJob(t *testing.T) {
	t.Parallel()
	bucket := openStore(t, nil)
	s := newService(t, bucket)
	reader := as(reads(), "acme")
	id := s.enqueue(t, "c1")
	result := func(version string) record.Result {
		res := storetest.Result("c1")
		key := record.ObjectKey{TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: time.Unix(0, 0), Version: 1, Ext: "wav"}
		info, err := bucket.Put(t.Context(), key, record.ObjectMeta{NewVersion: true}, func(w io.Writer) error {
			_, err := io.WriteString(w, version)
			return err
		})
		require.NoError(t, err)
		res.Outputs[0].Key, res.Outputs[0].URL = info.Key.String(), info.URL
		return res
	}
	next := func() ledger.Lease {
		leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		return leases[0]
	}
	has := func(version string) {
		t.Helper()
		w := s.do(t, reader, http.MethodGet, mediaOf(id), "", nil)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		require.Equal(t, version, w.Body.String())
	}
	require.NoError(t, s.db.Publish(t.Context(), next(), storetest.Outcome(result("first")), 0))
	has("first")
	l := next()
	has("first")
	require.NoError(t, s.db.Quarantine(t.Context(), l.Job.ID, "op", "odd"))
	has("first")
	require.NoError(t, s.db.Retry(t.Context(), l.Job.ID, "op"))
	require.NoError(t, s.db.Complete(t.Context(), next(), storetest.Outcome(result("the whole leg"))))
	has("the whole leg")
}

// faultyMedia is a bucket that refuses, or whose readers can't seek.
type faultyMedia struct{ err error }

func (m faultyMedia) SignedURL(context.Context, string, time.Duration) (string, error) {
	return "", callmodel.Errorf(callmodel.CodeUnsupported, "can't sign")
}

func (m faultyMedia) Open(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader(audio), strings.NewReader("wav"))), m.err
}

func TestFaultyMedia(t *testing.T) {
	t.Parallel()
	bucket := openStore(t, nil)
	reader := as(reads(), "acme")
	for name, err := range map[string]error{
		"refused": callmodel.Errorf(callmodel.CodeForbidden, "bucket b: %w", errors.New("AccessDenied")),
		"down":    callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeUnavailable, "bucket b: 503"), 0),
	} {
		s := newService(t, faultyMedia{err})
		id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
		p := s.fails(t, reader, http.MethodGet, mediaOf(id), "", http.StatusServiceUnavailable, callmodel.CodeUnavailable)
		assert.NotContains(t, p.Detail, "bucket b", name)
	}
	s := newService(t, faultyMedia{})
	id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
	w := s.do(t, reader, http.MethodGet, mediaOf(id), "", nil)
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, audio+"wav", w.Body.String())
	assert.Equal(t, "none", w.Header().Get("Accept-Ranges"))
	assert.Equal(t, "23", w.Header().Get("Content-Length"))
}
