package azure

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// watched is a body of memory that is taken back: no read may come afterwards.
type watched struct {
	*bytes.Reader

	gone *atomic.Bool
	late *atomic.Int64
}

func (w watched) Read(p []byte) (int, error) {
	if w.gone.Load() {
		w.late.Add(1)
	}
	n, err := w.Reader.Read(p[:min(len(p), 1024)])
	if w.gone.Load() {
		w.late.Add(1) // it was taken back in the middle
	}
	return n, err
}

func (watched) Close() error { return nil }

// TestBodiesAreLetGo: whenever a request is given up, or is answered before its end,
// nobody reads its body any more once that is known.
func TestBodiesAreLetGo(t *testing.T) {
	t.Parallel()
	var early atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if early.Load() {
			w.WriteHeader(http.StatusServiceUnavailable) // without having read it
			return
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 64<<10))
		time.Sleep(time.Millisecond)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(server.Close)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: letGo{transport}}
	memory := bytes.Repeat([]byte("x"), 4<<20)
	var late atomic.Int64
	ask := func(after time.Duration) (int, error) {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		var gone atomic.Bool
		body := func() (io.ReadCloser, error) { return watched{bytes.NewReader(memory), &gone, &late}, nil }
		first, _ := body()
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, server.URL, first)
		require.NoError(t, err)
		req.GetBody, req.ContentLength = body, int64(len(memory))
		resp, err := client.Do(req)
		gone.Store(true)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}
	status, err := ask(30 * time.Second)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
	var wg sync.WaitGroup
	var cut atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				if _, err := ask(time.Duration(100+n*37+i*11) * time.Microsecond); err != nil {
					cut.Add(1)
				}
			}
		})
	}
	wg.Wait()
	assert.Greater(t, cut.Load(), int64(100), "requests were given up in their middle")
	early.Store(true)
	for range 50 {
		_, _ = ask(30 * time.Second) // answered, or the connection was closed under it
	}
	time.Sleep(10 * time.Millisecond) // whoever would read on has
	assert.Zero(t, late.Load(), "reads of a body that was taken back")
}
