package recordinghttp_test

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// counted is a server in front of another that counts the bytes of what is downloaded.
func counted(t *testing.T, addr string) (proxied string, bytes *atomic.Int64) {
	t.Helper()
	bytes = &atomic.Int64{}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			r.Out.Host = r.In.Host // which is signed
		},
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method == http.MethodGet {
				r.Body = &countedBody{r.Body, bytes}
			}
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String(), bytes
}

type countedBody struct {
	io.ReadCloser

	bytes *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	return n, err
}

// An encrypted recording of four hours is served as if it were a file, and who seeks in it
// has little more read from the bucket than is played.
func TestEncryptedMedia(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	before, addr, found := strings.Cut(srv.URL, "endpoint=http://")
	require.True(t, found)
	addr, read := counted(t, addr)
	file, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	keys, err := file.Keys()
	require.NoError(t, err)
	bucket, err := storage.Open(t.Context(), before+"endpoint=http://"+addr, &storage.Options{
		Drivers: []storage.Driver{s3.Driver()}, Encryption: keys, SpoolDir: t.TempDir(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, bucket.Close()) })
	s := newService(t, bucket)

	const size = 4 * 3600 * 32_000 / 8 // of 32 kbit/s
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i ^ i>>8 ^ i>>16)
	}
	id := s.enqueue(t, "long")
	leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
	require.NoError(t, err)
	spec, output := storetest.Spec("long"), record.OutputSpec{Codec: record.CodecMP3}
	info, err := bucket.Put(t.Context(), spec.Key(output), record.ObjectMeta{ContentType: "audio/mpeg"}, func(w io.Writer) error { _, err := w.Write(data); return err })
	require.NoError(t, err)
	require.NoError(t, s.db.Complete(t.Context(), leases[0], storetest.Outcome(record.Result{Status: record.StatusCompleted, Outputs: []record.OutputResult{{
		Codec: output.Codec, URL: info.URL, Key: info.Key.String(), Bytes: info.Bytes, SHA256: info.SHA256,
	}}})))

	ask := func(method string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), as(reads(), "acme")), method, mediaOf(id), nil)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		read.Store(0)
		s.h.ServeHTTP(w, r)
		return w
	}
	const little = 512 << 10
	head := ask(http.MethodHead)
	require.Equal(t, http.StatusOK, head.Code)
	assert.Equal(t, fmt.Sprint(size), head.Header().Get("Content-Length"))
	assert.Equal(t, "bytes", head.Header().Get("Accept-Ranges"))
	assert.Less(t, read.Load(), int64(little))
	etag := head.Header().Get("ETag")
	assert.Equal(t, `"`+info.SHA256+`"`, etag, "it is the plaintext's")

	for _, c := range []struct {
		ranged, content string
		from, to        int
	}{
		{"bytes=0-1", "bytes 0-1", 0, 2},
		{"bytes=30000000-30003999", "bytes 30000000-30003999", 30_000_000, 30_004_000},
		{"bytes=-100", fmt.Sprintf("bytes %d-%d", size-100, size-1), size - 100, size},
		{fmt.Sprintf("bytes=%d-", size-7), fmt.Sprintf("bytes %d-%d", size-7, size-1), size - 7, size},
	} {
		w := ask(http.MethodGet, "Range", c.ranged, "If-Range", etag)
		require.Equal(t, http.StatusPartialContent, w.Code, c.ranged)
		assert.Equal(t, c.content+fmt.Sprintf("/%d", size), w.Header().Get("Content-Range"))
		assert.Equal(t, fmt.Sprint(c.to-c.from), w.Header().Get("Content-Length"))
		assert.True(t, bytes.Equal(data[c.from:c.to], w.Body.Bytes()), c.ranged)
		assert.Less(t, read.Load(), int64(little), "%s: read from the bucket", c.ranged)
		t.Logf("%s: %d bytes read from the bucket", c.ranged, read.Load())
	}

	w := ask(http.MethodGet, "Range", "bytes=5-9,20000000-20000009")
	require.Equal(t, http.StatusPartialContent, w.Code)
	kind, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/byteranges", kind)
	parts := multipart.NewReader(w.Body, params["boundary"])
	for _, from := range []int{5, 20_000_000} {
		p, err := parts.NextPart()
		require.NoError(t, err)
		b, err := io.ReadAll(p)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(data[from:from+len(b)], b))
		assert.Equal(t, "audio/mpeg", p.Header.Get("Content-Type"))
	}
	_, err = parts.NextPart()
	require.ErrorIs(t, err, io.EOF)
	assert.Less(t, read.Load(), int64(little))

	w = ask(http.MethodGet, "Range", fmt.Sprintf("bytes=%d-", size))
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, w.Code)
	assert.Equal(t, fmt.Sprintf("bytes */%d", size), w.Header().Get("Content-Range"))
	assert.Equal(t, http.StatusNotModified, ask(http.MethodGet, "If-None-Match", etag).Code)

	w = ask(http.MethodGet, "Range", "bytes=0-9", "If-Range", `"another"`)
	require.Equal(t, http.StatusOK, w.Code, "it isn't what the client has a part of")
	require.True(t, bytes.Equal(data, w.Body.Bytes()))
	assert.Less(t, read.Load(), int64(size+size/20), "the whole is read once")
}

// A service that has no key says so, and sends nobody to ciphertext.
func TestEncryptedMediaWithoutKeys(t *testing.T) {
	t.Parallel()
	file, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	writers, err := file.WithoutIdentities().Keys()
	require.NoError(t, err)
	base, err := url.Parse("http://media.example.com/signed")
	require.NoError(t, err)
	bucket := openStore(t, &storage.Options{Encryption: writers, SignBase: base, SignSecret: []byte("a secret of the test")})
	s := newService(t, bucket)
	id := s.record(t, bucket, "c1", record.OutputSpec{Codec: record.CodecWAV})
	p := s.fails(t, as(reads(), "acme"), http.MethodGet, mediaOf(id), "", http.StatusServiceUnavailable, callmodel.CodeKeyMissing)
	assert.NotContains(t, p.Detail, "stamp")
}
