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

// blackDay is two whole services on one database and one bucket, and calls that
// go through whichever answers.
type blackDay struct {
	t      *testing.T
	client http.Client
	urls   [2]atomic.Pointer[string]
}

// say makes one request until a service takes it.
func (b *blackDay) say(path, key, body string) {
	for try := 0; ; try++ {
		url := b.urls[rand.IntN(len(b.urls))].Load()
		req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, *url+path, strings.NewReader(body))
		if err != nil {
			b.t.Error(err)
			return
		}
		if key != "" {
			req.Header.Set("Idempotency-Key", key)
		}
		resp, err := b.client.Do(req)
		status, answer := 0, []byte(nil)
		if err == nil {
			status = resp.StatusCode
			answer, _ = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		switch {
		case status/100 == 2:
			return
		case status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusConflict && status != http.StatusNotFound:
			b.t.Errorf("%s: %d %s", path, status, answer)
			return
		case b.t.Context().Err() != nil || try > 3000:
			b.t.Errorf("%s: nobody took it: %d %s %v", path, status, answer, err)
			return
		}
		time.Sleep(20 * time.Millisecond) // a client's back-off
	}
}

// call is a call from its beginning to its end.
func (b *blackDay) call(id string) {
	const path = "/v1/calls"
	b.say(path, id, `{"id":"`+id+`","from":"+12025550123","to":"+12125550188","recording":{"enabled":true}}`)
	b.say(path+"/"+id+"/events", "", `{"id":"1","type":"answered"}`)
	b.say(path+"/"+id+"/events", "", `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`)
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
	b := &blackDay{t: t, client: http.Client{Timeout: 15 * time.Second}}
	services := [2]*process{}
	start := func(i int) {
		services[i] = serve(t, "--dir", filepath.Join(dir, fmt.Sprint("service", i)), "--db", database.URL, "--legs", legs,
			"--bucket", before+"endpoint=http://"+s3.l.Addr().String(), "--rules", rules, "--emergency", "sip:psap.example", "--region", "US",
			"--record-codec", "wav", "--worker-lease-ttl", "2s", "--log-level", "error")
		b.urls[i].Store(&services[i].url)
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
				b.call(fmt.Sprintf("call-%d", made.Add(1)))
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
