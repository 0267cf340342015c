package worker_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/manifest"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// scene is a call whose leg is still being written, with a ledger in a file, a
// bucket in a directory, and a worker that doesn't wait for legs.
type scene struct {
	r     *recorder
	q     *calldb.DB
	at    string // where the ledger is
	store *storage.Store
	id    callmodel.JobID
	opts  *worker.Options
	log   *logBuffer
}

// growing sets the scene; the leg grows by a few bytes whenever it is read.
func growing(t *testing.T, whole []byte, legs ...record.LegSpec) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{
		r: begin(t, dir, whole, len(whole)/8), at: calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), opts: options(), log: &logBuffer{},
	}
	s.opts.MissingLegWait, s.opts.FollowPause, s.opts.Quiet = -1, 5*time.Millisecond, -1
	s.opts.LeaseTTL = time.Minute // however slow the machine is
	s.opts.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	s.q = s.open(t)
	_, err := s.q.Migrate(t.Context())
	require.NoError(t, err)
	s.store, err = storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: filepath.Join(dir, "bucket")}).String(), &storage.Options{Logger: s.opts.Logger})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.store.Close()) })

	_, err = s.q.CreateCall(t.Context(), storetest.NewCall("c0"))
	require.NoError(t, err)
	sp := spec("c0")
	sp.Legs = append(sp.Legs, legs...)
	if len(legs) > 0 {
		sp.Outputs[0].Layout = record.LayoutStereo
	}
	s.id, _, err = s.q.Enqueue(t.Context(), storetest.RequestOf(sp))
	require.NoError(t, err)
	return s
}

func (s *scene) open(t *testing.T) *calldb.DB {
	t.Helper()
	db, err := calldb.Open(t.Context(), s.at, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// start runs a worker on the scene's ledger, with connections of its own.
func (s *scene) start(t *testing.T, o *worker.Options) (stop func()) {
	t.Helper()
	return start(t, worker.New(s.open(t), recording.NewProcessor(s.r, s.store, nil), o))
}

// publish runs a worker until the leg has been recorded as far as it goes, and
// some turns more, and stops it.
func (s *scene) publish(t *testing.T) record.Result {
	t.Helper()
	turns := make(chan worker.Outcome)
	o := *s.opts
	o.Finished = func(r worker.Report) { turns <- r.Outcome }
	stop := s.start(t, &o)
	require.Equal(t, worker.Published, <-turns)
	for range 3 {
		require.Equal(t, worker.Waiting, <-turns, "it is still growing")
	}
	go func() {
		for range turns { // a turn that was begun ends
		}
	}()
	stop()
	close(turns)

	j, err := s.q.Job(t.Context(), s.id)
	require.NoError(t, err)
	require.Equal(t, ledger.Queued, j.State)
	require.Zero(t, j.Attempts)
	require.True(t, j.Published)
	r := storetest.ResultOf(t, &j)
	require.Equal(t, record.StatusCompletedDegraded, r.Status)
	require.True(t, r.Has(record.DefectLegGrowing), r.Defects)
	require.Contains(t, r.Outputs[0].Key, ".v1.wav")
	s.onCall(t, r)
	require.Equal(t, map[string]int{".wav": 1, ".manifest.json": 1}, s.versions(t), "no version for each bit of growth")
	return *r
}

// ended is a job that came to its end, and its result.
type ended struct {
	ledger.Job

	Result *record.Result
}

// waitDone waits for the job's end.
func (s *scene) waitDone(t *testing.T) ended {
	t.Helper()
	j := waitState(t, s.q, s.id, ledger.Done)
	return ended{j, storetest.ResultOf(t, &j)}
}

// finished runs a worker until the job is done.
func (s *scene) finished(t *testing.T, o *worker.Options) ended {
	t.Helper()
	s.start(t, o)
	j := s.waitDone(t)
	s.onCall(t, j.Result)
	require.Zero(t, j.Attempts)
	return j
}

// onCall checks that the call has this recording, alone, and that its evidence holds.
func (s *scene) onCall(t *testing.T, r *record.Result) {
	t.Helper()
	c, err := s.q.Call(t.Context(), "acme", "c0")
	require.NoError(t, err)
	require.Len(t, c.Recordings, 1)
	require.Equal(t, r.URL(), c.Recordings[0].URL)
	require.Equal(t, r.Manifest, c.Recordings[0].Manifest)
	require.ElementsMatch(t, r.Defects, c.Recordings[0].Defects)
	s.verify(t, r.Manifest.Key, nil)
}

// verify holds the manifest's files against it.
func (s *scene) verify(t *testing.T, key string, legs manifest.Opener) {
	t.Helper()
	m, err := manifest.Parse(bytes.NewReader(s.object(t, key)))
	require.NoError(t, err)
	rep, err := manifest.Verify(t.Context(), m, func(ctx context.Context, name string) (io.ReadCloser, error) {
		return s.store.Open(ctx, path.Join(path.Dir(key), name))
	}, &manifest.VerifyOptions{Legs: legs, Codecs: recording.BuiltinCodecs()})
	require.NoError(t, err)
	require.True(t, rep.OK, "%+v", rep.Files)
	require.NotEmpty(t, rep.Files)
}

func (s *scene) object(t *testing.T, key string) []byte {
	t.Helper()
	f, err := s.store.Open(t.Context(), key)
	require.NoError(t, err)
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return b
}

// versions counts the bucket's objects by what follows their version.
func (s *scene) versions(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	require.NoError(t, s.store.List(t.Context(), "", func(key string, _ int64) bool {
		_, version, _ := strings.Cut(path.Base(key), ".v")
		n["."+strings.SplitN(version, ".", 2)[1]]++
		return true
	}))
	return n
}

// told is the outbox: of each event whether it was provisional.
func (s *scene) told(t *testing.T) (provisional []bool) {
	t.Helper()
	events, err := s.q.OutboxEvents(t.Context(), 0, 100)
	require.NoError(t, err)
	for _, e := range events {
		require.Equal(t, "recording.completed", e.Type)
		provisional = append(provisional, bytes.Contains(e.Body, []byte(`"provisional":true`)))
	}
	return provisional
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
