package drivertest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// RunStalls holds a driver to the bounds of storage.Options.Stall, against servers
// that accept and stand still. bucketAt is the bucket's URL at such a server.
func RunStalls(t *testing.T, bucketAt func(addr string) string, drivers ...storage.Driver) {
	t.Helper()
	const stall = 300 * time.Millisecond
	put := func(n int) func(ctx context.Context, s *storage.Store) error {
		return func(ctx context.Context, s *storage.Store) error {
			_, err := s.Put(ctx, testKey("stalls"), record.ObjectMeta{}, write(make([]byte, n)))
			return err
		}
	}
	read := func(ctx context.Context, s *storage.Store) error {
		r, err := s.Open(ctx, "leg.wav")
		if err != nil {
			return err
		}
		_, err = io.ReadAll(r)
		return errors.Join(err, r.Close())
	}
	for _, c := range []struct {
		name   string
		serve  func(c net.Conn)
		do     func(ctx context.Context, s *storage.Store) error
		reader bool // the error is a reader's
	}{
		{"a small upload to a server that is silent", func(net.Conn) {}, put(1000), false},
		{"an upload to a server that is silent", func(net.Conn) {}, put(20 << 20), false},
		{"an upload of which half is taken", takeHalf, put(20 << 20), false},
		{"a download from a server that is silent", func(net.Conn) {}, read, false},
		{"a download of which half comes", giveHalf, read, true},
		{"a look at a server that is silent", func(net.Conn) {}, func(ctx context.Context, s *storage.Store) error { return s.Check(ctx) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := storage.Open(t.Context(), bucketAt(still(t, c.serve)), &storage.Options{Drivers: drivers, Stall: stall, SpoolDir: t.TempDir()})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			// Without the bounds nothing but this would end it.
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			err = c.do(ctx, s)
			require.Error(t, err)
			require.NoError(t, ctx.Err(), "it hung")
			if away, ok := errors.AsType[*callmodel.BucketAwayError](err); !c.reader && assert.True(t, ok, "%v", err) {
				assert.Equal(t, callmodel.BucketUnreachable, away.Reason, "%v", err)
			}
		})
	}
}

// still is a server that keeps every connection after serve, until the test ends.
func still(t *testing.T, serve func(c net.Conn)) (addr string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.(*net.TCPConn).SetReadBuffer(64 << 10) //nolint:forcetypeassert // of a TCP listener
			defer c.Close()                              //nolint:errcheck // nobody is there any more
			serving.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// takeHalf reads some of what is sent.
func takeHalf(c net.Conn) { _, _ = io.CopyN(io.Discard, c, 1<<20) }

// giveHalf answers whatever is asked with half of an object.
func giveHalf(c net.Conn) {
	if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
		return
	}
	const half = 10_000
	answer := "HTTP/1.1 200 OK\r\nContent-Type: audio/wav\r\nContent-Length: 20000\r\nLast-Modified: Sun, 01 Mar 2026 12:00:00 GMT\r\n\r\n"
	_, _ = c.Write(append([]byte(answer), make([]byte, half)...))
}
