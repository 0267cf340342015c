package front_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

func TestMain(m *testing.M) { machines.Main(m) }

const apiKey = "the-key-of-this-test"

const rules = `
destinations: {a: {uri: "sip:a.example.com"}}
rules:
  - {id: all, default: true, route: [[{to: a}]]}
`

// service is one process, which is stopped and started again at the same address.
type service struct {
	program string
	args    []string
	port    int
	process *machines.Process
}

// start starts it and waits until it is ready.
func (s *service) start(t *testing.T) {
	t.Helper()
	s.process = machines.Start(t, nil, filepath.Join(machines.Programs(t), s.program), s.args...)
	require.Eventually(t, func() bool { return machines.Get(t, "http://"+machines.Address(s.port)+"/readyz") == http.StatusOK }, machines.Deadline, 20*time.Millisecond, "%s isn't ready: %s", s.program, s.process.Said)
}

// region is three APIs, two of the emergency lane and three workers, on one database and
// one bucket.
type region struct {
	db         string
	apis, high []*service
	workers    []*service
}

func newRegion(t *testing.T) *region {
	t.Helper()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	sum := sha256.Sum256([]byte(apiKey))
	require.NoError(t, os.WriteFile(file("keys"), []byte(hex.EncodeToString(sum[:])+" acme calls:write,calls:read pbx\n"), 0o600))
	require.NoError(t, os.WriteFile(file("rules.yaml"), []byte(rules), 0o600))
	require.NoError(t, os.Mkdir(file("legs"), 0o700))
	for name, wav := range map[string][]byte{"agent.wav": samplecall.Agent(), "customer.wav": samplecall.Customer()} {
		require.NoError(t, os.WriteFile(filepath.Join(file("legs"), name), wav[:44+16000], 0o600)) // a second of it
	}
	r := &region{db: pgtest.URL(t)}
	db, err := calldb.Open(t.Context(), r.db, nil)
	require.NoError(t, err)
	_, err = db.Migrate(t.Context())
	require.NoError(t, err)
	require.NoError(t, db.Close())
	begin := func(program string, args ...string) *service {
		s := &service{program: program, port: machines.FreePort(t)}
		s.args = append([]string{"--db", r.db, "--db-conns", "4", "--listen", machines.Address(s.port), "--log-level", "warn"}, args...)
		s.start(t)
		return s
	}
	api := func(lane string) *service {
		return begin("switchtape-api", "--lane", lane, "--keys", file("keys"), "--rules", file("rules.yaml"), "--region", "US",
			"--emergency", "sip:psap.example.com", "--drain", "2s", "--journal", filepath.Join(t.TempDir(), "journal"), "--journal-reserve", "1")
	}
	for range 3 {
		r.apis = append(r.apis, api("low"))
		r.workers = append(r.workers, begin("switchtape-worker", "--bucket", "file://"+file("recordings"), "--legs", file("legs"), "--all-legs", "--queues", "*"))
	}
	for range 2 {
		r.high = append(r.high, api("high"))
	}
	return r
}

// replacements are what the files of settings name, and what stands for it here.
func (r *region) replacements(main, emergency int, more ...string) *strings.Replacer {
	pairs := make([]string, 0, 2*7+len(more))
	for i, s := range r.apis {
		pairs = append(pairs, fmt.Sprintf("10.0.1.%d:8080", 11+i), machines.Address(s.port))
	}
	for i, s := range r.high {
		pairs = append(pairs, fmt.Sprintf("10.0.1.%d:8082", 11+i), machines.Address(s.port))
	}
	return strings.NewReplacer(append(pairs, append(more, "8443 ssl", machines.Address(emergency)+" ssl", "443 ssl", machines.Address(main)+" ssl")...)...)
}

// nginx starts nginx with the very file, and returns what calls and emergency calls go to.
func nginx(t *testing.T, r *region) (main, emergency int, client *http.Client) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	program := recordingtest.Tool(t, "nginx", "nginx-light")
	dir := t.TempDir()
	cert, key, trusted := machines.Certificate(t, dir)
	main, emergency = machines.FreePort(t), machines.FreePort(t)
	text, err := os.ReadFile("nginx.conf")
	require.NoError(t, err)
	ours := r.replacements(main, emergency, "/etc/nginx/tls/switchtape.pem", cert, "/etc/nginx/tls/switchtape.key", key).Replace(string(text))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "switchtape.conf"), []byte(ours), 0o600))
	around := "daemon off;\nworker_processes 1;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	if os.Getuid() == 0 {
		around = "user root;\n" + around
	}
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		around += kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	around += "include " + dir + "/switchtape.conf;\n}\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(around), 0o600))
	p := machines.Start(t, nil, program, "-p", dir, "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf"))
	return main, emergency, answers(t, p, main, trusted)
}

// haproxy starts HAProxy with the very file, and returns what calls and emergency calls go to.
func haproxy(t *testing.T, r *region) (main, emergency int, client *http.Client) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	program := recordingtest.Tool(t, "haproxy", "haproxy")
	dir := t.TempDir()
	cert, key, trusted := machines.Certificate(t, dir)
	both := filepath.Join(dir, "both.pem")
	var pem []byte
	for _, path := range []string{cert, key} {
		part, err := os.ReadFile(path)
		require.NoError(t, err)
		pem = append(pem, part...)
	}
	require.NoError(t, os.WriteFile(both, pem, 0o600))
	main, emergency = machines.FreePort(t), machines.FreePort(t)
	text, err := os.ReadFile("haproxy.cfg")
	require.NoError(t, err)
	ours := r.replacements(main, emergency, "/etc/haproxy/switchtape.pem", both, "bind :8443", "bind "+machines.Address(emergency), "bind :443", "bind "+machines.Address(main)).Replace(string(text))
	path := filepath.Join(dir, "haproxy.cfg")
	require.NoError(t, os.WriteFile(path, []byte(ours), 0o600))
	p := machines.Start(t, nil, program, "-db", "-f", path)
	return main, emergency, answers(t, p, main, trusted)
}

// answers waits until a proxy has an answer, and returns a client that trusts it.
func answers(t *testing.T, p *machines.Process, port int, trusted *tls.Config) *http.Client {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: trusted, MaxIdleConnsPerHost: 16}, Timeout: machines.Deadline}
	t.Cleanup(client.CloseIdleConnections)
	require.Eventually(t, func() bool {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+machines.Address(port)+"/readyz", http.NoBody)
		if err != nil {
			return false
		}
		resp, err := client.Do(r)
		return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}, machines.Deadline, 20*time.Millisecond, "the proxy doesn't answer: %s", p.Said)
	return client
}

// crowd places calls, each to its end, and asks once for each thing alone: what fails failed.
type crowd struct {
	client          *http.Client
	main, emergency int

	mu     sync.Mutex
	failed []string
	made   int
	urgent int
}

func (c *crowd) post(ctx context.Context, port int, path, key, body string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+machines.Address(port)+path, strings.NewReader(body))
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+apiKey)
		r.Header.Set("Content-Type", "application/json")
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
		var resp *http.Response
		if resp, err = c.client.Do(r); err == nil {
			var answer []byte
			answer, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil && resp.StatusCode/100 == 2 {
				return true
			}
			if err == nil {
				err = fmt.Errorf("%d %s", resp.StatusCode, answer)
			}
		}
	}
	c.mu.Lock()
	c.failed = append(c.failed, path+" "+body+": "+err.Error())
	c.mu.Unlock()
	return false
}

// run places calls until ctx ends.
func (c *crowd) run(ctx context.Context, who int) {
	beat := time.NewTicker(60 * time.Millisecond)
	defer beat.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("call-%d-%d", who, i)
		ctx := context.WithoutCancel(ctx)
		if i%4 == 0 {
			ok := c.post(ctx, c.emergency, "/v1/calls", "sos-"+id, `{"id":"sos-`+id+`","from":"+12025550123","to":"911"}`)
			c.mu.Lock()
			if ok {
				c.urgent++
			}
			c.mu.Unlock()
		}
		ok := c.post(ctx, c.main, "/v1/calls", id, `{"id":"`+id+`","from":"+12025550123","to":"+12125550188","recording":{"enabled":true}}`) &&
			c.post(ctx, c.main, "/v1/calls/"+id+"/events", "", `{"id":"1","type":"answered"}`) &&
			c.post(ctx, c.main, "/v1/calls/"+id+"/events", "", `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`)
		c.mu.Lock()
		if ok {
			c.made++
		}
		c.mu.Unlock()
		<-beat.C
	}
}

// TestRollingRestart: three APIs, two of the emergency lane and three workers are stopped and
// started again one after the other, behind nginx and behind HAProxy with the very files of
// this directory, while calls come. No request fails, and every call is recorded.
func TestRollingRestart(t *testing.T) {
	if testing.Short() || os.Getenv("SWITCHTAPE_LONG_TESTS") == "" {
		t.Skip("SKIPPED: the rolling restart takes half a minute: SWITCHTAPE_LONG_TESTS=1 runs it")
	}
	for name, proxy := range map[string]func(*testing.T, *region) (int, int, *http.Client){"nginx": nginx, "HAProxy": haproxy} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t)
			main, emergency, client := proxy(t, r)
			c := &crowd{client: client, main: main, emergency: emergency}
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var all sync.WaitGroup
			for who := range 4 {
				all.Go(func() { c.run(ctx, who) })
			}
			begun := time.Now()
			for i := range 3 {
				for _, kind := range [][]*service{r.apis, r.high, r.workers} {
					if i < len(kind) {
						kind[i].process.Terminate(t)
						kind[i].start(t)
					}
				}
			}
			stop()
			all.Wait()
			assert.Empty(t, c.failed, "requests failed")
			t.Logf("%d calls and %d emergency calls in %v, %d requests failed", c.made, c.urgent, time.Since(begun).Round(time.Second), len(c.failed))
			assert.Greater(t, c.made, 100)
			r.check(t, c)
		})
	}
}

// check waits until every call has its recording, and every emergency call is stored.
func (r *region) check(t *testing.T, c *crowd) {
	t.Helper()
	db, err := calldb.Open(t.Context(), r.db, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	var recorded, urgent int
	require.Eventually(t, func() bool {
		recorded, urgent = 0, 0
		f := calls.Filter{Limit: 500}
		for {
			page, err := db.Calls(t.Context(), "acme", f)
			if err != nil {
				return false
			}
			for i := range page.Calls {
				call := &page.Calls[i]
				switch {
				case strings.HasPrefix(string(call.ID), "sos-"):
					urgent++
				case len(call.Recordings) == 1 && call.Recordings[0].URL != "" && call.Recordings[0].Status == record.StatusCompletedDegraded:
					recorded++ // degraded: the files' headers say more than they hold
				}
			}
			if page.Next == "" {
				return recorded == c.made && urgent == c.urgent
			}
			f.Before = page.Next
		}
	}, 3*machines.Deadline, 200*time.Millisecond, "of %d calls some aren't recorded, or of %d emergency calls some aren't stored", c.made, c.urgent)
}
