package calls_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
)

// BenchmarkPages is the console of a running switchtape-api with a million calls: how long
// somebody who is logged in waits for the list, for each search, and for a call, until the
// page's last byte is there. The first of each is among them.
func BenchmarkPages(b *testing.B) {
	n := howMany(b)
	bin := process.Build(b, "../..", "switchtape-api")
	for _, kind := range []string{"sqlite", "postgres"} {
		b.Run(kind, func(b *testing.B) {
			at, _ := filled(b, kind, n)
			const key = "a key of a supervisor's"
			keys := filepath.Join(b.TempDir(), "keys")
			require.NoError(b, os.WriteFile(keys, fmt.Appendf(nil, "%x acme operator somebody\n", sha256.Sum256([]byte(key))), 0o600))
			api := process.Run(b, filepath.Join(bin, "switchtape-api"), nil, "--db", at, "--keys", keys, "--region", "US", "--emergency", "sip:psap.example")
			jar, err := cookiejar.New(nil)
			require.NoError(b, err)
			browser := &http.Client{Jar: jar, Timeout: time.Minute}
			resp, err := browser.PostForm(api.URL+"/login", url.Values{"key": {key}})
			require.NoError(b, err)
			require.NoError(b, resp.Body.Close())
			require.Equal(b, "/calls", resp.Request.URL.Path, "logged in")
			day := began.Add(time.Duration(n/2) * 100 * time.Millisecond)
			const form = "2006-01-02T15:04"
			for _, c := range []struct{ name, at string }{
				{"list", "/calls"},
				{"time", "/calls?" + url.Values{"since": {day.Format(form)}, "until": {day.Add(time.Hour).Format(form)}}.Encode()},
				{"rare number", "/calls?number=%2B12025554711"},
				{"common number", "/calls?number=%2B12025550103"},
				{"number and state", "/calls?number=%2B12025550103&state=failed"},
				{"direction", "/calls?direction=outbound"},
				{"trunk", "/calls?trunk=t7"},
				{"metadata of one", "/calls?metadata=order%3D4711"},
				{"metadata of many", "/calls?metadata=agent%3Da77"},
				{"rare state", "/calls?state=failed"},
				{"no such state", "/calls?state=rejected"},
				{"degraded", "/calls?recording=degraded"},
				{"missing", "/calls?recording=missing"},
				{"call", "/calls/c4711"},
			} {
				b.Run(strings.ReplaceAll(c.name, " ", "_"), func(b *testing.B) {
					var took []time.Duration
					var page []byte
					for b.Loop() {
						start := time.Now()
						resp, err := browser.Get(api.URL + c.at)
						require.NoError(b, err)
						page, err = io.ReadAll(resp.Body)
						require.NoError(b, resp.Body.Close())
						require.NoError(b, err)
						took = append(took, time.Since(start))
						require.Equal(b, http.StatusOK, resp.StatusCode)
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50_ms")
					b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95_ms")
					b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "worst_ms")
					b.ReportMetric(float64(len(regexp.MustCompile(`href="/calls/c[0-9]+"`).FindAll(page, -1))), "calls")
					b.ReportMetric(0, "ns/op")
				})
			}
		})
	}
}
