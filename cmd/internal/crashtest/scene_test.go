//go:build linux

package crashtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/internal/drill"
	"github.com/switchtape/switchtape/recording/broker/brokertest"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

const (
	apis, workers = 2, 3
	// leaseTTL is a job's lease. It is long enough for a machine that has other things to do.
	leaseTTL = 3 * time.Second
	// smallDisk is the size of the disk on which recordings wait for their upload, in MiB.
	smallDisk = 96
	// legsKeep is how long legs are kept: the least that a worker takes.
	legsKeep = time.Hour

	// legWait is how long after a call's end its legs are waited for.
	legWait = time.Second

	tenant      = "default"
	jobsSubject = "switchtape.jobs"
	toldSubject = "switchtape.events"
)

// bucket is a server of S3 with a bucket, and the way to it.
type bucket struct {
	srv   *buckettest.Server
	front *front
	line  *line
	url   string // for our programs
}

// scene is everything.
type scene struct {
	t     *testing.T
	dir   string
	bin   string
	ports *ports
	legs  *legs
	small string // "": there is no small disk

	home, backup bucket
	nats         *brokertest.NATSServer
	natsLine     *line
	asked, told  *brokertest.Stream

	dbMu    sync.Mutex // of the faults of the database
	primary *pgtest.Server
	standby *pgtest.Server
	dbLines map[*pgtest.Server]*line
	dbURL   string // for our programs

	apis, workers []*process

	counters
}

// programs builds ours, with a clock that can be moved.
func programs(t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "movedclock", "-o", bin+"/",
		"github.com/switchtape/switchtape/cmd/switchtape", "github.com/switchtape/switchtape/cmd/switchtape-api", "github.com/switchtape/switchtape/cmd/switchtape-worker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

func newScene(t *testing.T) *scene {
	t.Helper()
	zerolog.SetGlobalLevel(zerolog.Disabled) // toxiproxy says much
	s := &scene{t: t, dir: directoryOf(t), bin: programs(t), ports: newPorts(t), counters: counters{
		aged: aged{ids: map[string]bool{}}, places: newPlaces(), counts: map[string]int{},
	}}
	s.legs = newLegs(t, filepath.Join(s.dir, "legs"))
	s.mountSmall()
	s.home, s.backup = s.newBucket("recordings"), s.newBucket("backup")

	s.primary = pgtest.OnNetwork(t, s.ports.take(t))
	db, err := calldb.Open(t.Context(), s.primary.URL, nil)
	require.NoError(t, err)
	_, err = db.Migrate(t.Context())
	require.NoError(t, errors.Join(err, db.Close()))
	s.standby = s.primary.StandbyAt(t, s.ports.take(t))
	near := []string{s.ports.take(t), s.ports.take(t)}
	s.dbLines = map[*pgtest.Server]*line{
		s.primary: newLine(t, "database", near[0], s.primary.Address),
		s.standby: newLine(t, "standby", near[1], s.standby.Address),
	}
	s.dbURL = "postgres://postgres@" + strings.Join(near, ",") + "/postgres?sslmode=disable&target_session_attrs=read-write"

	_, port, err := net.SplitHostPort(s.ports.take(t))
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	s.nats = brokertest.NATSOn(t, number)
	s.natsLine = newLine(t, "nats", s.ports.take(t), s.nats.Host())
	s.asked = brokertest.NewStream(t, "JOBS", jobsSubject, s.nats)
	s.told = brokertest.NewStream(t, "EVENTS", toldSubject, s.nats)
	s.startPrograms()
	return s
}

// directoryOf is where everything is: a temporary directory, or SWITCHTAPE_CRASH_DIR, which
// stays.
func directoryOf(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("SWITCHTAPE_CRASH_DIR")
	if dir == "" {
		return t.TempDir()
	}
	require.NoError(t, os.MkdirAll(dir, 0o750))
	dir, err := os.MkdirTemp(dir, "crash-*") //nolint:usetesting // it is asked to stay
	require.NoError(t, err)
	return dir
}

// mountSmall makes the small disk. Without it recordings wait on the machine's, which can't
// be filled.
func (s *scene) mountSmall() {
	s.t.Helper()
	at := filepath.Join(s.dir, "small")
	require.NoError(s.t, os.Mkdir(at, 0o700))
	if err := asRoot("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=0777", smallDisk), "tmpfs", at); err != nil {
		const why = "NO SMALL DISK CAN BE MOUNTED, SO NO DISK IS FULL IN THIS TEST: %v. Run it as root, or with a sudo that asks nothing"
		require.NotEqual(s.t, "1", os.Getenv("SWITCHTAPE_REQUIRE_SERVICES"), why, err)
		s.t.Logf(why, err)
		return
	}
	s.small = at
	s.t.Cleanup(func() { require.NoError(s.t, asRoot("umount", at)) })
}

// asRoot runs a command as root.
func asRoot(command ...string) error {
	if os.Getuid() != 0 {
		command = append([]string{"sudo", "-n"}, command...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}

func (s *scene) newBucket(name string) bucket {
	s.t.Helper()
	b := bucket{srv: buckettest.S3Named(s.t, name)}
	before, far, found := strings.Cut(b.srv.URL, "endpoint=http://")
	require.True(s.t, found)
	b.front = newFront(s.t, far)
	b.line = newLine(s.t, name, s.ports.take(s.t), b.front.Listener.Addr().String())
	b.url = before + "endpoint=http://" + b.line.proxy.Listen
	return b
}

const rules = `name: crash
destinations:
  agents: {uri: "sip:agents@pbx.example"}
rules:
  - id: everything
    default: true
    route: [[{to: agents}]]
`

func (s *scene) startPrograms() {
	s.t.Helper()
	file := filepath.Join(s.dir, "rules.yaml")
	require.NoError(s.t, os.WriteFile(file, []byte(rules), 0o600))
	intake := "nats://" + s.natsLine.proxy.Listen + "?stream=JOBS&consumer=switchtape&ack_wait=5s&tenant=" + tenant
	buckets := []string{"--bucket", s.home.url, "--backup-bucket", s.backup.url}
	for i := range apis {
		p := s.program("switchtape-api", i, append(buckets,
			"--rules", file, "--rules-snapshot", s.sub("snapshot", i), "--journal", s.sub("journal", i), "--journal-reserve", "1",
			"--emergency", "sip:psap.example", "--region", "US", "--record-codec", "wav", "--intake", intake)...)
		s.apis = append(s.apis, p)
	}
	for i := range workers {
		spool := s.sub("spool", i)
		if s.small != "" {
			spool = filepath.Join(s.small, fmt.Sprint("spool-", i))
		}
		require.NoError(s.t, os.MkdirAll(spool, 0o700))
		p := s.program("switchtape-worker", i, append(buckets,
			"--legs", s.legs.dir, "--all-legs", "--queues", "default", "--spool-dir", spool, "--spool-reserve", "2MiB", "--bucket-stall", "3s",
			"--finished-dir", s.sub("finished", i), "--concurrency", "2", "--lease-ttl", leaseTTL.String(), "--leg-wait", legWait.String(), "--follow-growing", "0s",
			"--job-timeout", "30s", "--grace", "10s", "--legs-keep", legsKeep.String(), "--publish", "nats://"+s.natsLine.proxy.Listen+"?subject="+toldSubject,
			"--intake", intake)...)
		s.workers = append(s.workers, p)
	}
	for _, p := range s.all() {
		p.start(s.t)
	}
	// The first start of all puts the rules in service, and until then no call is routed:
	// that is no fault to begin with.
	for _, p := range s.apis {
		s.until("the rules", 2*time.Minute, func(ctx context.Context) (bool, string) {
			caller := drill.Caller{Client: http.Client{Timeout: 5 * time.Second}, Service: func() string { return "http://" + p.addr }}
			err := caller.Ask(ctx, "/v1/calls", "", `{"from":"+12025550123","to":"+12125550188"}`)
			return err == nil, fmt.Sprint(err)
		})
	}
}

// sub is the path of a directory that the i-th program may make.
func (s *scene) sub(name string, i int) string { return filepath.Join(s.dir, fmt.Sprint(name, "-", i)) }

func (s *scene) program(exe string, i int, args ...string) *process {
	s.t.Helper()
	name := fmt.Sprint(exe, "-", i)
	p := &process{
		name: name, exe: filepath.Join(s.bin, exe), addr: s.ports.take(s.t),
		log: filepath.Join(s.dir, name+".log"), clock: filepath.Join(s.dir, name+".clock"),
	}
	temp := s.sub(name+"-tmp", 0)
	require.NoError(s.t, os.Mkdir(temp, 0o700))
	p.args = append([]string{"--listen", p.addr, "--db", s.dbURL, "--log-level", "warn"}, args...)
	p.env = append(append(os.Environ(), s.home.srv.Env...), "TMPDIR="+temp, "SWITCHTAPE_MOVED_CLOCK="+p.clock)
	p.setClock(s.t, 0)
	return p
}

func (s *scene) all() []*process { return append(append([]*process(nil), s.apis...), s.workers...) }

// open opens the database, past all lines.
func (s *scene) open() *calldb.DB {
	s.t.Helper()
	s.dbMu.Lock()
	defer s.dbMu.Unlock()
	db, err := calldb.Open(s.t.Context(), s.primary.URL, nil)
	require.NoError(s.t, err)
	return db
}

// until waits until done. After that long the test has failed, by what is missing, and goes
// on, so that its report says all.
func (s *scene) until(what string, within time.Duration, done func(ctx context.Context) (bool, string)) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), within)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, missing := done(ctx)
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Errorf("%s: not within %v: %s", what, within, missing)
			return
		case <-tick.C:
		}
	}
}
