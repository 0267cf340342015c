package stored_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ stored.Ledger  = (*calldb.DB)(nil)
	_ stored.Objects = (*storage.Store)(nil)
)

// house is a ledger in a file, a bucket in a directory, and a worker that does the kinds.
type house struct {
	db    *calldb.DB
	store *storage.Store
	opts  *worker.Options
	stop  func()
}

func newHouse(t *testing.T) *house {
	t.Helper()
	dir := t.TempDir()
	h := &house{}
	var err error
	h.db, err = calldb.Open(t.Context(), calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.db.Close()) })
	_, err = h.db.Migrate(t.Context())
	require.NoError(t, err)
	store, err := storage.Open(t.Context(), (&url.URL{Scheme: "file", Path: filepath.Join(dir, "bucket")}).String(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	h.store = store
	kinds, err := task.NewKinds(stored.Kinds(stored.NewLibrary(h.db, h.store), &stored.TranscodeOptions{TempDir: t.TempDir()})...)
	require.NoError(t, err)
	h.opts = &worker.Options{AllLegs: true, Kinds: kinds, Concurrency: 2, LeaseTTL: time.Minute, Poll: 5 * time.Millisecond, RetryBase: time.Millisecond, MissingLegWait: -1}
	return h
}

// work has the worker do what there is until the test ends.
func (h *house) work(t *testing.T) {
	t.Helper()
	w := worker.New(h.db, recording.NewProcessor(sampleLegs{}, h.store, nil), h.opts)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(h.stop)
}

// sampleLegs are the legs of a call made of real speech.
type sampleLegs struct{}

func (sampleLegs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	switch uri {
	case "agent.wav":
		return io.NopCloser(bytes.NewReader(samplecall.Agent())), nil
	case "customer.wav":
		return io.NopCloser(bytes.NewReader(samplecall.Customer())), nil
	}
	return nil, fs.ErrNotExist
}

var (
	begun   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	outputs = []record.OutputSpec{
		{Codec: record.CodecMP3, Layout: record.LayoutMono, BitrateBps: 32000},
		{Codec: record.CodecFLAC, Layout: record.LayoutStereo},
		{Codec: record.CodecPeaksJSON, Layout: record.LayoutStereo},
	}
)

// end has a call of the tenant end that is recorded.
func (h *house) end(t *testing.T, tenant callmodel.TenantID, id string, legs ...record.LegSpec) {
	t.Helper()
	n := storetest.NewCall(id)
	n.Call.TenantID, n.Call.CreatedAt = tenant, begun
	_, err := h.db.CreateCall(t.Context(), n)
	require.NoError(t, err)
	if legs == nil {
		legs = []record.LegSpec{record.NewLeg("agent", "agent.wav"), record.NewLeg("customer", "customer.wav").At(2 * time.Second)}
	}
	for _, ev := range []calls.Event{
		{ID: "e1", Type: calls.EventAnswered, At: begun},
		{ID: "e2", Type: calls.EventEnded, At: begun.Add(time.Minute), Legs: legs},
	} {
		_, err := h.db.AppendEvent(t.Context(), tenant, callmodel.CallID(id), ev, "pbx", outputs)
		require.NoError(t, err)
	}
}

// recorded is end, and the recording's job once it is done.
func (h *house) recorded(t *testing.T, tenant callmodel.TenantID, id string, legs ...record.LegSpec) ledger.Job {
	t.Helper()
	h.end(t, tenant, id, legs...)
	list, err := h.db.Jobs(t.Context(), ledger.Filter{TenantID: tenant, CallID: callmodel.CallID(id), Kind: record.Kind})
	require.NoError(t, err)
	require.Len(t, list, 1)
	return h.ends(t, list[0].ID)
}

// job enqueues a job of the tenant acme.
func (h *house) job(t *testing.T, kind, key string, payload any) callmodel.JobID {
	t.Helper()
	b, err := json.Marshal(payload)
	require.NoError(t, err)
	r := ledger.Request{Kind: kind, TenantID: "acme", Key: key, Payload: b}
	require.NoError(t, h.opts.Kinds.Check(&r))
	id, _, err := h.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	return id
}

// ends waits for the job's end.
func (h *house) ends(t *testing.T, id callmodel.JobID) ledger.Job {
	t.Helper()
	var j ledger.Job
	require.Eventually(t, func() bool {
		var err error
		j, err = h.db.Job(context.WithoutCancel(t.Context()), id)
		require.NoError(t, err)
		return j.State == ledger.Done || j.State == ledger.Quarantined
	}, 60*time.Second, 2*time.Millisecond, "job %s", id)
	return j
}

// done is the result of a job that came to one.
func done[R any](t *testing.T, h *house, id callmodel.JobID) (r R) {
	t.Helper()
	j := h.ends(t, id)
	require.Equal(t, ledger.Done, j.State, j.LastError)
	require.NoError(t, json.Unmarshal(j.Result, &r))
	return r
}

func (h *house) read(t *testing.T, key string) []byte {
	t.Helper()
	in, err := h.store.Open(t.Context(), key)
	require.NoError(t, err)
	defer in.Close()
	b, err := io.ReadAll(in)
	require.NoError(t, err)
	return b
}

// spoil changes a byte of an object behind the ledger's back, or takes the object away.
func (h *house) spoil(t *testing.T, key string, remove bool) {
	t.Helper()
	path := h.store.LocalPath(key)
	require.FileExists(t, path)
	if remove {
		require.NoError(t, os.Remove(path))
		return
	}
	require.NoError(t, os.Chmod(path, 0o600))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
}

func result(t *testing.T, j *ledger.Job) *record.Result {
	t.Helper()
	r, err := record.ResultOf(j)
	require.NoError(t, err)
	require.NotNil(t, r)
	return r
}

func ofCall(id string) stored.Source { return stored.Source{CallID: callmodel.CallID(id)} }

// keys are all objects of the bucket.
func (h *house) keys(t *testing.T) (keys []string) {
	t.Helper()
	require.NoError(t, h.store.List(t.Context(), "", func(key string, _ int64) bool {
		keys = append(keys, key)
		return true
	}))
	return keys
}
