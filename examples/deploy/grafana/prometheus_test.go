package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// empty are metrics of which there is nothing to show where the test is, and why.
func empty() map[string]string {
	return map[string]string{
		"switchtape_db_replica_lag_seconds":      "SQLite has no replica",
		"switchtape_db_replica_used":             "nor this one",
		"switchtape_webhook_waiting":             "it is of receivers that fail, and there is none",
		"switchtape_webhook_success_age_seconds": "nor of those",
	}
}

const apiKey = "a-key-of-the-load"

// TestNoPanelIsEmpty: a Prometheus that scrapes the programs under some load has something to show
// for every query, and so does every panel, but for those of exporters that aren't here.
func TestNoPanelIsEmpty(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
			t.Fatal("prometheus is not installed; it is Debian's package of that name")
		}
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: queries are tried on a Prometheus; install prometheus, or run .ci/run")
	}
	f := startFleet(t)
	p := startPrometheus(t, tool, f)
	wait := time.NewTicker(250 * time.Millisecond)
	defer wait.Stop()
	var left []string
	for until := time.Now().Add(90 * time.Second); ; {
		f.load(t)
		if left = p.nothing(t); len(left) == 0 {
			break
		}
		require.True(t, time.Now().Before(until), "queries without anything to show: %s", strings.Join(left, "; "))
		<-wait.C
	}
	for _, q := range queriesOf(new(machines())) {
		_, err := p.ask(t.Context(), q.Expr)
		require.NoError(t, err)
	}
}

// fleet is a serve and a worker beside it.
type testFleet struct {
	serve, worker string // addresses
	client        *http.Client
	spool         string
	calls         int
}

// startFleet starts them, with all that serve can be told where there is something to show
// of it.
func startFleet(t *testing.T) *testFleet {
	t.Helper()
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin")
	build := exec.CommandContext(t.Context(), "go", "build", "-C", "../../..", "-o", bin+"/", "./cmd/switchtape", "./cmd/switchtape-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	data, spool := filepath.Join(dir, "data"), filepath.Join(dir, "data", "legs", "pbx1")
	require.NoError(t, os.MkdirAll(spool, 0o750))
	for _, leg := range []string{"agent", "customer"} {
		audio, err := os.ReadFile("../../../recording/recordingtest/samplecall/" + leg + ".wav")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(data, "legs", leg+".wav"), audio, 0o600))
	}
	hash := sha256.Sum256([]byte(apiKey))
	keys := filepath.Join(dir, "keys")
	require.NoError(t, os.WriteFile(keys, []byte(hex.EncodeToString(hash[:])+" acme operator load\n"), 0o600))
	answers := func(text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, text)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	f := &testFleet{serve: freeAddress(t), worker: freeAddress(t), spool: spool}
	f.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	cert, key := certificate(t, dir)
	start(t, filepath.Join(bin, "switchtape"), "serve", "--dir", data, "--listen", f.serve, "--rules", "../../../cmd/switchtape/demo-rules.yaml", "--region", "GB",
		"--keys", keys, "--tls-cert", cert, "--tls-key", key, "--emergency", "sip:psap.example.com", "--spool", "pbx1?pattern={call}-{leg:in|out}.wav&tenant=acme&quiet=1ms&wait=1s&every=1s",
		"--decider-url", answers(`{"destinations":[{"id":"washington-a","uri":"sip:a.example.com"}]}`), "--settings-url", answers(`{"enabled":true}`),
		"--intake", "nats://127.0.0.1:1?stream=JOBS&consumer=c&tenant=acme", "--publish", "nats://127.0.0.1:1?subject=events",
		"--share-url", "https://calls.example.com", "--verify-every", "1m", "--worker-legs-keep", "24h", "--worker-leg-wait", "0s")
	f.up(t, "https://"+f.serve+"/healthz")
	start(t, filepath.Join(bin, "switchtape-worker"), "--db", "sqlite://"+filepath.Join(data, "switchtape.db"), "--bucket", "file://"+filepath.Join(data, "recordings"),
		"--legs", filepath.Join(data, "legs"), "--queues", "elsewhere", "--listen", f.worker, "--spool-reserve", "1%", "--spool-dir", dir)
	f.up(t, "http://"+f.worker+"/healthz")
	return f
}

// up waits until the process answers at that URL.
func (f *testFleet) up(t *testing.T, at string) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := f.get(t, at)
		return status == http.StatusOK
	}, time.Minute, 50*time.Millisecond)
}

func (f *testFleet) get(t *testing.T, at string) (int, []byte) {
	t.Helper()
	return f.send(t, http.MethodGet, at, "")
}

func (f *testFleet) send(t *testing.T, method, at, body string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, at, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+apiKey)
	r.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(r)
	if err != nil {
		return 0, nil // it isn't up yet
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, text
}

// load makes a call that is recorded, one for help, one that comes by the spool, and one of
// whose legs none is there.
func (f *testFleet) load(t *testing.T) {
	t.Helper()
	f.calls++
	api := "https://" + f.serve + "/v1/calls"
	var call struct{ ID string }
	status, body := f.send(t, http.MethodPost, api, `{"from":"+442079460123","to":"+12025550143","recording":{"enabled":true}}`)
	require.Equal(t, http.StatusCreated, status, "%s", body)
	require.NoError(t, json.Unmarshal(body, &call))
	for i, event := range []string{`"answered"`, `"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]`} {
		status, body = f.send(t, http.MethodPost, api+"/"+call.ID+"/events", `{"id":"`+strconv.Itoa(i)+`","type":`+event+`}`)
		require.Equal(t, http.StatusOK, status, "%s", body)
	}
	status, body = f.send(t, http.MethodPost, api, `{"from":"+442079460123","to":"112"}`)
	require.Equal(t, http.StatusCreated, status, "%s", body)
	f.get(t, api+"/none")
	audio, err := os.ReadFile("../../../recording/recordingtest/samplecall/agent.wav")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(f.spool, fmt.Sprintf("%d-in.wav", f.calls)), audio, 0o600))
}

// testPrometheus is one that scrapes a fleet.
type testPrometheus struct{ url string }

func startPrometheus(t *testing.T, tool string, f *testFleet) *testPrometheus {
	t.Helper()
	dir, listen := t.TempDir(), freeAddress(t)
	config := filepath.Join(dir, "prometheus.yaml")
	require.NoError(t, os.WriteFile(config, []byte(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [`+absolute(t, "../prometheus/alerts.yaml")+`]
scrape_configs:
  - {job_name: switchtape-serve, scheme: https, tls_config: {insecure_skip_verify: true}, static_configs: [{targets: ["`+f.serve+`"]}]}
  - {job_name: switchtape-worker, static_configs: [{targets: ["`+f.worker+`"]}]}
`), 0o600))
	start(t, tool, "--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", listen, "--log.level", "warn")
	f.up(t, "http://"+listen+"/-/ready")
	return &testPrometheus{"http://" + listen}
}

// nothing are the queries that have nothing to show, besides those that can't.
func (p *testPrometheus) nothing(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, b := range boards() {
		if b.UID == machinesUID {
			continue
		}
		for _, r := range b.Rows {
			for _, panel := range r.Panels {
				for _, q := range panel.Queries {
					n, err := p.ask(t.Context(), q.Expr)
					require.NoError(t, err, "%s: %s", panel.Title, q.Expr)
					if n == 0 && !isEmpty(q.Expr) {
						list = append(list, b.Title+": "+panel.Title+": "+q.Expr)
					}
				}
			}
		}
	}
	return list
}

// isEmpty reports whether the query is of what can't be shown here.
func isEmpty(expr string) bool {
	for metric := range empty() {
		if strings.Contains(expr, metric) {
			return true
		}
	}
	return false
}

// ask is how many series with a number there are now.
func (p *testPrometheus) ask(ctx context.Context, expr string) (int, error) {
	expr = strings.ReplaceAll(expr, "$__rate_interval", "15s")
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/query?query="+url.QueryEscape(expr), nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value []any } }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if answer.Status != "success" {
		return 0, fmt.Errorf("%s: %s", expr, answer.Error)
	}
	n := 0
	for _, s := range answer.Data.Result {
		if len(s.Value) == 2 && s.Value[1] != "NaN" {
			n++
		}
	}
	return n, nil
}

// start runs a program until the test ends.
func start(t *testing.T, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // Wait says how it ended
		err := cmd.Wait()
		if !assert.NoError(t, err, filepath.Base(program)) || t.Failed() {
			t.Logf("%s: %s", filepath.Base(program), log.Bytes()[max(log.Len()-2000, 0):])
		}
	})
}

// freeAddress is one that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	require.NoError(t, err)
	return abs
}

// certificate makes one that signs itself.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, private.Public(), private)
	require.NoError(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}
