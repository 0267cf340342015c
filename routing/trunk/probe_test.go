package trunk_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/trunk"
)

// sipServer answers every request with the status lines that answer gives it;
// none is no answer.
func sipServer(t *testing.T, answer func(n int) []string) (uri string) {
	t.Helper()
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { _ = conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for n := 0; ; n++ {
			size, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			request := string(buf[:size])
			_, headers, _ := strings.Cut(request, "\r\n")
			if !strings.HasPrefix(request, "OPTIONS sip:") || !strings.HasSuffix(request, "Content-Length: 0\r\n\r\n") {
				t.Errorf("not a request: %q", request)
			}
			for _, line := range answer(n) {
				_, _ = conn.WriteTo([]byte("SIP/2.0 "+line+"\r\n"+headers), from)
			}
		}
	}()
	return "sip:" + conn.LocalAddr().String()
}

func TestSIPOptions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		answer func(n int) []string
		ok     bool
	}{
		{"ok", func(int) []string { return []string{"200 OK"} }, true},
		{"it knows no OPTIONS", func(int) []string { return []string{"405 Method Not Allowed"} }, true},
		{"provisional first", func(int) []string { return []string{"100 Trying", "200 OK"} }, true},
		{"garbage first", func(int) []string { return []string{"abc", "99 x", "700 x", "404 Not Found"} }, true},
		{"overloaded", func(int) []string { return []string{"503 Service Unavailable"} }, false},
		{"the first is lost", func(n int) []string { return []string{"200 OK"}[:min(n, 1)] }, true},
		{"no answer", func(int) []string { return nil }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			patience := 1500 * time.Millisecond
			if c.ok {
				patience = 20 * time.Second // it ends with the answer
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			err := trunk.SIPOptions{}.Probe(ctx, sipServer(t, c.answer)+";transport=udp")
			assert.Equal(t, c.ok, err == nil, "%v", err)
		})
	}
}

func TestSIPOptionsNobodyThere(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.Error(t, trunk.SIPOptions{}.Probe(ctx, "sip:127.0.0.1:1"))
	for _, uri := range []string{"tel:+4930", "sips:127.0.0.1:1", "sip:127.0.0.1:1;transport=tcp", "sip:"} {
		require.NoError(t, trunk.SIPOptions{}.Probe(ctx, uri), "%s is not asked", uri)
	}
	for _, uri := range []string{"sip:user@127.0.0.1:1", "sip:[::1]:1?x=y", "sip:no-such-host.invalid"} {
		require.Error(t, trunk.SIPOptions{}.Probe(ctx, uri), uri)
	}
}

type probes struct {
	fail  atomic.Bool
	count atomic.Int64
}

func (p *probes) Probe(ctx context.Context, uri string) error {
	p.count.Add(1)
	if uri == "sip:b" {
		<-ctx.Done() // one that hangs must not stop the others
		return ctx.Err()
	}
	if p.fail.Load() {
		return errors.New("gone")
	}
	return nil
}

// TestRunProbes: a destination goes down and comes back without any call.
func TestRunProbes(t *testing.T) {
	t.Parallel()
	p := &probes{}
	p.fail.Store(true)
	g := trunk.New(&trunk.Options{Prober: p, ProbeEvery: 2 * time.Millisecond, ProbeTimeout: time.Millisecond, Failures: 2, DownFor: time.Millisecond})
	g.Configure(map[string]routing.Endpoint{"a": {URI: "sip:a"}, "b": {URI: "sip:b"}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	wait := func(what string, ok func() bool) {
		t.Helper()
		require.Eventually(t, ok, 10*time.Second, time.Millisecond, what)
	}
	wait("down", func() bool { return g.Status("a").Health != routing.Up && g.Status("b").Health != routing.Up })
	p.fail.Store(false)
	wait("up", func() bool { return g.Status("a").Health == routing.Up })
	assert.NotEqual(t, routing.Up, g.Status("b").Health)
	cancel()
	require.NoError(t, <-done)
}

func ExampleGroup() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	g := trunk.New(&trunk.Options{Now: func() time.Time { return now }})
	g.Configure(map[string]routing.Endpoint{"a": {URI: "sip:a", Limits: routing.Limits{Concurrent: 1}}})
	place, ok := g.Reserve("a")
	fmt.Println(ok, g.Status("a").Full)
	place.Cancel()
	fmt.Println(g.Status("a").Full == "")
	// Output:
	// true concurrent
	// true
}
