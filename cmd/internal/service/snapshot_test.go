package service_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/snapshot"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// link is a way to a database that can be cut, or made to swallow everything.
type link struct {
	t  *testing.T
	to string
}

func linkTo(t *testing.T, at string) *link {
	t.Helper()
	u, err := url.Parse(at)
	require.NoError(t, err)
	l := &link{t: t, to: u.Host}
	host, port := u.Query().Get("host"), u.Query().Get("port")
	if u.Host == "" { // a socket in a directory
		if port == "" {
			port = "5432"
		}
		l.to = filepath.Join(host, ".s.PGSQL."+port)
	}
	return l
}

// proxy answers on addr ("" for a new one) until the returned function is called.
// Deaf, it takes connections and says nothing.
func (l *link) proxy(addr string, deaf bool) (at string, cut func()) {
	l.t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	front, err := (&net.ListenConfig{}).Listen(l.t.Context(), "tcp", addr)
	require.NoError(l.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			in, err := front.Accept()
			if err != nil {
				return
			}
			go l.carry(ctx, in, deaf)
		}
	}()
	cut = func() { cancel(); _ = front.Close() }
	l.t.Cleanup(cut)
	return front.Addr().String(), cut
}

func (l *link) carry(ctx context.Context, in net.Conn, deaf bool) {
	defer in.Close()
	stop := context.AfterFunc(ctx, func() { _ = in.Close() })
	defer stop()
	if deaf {
		<-ctx.Done()
		return
	}
	network := "tcp"
	if strings.HasPrefix(l.to, "/") {
		network = "unix"
	}
	out, err := (&net.Dialer{}).DialContext(ctx, network, l.to)
	if err != nil {
		return
	}
	defer out.Close()
	stopOut := context.AfterFunc(ctx, func() { _ = out.Close() })
	defer stopOut()
	go func() { _, _ = io.Copy(out, in) }()
	_, _ = io.Copy(in, out)
}

// running is a service with the snapshot in dir and the database at db.
type running struct {
	h     http.Handler
	admin http.Handler
	stop  func()
}

func startService(t *testing.T, dir, db, rules string) running {
	t.Helper()
	began := time.Now()
	s := &service.Stores{}
	var prepare func(context.Context) error
	var err error
	s.DB, prepare, err = service.OpenDBOrSnapshot(t.Context(), service.DBOptions{DB: db}, true, dir)
	require.NoError(t, err)
	m := ops.NewMetrics()
	o := service.APIOptions{
		Rules: rules, RulesSnapshot: dir, Emergency: []string{"sip:psap.example.com"}, Region: "US",
		RecordOptions: service.RecordOptions{RecordCodec: "mp3", RecordLayout: "stereo"},
	}
	api, err := service.NewAPI(t.Context(), s, o, m, slog.New(slog.DiscardHandler), nil)
	require.NoError(t, err)
	api.Later("preparing the database", prepare)
	h, err := service.HTTP(s, api, nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, service.AdminOptions{}, m)
	require.NoError(t, err)
	require.NoError(t, api.Start(t.Context()))
	assert.Less(t, time.Since(began), 20*time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- api.Run(ctx) }()
	r := running{h: h.Public, stop: func() {
		cancel()
		assert.NoError(t, <-done)
		assert.NoError(t, s.DB.Close())
	}}
	return r
}

func (r running) get(t *testing.T, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	req.Host, req.RemoteAddr = "127.0.0.1", "127.0.0.1:1234"
	r.h.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

func rulesNamed(name string) string { return strings.Replace(oneTrunk, "id: all", "id: "+name, 1) }

const dryRun = "/v1/route?from=%2B12025550123&to=%2B12125550188&call_id=c1"

// TestStartWithoutDatabase: a service that knows its rules from the snapshot
// starts and routes while its database is down or hangs, says so, and takes up
// what the database has once it is back.
func TestStartWithoutDatabase(t *testing.T) {
	t.Parallel()
	for name, deaf := range map[string]bool{"down": false, "hanging": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := pgtest.URL(t)
			l := linkTo(t, at)
			addr, cut := l.proxy("", false)
			u, err := url.Parse(at)
			require.NoError(t, err)
			u.Host = addr
			q := u.Query()
			q.Del("host")
			q.Del("port")
			u.RawQuery = q.Encode()
			dir := filepath.Join(t.TempDir(), "snapshot")
			file := filepath.Join(t.TempDir(), "rules.yaml")
			require.NoError(t, os.WriteFile(file, []byte(rulesNamed("first")), 0o600))

			s := startService(t, dir, u.String(), file)
			_, body := s.get(t, http.MethodGet, dryRun, "")
			require.Contains(t, body, `"rule":"first"`)
			status, body := s.get(t, http.MethodGet, "/readyz", "")
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, body, "database: ok\nrules: ok\n")
			require.Eventually(t, func() bool {
				_, body := s.get(t, http.MethodGet, "/readyz", "")
				return body == "database: ok\nrules: ok\nusers: ok\n"
			}, time.Minute, 5*time.Millisecond)
			require.Eventually(t, func() bool { return snapshot.Exists(dir) }, time.Minute, 5*time.Millisecond)
			s.stop()
			cut()
			if deaf {
				_, cut = l.proxy(addr, true)
			}

			began := time.Now()
			s = startService(t, dir, u.String(), "")
			t.Logf("started after %v", time.Since(began))
			_, body = s.get(t, http.MethodGet, dryRun, "")
			require.Contains(t, body, `"rule":"first"`)
			status, body = s.get(t, http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"+12125550188","type":"emergency"}`)
			require.Equal(t, http.StatusCreated, status, body)
			require.Contains(t, body, `"rule":"first"`, "emergency calls go by the rules of the snapshot")
			status, body = s.get(t, http.MethodGet, "/readyz", "")
			assert.Equal(t, http.StatusOK, status, body)
			assert.Contains(t, body, "database: degraded: ")
			assert.Contains(t, body, fmt.Sprintf("rules: rules from snapshot of %s", time.Now().UTC().Format("2006-01-02T")))
			_, body = s.get(t, http.MethodGet, "/metrics", "")
			assert.Contains(t, body, "switchtape_rulesets_from_snapshot 1\n")
			assert.Contains(t, body, `switchtape_ruleset_decisions_total{outcome="routed",version="active"} 1`)

			// Somebody activates another version meanwhile.
			other, err := calldb.Open(t.Context(), at, nil)
			require.NoError(t, err)
			rs, err := routing.Parse([]byte(rulesNamed("second")))
			require.NoError(t, err)
			set := rulesets.Version{TenantID: service.DefaultTenant, Hash: rs.Hash(), Format: "yaml", Body: []byte(rulesNamed("second"))}
			require.NoError(t, other.PutRuleSet(t.Context(), set, "test"))
			_, err = other.ChangeRuleSet(t.Context(), rulesets.Change{
				TenantID: service.DefaultTenant,
				Action:   rulesets.ActionActivate, Hash: rs.Hash(), Actor: "test",
			})
			require.NoError(t, err)
			cut()
			_, _ = l.proxy(addr, false)
			require.Eventually(t, func() bool {
				_, body := s.get(t, http.MethodGet, dryRun, "")
				return strings.Contains(body, `"rule":"second"`)
			}, time.Minute, 20*time.Millisecond, "the database's version wins")
			require.Eventually(t, func() bool {
				_, body := s.get(t, http.MethodGet, "/readyz", "")
				return body == "database: ok\nrules: ok\nusers: ok\n"
			}, time.Minute, 20*time.Millisecond)
			require.Eventually(t, func() bool { // the emergency call is stored
				page, err := other.Calls(t.Context(), service.DefaultTenant, calls.Filter{})
				return err == nil && len(page.Calls) == 1
			}, time.Minute, 20*time.Millisecond)
			s.stop()
			require.NoError(t, other.Close())
		})
	}
}
