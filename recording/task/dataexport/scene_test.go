package dataexport_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"
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
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/recording/worker"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

var (
	_ dataexport.Source  = (*calldb.DB)(nil)
	_ dataexport.Ledger  = (*calldb.DB)(nil)
	_ dataexport.Clock   = (*calldb.DB)(nil)
	_ dataexport.Source  = (*memdb.Store)(nil)
	_ dataexport.Ledger  = (*memdb.Store)(nil)
	_ dataexport.Objects = (*storage.Store)(nil)
	_ dataexport.Place   = (*storage.Store)(nil)
	_ dataexport.Remover = (*storage.Store)(nil)
)

// begun is when the calls were made.
var begun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// house is a ledger in a file, and a bucket in a directory.
type house struct {
	dir   string
	db    *calldb.DB
	store *storage.Store
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h, err := openHouse(t.Context(), t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, h.store.Close())
		require.NoError(t, h.db.Close())
	})
	return h
}

func openHouse(ctx context.Context, dir string) (*house, error) {
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), &calldb.Options{BusyTimeout: time.Minute})
	if err != nil {
		return nil, err
	}
	if _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	store, err := storage.Open(ctx, (&url.URL{Scheme: "file", Path: filepath.Join(dir, "bucket")}).String(), nil)
	return &house{dir: dir, db: db, store: store}, err
}

// exporter exports what the house has.
func (h *house) exporter() *dataexport.Exporter { return dataexport.NewExporter(h.db, h.db, h.store) }

// work has a worker do the jobs until the test ends.
func (h *house) work(t *testing.T) {
	t.Helper()
	all := append(stored.Kinds(stored.NewLibrary(h.db, h.store), &stored.TranscodeOptions{TempDir: t.TempDir()}),
		h.exporter().Kind(h.store), dataexport.Delete(h.db, h.store))
	kinds, err := task.NewKinds(all...)
	require.NoError(t, err)
	w := worker.New(h.db, recording.NewProcessor(sampleLegs{}, h.store, nil), &worker.Options{
		AllLegs: true, Queues: []string{"default", "pbx-1"}, Kinds: kinds, Concurrency: 2, LeaseTTL: time.Minute, Poll: 5 * time.Millisecond, RetryBase: time.Millisecond, MissingLegWait: -1, FollowGrowing: -1,
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
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

// newCall is a call of the tenant between these numbers.
func newCall(tenant callmodel.TenantID, id, from, to string, at time.Time) calls.NewCall {
	n := storetest.NewCall(id)
	n.Call.TenantID, n.Call.CreatedAt = tenant, at
	n.Call.From, n.Call.To = calls.Party{Number: from}, calls.Party{Number: to}
	return n
}

// end has a call end that is recorded of these legs.
func (h *house) end(t *testing.T, n calls.NewCall, legs ...string) {
	t.Helper()
	_, err := h.db.CreateCall(t.Context(), n)
	require.NoError(t, err)
	var list []record.LegSpec
	for _, l := range legs {
		list = append(list, record.NewLeg(strings.TrimSuffix(l, ".wav"), l))
	}
	for _, ev := range []calls.Event{
		{ID: "e1", Type: calls.EventAnswered, At: begun},
		{ID: "e2", Type: calls.EventEnded, At: begun.Add(time.Minute), Legs: list},
	} {
		_, err := h.db.AppendEvent(t.Context(), n.Call.TenantID, n.Call.ID, ev, "pbx", []record.OutputSpec{
			{Codec: record.CodecMulaw, Layout: record.LayoutMono}, {Codec: record.CodecPeaksJSON, Layout: record.LayoutMono},
		})
		require.NoError(t, err)
	}
}

// job enqueues a job.
func (h *house) job(t *testing.T, tenant callmodel.TenantID, call, kind, key string, payload any) callmodel.JobID {
	t.Helper()
	b, err := json.Marshal(payload)
	require.NoError(t, err)
	id, _, err := h.db.Enqueue(t.Context(), ledger.Request{Kind: kind, TenantID: tenant, CallID: callmodel.CallID(call), Key: key, Payload: b})
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

// recorded waits until the call's recording is at its end.
func (h *house) recorded(t *testing.T, tenant callmodel.TenantID, call string) ledger.Job {
	t.Helper()
	list, err := h.db.Jobs(t.Context(), ledger.Filter{TenantID: tenant, CallID: callmodel.CallID(call), Kind: record.Kind})
	require.NoError(t, err)
	require.Len(t, list, 1)
	return h.ends(t, list[0].ID)
}

// export makes an export without a job.
func (h *house) export(t *testing.T, tenant callmodel.TenantID, key string, p dataexport.Payload) dataexport.Exported {
	t.Helper()
	require.NoError(t, p.Validate())
	now, err := h.db.Now(t.Context())
	require.NoError(t, err)
	return h.exportAsOf(t, tenant, key, p, now)
}

func (h *house) exportAsOf(t *testing.T, tenant callmodel.TenantID, key string, p dataexport.Payload, asOf time.Time) dataexport.Exported {
	t.Helper()
	e, err := h.exporter().Export(t.Context(), h.store, &dataexport.Request{TenantID: tenant, Key: key, Attempt: "1", AsOf: asOf, Payload: p})
	require.NoError(t, err)
	return e
}

func (h *house) read(t *testing.T, key string) []byte {
	t.Helper()
	in, err := h.store.Open(t.Context(), key)
	require.NoError(t, err, key)
	b, err := io.ReadAll(in)
	require.NoError(t, err)
	require.NoError(t, in.Close())
	return b
}

// keys are the objects below the prefix.
func (h *house) keys(t *testing.T, prefix string) (keys []string) {
	t.Helper()
	require.NoError(t, h.store.List(t.Context(), prefix, func(key string, _ int64) bool {
		keys = append(keys, key)
		return true
	}))
	return keys
}

// index is the index of a part, as far as tests look at it.
type index struct {
	Export, Of, Number string
	Part               int
	Notes              []string
	Files              []dataexport.File
	Missing            []dataexport.Missing
}

// opened is an export with all that is in its parts.
type opened struct {
	files   map[string][]byte // without the indexes
	missing []dataexport.Missing
	pages   []string
	perPart []int
}

// open reads an export, and holds every file against the index that names it.
func (h *house) open(t *testing.T, e *dataexport.Exported) opened {
	t.Helper()
	o := opened{files: map[string][]byte{}}
	for i := range e.Parts {
		p := &e.Parts[i]
		b := h.read(t, p.Object)
		require.EqualValues(t, len(b), p.Bytes)
		require.Equal(t, sum(b), p.SHA256)
		in, page, content := unzip(t, b)
		require.Equal(t, i+1, in.Part)
		require.Len(t, content, len(in.Files), "every file is in the index, and none more")
		require.EqualValues(t, len(in.Files), p.Files)
		require.EqualValues(t, len(in.Missing), p.Missing)
		for _, f := range in.Files {
			require.Equal(t, f.SHA256, sum(content[f.Path]), f.Path)
			require.EqualValues(t, len(content[f.Path]), f.Bytes)
			require.NotContains(t, o.files, f.Path, "no file is in two parts")
			o.files[f.Path] = content[f.Path]
		}
		o.missing, o.pages, o.perPart = append(o.missing, in.Missing...), append(o.pages, page), append(o.perPart, len(in.Files))
	}
	return o
}

func unzip(t *testing.T, b []byte) (in index, page string, files map[string][]byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	files = map[string][]byte{}
	for _, f := range z.File {
		require.True(t, fs.ValidPath(f.Name), f.Name)
		r, err := f.Open()
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		switch f.Name {
		case "index.json":
			require.NoError(t, json.Unmarshal(content, &in))
		case "index.html":
			page = string(content)
		default:
			files[f.Name] = content
			if strings.Contains(f.Name, "/recordings/") {
				require.Equal(t, zip.Store, f.Method, "%s is not deflated", f.Name)
			}
		}
	}
	return in, page, files
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// names are the files that begin so.
func (o *opened) names(prefix string) (names []string) {
	for name := range o.files {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	return names
}

// lines are the values of the files that begin so.
func lines[T any](t *testing.T, o *opened, prefix string) (list []T) {
	t.Helper()
	for _, name := range o.names(prefix) {
		for line := range bytes.Lines(o.files[name]) {
			var v T
			require.NoError(t, json.Unmarshal(line, &v))
			list = append(list, v)
		}
	}
	return list
}

// jobOf is the job of a lease, as kinds get it.
func jobOf(l *ledger.Lease) *task.Job { return &task.Job{Job: l.Job, Token: l.Token} }
