package storage

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A transfer that goes on isn't cut, in whichever direction, however much longer than
// the bound it takes.
func TestSlowTransfersAreNotCut(t *testing.T) {
	t.Parallel()
	const stall, piece, pieces = 1500 * time.Millisecond, 512 << 10, 20 // a busy machine pauses for half a second
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(stall / 15)
		defer tick.Stop()
		n := int64(0)
		for {
			<-tick.C
			m, err := io.CopyN(io.Discard, r.Body, piece)
			if n += m; err != nil {
				break
			}
		}
		assert.EqualValues(t, piece*pieces, n)
		for range pieces {
			<-tick.C
			_, _ = w.Write(make([]byte, piece))
			assert.NoError(t, http.NewResponseController(w).Flush())
		}
	}))
	srv.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		assert.NoError(t, c.(*net.TCPConn).SetReadBuffer(64<<10))
		return ctx
	}
	srv.Start()
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	steady(stall)(transport)
	t.Cleanup(transport.CloseIdleConnections)
	began := time.Now()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, srv.URL, bytes.NewReader(make([]byte, piece*pieces)))
	require.NoError(t, err)
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.EqualValues(t, piece*pieces, n)
	assert.Greater(t, time.Since(began), 2*stall)
}
