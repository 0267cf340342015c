//go:build linux

package routing_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
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

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// BenchmarkKamailio asks Debian's Kamailio, with its drouting module, and a
// server over our router for the same calls, one at a time, over loopback:
// INVITEs over UDP that are answered with a redirect, and requests over HTTP
// that are answered with the decision. What a whole answer costs is the
// processor time of the server per call; it holds the protocol, too.
//
// It needs the packages kamailio and kamailio-sqlite-modules, and skips without.
func BenchmarkKamailio(b *testing.B) {
	list := []int{1000, 100_000}
	if os.Getenv("SWITCHTAPE_LONG_BENCH") == "1" {
		list = append(list, 1_000_000)
	}
	for _, n := range list {
		prefixes := deck(n)
		b.Run(fmt.Sprintf("kamailio/rules=%d", n), func(b *testing.B) { kamailio(b, prefixes) })
		b.Run(fmt.Sprintf("switchtape/rules=%d", n), func(b *testing.B) { overHTTP(b, prefixes) })
	}
}

// number is one that a prefix takes.
func numberUnder(prefix string, i int) string {
	return prefix + fmt.Sprintf("%07d", i%10_000_000)[:max(15-len(prefix), 0)%8]
}

func kamailio(b *testing.B, prefixes []string) {
	b.Helper()
	program, err := exec.LookPath("kamailio")
	if err != nil {
		b.Skip("SKIPPED: kamailio is not installed: apt-get install kamailio kamailio-sqlite-modules")
	}
	modules, _ := filepath.Glob("/usr/lib/*/kamailio/modules/db_sqlite.so")
	if len(modules) == 0 {
		b.Skip("SKIPPED: kamailio's SQLite module is not installed: apt-get install kamailio-sqlite-modules")
	}
	dir := b.TempDir()
	droutingTables(b, filepath.Join(dir, "db"), prefixes)
	port := freePort(b)
	config := fmt.Sprintf(`#!KAMAILIO
debug=0
log_stderror=yes
fork=no
children=1
auto_aliases=no
listen=udp:127.0.0.1:%d
mpath="%s/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "db_sqlite.so"
loadmodule "drouting.so"
modparam("drouting", "db_url", "sqlite:///%s")
request_route {
	if (do_routing("0")) { sl_send_reply("302", "Moved"); } else { sl_send_reply("404", "No route"); }
}
`, port, filepath.Dir(modules[0]), filepath.Join(dir, "db"))
	file := filepath.Join(dir, "kamailio.cfg")
	require.NoError(b, os.WriteFile(file, []byte(config), 0o600))
	var log bytes.Buffer
	cmd := exec.CommandContext(b.Context(), program, "-f", file, "-m", "2048", "-M", "1024", "-DD", "-E", "-w", dir, "-Y", dir)
	cmd.Stderr, cmd.Stdout = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its helpers, too
		_ = cmd.Wait()
	})
	c, err := net.Dial("udp", "127.0.0.1:"+strconv.Itoa(port))
	require.NoError(b, err)
	defer c.Close()
	invite := func(i int, to string) (status string, err error) {
		to = strings.TrimPrefix(to, "+")
		msg := fmt.Sprintf("INVITE sip:%[1]s@127.0.0.1:%[2]d SIP/2.0\r\nVia: SIP/2.0/UDP %[3]s;branch=z9hG4bK%[4]d\r\n"+
			"From: <sip:4420@127.0.0.1>;tag=1\r\nTo: <sip:%[1]s@127.0.0.1>\r\nCall-ID: c%[4]d\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			to, port, c.LocalAddr(), i)
		buf := make([]byte, 2048)
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if _, err := c.Write([]byte(msg)); err != nil {
			return "", err
		}
		n, err := c.Read(buf)
		if err != nil || n < 12 {
			return "", err
		}
		return string(buf[8:11]), nil
	}
	require.Eventually(b, func() bool { s, err := invite(0, numberUnder(prefixes[0], 0)); return err == nil && s == "302" },
		5*time.Minute, 200*time.Millisecond, "kamailio answers: %s", &log)
	drive(b, cmd.Process.Pid, prefixes, func(i int, to string) error {
		s, err := invite(i, to)
		if err == nil && s != "302" {
			err = fmt.Errorf("%s was answered with %s", to, s)
		}
		return err
	})
}

// drive asks for calls all over the deck and reports the server's processor time.
func drive(b *testing.B, pid int, prefixes []string, ask func(i int, to string) error) {
	b.Helper()
	before := processorTime(b, pid)
	i := 0
	for b.Loop() {
		i++
		if err := ask(i, numberUnder(prefixes[i*7919%len(prefixes)], i)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((processorTime(b, pid)-before).Seconds()*1e6/float64(b.N), "server-cpu-µs/call")
}

// processorTime is what the process and those that it began have used: proc(5).
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(b, err)
	var ticks int64
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if fields[2] != strconv.Itoa(pid) { // its group
			continue
		}
		for _, f := range fields[11:13] {
			n, err := strconv.ParseInt(f, 10, 64)
			require.NoError(b, err)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func freePort(b *testing.B) int {
	b.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(b, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// droutingTables writes a database of Kamailio's drouting module, version 3.
func droutingTables(b *testing.B, file string, prefixes []string) {
	b.Helper()
	db, err := sql.Open("sqlite", file)
	require.NoError(b, err)
	defer db.Close()
	exec := func(q string) {
		_, err := db.ExecContext(b.Context(), q)
		require.NoError(b, err)
	}
	exec(`CREATE TABLE version (id INTEGER PRIMARY KEY NOT NULL, table_name TEXT, table_version INTEGER)`)
	for table, columns := range map[string]string{
		"dr_gateways": "gwid INTEGER PRIMARY KEY NOT NULL, type INTEGER, address VARCHAR(128), strip INTEGER, pri_prefix VARCHAR(64), attrs VARCHAR(255), description VARCHAR(128)",
		"dr_rules":    "ruleid INTEGER PRIMARY KEY NOT NULL, groupid VARCHAR(255), prefix VARCHAR(64), timerec VARCHAR(255), priority INTEGER, routeid VARCHAR(64), gwlist VARCHAR(255), description VARCHAR(128)",
		"dr_gw_lists": "id INTEGER PRIMARY KEY NOT NULL, gwlist VARCHAR(255), description VARCHAR(128)",
		"dr_groups":   "id INTEGER PRIMARY KEY NOT NULL, username VARCHAR(64), domain VARCHAR(128), groupid INTEGER, description VARCHAR(128)",
	} {
		exec(`CREATE TABLE ` + table + ` (` + columns + `)`)
	}
	exec(`INSERT INTO version (table_name, table_version) VALUES ('dr_gateways', 3), ('dr_rules', 3), ('dr_gw_lists', 1), ('dr_groups', 2), ('version', 1)`)
	tx, err := db.BeginTx(b.Context(), nil)
	require.NoError(b, err)
	for i := range destinations {
		_, err := tx.ExecContext(b.Context(), `INSERT INTO dr_gateways VALUES (?, 0, ?, 0, '', '', '')`, i+1, fmt.Sprintf("10.0.%d.%d:5060", i/250, i%250+1))
		require.NoError(b, err)
	}
	insert, err := tx.PrepareContext(b.Context(), `INSERT INTO dr_rules VALUES (?, '0', ?, '', 0, '0', ?, '')`)
	require.NoError(b, err)
	defer insert.Close()
	for i, p := range prefixes {
		_, err := insert.ExecContext(b.Context(), i+1, strings.TrimPrefix(p, "+"), fmt.Sprintf("%d,%d", i%destinations+1, (i+7)%destinations+1))
		require.NoError(b, err)
	}
	require.NoError(b, tx.Commit())
}

// overHTTP serves decisions of the same deck in a process of its own, so that
// its processor time is its own, too: this test's program, run once more.
func overHTTP(b *testing.B, prefixes []string) {
	b.Helper()
	file := filepath.Join(b.TempDir(), "prefixes")
	require.NoError(b, os.WriteFile(file, []byte(strings.Join(prefixes, "\n")), 0o600))
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^TestServeDecisions$")
	cmd.Env = append(os.Environ(), "SWITCHTAPE_SERVE_DECK="+file)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	stop, err := cmd.StdinPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		_ = stop.Close()
		_ = cmd.Wait()
	})
	var where string
	_, err = fmt.Fscanln(out, &where)
	require.NoError(b, err)
	drive(b, cmd.Process.Pid, prefixes, func(_ int, to string) error {
		resp, err := http.Get(where + "?to=" + url.QueryEscape(to))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var d calls.Decision
		if err := json.NewDecoder(resp.Body).Decode(&d); err != nil || len(d.Destinations) != 2 {
			return fmt.Errorf("%s was answered with %v: %w", to, d, err)
		}
		return nil
	})
}

// TestServeDecisions is no test: it is the server of BenchmarkKamailio, until
// its standard input ends.
func TestServeDecisions(t *testing.T) {
	file := os.Getenv("SWITCHTAPE_SERVE_DECK")
	if file == "" {
		t.Log("this is the server of BenchmarkKamailio; it was not asked for")
		return
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	rs := &routing.RuleSet{Destinations: map[string]routing.DestinationSpec{}}
	for i := range destinations {
		rs.Destinations[fmt.Sprintf("gw-%d", i)] = routing.DestinationSpec{URI: fmt.Sprintf("sip:10.0.%d.%d:5060", i/250, i%250+1)}
	}
	for i, p := range strings.Split(string(text), "\n") {
		to := func(k int) []routing.Target { return []routing.Target{{To: fmt.Sprintf("gw-%d", (i+k)%destinations)}} }
		rs.Rules = append(rs.Rules, routing.Rule{
			ID: fmt.Sprintf("r%d", i), Match: routing.Match{To: routing.NumberMatch{Prefix: []string{p}}},
			Route: []routing.Tier{{Targets: to(0)}, {Targets: to(7)}},
		})
	}
	router, err := routing.Compile(rs)
	require.NoError(t, err)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, err := router.Route(&calls.Request{To: r.URL.Query().Get("to"), From: "+4420", Type: calls.TypeVoice, At: time.Now()})
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(d)
	}))
	defer s.Close()
	fmt.Println(s.URL)
	buf := make([]byte, 1)
	_, _ = os.Stdin.Read(buf)
}
