package s3_test

import (
	"bytes"
	"io"
	"log/slog"
	"net"
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
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// A server that refuses an object which is there already, and closes the line before it has
// read all of the body, so that its answer is lost, isn't away: what is there is looked at.
func TestRefusedBeforeItWasRead(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	before, far, found := strings.Cut(srv.URL, "endpoint=http://")
	require.True(t, found)
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: far})
			r.Out.Host = r.In.Host
		},
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	var cuts atomic.Bool
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || !cuts.Load() {
			through.ServeHTTP(w, r)
			return
		}
		_, _ = io.ReadFull(r.Body, make([]byte, 1024))
		conn, _, err := http.NewResponseController(w).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // what comes is answered with a reset
		}
		_ = conn.Close()
	}))
	t.Cleanup(front.Close)
	s := drivertest.Open(t, before+"endpoint="+front.URL, s3.Driver())
	put := func(id, text string) (record.ObjectInfo, error) {
		return s.Put(t.Context(), record.ObjectKey{
			TenantID: "acme", CallID: "c1", RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Version: 1, Ext: "wav",
		}, record.ObjectMeta{}, func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte(text), 3<<20))
			return err
		})
	}
	first, err := put("there", "a")
	require.NoError(t, err)
	cuts.Store(true)
	again, err := put("there", "a")
	require.NoError(t, err)
	assert.True(t, again.Existed)
	assert.Equal(t, first.URL, again.URL)

	_, err = put("new", "a")
	var away *callmodel.BucketAwayError
	require.ErrorAs(t, err, &away, "nothing is there")
}
