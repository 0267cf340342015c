//go:build linux

package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
)

// line is the network between our programs and a server. It can be cut, slow, or silent.
type line struct{ proxy *toxiproxy.Proxy }

// newLine is a line to the server at the address far, whose near end is at near.
func newLine(t *testing.T, name, near, far string) *line {
	t.Helper()
	l := &line{toxiproxy.NewProxy(toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop()), name, near, far)}
	require.NoError(t, l.proxy.Start())
	t.Cleanup(l.proxy.Stop)
	return l
}

// cut breaks the connections, and refuses new ones until mend.
func (l *line) cut() { l.proxy.Stop() }

func (l *line) mend(t *testing.T) {
	t.Helper()
	require.NoError(t, l.proxy.Start())
}

// leadTo has the line lead to another server.
func (l *line) leadTo(t *testing.T, far string) {
	t.Helper()
	l.proxy.Stop()
	l.proxy.Upstream = far
	l.mend(t)
}

// toxic is one that toxiproxy knows, for both directions.
type toxic struct {
	kind       string
	attributes map[string]int
}

// mute takes what is said, and never answers.
func mute() toxic { return toxic{"timeout", map[string]int{"timeout": 0}} }

// late is what a long way does.
func late(ms int) toxic { return toxic{"latency", map[string]int{"latency": ms, "jitter": ms / 2}} }

// narrow lets so many KB a second through.
func narrow(kbs int) toxic { return toxic{"bandwidth", map[string]int{"rate": kbs}} }

// spoil puts the toxics on the line, until clear.
func (l *line) spoil(t *testing.T, toxics ...toxic) {
	t.Helper()
	for _, x := range toxics {
		for _, stream := range []string{"upstream", "downstream"} {
			body, err := json.Marshal(map[string]any{"type": x.kind, "stream": stream, "attributes": x.attributes})
			require.NoError(t, err)
			_, err = l.proxy.Toxics.AddToxicJson(bytes.NewReader(body))
			require.NoError(t, err)
		}
	}
}

func (l *line) clear() { l.proxy.Toxics.ResetToxics(context.Background()) }

// front stands before a bucket's server, and refuses what it is told to.
type front struct {
	*httptest.Server

	refuses atomic.Pointer[http.Handler] // nil: nothing
}

func newFront(t *testing.T, far string) *front {
	t.Helper()
	f := &front{}
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: far})
			r.Out.Host = r.In.Host // it is signed
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuse := f.refuses.Load(); refuse != nil {
			(*refuse).ServeHTTP(w, r)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// refuse answers all requests so, until let.
func (f *front) refuse(status int, code, retryAfter string) {
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<Error><Code>" + code + "</Code></Error>")) // the client may have gone
	})
	f.refuses.Store(&h)
}

func (f *front) let() { f.refuses.Store(nil) }
