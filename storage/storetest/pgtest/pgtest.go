// Package pgtest gives tests databases of their own on a PostgreSQL server.
//
// The server is the one of TEST_POSTGRES_URL, or one that the test binary
// starts for itself from /usr/lib/postgresql, in a temporary directory, on a
// Unix socket only. That server is the child of a shell that waits on a pipe
// from the test binary: when the test binary ends, killed or not, the pipe
// breaks, the shell stops the server and removes its files.
//
// Where PostgreSQL can't be had, tests are skipped with a word on how to get
// it; with SWITCHTAPE_REQUIRE_SERVICES=1 they fail.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// start is how long a server may take to start.
const start = 60 * time.Second

// shared is the server of this test binary, started when first needed.
var shared = sync.OnceValues(func() (string, error) {
	if at := os.Getenv("TEST_POSTGRES_URL"); at != "" {
		return at, nil
	}
	return run()
})

// URL is a new, empty database, which is dropped when the test ends.
func URL(t testing.TB) string {
	t.Helper()
	return create(t, "")
}

// templates are the databases that Copy copies, by name.
var templates struct {
	sync.Mutex
	made map[string]string
}

// Copy is a new database as prepare makes an empty one, which is dropped when the
// test ends. prepare runs once a test binary and name, and must leave no connection
// open. On the server of TEST_POSTGRES_URL it runs each time, so that nothing is left
// there.
func Copy(t testing.TB, name string, prepare func(t testing.TB, at string)) string {
	t.Helper()
	if os.Getenv("TEST_POSTGRES_URL") != "" {
		at := URL(t)
		prepare(t, at)
		return at
	}
	return create(t, template(t, name, prepare))
}

func template(t testing.TB, name string, prepare func(t testing.TB, at string)) string {
	t.Helper()
	templates.Lock()
	defer templates.Unlock()
	if made, ok := templates.made[name]; ok {
		return made
	}
	admin, err := shared()
	if err != nil {
		missing(t, err)
	}
	made := "template_" + strings.ToLower(rand.Text())
	if err := do(t.Context(), admin, "CREATE DATABASE "+made); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	prepare(t, of(t, admin, made))
	if templates.made == nil {
		templates.made = map[string]string{}
	}
	templates.made[name] = made
	return made
}

// create makes a database, of a template or empty.
func create(t testing.TB, template string) string {
	t.Helper()
	admin, err := shared()
	if err != nil {
		missing(t, err)
	}
	name := "switchtape_test_" + strings.ToLower(rand.Text())
	stmt := "CREATE DATABASE " + name
	if template != "" {
		stmt += " TEMPLATE " + template
	}
	if err := do(t.Context(), admin, stmt); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), start)
		defer cancel()
		if err := do(ctx, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return of(t, admin, name)
}

// of is the URL of a database on the administrator's server.
func of(t testing.TB, admin, name string) string {
	t.Helper()
	at, err := url.Parse(admin)
	if err != nil {
		t.Fatal("pgtest: TEST_POSTGRES_URL can't be parsed") // it may hold a password: not shown
	}
	at.Path = "/" + name
	return at.String()
}

// Durable makes the server wait for its disk, which tests do without, so that
// benchmarks measure what a real one does. A server from TEST_POSTGRES_URL is
// left as it is.
func Durable(t testing.TB) {
	t.Helper()
	admin, err := shared()
	if err != nil {
		missing(t, err)
	}
	if os.Getenv("TEST_POSTGRES_URL") != "" {
		return
	}
	for _, stmt := range []string{"ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"} {
		if err := do(t.Context(), admin, stmt); err != nil {
			t.Fatalf("pgtest: %v", err)
		}
	}
	// The server reads its configuration in its own time. 1/0 where it hasn't.
	const check = "SELECT 1 / CASE current_setting('fsync') WHEN 'on' THEN 1 ELSE 0 END"
	for try := 0; do(t.Context(), admin, check) != nil; try++ {
		if try == 500 {
			t.Fatal("pgtest: fsync can't be turned on")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func missing(t testing.TB, err error) {
	t.Helper()
	why := fmt.Sprintf("NO POSTGRESQL, SO ITS HALF OF THE TESTS DOES NOT RUN: %v. Install the Debian package \"postgresql\", or set TEST_POSTGRES_URL", err)
	if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func do(ctx context.Context, at, stmt string) error {
	c, err := pgx.Connect(ctx, at)
	if err != nil {
		return err
	}
	_, err = c.Exec(ctx, stmt)
	return errors.Join(err, c.Close(ctx))
}

// run starts a server and returns its administrator's URL.
func run() (string, error) {
	bin, err := newest()
	if err != nil {
		return "", err
	}
	as, err := unprivileged()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("/tmp", "switchtape-pg-") // short: a socket's path has 107 bytes
	if err != nil {
		return "", err
	}
	if as.Credential != nil {
		if err := os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid)); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	err = initialise(bin, dir, as)
	if err == nil {
		_, err = keep(bin, dir, "", as, true)
	}
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	at := urlIn(dir)
	return at, awaitStart(at, dir)
}

func urlIn(dir string) string {
	return "postgres://postgres@/postgres?sslmode=disable&host=" + url.QueryEscape(dir)
}

// awaitStart waits until the server in dir answers.
func awaitStart(at, dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), start)
	defer cancel()
	for {
		err := do(ctx, at, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			return fmt.Errorf("the server did not start: %w\n%s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// initialise makes an empty cluster of databases in dir/data.
func initialise(bin, dir string, as *syscall.SysProcAttr) error {
	initdb := exec.CommandContext(context.Background(), filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C")
	initdb.SysProcAttr, initdb.Dir = as, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// keep runs the server in dir, on a socket there and, unless it is "", at the port of
// loopback too, until the process ends, which is an immediate stop as if the server's
// processes were killed, or stop is called, which ends it by the signal.
func keep(bin, dir, port string, as *syscall.SysProcAttr, remove bool) (stop func(signal string), err error) {
	// $1 the program, $2 the directory, $3 what to remove, $4 the port. The read ends with nothing when the pipe breaks. What a test may set by
	// ALTER SYSTEM, as Durable does, is in the file and not on the command line. A standby
	// looks soon for a server that was away.
	const keeper = `printf 'fsync = off\nmax_connections = 200\nwal_retrieve_retry_interval = 200ms\n' >>"$2/data/postgresql.conf"
"$1" -D "$2/data" -k "$2" -c listen_addresses=${4:+127.0.0.1} ${4:+-c port=$4} >>"$2/log" 2>&1 </dev/null &
server=$!
read -r signal
kill -"${signal:-QUIT}" $server
wait $server
rm -rf "$3"`
	removed := ""
	if remove {
		removed = dir
	}
	sh := exec.CommandContext(context.Background(), "/bin/sh", "-c", keeper, "sh", filepath.Join(bin, "postgres"), dir, removed, port)
	sh.SysProcAttr, sh.Dir = as, dir
	pipe, err := sh.StdinPipe() // without stop it is never closed: the end of this process does that
	if err != nil {
		return nil, err
	}
	if err := sh.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = sh.Wait() // a server that dies early shows as a test that can't connect
	}()
	return func(signal string) {
		_, _ = io.WriteString(pipe, signal+"\n")
		_ = pipe.Close() // it says that the end has come
		<-ended
	}, nil
}

// newest finds the programs of the newest PostgreSQL.
func newest() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	version := func(p string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p))))
		return n
	}
	if len(found) == 0 {
		return "", errors.New("no /usr/lib/postgresql/*/bin/initdb")
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

// unprivileged is how to run the server: not as root, which it refuses, and
// not in our process group, for Ctrl-C is for the tests.
func unprivileged() (*syscall.SysProcAttr, error) {
	as := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return as, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return as, nil
}
