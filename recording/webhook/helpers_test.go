package webhook_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ webhook.Store = (*calldb.DB)(nil)
	_ webhook.Store = (*memdb.Store)(nil)
)

// within is until a test gives up waiting.
const within = 30 * time.Second

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func sqliteURL(t testing.TB) string {
	t.Helper()
	return calldb.SQLiteURL(filepath.Join(t.TempDir(), "ledger.db"))
}

func openDB(t testing.TB) *calldb.DB {
	t.Helper()
	return migrated(t, sqliteURL(t))
}

func migrated(t testing.TB, url string) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), url, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	return db
}

// desk is what makes events.
type desk interface {
	storetest.JobLedger
	storetest.WebhookStore
}

// happen makes recordings, each of which leaves an event.
func happen(t testing.TB, s desk, prefix string, n int) {
	t.Helper()
	for i := range n {
		_, _, err := s.Enqueue(t.Context(), storetest.Request(fmt.Sprintf("%s%04d", prefix, i)))
		require.NoError(t, err)
	}
	for n > 0 {
		leases, err := s.Claim(t.Context(), ledger.Claim{Worker: "w", Limit: n, TTL: time.Hour})
		require.NoError(t, err)
		require.NotEmpty(t, leases)
		n -= len(leases)
		for _, l := range leases {
			require.NoError(t, s.Complete(t.Context(), l, storetest.Completed(string(l.Job.CallID))))
		}
	}
}

// got is what a receiver was sent.
type got struct {
	header http.Header
	body   string
}

// receiver is a server that takes webhooks. What answers decides the answer, nil is 204.
type receiver struct {
	*httptest.Server

	mu     sync.Mutex
	got    []got
	answer http.HandlerFunc
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	if err == nil {
		r.got = append(r.got, got{q.Header.Clone(), string(body)})
	}
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, q)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) all() []got {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]got(nil), r.got...)
}

func (r *receiver) answers(f http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func newReceiver(t testing.TB, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// verify holds one delivery against a secret, and returns its id.
func verify(t testing.TB, s webhooks.Secret, g got, now time.Time) string {
	t.Helper()
	id := g.header.Get("webhook-id")
	assert.NotEmpty(t, id)
	seconds, err := strconv.ParseInt(g.header.Get("webhook-timestamp"), 10, 64)
	require.NoError(t, err)
	if !now.IsZero() {
		assert.WithinDuration(t, now, time.Unix(seconds, 0), time.Second)
	}
	key, err := s.Key()
	require.NoError(t, err)
	assert.Contains(t, strings.Fields(g.header.Get("webhook-signature")), webhooks.Sign(key, id, time.Unix(seconds, 0), []byte(g.body)))
	return id
}

// create makes an endpoint of the tenant "acme".
func create(t testing.TB, s desk, name, url string) webhooks.New {
	t.Helper()
	n := storetest.NewWebhook(name)
	n.URL = url
	_, err := s.CreateWebhook(t.Context(), n)
	require.NoError(t, err)
	return n
}

func deliveries(t testing.TB, s desk, id string) []webhooks.Delivery {
	t.Helper()
	all, err := s.WebhookDeliveries(t.Context(), webhooks.DeliveryFilter{TenantID: "acme", EndpointID: id, Limit: 1000})
	require.NoError(t, err)
	return all
}

func endpoint(t testing.TB, s desk, id string) webhooks.Endpoint {
	t.Helper()
	e, err := s.Webhook(t.Context(), "acme", id)
	require.NoError(t, err)
	return e
}

func run(t testing.TB, d *webhook.Deliverer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, d.Run(ctx))
	}()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return stop
}

// names is a name server on loopback: it knows the addresses of some names, and that no
// other is one's.
func names(t testing.TB, known map[string]netip.Addr) *net.Resolver {
	t.Helper()
	conn, err := new(net.ListenConfig).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := nameAnswer(buf[:n], known); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// nameAnswer answers a query of one question (RFC 1035, section 4).
func nameAnswer(query []byte, known map[string]netip.Addr) []byte {
	if len(query) < 17 {
		return nil
	}
	var labels []string
	at := 12
	for at < len(query) && query[at] != 0 {
		end := at + 1 + int(query[at])
		if end >= len(query) {
			return nil
		}
		labels = append(labels, string(query[at+1:end]))
		at = end
	}
	if at+5 > len(query) {
		return nil
	}
	question := query[12 : at+5]
	kind := binary.BigEndian.Uint16(query[at+1:])
	address, ok := known[strings.ToLower(strings.Join(labels, "."))]
	answer := append([]byte(nil), query[:2]...)
	answer = append(answer, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0)
	answer = append(answer, question...)
	switch {
	case !ok:
		answer[3] |= 3 // there is no such name
	case kind == 1 && address.Is4():
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		answer = append(answer, address.AsSlice()...)
	}
	return answer
}
