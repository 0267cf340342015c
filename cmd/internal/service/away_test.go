package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
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

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
)

// door stands before a server that it can keep clients from.
type door struct {
	*httputil.ReverseProxy

	closed atomic.Pointer[func(http.ResponseWriter)] // answers for the server; nil: it does itself
	turned atomic.Int64                              // requests that were answered so
	loud   chan struct{}                             // closed when the door isn't silent any more
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if answer := d.closed.Load(); answer != nil {
		d.turned.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		(*answer)(w)
		return
	}
	d.ReverseProxy.ServeHTTP(w, r)
}

// silent accepts and answers nothing until the door is loud again. Who has waited so
// long is refused.
func (d *door) silent() func(http.ResponseWriter) {
	d.loud = make(chan struct{})
	return func(w http.ResponseWriter) {
		<-d.loud
		(*refuse(http.StatusServiceUnavailable, "SlowDown", ""))(w)
	}
}

// refuse answers as S3 does.
func refuse(status int, code, retryAfter string) *func(http.ResponseWriter) {
	answer := func(w http.ResponseWriter) {
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as it is</Message></Error>", code)
	}
	return &answer
}

// While the bucket is away all jobs wait, uncounted and unclaimed, with one alarm, and
// /readyz and the metrics say so. When it is back they are made.
func TestBucketAway(t *testing.T) {
	for _, c := range []struct {
		name   string
		away   func(d *door, dir string) error
		back   func(d *door, dir string) error
		reason callmodel.BucketReason
		within time.Duration // an attempt's time; 0: the default
	}{
		{
			"silent", func(d *door, _ string) error {
				answer := d.silent()
				d.closed.Store(&answer)
				return nil
			},
			func(d *door, _ string) error { d.closed.Store(nil); close(d.loud); return nil }, callmodel.BucketUnreachable, 8 * time.Second,
		},
		{
			"deleted", func(_ *door, dir string) error { return os.Rename(dir, dir+"-gone") },
			func(_ *door, dir string) error { return os.Rename(dir+"-gone", dir) }, callmodel.BucketMissing, 0,
		},
		{
			"expired keys", func(d *door, _ string) error {
				d.closed.Store(refuse(http.StatusForbidden, "ExpiredToken", ""))
				return nil
			},
			func(d *door, _ string) error { d.closed.Store(nil); return nil }, callmodel.BucketForbidden, 0,
		},
		{
			"throttled", func(d *door, _ string) error {
				d.closed.Store(refuse(http.StatusServiceUnavailable, "SlowDown", "1"))
				return nil
			},
			func(d *door, _ string) error { d.closed.Store(nil); return nil }, callmodel.BucketThrottled, 0,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := buckettest.S3(t)
			srv.Setenv(t)
			d, at := before(t, srv)
			w := startWorker(t, at, c.within)
			require.NoError(t, c.away(d, srv.Dir))
			ids := w.enqueue(t, 8)
			require.Eventually(t, func() bool {
				code, body := w.get("/readyz")
				return code == http.StatusServiceUnavailable && strings.Contains(body, "recordings: bucket s3://recordings has been away since") &&
					strings.Contains(body, "("+string(c.reason)+")")
			}, time.Minute, 20*time.Millisecond)
			if seen := service.BucketHealth(w.stores, w.rec); assert.Len(t, seen, 1) {
				assert.Equal(t, "s3://recordings down", seen[0].Name+" "+seen[0].State)
				assert.Contains(t, seen[0].Detail, "("+string(c.reason)+")")
			}
			_, metrics := w.get("/metrics")
			assert.Regexp(t, `switchtape_bucket_away_seconds\{bucket="s3://recordings"\} \S*[1-9]`, metrics)
			require.Eventually(t, func() bool {
				_, metrics := w.get("/metrics")
				return strings.Contains(metrics, `switchtape_recording_attempts_total{outcome="waiting"`)
			}, time.Minute, 20*time.Millisecond)
			require.NoError(t, c.back(d, srv.Dir))
			for _, id := range ids {
				require.Eventually(t, func() bool {
					j, err := w.stores.DB.Job(t.Context(), id)
					return err == nil && j.State == ledger.Done && j.Attempts == 0
				}, time.Minute, 20*time.Millisecond)
			}
			assert.Equal(t, []console.Health{{Kind: "bucket", Name: "s3://recordings", State: "up"}}, service.BucketHealth(w.stores, w.rec))
			code, body := w.get("/readyz")
			assert.Equal(t, http.StatusOK, code, body)
			assert.Equal(t, 1, strings.Count(w.log.String(), "level=ERROR"), w.log.String())
			assert.Equal(t, 1, strings.Count(w.log.String(), "a bucket is back"), w.log.String())
		})
	}
}

// before puts a door before the server, and returns the bucket's URL through it.
func before(t *testing.T, srv *buckettest.Server) (*door, string) {
	t.Helper()
	before, endpoint, found := strings.Cut(srv.URL, "endpoint=")
	require.True(t, found)
	u, err := url.Parse(endpoint)
	require.NoError(t, err)
	d := &door{ReverseProxy: &httputil.ReverseProxy{
		Rewrite:  func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = u.Scheme, u.Host }, // the signature is of the Host that was asked
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}}
	front := httptest.NewServer(d)
	t.Cleanup(front.Close)
	return d, before + "endpoint=" + front.URL
}

type runningWorker struct {
	stores *service.Stores
	rec    *worker.Worker
	h      http.Handler
	log    *syncBuffer
}

// startWorker runs a worker as the binary does, until the test ends. An attempt may
// take as long as timeout says; 0 is the default.
func startWorker(t *testing.T, bucket string, timeout time.Duration) *runningWorker {
	t.Helper()
	return startWorkerOn(t, service.BucketOptions{Bucket: bucket}, service.WorkerOptions{JobTimeout: timeout})
}

func startWorkerOn(t *testing.T, bucket service.BucketOptions, o service.WorkerOptions) *runningWorker {
	t.Helper()
	dir := t.TempDir()
	w := &runningWorker{stores: &service.Stores{}, log: &syncBuffer{}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	var err error
	w.stores.DB, err = service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, true)
	require.NoError(t, err)
	drivers := service.Buckets{s3.Driver()}
	o.Legs, o.Concurrency = filepath.Join(dir, "legs"), 4
	o = o.Fill()
	err = w.stores.OpenBucket(t.Context(), drivers, bucket.Within(o.JobTimeout), log)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.stores.Close()) })
	require.NoError(t, os.Mkdir(o.Legs, 0o750))
	require.NoError(t, os.WriteFile(filepath.Join(o.Legs, "agent.wav"), samplecall.Agent(), 0o600))
	m := ops.NewMetrics()
	rec, closer, err := service.NewWorker(t.Context(), w.stores, o, drivers, m, log)
	require.NoError(t, err)
	w.rec = rec
	handlers, err := service.HTTP(w.stores, nil, rec, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, service.AdminOptions{}, m)
	require.NoError(t, err)
	w.h = handlers.Public
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, rec.Run(ctx)) })
	running.Go(func() { assert.NoError(t, closer.Run(ctx)) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		require.NoError(t, closer.Close())
	})
	return w
}

func (w *runningWorker) enqueue(t *testing.T, n int) (ids []callmodel.JobID) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("c%d", i)
		start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		spec := record.Spec{
			TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
			StartedAt: start, EndedAt: start.Add(time.Minute),
			Legs:    []record.LegSpec{record.NewLeg("agent", "agent.wav")},
			Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}},
		}
		job, _, err := w.stores.DB.Enqueue(t.Context(), storetest.RequestOf(spec))
		require.NoError(t, err)
		ids = append(ids, job)
	}
	return ids
}

func (w *runningWorker) get(path string) (int, string) {
	answer := httptest.NewRecorder()
	w.h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
	return answer.Code, answer.Body.String()
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
