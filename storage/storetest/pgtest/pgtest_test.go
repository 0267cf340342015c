package pgtest_test

import (
	"bufio"
	"errors"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// child makes the test binary start a server, name it, and hang.
const child = "SWITCHTAPE_TEST_PG_CHILD"

func TestURL(t *testing.T) {
	t.Parallel()
	at := pgtest.URL(t)
	require.NotEqual(t, at, pgtest.URL(t), "each has its own")
	c, err := pgx.Connect(t.Context(), at)
	require.NoError(t, err)
	var tables int
	require.NoError(t, c.QueryRow(t.Context(), "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables))
	require.Zero(t, tables)
	require.NoError(t, c.Close(t.Context()))
}

// TestOwn: what was committed is there after a crash, and nobody is served meanwhile.
func TestOwn(t *testing.T) {
	t.Parallel()
	s := pgtest.Own(t)
	exec := func(statement string) error {
		c, err := pgx.Connect(t.Context(), s.URL)
		if err != nil {
			return err
		}
		_, err = c.Exec(t.Context(), statement)
		return errors.Join(err, c.Close(t.Context()))
	}
	require.NoError(t, exec("CREATE TABLE kept (n int)"))
	s.Crash()
	require.Error(t, exec("SELECT n FROM kept"))
	s.Start(t)
	require.NoError(t, exec("SELECT n FROM kept"))
}

// TestOnNetwork: clients find a server and its standby by their addresses, one of them
// writes, and the standby does when the other was stopped.
func TestOnNetwork(t *testing.T) {
	t.Parallel()
	var free [2]string
	for i := range free {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		free[i] = l.Addr().String()
		require.NoError(t, l.Close())
	}
	first := pgtest.OnNetwork(t, free[0])
	second := first.StandbyAt(t, free[1])
	at := "postgres://postgres@" + first.Address + "," + second.Address + "/postgres?sslmode=disable&target_session_attrs=read-write"
	exec := func(statement string) error {
		c, err := pgx.Connect(t.Context(), at)
		if err != nil {
			return err
		}
		_, err = c.Exec(t.Context(), statement)
		return errors.Join(err, c.Close(t.Context()))
	}
	require.NoError(t, exec("CREATE TABLE kept (n int)"))
	first.Stop()
	require.Error(t, exec("SELECT n FROM kept"), "nobody writes")
	second.Promote(t)
	require.NoError(t, exec("SELECT n FROM kept"))
}

// TestCopy: a copy is as it was prepared, once for all, and nobody else's.
func TestCopy(t *testing.T) {
	t.Parallel()
	prepared := 0
	for range 2 {
		at := pgtest.Copy(t, "a table", func(t testing.TB, at string) {
			t.Helper()
			prepared++
			c, err := pgx.Connect(t.Context(), at)
			require.NoError(t, err)
			_, err = c.Exec(t.Context(), "CREATE TABLE mine (n int)")
			require.NoError(t, errors.Join(err, c.Close(t.Context())))
		})
		c, err := pgx.Connect(t.Context(), at)
		require.NoError(t, err)
		var rows int
		require.NoError(t, c.QueryRow(t.Context(), "SELECT count(*) FROM mine").Scan(&rows))
		require.Zero(t, rows)
		_, err = c.Exec(t.Context(), "INSERT INTO mine VALUES (1)")
		require.NoError(t, errors.Join(err, c.Close(t.Context())))
	}
	if os.Getenv("TEST_POSTGRES_URL") == "" {
		require.Equal(t, 1, prepared)
	}
}

// TestNoServerIsLeft: even kill -9 of a test binary takes its server along. The
// binary that is killed is this one again, with a server of its own.
func TestNoServerIsLeft(t *testing.T) {
	t.Parallel()
	if os.Getenv(child) != "" {
		_, err := os.Stdout.WriteString("at " + pgtest.URL(t) + "\n")
		require.NoError(t, err)
		<-t.Context().Done()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestNoServerIsLeft$", "-test.v")
	cmd.Env = append(os.Environ(), child+"=1", "TEST_POSTGRES_URL=")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	dir, said := "", ""
	for dir == "" && lines.Scan() {
		said += lines.Text() + "\n"
		if _, at, ok := strings.Cut(lines.Text(), "at "); ok {
			u, err := url.Parse(at)
			require.NoError(t, err)
			dir = u.Query().Get("host")
		}
	}
	if dir == "" && os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") != "1" && strings.Contains(said, "NO POSTGRESQL") {
		_ = cmd.Wait() // it has skipped
		t.Skip(said)
	}
	require.DirExists(t, dir, said)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 30*time.Second, 20*time.Millisecond, "the server's files are gone, and with them the server")
}
