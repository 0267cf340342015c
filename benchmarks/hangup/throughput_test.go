//go:build linux

package hangup_test

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/callmodel/record"
)

// BenchmarkWholeJobs is how many recordings of three minutes a worker makes in a second, from
// the claim to the commit, while there are always more: 200 of them, JOBS for another number.
// It says what each takes of the worker's, the database's and the S3 server's processor time,
// and in which packages the worker's goes. PROFILE names a file for the profile itself.
//
//	JOBS=1000 go test -run xxx -bench WholeJobs -benchtime 1x -timeout 1h ./benchmarks/hangup
func BenchmarkWholeJobs(b *testing.B) {
	jobs := from(b, "JOBS", 200)
	for _, layout := range []record.Layout{record.LayoutMono, record.LayoutStereo} {
		b.Run("mp3/"+string(layout), func(b *testing.B) {
			f := newFleet(b)
			const warm = 10
			f.enqueue(b, "warm", warm, record.CodecMP3, layout, "agent", "customer")
			admin := process.Address(b)
			w := f.worker(b, "--admin-listener", admin)
			done := func(n int) {
				b.Helper()
				require.Eventually(b, func() bool { return f.count(b, "state = 'done'") >= n }, 20*time.Minute, 20*time.Millisecond)
			}
			done(warm)
			f.enqueue(b, "job", jobs, record.CodecMP3, layout, "agent", "customer")
			before := f.count(b, "state = 'done'")
			began, own, database := time.Now(), process.CPU(b, w.Pid), process.DatabaseCPU(b, f.raw)
			profile := startProfile(b, admin, time.Duration(jobs)*25*time.Millisecond) // most of the run
			done(warm + jobs)
			took := time.Since(began)
			made := float64(warm + jobs - before)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(made/took.Seconds(), "jobs/s")
			b.ReportMetric((process.CPU(b, w.Pid)-own)/made*1e3, "worker-cpu-ms")
			b.ReportMetric((process.DatabaseCPU(b, f.raw)-database)/made*1e3, "db-cpu-ms")
			b.Logf("the worker's processor time: %s", byPackage(b, f.bin, profile()))
		})
	}
}

// startProfile has the process that serves profiles at the address make one of that length,
// a second at least. What it returns waits for it, and names its file.
func startProfile(b *testing.B, address string, length time.Duration) func() string {
	b.Helper()
	file := cmp.Or(os.Getenv("PROFILE"), filepath.Join(b.TempDir(), "cpu.pprof"))
	ended := make(chan error, 1)
	seconds := max(int(length.Seconds()), 1)
	go func() {
		resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", address, seconds))
		if err != nil {
			ended <- err
			return
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s: %s", resp.Status, body)
		}
		if err == nil {
			err = os.WriteFile(file, body, 0o600)
		}
		ended <- err
	}()
	return func() string {
		require.NoError(b, <-ended)
		return file
	}
}

// line is one of go tool pprof -top: the flat time in milliseconds and the function.
var line = regexp.MustCompile(`^\s*([\d.]+)ms\s+[\d.]+%\s+[\d.]+%\s+[\d.]+ms\s+[\d.]+%\s+(.*)$`)

// byPackage are the packages that a profile has samples of, those with most first.
func byPackage(b *testing.B, bin, file string) string {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), "go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", "-edgefraction=0", "-unit=ms",
		filepath.Join(bin, "switchtape-worker"), file)
	out, err := cmd.Output()
	require.NoError(b, err)
	spent, total := map[string]float64{}, 0.0
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		ms, err := strconv.ParseFloat(m[1], 64)
		require.NoError(b, err)
		spent[packageOf(m[2])] += ms
		total += ms
	}
	require.Positive(b, total, "%s", out)
	var shares []string
	for _, p := range slices.SortedFunc(maps.Keys(spent), func(x, y string) int { return cmp.Compare(spent[y], spent[x]) }) {
		if spent[p] < total/100 {
			break
		}
		shares = append(shares, fmt.Sprintf("%.1f %% %s", spent[p]/total*100, strings.TrimPrefix(p, "github.com/switchtape/switchtape/")))
	}
	return strings.Join(shares, ", ")
}

// packageOf is the package of a function, as a profile names it: "a/b.(*T).M".
func packageOf(function string) string {
	dir, name := "", function
	if at := strings.LastIndexByte(function, '/'); at >= 0 && !strings.ContainsAny(function[:at], "([") {
		dir, name = function[:at+1], function[at+1:]
	}
	name, _, _ = strings.Cut(name, ".")
	return dir + name
}
