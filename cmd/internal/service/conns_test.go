package service_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/service"
)

// async is what f returns, once it has.
func async[T any](f func() T) <-chan T {
	c := make(chan T, 1)
	go func() { c <- f() }()
	return c
}

// TestConnectionsAreBounded: a crowd of idle connections shuts nobody out, and the
// emergency listener has its own.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	l, err := service.Listen(t.Context(), "127.0.0.1:0")
	require.NoError(t, err)
	const most = 10
	doors, err := service.ListenOptions{EmergencyListen: "127.0.0.1:0", MaxConns: most}.OpenDoors(t.Context(), l, false)
	require.NoError(t, err)
	busy, release := make(chan struct{}, most), make(chan struct{})
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/busy" {
			busy <- struct{}{}
			<-release
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- doors.Serve(ctx, h, slog.New(slog.DiscardHandler)) }()
	send := func(addr net.Addr, request string) net.Conn {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		if request != "" {
			_, err = fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", request)
			require.NoError(t, err)
		}
		return conn
	}
	answer := func(c net.Conn) int {
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return 0
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	for range 5 * most { // they say nothing, or no more
		send(l.Addr(), "")
		require.Equal(t, http.StatusOK, answer(send(l.Addr(), "GET /")))
	}
	// The last answer may be read before its connection counts as idle: until then a
	// new one is closed, and its client comes again.
	for working, tries := 0, 0; working < most; tries++ {
		require.Less(t, tries, 100*most, "%d connections work, and the others have no place", working)
		conn := send(l.Addr(), "GET /busy")
		select {
		case <-busy:
			working++
		case status := <-async(func() int { return answer(conn) }):
			require.Zero(t, status)
		}
	}
	assert.Zero(t, answer(send(l.Addr(), "GET /")), "all of them work")
	assert.Equal(t, http.StatusOK, answer(send(doors.Emergency(), "POST /v1/calls")))
	assert.Equal(t, http.StatusMethodNotAllowed, answer(send(doors.Emergency(), "GET /v1/calls")), "it is for calls alone")
	close(release)
	cancel()
	require.NoError(t, <-done)

	_, err = service.ListenOptions{EmergencyListen: "0.0.0.0:0"}.OpenDoors(t.Context(), l, false)
	require.ErrorContains(t, err, "--keys")
}
