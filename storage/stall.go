package storage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// The time-outs of connections to a bucket.
const (
	// defaultStall is how long a connection may stand still.
	defaultStall = 30 * time.Second
	dialTimeout  = 10 * time.Second
	// stallPiece is how much is sent at a time: a line that moves it within the
	// bound is alive.
	stallPiece = 64 << 10
	// sendBuffer is what the system may hold of what was sent: it looks sent, and on a
	// slow line is still under way. More would need a longer bound.
	sendBuffer = 512 << 10
)

// steady returns what makes the connections of a transport end that stand still. A
// server that accepts and never answers is noticed so, and a transfer that goes on
// is not cut, however long it takes.
func steady(stall time.Duration) func(*http.Transport) {
	return func(t *http.Transport) {
		d := &net.Dialer{Timeout: min(dialTimeout, stall), KeepAlive: 15 * time.Second}
		t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := d.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if tcp, ok := c.(*net.TCPConn); ok {
				if err := tcp.SetWriteBuffer(sendBuffer); err != nil {
					return nil, errors.Join(err, c.Close())
				}
			}
			return &steadyConn{Conn: c, stall: stall}, nil
		}
		t.TLSHandshakeTimeout = min(dialTimeout, stall)
		t.ResponseHeaderTimeout = stall
		t.ExpectContinueTimeout = time.Second
		t.IdleConnTimeout = stall / 2
	}
}

// steadyConn is a connection that ends when nothing is moved for too long. What is
// sent puts off the end of a read that waits for its answer.
type steadyConn struct {
	net.Conn

	stall time.Duration
}

func (c *steadyConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(deadline(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *steadyConn) Write(p []byte) (n int, err error) {
	for {
		if err := c.SetDeadline(deadline(c.stall)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[:min(len(p), stallPiece)])
		if n += m; err != nil || m == len(p) {
			return n, err
		}
		p = p[m:]
	}
}

func deadline(d time.Duration) time.Time { return time.Now().Add(d) } //nolint:forbidigo // the kernel wants a time of day
