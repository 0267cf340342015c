package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// callers sends calls and remembers how each was answered.
type callers struct {
	rate   int    // a second
	to     string // the number that they call; "" for an emergency number
	client http.Client

	mu       sync.Mutex
	sent     int
	answered map[string]string // of the calls that were answered, by their number, the id
	refused  []string
	took     []time.Duration
}

// call sends the calls of so long, or until stop is closed.
func (c *callers) call(t *testing.T, url string, d time.Duration, stop <-chan struct{}) {
	t.Helper()
	var wg sync.WaitGroup
	defer wg.Wait()
	tick := time.NewTicker(time.Second / time.Duration(c.rate))
	defer tick.Stop()
	for range int(d.Seconds() * float64(c.rate)) {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		c.mu.Lock()
		c.sent++
		n := strconv.Itoa(c.sent)
		c.mu.Unlock()
		wg.Go(func() { c.one(t, url, n) })
	}
}

func (c *callers) one(t *testing.T, url, n string) {
	began := time.Now()
	// Some have a key, so that they may be sent again after a broken connection.
	body := fmt.Sprintf(`{"from":"+12025550123","to":%q,"metadata":{"n":%q}}`, cmp.Or(c.to, "911"), n)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/calls", strings.NewReader(body))
	if !assert.NoError(t, err) {
		return
	}
	if len(n)%2 == 0 {
		req.Header.Set("Idempotency-Key", "call-"+n)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return // the process was killed meanwhile: the caller calls again
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var call calls.Call
	if resp.StatusCode != http.StatusCreated || json.Unmarshal(answer, &call) != nil {
		c.refused = append(c.refused, fmt.Sprint(resp.StatusCode, " ", string(answer)))
		return
	}
	c.answered[n] = string(call.ID)
	c.took = append(c.took, time.Since(began))
}

// calls is how many were sent.
func (c *callers) calls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sent
}

// p99 is of the answers since the last time it was asked.
func (c *callers) p99() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.took)
	p := c.took[len(c.took)*99/100]
	c.took = nil
	return p
}

// stopped holds up every write to the database until release is called.
func stopped(t *testing.T, url string) (release func()) {
	t.Helper()
	driver, source, lock := "pgx", url, "BEGIN; LOCK TABLE calls IN ACCESS EXCLUSIVE MODE"
	if rest, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, source, lock = "sqlite", "file:"+rest, "BEGIN IMMEDIATE"
	}
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	require.Eventually(t, func() bool { _, err := conn.ExecContext(t.Context(), lock); return err == nil }, time.Minute, time.Millisecond)
	return sync.OnceFunc(func() {
		_, err := conn.ExecContext(t.Context(), "ROLLBACK")
		assert.NoError(t, err)
		assert.NoError(t, conn.Close())
		assert.NoError(t, db.Close())
	})
}

// TestEmergencyLaneDrill: emergency calls come at 500 a second, while the database
// is healthy and while it is stopped, and the process is killed with -9 in
// between. None is refused, and each that was answered is stored once.
//
// SWITCHTAPE_DRILL says how long each of the four phases lasts; see
// .ci/emergency-drill.
func TestEmergencyLaneDrill(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	phase := 500 * time.Millisecond
	if v := os.Getenv("SWITCHTAPE_DRILL"); v != "" {
		d, err := time.ParseDuration(v)
		require.NoError(t, err)
		phase = d
	}
	for name, at := range map[string]func(t *testing.T, dir string) string{
		"SQLite": func(t *testing.T, dir string) string {
			t.Helper()
			return calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
		},
		"PostgreSQL": func(t *testing.T, _ string) string { t.Helper(); pgtest.Durable(t); return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			url := at(t, dir)
			db := openLedger(t, url)
			start := func() *process {
				return serve(t, "--dir", dir, "--db", url, "--emergency", "sip:psap.example", "--region", "US", "--log-level", "error")
			}
			c := &callers{rate: 500, answered: map[string]string{}}
			c.client.Timeout = time.Minute
			c.client.Transport = &http.Transport{MaxIdleConnsPerHost: 256}

			p := start()
			c.call(t, p.url, phase, nil)
			t.Logf("healthy: %d calls answered, p99 %v", len(c.answered), c.p99())
			release := stopped(t, url)
			c.call(t, p.url, phase, nil)
			t.Logf("stopped: %d calls answered, p99 %v", len(c.answered), c.p99())

			assert.Contains(t, string(get(t, p.url+"/metrics").body), "switchtape_journal_failures_total 0\n")
			killed := make(chan struct{})
			go func() {
				defer close(killed)
				c.call(t, p.url, phase, nil)
			}()
			half := c.calls() + int(phase.Seconds()*float64(c.rate)/2)
			require.Eventually(t, func() bool { return c.calls() >= half }, phase+time.Minute, time.Millisecond)
			p.kill(t)
			<-killed
			require.NotEmpty(t, c.answered)
			_ = c.p99()

			release()
			p = start()
			c.call(t, p.url, phase, nil)
			t.Logf("after the kill: %d calls answered, p99 %v", len(c.answered), c.p99())

			assert.Empty(t, c.refused)
			stored := c.allStored(t, db, p)
			for n, ids := range stored {
				require.Len(t, ids, 1, "call %s", n)
			}
			p.terminate(t)
			t.Logf("%d calls, %d answered, each stored once", c.sent, len(c.answered))
		})
	}
}

// allStored waits until every call that was answered is stored, under the id that it was
// answered with, and returns the ids of all that are stored by their number.
func (c *callers) allStored(t *testing.T, db *calldb.DB, p *process) (stored map[string][]string) {
	t.Helper()
	require.EventuallyWithT(t, func(now *assert.CollectT) {
		var err error
		stored, err = storedCalls(t.Context(), db)
		require.NoError(now, err)
		var missing []string
		for n := range c.answered {
			if len(stored[n]) == 0 {
				missing = append(missing, n)
			}
		}
		assert.Empty(now, missing, "answered and not stored; %d are", len(stored))
	}, 2*time.Minute, 200*time.Millisecond, "%s", p.log)
	for n, id := range c.answered {
		require.Equal(t, []string{id}, stored[n], "call %s", n)
	}
	return stored
}

// storedCalls are the ids of the stored calls by their number.
func storedCalls(ctx context.Context, db *calldb.DB) (map[string][]string, error) {
	all := map[string][]string{}
	f := calls.Filter{Limit: 500}
	for {
		page, err := db.Calls(ctx, "default", f)
		if err != nil {
			return nil, err
		}
		for i := range page.Calls {
			n := page.Calls[i].Metadata["n"]
			all[n] = append(all[n], string(page.Calls[i].ID))
		}
		if f.Before = page.Next; f.Before == "" {
			return all, nil
		}
	}
}

// TestServeWithoutItsDatabase: the whole service starts with somewhere for emergency
// calls to go, and its worker waits too.
func TestServeWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"--dir", dir, "--emergency", "sip:psap.example", "--region", "US", "--log-level", "error"}
	p := serve(t, append(args, "--db", "postgres://nobody@127.0.0.1:1/none")...)
	var call calls.Call
	require.Equal(t, http.StatusCreated, request(t, http.MethodPost, p.url+"/v1/calls", `{"to":"911"}`, &call))
	p.kill(t)

	p = serve(t, args...)
	require.Eventually(t, func() bool {
		return request(t, http.MethodGet, p.url+"/v1/calls/"+string(call.ID), "", &call) == http.StatusOK && call.Emergency
	}, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	p.terminate(t)
}

// TestHangup: SIGHUP ends nothing, and within a second of it a revoked key opens
// nothing and the log says more.
func TestHangup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, level := filepath.Join(dir, "keys"), filepath.Join(dir, "level")
	write := func(path, text string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	sum := sha256.Sum256([]byte("secret"))
	write(keys, hex.EncodeToString(sum[:])+" acme operator ops\n")
	write(level, "error\n")
	p := serve(t, "--dir", dir, "--keys", keys, "--log-level-file", level)
	status := func() int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/v1/calls", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer secret")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	require.Equal(t, http.StatusOK, status())
	write(keys, "# nobody\n")
	write(level, "info\n")
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return status() == http.StatusUnauthorized }, time.Second, 5*time.Millisecond, "%s", p.log)
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "the settings read again") }, 30*time.Second, 5*time.Millisecond)
	p.terminate(t)
}

// TestHangupSettings: SIGHUP reads the file of settings again. The log level is another
// then, what needs a restart is named, and a file that can't be read changes nothing.
func TestHangupSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	settings := filepath.Join(dir, "settings.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(settings, []byte(text), 0o600)) }
	write("log-level: error\nserve:\n  dir: " + dir + "\n")
	p := serve(t, "--config", settings)
	says := func(what string) {
		t.Helper()
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
		require.Eventually(t, func() bool { return strings.Contains(p.log.String(), what) }, 30*time.Second, 5*time.Millisecond, "%s", p.log)
	}
	write("log-level: [\n")
	says("the settings can't be read again; those in use stay")
	require.NotContains(t, p.log.String(), `"level":"INFO"`)
	write("log-level: info\nregion: DE\nserve:\n  dir: " + dir + "\n  worker-grace: 20s\n")
	says("the settings read again")
	require.Contains(t, p.log.String(), `"settings have changed that need a restart","settings":"region, worker-grace"`)
	p.terminate(t)
}
