package api_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// BenchmarkHealthy is a process of the emergency lane on a PostgreSQL that is well: RATE
// calls a second for as long as DAY says. It fails if one is refused or isn't stored once,
// if the process has grown between the first quarter and the end, its memory by more than
// half or its files at all, or if the database has more sessions than the process's pools
// have places.
//
//	DAY=10m RATE=2000 go test -run xxx -bench Healthy -benchtime 1x -timeout 1h -v ./benchmarks/api
func BenchmarkHealthy(b *testing.B) {
	lasts, err := time.ParseDuration(getenv("DAY", "10s"))
	require.NoError(b, err)
	var rate int
	_, err = fmt.Sscan(getenv("RATE", "2000"), &rate)
	require.NoError(b, err)
	bin := programs(b)["now"]
	pg := pgtest.Own(b)
	migrate(b, bin, pg.URL)
	dir := b.TempDir()
	d := &day{ended: map[string]bool{}, client: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}}
	d.high = []*lane{newLane(b, dir, bin, "--db", pg.URL, "--lane", "high", "--emergency", "sip:psap.example.com", "--region", "DE",
		"--log-level", "error", "--journal", filepath.Join(dir, "journal"), "--rules-snapshot", filepath.Join(dir, "rules"))}
	process.Await(b, "http://"+d.high[0].address)
	conn, err := pgx.Connect(b.Context(), pg.URL)
	require.NoError(b, err)
	defer conn.Close(context.WithoutCancel(b.Context()))

	const pools = 2 + 4 // what follows the rules, and the emergency lane's
	type size struct{ memory, files, sessions int }
	grown := func() (s size) {
		pid := d.high[0].cmd.Process.Pid
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		require.NoError(b, err)
		_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
		_, err = fmt.Sscan(string(rest), &s.memory) // KiB
		require.NoError(b, err)
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		require.NoError(b, err)
		for _, f := range files {
			if is, err := os.Readlink(f); err == nil && !strings.HasPrefix(is, "socket:") { // those are the callers' and the database's
				s.files++
			}
		}
		require.NoError(b, conn.QueryRow(b.Context(), "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'").Scan(&s.sessions))
		return s
	}
	b.ResetTimer()
	var flying sync.WaitGroup
	began := time.Now()
	var first size
	for quarter := 1; quarter <= 4; quarter++ {
		until := began.Add(lasts * time.Duration(quarter) / 4)
		for made := int(d.sent.Load()); time.Now().Before(until); time.Sleep(time.Millisecond) {
			for due := int(time.Since(began).Seconds() * float64(rate)); made < due; made++ {
				flying.Go(d.call)
			}
		}
		flying.Wait()
		p99, n := d.p99()
		s := grown()
		b.Logf("%3d %%: %7d calls, p99 %v; %d MiB, %d files, %d sessions of the database", quarter*25, n, p99.Round(10*time.Microsecond), s.memory>>10, s.files, s.sessions)
		if quarter == 1 {
			first = s
		}
	}
	b.StopTimer()
	require.Zero(b, d.refused.Load(), "%.2000s", fmt.Sprint(d.wrong))
	require.Empty(b, d.wrong)
	d.allStored(b, pg.URL, 0)
	last := grown()
	require.LessOrEqual(b, last.memory, first.memory*3/2, "KiB")
	require.LessOrEqual(b, last.sessions, pools+1, "with the one that asks here")
	require.LessOrEqual(b, last.files, first.files)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(d.sent.Load()), "calls")
}
