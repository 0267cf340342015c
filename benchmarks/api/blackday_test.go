package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/process"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// lane is a process of a lane, which is started again where it was.
type lane struct {
	address string
	args    []string
	log     *os.File
	mu      sync.Mutex
	cmd     *exec.Cmd
}

func newLane(b *testing.B, dir, bin string, args ...string) *lane {
	b.Helper()
	address := process.Address(b)
	log, err := os.Create(filepath.Join(dir, strings.ReplaceAll(address, ":", "-")+".log"))
	require.NoError(b, err)
	p := &lane{address: address, args: append(args, "--listen", address), log: log}
	p.args = append([]string{filepath.Join(bin, "switchtape-api")}, p.args...)
	p.start(b)
	b.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		_ = p.cmd.Wait()
		_ = log.Close()
	})
	return p
}

func (p *lane) start(b *testing.B) {
	b.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = exec.CommandContext(context.WithoutCancel(b.Context()), p.args[0], p.args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	require.NoError(b, p.cmd.Start())
}

// kill ends the process as kill -9 does, and starts another in its place.
func (p *lane) kill(b *testing.B) {
	b.Helper()
	p.mu.Lock()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	p.mu.Unlock()
	p.start(b)
}

// day is what was asked and answered.
type day struct {
	high    []*lane
	client  http.Client
	sent    atomic.Int64
	refused atomic.Int64 // answers but 201
	again   atomic.Int64 // requests that a server didn't answer, and another was asked
	events  atomic.Int64
	later   atomic.Int64 // events that were refused with 503 and told again

	mu    sync.Mutex
	took  []time.Duration
	ids   []string // of the calls that were answered
	ended map[string]bool
	wrong []string
}

// ask posts to one server, and to the other if that doesn't answer.
func (d *day) ask(n int64, path, body string) (status int, answer []byte, served int64) {
	for try := n; ; try++ {
		req, err := http.NewRequest(http.MethodPost, "http://"+d.high[try%int64(len(d.high))].address+path, strings.NewReader(body))
		if err != nil {
			return 0, []byte(err.Error()), try
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := d.client.Do(req)
		if err != nil {
			d.again.Add(1)
			if try-n > 1000 {
				return 0, []byte(err.Error()), try
			}
			if try-n > 3 {
				time.Sleep(10 * time.Millisecond) // both are away, as kills may have it
			}
			continue
		}
		answer, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			d.again.Add(1)
			continue
		}
		return resp.StatusCode, answer, try
	}
}

// call makes an emergency call; of every twentieth the end is told to the other server.
func (d *day) call() {
	n := d.sent.Add(1)
	began := time.Now()
	status, answer, served := d.ask(n, "/v1/calls", fmt.Sprintf(`{"from":"+4930%07d","to":"112","metadata":{"n":"%d"}}`, n%10_000_000, n))
	took := time.Since(began)
	var call struct {
		ID string `json:"id"`
	}
	if status != http.StatusCreated || json.Unmarshal(answer, &call) != nil {
		d.refused.Add(1)
		d.mu.Lock()
		d.wrong = append(d.wrong, fmt.Sprintf("call %d: %d %s", n, status, answer))
		d.mu.Unlock()
		return
	}
	ends := n%20 == 0
	if ends {
		for try := 0; ; try++ {
			status, answer, _ = d.ask(served+1, "/v1/calls/"+call.ID+"/events", `{"id":"1","type":"ended"}`)
			if status != http.StatusServiceUnavailable || try > 600 {
				break
			}
			d.later.Add(1) // it can't be written down: a telephone server tells it again
			time.Sleep(time.Second)
		}
		if status/100 != 2 {
			d.mu.Lock()
			d.wrong = append(d.wrong, fmt.Sprintf("event of call %d: %d %s", n, status, answer))
			d.mu.Unlock()
			ends = false
		} else {
			d.events.Add(1)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.took, d.ids = append(d.took, took), append(d.ids, call.ID)
	if ends {
		d.ended[call.ID] = true
	}
}

// p99 is what 99 of 100 calls since the last time took, and empties the list.
func (d *day) p99() (p99 time.Duration, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.took
	d.took = nil
	if len(list) == 0 {
		return 0, 0
	}
	slices.Sort(list)
	return list[len(list)*99/100], len(list)
}

// silent is a service that takes connections and says nothing.
func silent(b *testing.B) string {
	b.Helper()
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			if _, err := l.Accept(); err != nil { // kept open
				return
			}
		}
	}()
	return "http://" + l.Addr().String()
}

// fill takes all the room of the disk that has the directory, until it is let go.
func fill(b *testing.B, dir string) (release func()) {
	b.Helper()
	f, err := os.Create(filepath.Join(dir, "others"))
	require.NoError(b, err)
	zeros := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(zeros)
	}
	require.ErrorIs(b, err, syscall.ENOSPC)
	return func() { _ = errors.Join(f.Truncate(0), f.Close()) }
}

// crowd asks the low lane for calls on so many connections, as fast as it answers.
func crowd(ctx context.Context, p *lane, conns int) (wait func() map[int]int64) {
	var counts [600]atomic.Int64
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: conns}}
	var wg sync.WaitGroup
	for c := range conns {
		wg.Go(func() {
			for n := c; ctx.Err() == nil; n += conns {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.address+"/v1/calls", bytes.NewReader(fmt.Appendf(nil, `{"from":"+4930123456","to":"+4989%06d"}`, n%1_000_000)))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					counts[0].Add(1)
					time.Sleep(10 * time.Millisecond)
					continue
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				counts[resp.StatusCode].Add(1)
			}
		})
	}
	return func() map[int]int64 {
		wg.Wait()
		all := map[int]int64{}
		for status := range counts {
			if n := counts[status].Load(); n > 0 {
				all[status] = n
			}
		}
		return all
	}
}

// BenchmarkBlackDay is the emergency lane, two processes of it, on a day on which a crowd is
// in front of the low lane, PostgreSQL is stopped, the decision and the settings service
// hang, somebody fills the disk of the journals, and each process is killed with -9. It
// fails if an emergency call is refused, or one that was answered, or its event, is not
// stored in the end, or stored twice. DAY says how long it goes on, RATE how many emergency
// calls come a second, CROWD how many connections the low lane has.
func BenchmarkBlackDay(b *testing.B) {
	lasts, err := time.ParseDuration(getenv("DAY", "10s"))
	require.NoError(b, err)
	var rate, conns int
	_, err = fmt.Sscan(getenv("RATE", "1700")+" "+getenv("CROWD", "32"), &rate, &conns)
	require.NoError(b, err)

	bin := programs(b)["now"]
	pg := pgtest.Own(b)
	migrate(b, bin, pg.URL)
	dir := b.TempDir()
	disk := filepath.Join(dir, "disk")
	require.NoError(b, os.Mkdir(disk, 0o700))
	small := exec.CommandContext(b.Context(), "mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", disk).Run() == nil
	if small {
		b.Cleanup(func() { _ = exec.CommandContext(context.WithoutCancel(b.Context()), "umount", disk).Run() })
	} else {
		b.Log("no small disk can be mounted, as root can: the journals' disk is not filled")
	}
	require.NoError(b, os.WriteFile(filepath.Join(dir, "rules.yaml"), []byte(rules), 0o600))
	hangs := silent(b)
	args := func(lane, name string) []string {
		return []string{
			"--db", pg.URL, "--lane", lane, "--emergency", "sip:psap.example.com", "--region", "DE", "--log-level", "error",
			"--journal", filepath.Join(disk, name), "--journal-reserve", "256", "--rules-snapshot", filepath.Join(dir, name), "--decider-url", hangs, "--settings-url", hangs,
		}
	}
	d := &day{ended: map[string]bool{}, client: http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 512}}}
	low := newLane(b, dir, bin, append(args("low", "low"), "--calls-from-memory", "--rules", filepath.Join(dir, "rules.yaml"))...)
	d.high = []*lane{newLane(b, dir, bin, args("high", "a")...), newLane(b, dir, bin, args("high", "b")...)}
	for _, p := range append([]*lane{low}, d.high...) {
		process.Await(b, "http://"+p.address)
	}

	b.ResetTimer()
	dawn := time.Now()
	ctx, evening := context.WithTimeout(b.Context(), lasts)
	defer evening()
	crowded := crowd(ctx, low, conns)
	var flying sync.WaitGroup
	flying.Go(func() { // so many a second, whether or not they are answered
		began, made := time.Now(), 0
		for ctx.Err() == nil {
			for due := int(time.Since(began).Seconds() * float64(rate)); made < due; made++ {
				flying.Go(d.call)
			}
			time.Sleep(time.Millisecond)
		}
	})
	var release func()
	for _, moment := range []struct {
		at   float64 // of the day
		name string
		do   func()
	}{
		{0.1, "a crowd in front of the low lane, the services hang", pg.Crash},
		{0.2, "and PostgreSQL is stopped", func() {
			if small {
				release = fill(b, disk)
			}
		}},
		{0.3, "and the journals' disk is full", func() { d.high[0].kill(b) }},
		{0.4, "and one process was killed", func() { d.high[1].kill(b); low.kill(b) }},
		{0.6, "and the other, and the low lane's", func() {
			if small {
				release()
			}
			pg.Start(b)
		}},
		{0.8, "all is back", func() { pg.Crash(); d.high[0].kill(b); pg.Start(b) }},
		{1, "PostgreSQL and a process died together", evening},
	} {
		select {
		case <-ctx.Done():
		case <-time.After(time.Until(dawn.Add(time.Duration(moment.at * float64(lasts))))):
		}
		p99, n := d.p99()
		b.Logf("%4.0f %%: %-52s %7d calls, p99 %v", moment.at*100, moment.name, n, p99.Round(10*time.Microsecond))
		moment.do()
	}
	flying.Wait()
	answers := crowded()
	b.StopTimer()
	b.Logf("%d emergency calls, %d refused, %d asked again of another process; %d ends of calls, told %d times in vain; the low lane answered %v",
		d.sent.Load(), d.refused.Load(), d.again.Load(), d.events.Load(), d.later.Load(), answers)
	require.Zero(b, d.refused.Load(), "%.2000s", fmt.Sprint(d.wrong))
	require.Empty(b, d.wrong)
	d.allStored(b, pg.URL, answers[http.StatusCreated])
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(d.sent.Load()), "calls")
	b.ReportMetric(float64(d.refused.Load()), "refused")
}

func getenv(name, usual string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return usual
}

// allStored waits until all that was answered is stored: each emergency call under the id
// of its answer, ended if that was told, and no fewer other calls than were answered.
func (d *day) allStored(b *testing.B, at string, others int64) {
	b.Helper()
	conn, err := pgx.Connect(b.Context(), at)
	require.NoError(b, err)
	defer conn.Close(context.WithoutCancel(b.Context()))
	var missing, open []string
	var more int64
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		stored := make(map[string]string, len(d.ids))
		more = 0
		rows, err := conn.Query(b.Context(), "SELECT id, state, to_number FROM calls")
		require.NoError(b, err)
		var id, state, to string
		_, err = pgx.ForEachRow(rows, []any{&id, &state, &to}, func() error {
			if to != "112" {
				more++
				return nil
			}
			stored[id] = state // the id is the table's key: there are no two
			return nil
		})
		require.NoError(b, err)
		missing, open = missing[:0], open[:0]
		for _, id := range d.ids {
			state, ok := stored[id]
			if !ok {
				missing = append(missing, id)
			} else if d.ended[id] && state != "ended" {
				open = append(open, id)
			}
		}
		if len(missing)+len(open) == 0 && more >= others {
			b.Logf("all %d emergency calls are stored, %d of them ended, and %d others; %d were stored that nobody was told of", len(d.ids), len(d.ended), more, len(stored)-len(d.ids))
			return
		}
	}
	require.Empty(b, missing, "answered, and not stored")
	require.Empty(b, open, "their end was told, and is not stored")
	require.GreaterOrEqual(b, more, others, "other calls")
}
