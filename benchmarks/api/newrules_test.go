package api_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// manyRules is a set of n rules as lines of JSON, in gzip.
func manyRules(b *testing.B, n int) []byte {
	b.Helper()
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	require.NoError(b, err)
	fmt.Fprintln(z, `{"destinations":{"berlin":{"uri":"sip:berlin.example.com"},"world":{"uri":"sip:world.example.com"}}}`)
	for i := range n - 1 {
		fmt.Fprintf(z, `{"id":"n%d","match":{"to":{"prefix":"+49%08d"}},"route":[[{"to":"berlin"}],[{"to":"world"}]]}`+"\n", i, i)
	}
	fmt.Fprintln(z, `{"id":"rest","default":true,"route":[[{"to":"world"}]]}`)
	require.NoError(b, z.Close())
	return packed.Bytes()
}

// emergencies are calls to 112, each another.
func (s *service) emergencies() vegeta.Targeter {
	return func(t *vegeta.Target) error {
		t.Method, t.URL = http.MethodPost, s.URL+"/v1/calls"
		t.Body = []byte(`{"from":"+442079460123","to":"112"}`)
		t.Header = http.Header{"Content-Type": {"application/json"}}
		return nil
	}
}

// BenchmarkNewRules is what calls notice of a set of RULES rules that is put in service
// over HTTP meanwhile: 200 emergency calls and 200 others a second.
//
//	RULES=1000000 go test -run xxx -bench NewRules -benchtime 1x -v ./benchmarks/api
func BenchmarkNewRules(b *testing.B) {
	var n int
	_, err := fmt.Sscan(getenv("RULES", "1000000"), &n)
	require.NoError(b, err)
	bin := programs(b)["now"]
	at := pgtest.URL(b)
	migrate(b, bin, at)
	dir := b.TempDir()
	s := &service{process.Start(b, filepath.Join(bin, "switchtape-api"), rules, "--db", at, "--emergency", "sip:psap.example.com", "--region", "DE",
		"--log-level", "error", "--journal", filepath.Join(dir, "journal"), "--rules-snapshot", filepath.Join(dir, "rules"))}
	body := manyRules(b, n)
	// both sends calls of both kinds until stop says so, or for that long.
	both := func(took time.Duration, stop <-chan struct{}) (urgent, usual vegeta.Metrics) {
		attackers := [2]*vegeta.Attacker{}
		results := [2]<-chan *vegeta.Result{}
		for i, t := range []vegeta.Targeter{s.emergencies(), s.requests(false)} {
			attackers[i] = vegeta.NewAttacker(vegeta.Connections(1000), vegeta.KeepAlive(true), vegeta.Timeout(10*time.Second))
			results[i] = attackers[i].Attack(t, vegeta.Rate{Freq: 200, Per: time.Second}, took, "")
		}
		for results[0] != nil || results[1] != nil {
			select {
			case <-stop:
				attackers[0].Stop()
				attackers[1].Stop()
				stop = nil
			case r, ok := <-results[0]:
				if !ok {
					results[0] = nil
					continue
				}
				urgent.Add(r)
			case r, ok := <-results[1]:
				if !ok {
					results[1] = nil
					continue
				}
				usual.Add(r)
			}
		}
		urgent.Close()
		usual.Close()
		return urgent, usual
	}
	both(2*time.Second, nil) // warm
	b.ResetTimer()
	urgentBefore, usualBefore := both(seconds()*2, nil)
	done := make(chan struct{})
	began := time.Now()
	var took time.Duration
	var status string
	go func() {
		defer close(done)
		r, err := http.NewRequestWithContext(b.Context(), http.MethodPut, s.URL+"/v1/rules", bytes.NewReader(body))
		if err != nil {
			status = err.Error()
			return
		}
		r.Header.Set("Content-Type", "application/x-ndjson")
		r.Header.Set("Content-Encoding", "gzip")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			status = err.Error()
			return
		}
		defer resp.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		status = resp.Status
		if resp.StatusCode >= 300 {
			status += string(text)
		}
		took = time.Since(began)
	}()
	own := s.cpu(b)
	urgent, usual := both(2*time.Minute, done)
	own = s.cpu(b) - own
	b.StopTimer()
	require.True(b, strings.HasPrefix(status, "20"), status)
	require.InDelta(b, 1, urgent.Success, 0, "%v", urgent.Errors)
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.Pid))
	require.NoError(b, err)
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	var peak int
	_, err = fmt.Sscan(rest, &peak) // KiB
	require.NoError(b, err)
	ms := func(d time.Duration) float64 { return d.Seconds() * 1e3 }
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds(), "put-s")
	b.ReportMetric(own, "own-cpu-s") // of the service itself, those calls included
	b.ReportMetric(float64(peak)/1024, "peak-MiB")
	b.ReportMetric(ms(urgentBefore.Latencies.P99), "urgent-p99-before-ms")
	b.ReportMetric(ms(urgent.Latencies.P99), "urgent-p99-ms")
	b.ReportMetric(ms(urgent.Latencies.Max), "urgent-max-ms")
	b.ReportMetric(ms(usualBefore.Latencies.Quantile(0.999)), "usual-p999-before-ms")
	b.ReportMetric(ms(usual.Latencies.Quantile(0.999)), "usual-p999-ms")
}
