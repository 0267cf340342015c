package drivertest

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// RunFlips has a byte of every upload changed on its way to the server at addr, and
// holds the bucket to noticing. bucketAt opens the bucket at another address.
func RunFlips(t *testing.T, addr string, bucketAt func(addr string) *storage.Store) {
	t.Helper()
	var flips atomic.Bool
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			if r.In.Header.Get("Authorization") != "" {
				r.Out.Host = r.In.Host // which is signed
			}
			if r.In.Method == http.MethodGet || r.In.Method == http.MethodHead || !flips.Load() {
				return
			}
			body, err := io.ReadAll(r.In.Body)
			if err != nil {
				t.Error(err)
			}
			r.Out.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte("a byte"), []byte("b byte"))))
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	t.Cleanup(proxy.Close)
	s := bucketAt(proxy.Listener.Addr().String())
	for name, data := range map[string][]byte{
		"small": []byte("a byte is changed here"),
		"large": append(append(make([]byte, 18<<20), "a byte is changed here"...), make([]byte, 1<<20)...),
	} {
		flips.Store(true)
		_, err := s.Put(t.Context(), testKey(name), record.ObjectMeta{}, write(data))
		var later *callmodel.RetryAfterError
		require.ErrorAs(t, err, &later, "%s: the upload must be noticed to be other bytes", name)
		flips.Store(false)
		info, err := s.Put(t.Context(), testKey(name), record.ObjectMeta{}, write(data))
		require.NoError(t, err, name)
		r, err := s.Open(t.Context(), info.Key.String())
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		assert.True(t, bytes.Equal(data, got), "%s: what was changed isn't taken for the recording", name)
	}
}
