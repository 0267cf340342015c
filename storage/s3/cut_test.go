package s3_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// An upload whose line is cut is taken back; if that line stays cut, the sweep takes it
// back, and nothing else.
func TestCutUploads(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	before, addr, _ := strings.Cut(srv.URL, "endpoint=http://")
	var all atomic.Bool // cut everything after the first part
	var parts atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		second := r.Method == http.MethodPut && r.URL.Query().Get("partNumber") == "2"
		if second || all.Load() && r.Method == http.MethodDelete {
			parts.Add(1)
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = c.Close()
			}
			return
		}
		(&httputil.ReverseProxy{
			Rewrite:  func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", addr },
			ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		}).ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	s := drivertest.Open(t, before+"endpoint="+proxy.URL, s3.Driver())
	put := func(id string) {
		_, err := s.Put(t.Context(), record.ObjectKey{
			TenantID: "acme", CallID: "c1", RecordingID: "r1", StartedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Version: 1, Ext: id,
		}, record.ObjectMeta{}, func(w io.Writer) error {
			_, err := w.Write(make([]byte, 20<<20))
			return err
		})
		require.Error(t, err)
	}
	direct, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	client := awss3.NewFromConfig(direct, func(o *awss3.Options) {
		o.BaseEndpoint, o.UsePathStyle = aws.String("http://"+addr), true
	})
	unended := func() (keys []string) {
		out, err := client.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: aws.String("recordings")})
		require.NoError(t, err)
		for _, u := range out.Uploads {
			keys = append(keys, *u.Key)
		}
		return keys
	}
	put("wav")
	put("mp3")
	require.Positive(t, parts.Load())
	assert.Empty(t, unended(), "taken back at once")

	all.Store(true)
	put("flac")
	all.Store(false)
	require.Len(t, unended(), 1)
	_, err = client.CreateMultipartUpload(t.Context(), &awss3.CreateMultipartUploadInput{Bucket: aws.String("recordings"), Key: aws.String("another/programs.tar")})
	require.NoError(t, err)
	n, err := s.Sweep(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, n, "it may still be going on")
	n, err = s.Sweep(t.Context(), time.Now().Add(time.Minute))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	assert.Equal(t, []string{"another/programs.tar"}, unended())
}
