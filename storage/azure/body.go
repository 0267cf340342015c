package azure

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// letGo is a transport that lets go of a request's body before it returns. Go's may read on
// for a moment after it has returned, as after a cancelled context (http.RoundTripper), and
// the SDK unmaps the memory that an upload's body is in as soon as it has: what read on was
// the end of the process.
type letGo struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t letGo) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return t.RoundTripper.RoundTrip(r)
	}
	var mu sync.Mutex
	var lent []*lentBody
	lend := func(from io.ReadCloser) io.ReadCloser {
		b := &lentBody{from: from}
		mu.Lock()
		defer mu.Unlock()
		lent = append(lent, b)
		return b
	}
	own := r.WithContext(r.Context())
	own.Body = lend(r.Body)
	if r.GetBody != nil { // for a connection that the server has closed meanwhile
		own.GetBody = func() (io.ReadCloser, error) {
			from, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			return lend(from), nil
		}
	}
	resp, err := t.RoundTripper.RoundTrip(own)
	mu.Lock()
	defer mu.Unlock()
	for _, b := range lent {
		b.end()
	}
	return resp, err
}

// lentBody is a body that can be taken back, also from whoever reads it.
type lentBody struct {
	mu    sync.Mutex
	from  io.ReadCloser
	ended bool
}

var errBodyEnded = errors.New("the request has ended")

// Read implements io.Reader.
func (b *lentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, errBodyEnded
	}
	return b.from.Read(p)
}

// Close implements io.Closer.
func (b *lentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.from.Close()
}

// end takes the body back, once a read that goes on is over: it is of memory.
func (b *lentBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}
