package lifecycle_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/local"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var (
	_ lifecycle.Ledger = (*calldb.DB)(nil)
	_ lifecycle.Ledger = (*memdb.Store)(nil)
	_ lifecycle.Place  = (*local.Dir)(nil)
	_ lifecycle.Place  = (*storage.Store)(nil)
)

const keep = 7 * 24 * time.Hour

// within is until a test gives up waiting.
const within = 30 * time.Second

// clock is the clock of the ledger and of the machine, which tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// server is a telephone server: its legs, a ledger, and the bucket.
type server struct {
	*clock

	db    *memdb.Store
	legs  string
	dir   *local.Dir
	store *storage.Store
	at    string // of the bucket, on the disk
	opts  lifecycle.Options
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{clock: &clock{at: time.Now()}, legs: t.TempDir(), at: filepath.Join(t.TempDir(), "bucket")}
	s.db, s.dir = memdb.New(s.now), local.NewDir(s.legs)
	t.Cleanup(func() { require.NoError(t, s.dir.Close()) })
	s.store = openStore(t, s.at)
	s.opts = lifecycle.Options{Keep: keep, Now: s.now}
	return s
}

func openStore(t testing.TB, at string) *storage.Store {
	t.Helper()
	store, err := storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: at}).String(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// put writes a leg's file.
func (s *server) put(t testing.TB, uri string, body []byte) string {
	t.Helper()
	path := filepath.Join(s.legs, filepath.FromSlash(uri))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, body, 0o600))
	return path
}

func newSpec(id string, uris ...string) record.Spec {
	s := record.Spec{
		TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Outputs: []record.OutputSpec{{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000}, {Codec: record.CodecFLAC, Layout: record.LayoutMono}},
	}
	for i, uri := range uris {
		s.Legs = append(s.Legs, record.NewLeg([]string{"agent", "customer"}[i], uri))
	}
	return s
}

// call puts the legs of a call on the disk and its job in the ledger.
func (s *server) call(t *testing.T, id string) (job callmodel.JobID, files []string) {
	t.Helper()
	uris := []string{id + "/agent.wav", id + "/customer.wav"}
	files = []string{s.put(t, uris[0], samplecall.Agent()), s.put(t, uris[1], samplecall.Customer())}
	return s.enqueue(t, newSpec(id, uris...)), files
}

func (s *server) enqueue(t *testing.T, spec record.Spec) callmodel.JobID {
	t.Helper()
	r, err := record.NewJob(spec, "", 0)
	require.NoError(t, err)
	id, created, err := s.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	require.True(t, created)
	return id
}

func (s *server) deleter(t *testing.T) *lifecycle.Legs {
	t.Helper()
	l, err := lifecycle.NewLegs(s.db, s.dir, stored.NewLibrary(s.db, s.store), s.opts)
	require.NoError(t, err)
	return l
}

// work has a worker do the kinds, until stop.
func (s *server) work(t *testing.T, kinds ...task.Kind) (stop func()) {
	t.Helper()
	known, err := task.NewKinds(kinds...)
	require.NoError(t, err)
	w := worker.New(s.db, recording.NewProcessor(s.dir, s.store, nil), &worker.Options{
		AllLegs: true, Kinds: known, Concurrency: 2, LeaseTTL: time.Minute, Poll: 2 * time.Millisecond, RetryBase: time.Millisecond, MissingLegWait: -1, FollowGrowing: -1, Quiet: -1,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
}

// record makes the recordings that wait.
func (s *server) record(t *testing.T) {
	t.Helper()
	stop := s.work(t)
	defer stop()
	require.Eventually(t, func() bool {
		q, err := s.db.Stats(t.Context())
		return err == nil && q.ByKind[record.Kind].Queued+q.ByKind[record.Kind].Running == 0
	}, within, 2*time.Millisecond)
}

// deletion is the job that deletes the legs of the recording of that key.
func (s *server) deletion(t *testing.T, key string) *ledger.Job {
	t.Helper()
	jobs, err := s.db.Jobs(t.Context(), ledger.Filter{Kind: lifecycle.KindDeleteLegs})
	require.NoError(t, err)
	for i := range jobs {
		if jobs[i].Key == key {
			return &jobs[i]
		}
	}
	return nil
}

func exists(t testing.TB, paths ...string) bool {
	t.Helper()
	for _, p := range paths {
		if _, err := os.Lstat(p); err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
			return false
		}
	}
	return true
}
