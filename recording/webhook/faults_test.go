package webhook_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/recording/webhook"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// fault is a way in which a receiver fails until it is mended.
type fault struct {
	name   string
	url    string
	says   string // in the error
	status int
	// mend has the receiver take webhooks; nil if it can't be.
	mend func()
}

// secure is a receiver by TLS whose certificate ends then. It is signed by itself.
func secure(t *testing.T, ends time.Time) (r *receiver, cert *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: ends, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, of, of, key.Public(), key)
	require.NoError(t, err)
	cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	r = &receiver{}
	r.Server = httptest.NewUnstartedServer(r)
	r.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	r.Config.ErrorLog = log.New(io.Discard, "", 0) // it is meant to fail
	r.StartTLS()
	t.Cleanup(r.Close)
	return r, cert
}

// faults are sixteen ways to fail. The counter is of requests at an address that nobody
// must be led to.
func faults(t *testing.T) (list []fault, o webhook.Options, led *atomic.Int64) {
	t.Helper()
	led = &atomic.Int64{}
	hidden := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { led.Add(1); w.WriteHeader(http.StatusNoContent) })
	_, port, err := net.SplitHostPort(strings.TrimPrefix(hidden.URL, "http://"))
	require.NoError(t, err)
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := "http://" + closed.Addr().String()
	require.NoError(t, closed.Close())
	garbage, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = garbage.Close() })
	go func() {
		for {
			c, err := garbage.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1024))
			_, _ = c.Write([]byte("220 mail.example ESMTP\r\n"))
			_ = c.Close()
		}
	}()
	expired, _ := secure(t, time.Now().AddDate(0, 0, -1))
	stranger, _ := secure(t, time.Now().AddDate(1, 0, 0))
	known, certificate := secure(t, time.Now().AddDate(1, 0, 0))
	authorities := x509.NewCertPool()
	authorities.AddCert(certificate)
	known.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })

	add := func(name, says string, status int, answer http.HandlerFunc) {
		r := newReceiver(t, answer)
		list = append(list, fault{name, r.URL, says, status, func() { r.answers(nil) }})
	}
	list = append(list,
		fault{"dns", "http://nobody.example:" + port, "no such host", 0, nil},
		fault{"rebinding", "http://inside.example:" + port, "private address", 0, nil},
		fault{"private", "http://127.8.8.8:" + port, "private address", 0, nil},
		fault{"refused", refused, "connection refused", 0, nil},
		fault{"tls-expired", expired.URL, "certificate has expired", 0, nil},
		fault{"tls-stranger", stranger.URL, "certificate", 0, nil},
		fault{"tls-403", known.URL, "answered 403", http.StatusForbidden, func() { known.answers(nil) }},
		fault{"garbage", "http://" + garbage.Addr().String(), "malformed", 0, nil},
	)
	add("redirect", "redirects aren't followed", http.StatusFound, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, hidden.URL, http.StatusFound)
	})
	add("kept-redirect", "redirects aren't followed", http.StatusTemporaryRedirect, func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, hidden.URL, http.StatusTemporaryRedirect)
	})
	add("500", "answered 500", http.StatusInternalServerError, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	add("404", "answered 404", http.StatusNotFound, http.NotFound)
	add("hangs-up", "EOF", 0, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	add("slow", "no answer within", 0, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	add("huge", "answered 503", http.StatusServiceUnavailable, func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		for block := make([]byte, 64<<10); q.Context().Err() == nil; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	add("429", "answered 429", http.StatusTooManyRequests, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	o = webhook.Options{
		Holder: "a", Timeout: 300 * time.Millisecond, TLS: &tls.Config{RootCAs: authorities},
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Resolver: names(t, map[string]netip.Addr{
			"inside.example": netip.MustParseAddr("10.1.2.3"), "good.example": netip.MustParseAddr("127.0.0.1"),
		}),
	}
	return list, o, led
}

// TestThreeDaysOfFaults: receivers that fail in every way for three days are tried by the
// schedule, each by itself, and a good one beside them never waits for them. Once they
// are mended a replay delivers what they missed, under the same ids.
func TestThreeDaysOfFaults(t *testing.T) {
	t.Parallel()
	c := newClock()
	db := memdb.New(c.now)
	list, o, led := faults(t)
	// The clock stands while tries are made, so that nothing is slow by it.
	o.Now = c.now
	d := webhook.New(db, o)
	good := newReceiver(t, nil)
	well := create(t, db, "good", strings.Replace(good.URL, "127.0.0.1", "good.example", 1))
	secrets := map[string]webhooks.Secret{}
	for _, f := range list {
		n := create(t, db, f.name, f.url)
		secrets[f.name] = n.Secret
	}
	happen(t, db, "c", 1)
	began := c.now()
	for c.now().Sub(began) < 81*time.Hour { // with the jitter, and a minute's rounding
		require.NoError(t, d.Step(t.Context()))
		c.advance(time.Minute)
	}
	assert.Zero(t, led.Load(), "nobody is led to a private address")
	assert.Len(t, good.all(), 1)
	assert.Equal(t, 1, deliveries(t, db, "wh-good")[0].Tries)
	verify(t, well.Secret, good.all()[0], began)
	assert.True(t, endpoint(t, db, "wh-good").Health.FailingSince.IsZero())
	tries := len(webhook.DefaultSchedule()) + 1
	for _, f := range list {
		all := deliveries(t, db, "wh-"+f.name)
		require.Len(t, all, 1, f.name)
		v := all[0]
		assert.Equal(t, webhooks.Failed, v.State, f.name)
		assert.Equal(t, tries, v.Tries, f.name)
		assert.Contains(t, v.LastError, f.says, f.name)
		assert.NotContains(t, v.LastError, f.url, f.name)
		assert.Equal(t, f.status, v.LastStatus, f.name)
		took := v.LastAt.Sub(began)
		assert.Greater(t, took, 60*time.Hour, f.name)
		assert.Less(t, took, 81*time.Hour, f.name)
		h := endpoint(t, db, "wh-"+f.name).Health
		assert.WithinDuration(t, began, h.FailingSince, time.Minute, f.name)
		assert.True(t, h.LastSuccessAt.IsZero(), f.name)
		assert.Zero(t, h.Waiting, f.name)
	}
	assert.EqualValues(t, len(list), d.Counts().GivenUp)

	for _, f := range list {
		if f.mend == nil {
			continue
		}
		f.mend()
		n, err := db.ReplayWebhook(t.Context(), webhooks.Replay{TenantID: "acme", EndpointID: "wh-" + f.name})
		require.NoError(t, err)
		require.Equal(t, 1, n.Count, f.name)
		require.NoError(t, d.Step(t.Context()))
		v := deliveries(t, db, "wh-"+f.name)[0]
		assert.Equal(t, webhooks.Delivered, v.State, "%s: %s", f.name, v.LastError)
		assert.Equal(t, deliveries(t, db, "wh-good")[0].WebhookID, v.WebhookID, f.name)
		assert.True(t, endpoint(t, db, "wh-"+f.name).Health.FailingSince.IsZero(), f.name)
	}
}

// TestSignedAnewAtEachTry: each try has the id of the others, its own time and signature;
// Retry-After is waited for, at least.
func TestSignedAnewAtEachTry(t *testing.T) {
	t.Parallel()
	c := newClock()
	db := memdb.New(c.now)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	n := create(t, db, "a", r.URL)
	happen(t, db, "c", 1)
	d := webhook.New(db, webhook.Options{Holder: "a", Now: c.now, Allow: loopback()})
	require.NoError(t, d.Step(t.Context()))
	c.advance(119 * time.Minute)
	require.NoError(t, d.Step(t.Context()))
	require.Len(t, r.all(), 1, "it asked for two hours")
	c.advance(time.Minute)
	r.answers(nil)
	require.NoError(t, d.Step(t.Context()))
	all := r.all()
	require.Len(t, all, 2)
	first, second := verify(t, n.Secret, all[0], c.now().Add(-2*time.Hour)), verify(t, n.Secret, all[1], c.now())
	require.Equal(t, first, second)
	require.NotEqual(t, all[0].header.Get("webhook-signature"), all[1].header.Get("webhook-signature"))
	require.Equal(t, all[0].body, all[1].body)
}

// TestGone: 410 ends the tries and the endpoint.
func TestGone(t *testing.T) {
	t.Parallel()
	c := newClock()
	db := memdb.New(c.now)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) })
	create(t, db, "a", r.URL)
	happen(t, db, "c", 1)
	d := webhook.New(db, webhook.Options{Holder: "a", Now: c.now, Allow: loopback()})
	require.NoError(t, d.Step(t.Context()))
	e := endpoint(t, db, "wh-a")
	require.Equal(t, webhooks.Disabled, e.State)
	require.Equal(t, webhooks.ReasonGone, e.StateReason)
	require.Equal(t, webhooks.Failed, deliveries(t, db, "wh-a")[0].State)
}

// TestDownReceiversRest: however much waits for a receiver that is down, it is tried once
// a second; when it is there again everything is delivered at once.
func TestDownReceiversRest(t *testing.T) {
	t.Parallel()
	c := newClock()
	db := memdb.New(c.now)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	create(t, db, "a", r.URL)
	d := webhook.New(db, webhook.Options{Holder: "a", Now: c.now, Allow: loopback()})
	happen(t, db, "first", 1)
	require.NoError(t, d.Step(t.Context()))
	happen(t, db, "c", 60)
	for range 10 {
		tried := len(r.all())
		c.advance(time.Second)
		require.NoError(t, d.Step(t.Context()))
		require.Len(t, r.all(), tried+1)
	}
	r.answers(nil)
	c.advance(time.Minute)
	tried := len(r.all())
	require.NoError(t, d.Step(t.Context()))
	require.Len(t, r.all(), tried+61)
	require.Zero(t, endpoint(t, db, "wh-a").Health.Waiting)
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "0.0.0.0", "255.255.255.255",
		"224.0.0.1", "192.0.0.192", "198.18.0.1", "168.63.129.16", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fc00::1", "ff02::1",
		"::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1", "fec0::1",
	} {
		err := webhook.CheckAddress(netip.MustParseAddr(s))
		var refused *webhook.AddressError
		require.ErrorAs(t, err, &refused, s)
		require.ErrorContains(t, err, "--webhook-allow")
	}
	for _, s := range []string{"1.1.1.1", "93.184.216.34", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::"} {
		require.NoError(t, webhook.CheckAddress(netip.MustParseAddr(s)), s)
	}
	require.NoError(t, webhook.CheckAddress(netip.MustParseAddr("10.1.2.3"), netip.MustParsePrefix("10.1.0.0/16")))
	require.Error(t, webhook.CheckAddress(netip.MustParseAddr("10.2.2.3"), netip.MustParsePrefix("10.1.0.0/16")))
}
