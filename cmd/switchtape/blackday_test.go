package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/drill"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// line is a TCP line to a server, which can be cut.
type line struct {
	l     net.Listener
	to    string
	mu    sync.Mutex
	down  bool
	conns map[net.Conn]struct{}
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &line{l: l, to: to, conns: map[net.Conn]struct{}{}}
	t.Cleanup(func() { _ = l.Close(); p.cut(true) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(conn)
		}
	}()
	return p
}

func (p *line) carry(near net.Conn) {
	far, err := net.DialTimeout("tcp", p.to, 5*time.Second)
	if err != nil {
		_ = near.Close()
		return
	}
	p.mu.Lock()
	if p.down {
		p.mu.Unlock()
		_ = near.Close()
		_ = far.Close()
		return
	}
	p.conns[near], p.conns[far] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_ = near.Close()
			_ = far.Close()
		})
	}
	both.Wait()
	p.mu.Lock()
	delete(p.conns, near)
	delete(p.conns, far)
	p.mu.Unlock()
}

// cut breaks every connection, and, if down, those that come until mend.
func (p *line) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *line) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// TestBlackDay: calls come, end and are recorded while processes are killed with
// -9, the database stops in the middle of what it does, and the line to the bucket
// is cut. Afterwards every call has its one recording, whole, and no job was set
// aside.
//
// SWITCHTAPE_BLACK_DAY says how long the faults go on; see .ci/black-day.
func TestBlackDay(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	day := time.Second
	if v := os.Getenv("SWITCHTAPE_BLACK_DAY"); v != "" {
		d, err := time.ParseDuration(v)
		require.NoError(t, err)
		day = d
	}
	database, bucket := pgtest.Own(t), buckettest.S3(t)
	bucket.Setenv(t)
	before, address, found := strings.Cut(bucket.URL, "endpoint=http://")
	require.True(t, found)
	s3 := newLine(t, address)
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs")
	require.NoError(t, os.MkdirAll(legs, 0o750))
	const size = wavHeader + 3*samplecall.SampleRateHz*2
	for name, file := range map[string][]byte{"agent.wav": samplecall.Agent(), "customer.wav": samplecall.Customer()} {
		require.NoError(t, os.WriteFile(filepath.Join(legs, name), file[:size], 0o600))
	}
	rules := rulesFile(t, string(demoRules))
	services := [2]*process{}
	var urls [2]atomic.Pointer[string]
	caller := &drill.Caller{
		Client:  http.Client{Timeout: 15 * time.Second},
		Service: func() string { return *urls[rand.IntN(len(urls))].Load() },
	}
	leg := func(name string) record.LegSpec {
		return record.LegSpec{Name: name, Segments: []record.SegmentSpec{{URI: name + ".wav"}}}
	}
	start := func(i int) {
		services[i] = serve(t, "--dir", filepath.Join(dir, fmt.Sprint("service", i)), "--db", database.URL, "--legs", legs,
			"--bucket", before+"endpoint=http://"+s3.l.Addr().String(), "--rules", rules, "--emergency", "sip:psap.example", "--region", "US",
			"--record-codec", "wav", "--worker-lease-ttl", "2s", "--log-level", "error")
		urls[i].Store(&services[i].url)
	}
	start(0)
	start(1)

	var made atomic.Int64
	over := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				if err := caller.Make(t.Context(), &drill.Call{
					ID: fmt.Sprintf("call-%d", made.Add(1)), Legs: []record.LegSpec{leg("agent"), leg("customer")}, Recording: record.Preference{Enabled: true},
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	faults := map[string]int{}
	for begun := time.Now(); time.Since(begun) < day; {
		i := rand.IntN(len(services))
		switch fault := [...]string{"kill", "kill", "kill", "database", "bucket away", "line cut"}[rand.IntN(6)]; fault {
		case "kill":
			services[i].kill(t)
			start(i)
			faults[fault]++
		case "database":
			database.Crash()
			time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond) // an outage
			database.Start(t)
			faults[fault]++
		case "bucket away":
			s3.cut(true)
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond) // an outage
			s3.mend()
			faults[fault]++
		default:
			s3.cut(false)
			faults[fault]++
		}
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // a while without a fault
	}
	close(over)
	callers.Wait()
	t.Logf("%d calls, %v", made.Load(), faults)
	require.Positive(t, made.Load())

	db := openLedger(t, database.URL)
	var stats ledger.Stats
	require.Eventually(t, func() bool {
		var err error
		stats, err = db.Stats(t.Context())
		return err == nil && stats.Queued+stats.Running == 0
	}, 3*time.Minute, 50*time.Millisecond, "%+v\n%s", &stats, services[0].log)
	for _, p := range services {
		p.terminate(t)
	}
	checkBlackDay(t, db, bucket.Dir, int(made.Load()))
}

// checkBlackDay checks that each call has one recording, whole, and one event.
func checkBlackDay(t *testing.T, db *calldb.DB, bucket string, made int) {
	t.Helper()
	stats, err := db.Stats(t.Context())
	require.NoError(t, err)
	assert.EqualValues(t, made, stats.Done)
	assert.Zero(t, stats.Quarantined)
	objects := map[string][]byte{}
	require.NoError(t, filepath.WalkDir(bucket, func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".wav") {
			objects[path] = readFile(t, path)
		}
		return err
	}))
	assert.Len(t, objects, made, "one object a call")
	var first []byte
	for path, data := range objects {
		if first == nil {
			first = data
		}
		assert.True(t, bytes.Equal(first, data), "%s: the same legs give the same bytes", path)
	}
	for i := range made {
		call, err := db.Call(t.Context(), "default", callmodel.CallID(fmt.Sprintf("call-%d", i+1)))
		require.NoError(t, err)
		require.Equal(t, calls.Ended, call.State)
		require.Len(t, call.Recordings, 1, "%s", call.ID)
		require.Equal(t, record.StatusCompletedDegraded, call.Recordings[0].Status, "the files' headers say more than they hold")
		require.NotEmpty(t, call.Recordings[0].URL)
	}
}
