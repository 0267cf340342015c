package main

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
)

// naming is how a telephone server names the files of its calls, below a directory of
// its own.
type naming struct {
	dir, options string
	files        func(call int) []string
}

func namings() []naming {
	return []naming{
		{"asterisk monitor", "pattern=asterisk", func(i int) []string {
			base := fmt.Sprintf("2026/11/%02d/1743042317.%d", i%28+1, i)
			return []string{base + "-in.wav", base + "-out.wav"}
		}},
		{"asterisk-mixmonitor", "pattern=asterisk", func(i int) []string {
			base := fmt.Sprintf("*97 Müller & Söhne %d", i)
			return []string{base + "-r.WAV", base + "-t.WAV"}
		}},
		{"freeswitch", "pattern=freeswitch", func(i int) []string {
			base := fmt.Sprintf("%02d/4f1d3c2e-%04d-4000-8000-00000000000a", i%10, i)
			return []string{base + "-read.wav", base + "-write.wav"}
		}},
		{"fusionpbx", "pattern=fusionpbx&tenants=a.example.com=default&zone=Europe/Berlin", func(i int) []string {
			return []string{fmt.Sprintf("a.example.com/archive/2026/Nov/%02d/4f1d3c2e-%04d.wav", i%28+1, i)}
		}},
		{"rtpengine", "pattern=rtpengine&legs=2", func(i int) []string {
			return []string{fmt.Sprintf("%d-7a@10.0.0.1-%08x.wav", i, i), fmt.Sprintf("%d-7a@10.0.0.1-%08x.wav", i, i+0xb0000000)}
		}},
		{"vicidial", "pattern=vicidial", func(i int) []string {
			base := fmt.Sprintf("20261129-%02d%02d00_5125551212_%d", i/60%24, i%60, i)
			return []string{base + "-in.wav", base + "-out.wav"}
		}},
	}
}

// Calls come into the spools of six namings, a part of them slowly, while the service is
// killed again and again: each is recorded, whole, and none twice. The short drill is of
// 90 calls and 4 kills, the whole of 1,000 and 20: SWITCHTAPE_LONG_TESTS=1.
func TestSpoolDrill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	calls, kills := 90, 4
	if os.Getenv("SWITCHTAPE_LONG_TESTS") != "" {
		calls, kills = 1000, 20
	}
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs")
	args := []string{"--dir", dir, "--worker-lease-ttl", "1s", "--log-level", "warn", "--record-codec", "wav", "--record-rate", "8000"}
	for _, n := range namings() {
		require.NoError(t, os.MkdirAll(filepath.Join(legs, n.dir), 0o750))
		args = append(args, "--spool", n.dir+"?quiet=500ms&every=500ms&wait=30s&"+n.options)
	}
	url := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	db := openLedger(t, url)

	const short = wavHeader + samplecall.SampleRateHz // half a second
	dropped := make(chan error, 1)
	go func() {
		dropped <- drop(legs, calls, samplecall.Agent()[:short], samplecall.Customer()[:short])
	}()
	for k := range kills {
		p := serve(t, args...)
		// Somewhere between nothing and the next share of the calls.
		until := finished(t, db) + rand.Int64N(int64(calls/kills))
		require.Eventually(t, func() bool { n := finished(t, db); return n >= until || n == int64(calls) }, 2*time.Minute, time.Millisecond, "kill %d: %s", k, p.log)
		p.kill(t)
	}
	p := serve(t, args...)
	require.NoError(t, <-dropped)
	require.Eventually(t, func() bool { return finished(t, db) >= int64(calls) }, 4*time.Minute, 10*time.Millisecond, "%s", p.log)
	for range 3 { // sweeps that find nothing
		resp := get(t, p.url+"/metrics")
		require.Contains(t, string(resp.body), `switchtape_spool_calls_total{outcome="refused",spool=`)
	}
	p.terminate(t)
	// With no index, everything is asked about again, and nothing is made of it.
	for _, n := range namings() {
		require.NoError(t, os.RemoveAll(filepath.Join(legs, n.dir, ".switchtape")))
	}
	p = serve(t, args...)
	known := func() (n int) {
		for line := range strings.Lines(string(get(t, p.url+"/metrics").body)) {
			var value int
			if name, rest, ok := strings.Cut(line, "} "); ok && strings.HasPrefix(name, `switchtape_spool_calls_total{outcome="known"`) {
				_, err := fmt.Sscan(rest, &value)
				require.NoError(t, err)
				n += value
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return known() == calls }, 2*time.Minute, 20*time.Millisecond, "%s", p.log)
	p.terminate(t)
	checkDrill(t, db, dir, calls)
}

// The system drops what it would tell of a spool when its queue is full: a process that
// stands still meanwhile finds the calls all the same, though no sweep would be due for
// an hour.
func TestSpoolQueueOverflow(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	require.NoError(t, err)
	room, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	dir := t.TempDir()
	spool := filepath.Join(dir, "legs", "x")
	require.NoError(t, os.MkdirAll(spool, 0o750))
	p := serve(t, "--dir", dir, "--log-level", "warn", "--record-codec", "wav", "--spool", "x?pattern=asterisk&quiet=500ms&every=1h&wait=30s")
	db := openLedger(t, calldb.SQLiteURL(filepath.Join(dir, "switchtape.db")))
	put := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(spool, name), content, 0o600))
	}
	const short = wavHeader + samplecall.SampleRateHz // half a second
	call := func(i int) {
		put(fmt.Sprint(i, "-in.wav"), samplecall.Agent()[:short])
		put(fmt.Sprint(i, "-out.wav"), samplecall.Customer()[:short])
	}
	call(0) // from then on it is told of everything
	require.Eventually(t, func() bool { return finished(t, db) == 1 }, time.Minute, 10*time.Millisecond, "%s", p.log)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	require.Eventually(t, func() bool { // until then it may still take some of them
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		require.NoError(t, err)
		return strings.Contains(string(stat), ") T ")
	}, 30*time.Second, time.Millisecond)
	for i := range room {
		put(fmt.Sprint(i, ".txt"), nil)
	}
	for i := range 5 {
		call(1 + i)
	}
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGCONT))
	require.Eventually(t, func() bool { return finished(t, db) == 6 }, time.Minute, 10*time.Millisecond, "%s", p.log)
	require.Regexp(t, `switchtape_spool_overflows_total\{spool="[^"]*"\} [1-9]`, string(get(t, p.url+"/metrics").body))
	p.terminate(t)
}

// drop writes the calls' files, each in two parts, and some calls' second legs later.
func drop(legs string, calls int, first, second []byte) error {
	all := namings()
	write := func(n *naming, call int) error {
		for i, name := range n.files(call) {
			path := filepath.Join(legs, n.dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
				return err
			}
			content := first
			if i == 1 {
				content = second
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return err
			}
			for _, part := range [][]byte{content[:len(content)/2], content[len(content)/2:]} {
				if _, err := f.Write(part); err != nil {
					return err
				}
			}
			if err := f.Close(); err != nil {
				return err
			}
		}
		return nil
	}
	for call := range calls {
		if err := write(&all[call%len(all)], call); err != nil {
			return err
		}
	}
	return nil
}

// checkDrill checks that each call has one recording, of all its legs and whole.
func checkDrill(t *testing.T, db *calldb.DB, dir string, calls int) {
	t.Helper()
	seen := map[callmodel.RecordingID]bool{}
	for after := callmodel.JobID(""); ; {
		jobs, err := db.Jobs(t.Context(), ledger.Filter{Limit: 1000, After: after})
		require.NoError(t, err)
		if len(jobs) == 0 {
			break
		}
		for i := range jobs {
			after = jobs[i].ID
			spec, err := record.SpecOf(&jobs[i])
			require.NoError(t, err)
			r, err := record.ResultOf(&jobs[i])
			require.NoError(t, err)
			require.Equal(t, ledger.Done, jobs[i].State)
			// The files end early, as their headers say more: that is told and no loss.
			require.True(t, r.Made(), "%+v", r)
			require.False(t, r.Has(record.DefectLegMissing), "%+v", spec.Legs)
			for _, l := range r.Legs {
				require.EqualValues(t, samplecall.SampleRateHz/2, l.Frames, "%+v", spec.Legs)
			}
			require.Len(t, spec.Legs, len(namings()[of(t, spec.Legs[0].Segments[0].URI)].files(0)))
			require.False(t, seen[spec.RecordingID])
			seen[spec.RecordingID] = true
		}
	}
	assert.Len(t, seen, calls)
	objects := 0
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, "recordings"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".wav") {
			objects++
			assert.Contains(t, path, ".v1.wav")
		}
		return err
	}))
	assert.Equal(t, calls, objects)
	told := map[string]int{}
	for after := int64(0); ; {
		events, err := db.OutboxEvents(t.Context(), after, 1000)
		require.NoError(t, err)
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			told[e.Key]++
			after = e.ID
		}
	}
	assert.Len(t, told, calls)
}

// of is the naming that the file is of.
func of(t *testing.T, uri string) int {
	t.Helper()
	for i, n := range namings() {
		if strings.HasPrefix(uri, n.dir+"/") {
			return i
		}
	}
	t.Fatalf("%s is of none", uri)
	return 0
}
