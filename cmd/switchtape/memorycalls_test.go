package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// TestCallsFromMemoryDrill: ordinary calls come at 200 a second while PostgreSQL stops in
// the middle of what it does, the service is killed with -9 and starts without it, and
// PostgreSQL comes back. None is refused, and each that was answered is stored once.
//
// SWITCHTAPE_DRILL says how long each of the phases lasts.
func TestCallsFromMemoryDrill(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	phase := 500 * time.Millisecond
	if v := os.Getenv("SWITCHTAPE_DRILL"); v != "" {
		d, err := time.ParseDuration(v)
		require.NoError(t, err)
		phase = d
	}
	server := pgtest.Own(t)
	dir, rules := t.TempDir(), rulesFile(t, string(demoRules))
	db := openLedger(t, server.URL)
	start := func() *process {
		return serve(t, "--dir", dir, "--db", server.URL, "--rules", rules, "--rules-snapshot", filepath.Join(dir, "snapshot"),
			"--calls-from-memory", "--region", "US", "--log-level", "error")
	}
	c := &callers{rate: 200, to: "+12125550188", answered: map[string]string{}}
	c.client.Timeout = time.Minute
	c.client.Transport = &http.Transport{MaxIdleConnsPerHost: 256}

	p := start()
	c.call(t, p.url, phase, nil)
	t.Logf("healthy: %d calls answered, p99 %v", len(c.answered), c.p99())
	require.Eventually(t, func() bool {
		files, err := filepath.Glob(filepath.Join(dir, "snapshot", "*"))
		return err == nil && len(files) > 0
	}, time.Minute, 5*time.Millisecond)

	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		c.call(t, p.url, phase, nil)
	}()
	half := c.calls() + int(phase.Seconds()*float64(c.rate)/2)
	require.Eventually(t, func() bool { return c.calls() >= half }, phase+time.Minute, time.Millisecond)
	server.Crash()
	<-stopped
	c.call(t, p.url, phase, nil)
	t.Logf("without PostgreSQL: %d calls answered, p99 %v", len(c.answered), c.p99())
	assert.Regexp(t, `switchtape_unstored_calls [1-9]`, string(get(t, p.url+"/metrics").body))

	killed := make(chan struct{})
	go func() {
		defer close(killed)
		c.call(t, p.url, phase, nil)
	}()
	half = c.calls() + int(phase.Seconds()*float64(c.rate)/2)
	require.Eventually(t, func() bool { return c.calls() >= half }, phase+time.Minute, time.Millisecond)
	p.kill(t)
	<-killed
	_ = c.p99()

	p = start()
	c.call(t, p.url, phase, nil)
	t.Logf("started without PostgreSQL: %d calls answered, p99 %v", len(c.answered), c.p99())
	server.Start(t)
	c.call(t, p.url, phase, nil)
	t.Logf("it is back: %d calls answered, p99 %v", len(c.answered), c.p99())

	assert.Empty(t, c.refused)
	stored := c.allStored(t, db, p)
	for n, ids := range stored {
		require.Len(t, ids, 1, "call %s", n)
	}
	var call calls.Call
	require.Equal(t, http.StatusOK, request(t, http.MethodGet, p.url+"/v1/calls/"+c.answered["1"], "", &call))
	assert.Equal(t, calls.Routed, call.State)
	require.Eventually(t, func() bool {
		return strings.Contains(string(get(t, p.url+"/metrics").body), "switchtape_unstored_calls 0\n")
	}, time.Minute, 20*time.Millisecond)
	p.terminate(t)
	t.Logf("%d calls, %d answered, each stored once", c.sent, len(c.answered))
}
