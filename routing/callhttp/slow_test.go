package callhttp_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/callservice"
)

// TestUnfinishedBodiesHoldNoPlace: clients that send an event or rules and don't
// end keep nobody else out.
func TestUnfinishedBodiesHoldNoPlace(t *testing.T) {
	t.Parallel()
	s := on(t, sqliteDB(t), callservice.Options{MaxInFlight: 2, QueueWait: time.Millisecond})
	began := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began <- struct{}{}
		s.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), operator())))
	}))
	t.Cleanup(srv.Close)
	for i := range 40 {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		what := [...]string{
			"POST /v1/calls/c/events HTTP/1.1\r\nContent-Length: 100", "PUT /v1/rules HTTP/1.1\r\nContent-Length: 1000000",
			"POST /v1/calls/c/events HTTP/1.1\r\nTransfer-Encoding: chunked",
		}[i%3]
		_, err = fmt.Fprintf(conn, "%s\r\nHost: x\r\n\r\n{", what)
		require.NoError(t, err)
		<-began
	}
	c := create(t, s, nyc(""))
	event(t, s, c.ID, `{"id":"1","type":"answered"}`)
	help(t, s, `{"to":"911"}`)
}
