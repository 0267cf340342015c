package drivertest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// RunAsked holds the uploads to a bucket to asking what its URL says: each, small or of
// several parts, has a request with all that is wanted in its query or its header. The
// emulators that tests have don't encrypt, so that this is what can be seen of it. addr is the
// server's; bucketAt opens the bucket at another address.
func RunAsked(t *testing.T, addr string, bucketAt func(addr string) *storage.Store, want map[string]string) {
	t.Helper()
	var mu sync.Mutex
	var uploads []*http.Request
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			if r.In.Header.Get("Authorization") != "" {
				r.Out.Host = r.In.Host // which is signed
			}
			if r.In.Method == http.MethodPut || r.In.Method == http.MethodPost {
				mu.Lock()
				defer mu.Unlock()
				uploads = append(uploads, r.In)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if l := r.Header.Get("Location"); l != "" { // of the rest of an upload
				r.Header.Set("Location", strings.Replace(l, "//"+addr+"/", "//"+r.Request.Header.Get("X-Forwarded-Host")+"/", 1))
			}
			return nil
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	})
	t.Cleanup(proxy.Close)
	s := bucketAt(proxy.Listener.Addr().String())
	asked := func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range uploads {
			all := true
			for name, value := range want {
				all = all && (r.Header.Get(name) == value || r.URL.Query().Get(name) == value)
			}
			if all {
				return true
			}
		}
		return false
	}
	for name, size := range map[string]int{"small": 100, "parts": 12 << 20} {
		mu.Lock()
		uploads = nil
		mu.Unlock()
		info, err := s.Put(t.Context(), testKey("asked-"+name), record.ObjectMeta{}, write(pattern(size)))
		if err != nil { // a server may have no keys to encrypt with
			t.Logf("%s: %v", name, err)
		} else {
			again, err := s.Put(t.Context(), testKey("asked-"+name), record.ObjectMeta{}, write(pattern(size)))
			require.NoError(t, err)
			assert.Equal(t, info.URL, again.URL)
		}
		assert.True(t, asked(), "%s: no upload has asked for %v", name, want)
	}
}
