package routing_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/routing"
)

const (
	fileRules = 1_000_000
	// firstNumber is the first of the prefixes, which are seven apart, in Berlin.
	firstNumber = 4_930_100_000
)

// forms are how files of rules are written.
func forms() []string { return []string{"yaml", "json", "ndjson"} }

// writeFile writes so many rules, each for a prefix of its own, to pairs of 300
// destinations: some 100 bytes each. name makes one set differ from another.
func writeFile(w io.Writer, form, name string, n int) error {
	const dests = 300
	b := bufio.NewWriterSize(w, 1<<20)
	head, begin, between, end := fmt.Sprintf("{\"name\":%q,\"destinations\":{", name), ",\"rules\":[\n", ",\n", "\n]}\n"
	rule := "{\"id\":\"r%07d\",\"match\":{\"to\":{\"prefix\":[\"+%d\"]}},\"route\":[[{\"to\":\"d%03d\"}],[{\"to\":\"d%03d\"}]]}"
	dest, behind := "\"d%03d\":{\"uri\":\"sip:d%03d.example.com\"}", "}"
	switch form {
	case "ndjson":
		begin, between, end = "}\n", "\n", "\n"
		behind = ""
		begin = "}" + begin
	case "yaml":
		head, begin, between, end = fmt.Sprintf("name: %q\ndestinations:\n", name), "rules:\n", "", ""
		rule = "  - id: r%07d\n    match: {to: {prefix: \"+%d\"}}\n    route: [[{to: d%03d}], [{to: d%03d}]]\n"
		dest, behind = "  d%03d: {uri: \"sip:d%03d.example.com\"}\n", ""
	}
	_, _ = b.WriteString(head) // Flush returns the error
	for i := range dests {
		if i > 0 && form != "yaml" {
			_ = b.WriteByte(',')
		}
		fmt.Fprintf(b, dest, i, i)
	}
	_, _ = b.WriteString(behind + begin)
	for i := range n {
		if i > 0 {
			_, _ = b.WriteString(between)
		}
		fmt.Fprintf(b, rule, i, firstNumber+i*7, i%dests, (i+1+i/dests%2)%dests)
	}
	_, _ = b.WriteString(end)
	return b.Flush()
}

func setFile(b *testing.B, form string, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "rules."+form)
	f, err := os.Create(path)
	require.NoError(b, err)
	require.NoError(b, writeFile(f, form, "big", n))
	require.NoError(b, f.Close())
	return path
}

// measured is what a process of its own took to make a router of a file.
type measured struct {
	Wall, CPU time.Duration
	PeakBytes int64 // of the process
	HeapBytes int64 // that stay, with the router
	Hash      string
}

// measuredFile is the environment that has this program measure one file.
const measuredFile = "SWITCHTAPE_MEASURE_FILE"

// TestMain measures in place of the tests when it is told to.
func TestMain(m *testing.M) {
	if path := os.Getenv(measuredFile); path != "" {
		if err := measure(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return
	}
	m.Run()
}

func measure(path string) error {
	began := time.Now()
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var r *routing.Router
	if filepath.Ext(path) == ".rules" {
		r, err = routing.CompileBinary(data)
	} else {
		r, err = routing.CompileText(data)
	}
	if err != nil {
		return err
	}
	out := measured{Wall: time.Since(began), Hash: r.Hash()}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return err
	}
	out.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if out.PeakBytes, err = peakBytes("self"); err != nil {
		return err
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out.HeapBytes = int64(m.HeapAlloc)
	runtime.KeepAlive(r)
	return json.NewEncoder(os.Stdout).Encode(out)
}

// peakBytes is the most memory that a process had, by proc(5). Its ru_maxrss has that
// of the process that started it.
func peakBytes(pid string) (int64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "status"))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	kb, _, _ := strings.Cut(rest, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(kb), 10, 64)
	return n << 10, err
}

// BenchmarkFile is from a file of a million rules, or their binary form, to the
// router, each in a process of its own: its time, its peak of memory, and what of the
// heap stays.
func BenchmarkFile(b *testing.B) {
	self, err := os.Executable()
	require.NoError(b, err)
	paths := map[string]string{}
	for _, form := range append(forms(), "rules") {
		b.Run(form, func(b *testing.B) {
			if paths[form] == "" {
				if form != "rules" {
					paths[form] = setFile(b, form, fileRules)
				} else {
					paths[form] = packedFile(b)
				}
			}
			var sum measured
			ops := 0
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), self)
				cmd.Env = append(os.Environ(), measuredFile+"="+paths[form])
				cmd.Stderr = os.Stderr
				text, err := cmd.Output()
				require.NoError(b, err)
				var one measured
				require.NoError(b, json.Unmarshal(text, &one))
				sum.Wall += one.Wall
				sum.CPU += one.CPU
				sum.PeakBytes = max(sum.PeakBytes, one.PeakBytes)
				sum.HeapBytes = max(sum.HeapBytes, one.HeapBytes)
				ops++
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(sum.Wall.Seconds()/float64(ops), "s/op")
			b.ReportMetric(sum.CPU.Seconds()/float64(ops), "CPU-s/op")
			b.ReportMetric(float64(sum.PeakBytes)/1e6, "peak-MB")
			b.ReportMetric(float64(sum.HeapBytes)/1e6, "heap-MB")
			paths[form] = "" // it goes with this run
		})
	}
}

func packedFile(b *testing.B) string {
	b.Helper()
	data, err := os.ReadFile(setFile(b, "ndjson", fileRules))
	require.NoError(b, err)
	_, packed, err := routing.CompileAndPack(data)
	require.NoError(b, err)
	form, err := packed.MarshalBinary()
	require.NoError(b, err)
	path := filepath.Join(b.TempDir(), "packed.rules")
	require.NoError(b, os.WriteFile(path, form, 0o600))
	return path
}
