package dataexport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/task/dataexport"
)

// exporterDir makes the test binary an exporter of that directory, until it is killed.
const exporterDir = "SWITCHTAPE_TEST_EXPORTER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(exporterDir); dir != "" {
		if err := exportAll(context.Background(), dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// exportAll claims the export's job and does it, as a worker does.
func exportAll(ctx context.Context, dir string) error {
	h, err := openHouse(ctx, dir)
	if err != nil {
		return err
	}
	kind := h.exporter().Kind(h.store)
	for {
		leases, err := h.db.Claim(ctx, ledger.Claim{Worker: fmt.Sprint(os.Getpid()), Kinds: []string{dataexport.Kind}, TTL: 200 * time.Millisecond})
		if err != nil || len(leases) == 0 {
			return err
		}
		fmt.Println("exporting")
		o, err := kind.Do(ctx, jobOf(&leases[0]))
		if err != nil {
			return err
		}
		if _, err := h.db.Extend(ctx, leases[0], time.Minute); err != nil {
			return err
		}
		if err := h.db.Complete(ctx, leases[0], o); err != nil {
			return err
		}
	}
}

// TestKilled: an export whose process is killed again and again comes to its end, with
// every call once, and with one event.
func TestKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	h := newHouse(t)
	const n = 60
	for i := range n {
		c := newCall("acme", fmt.Sprintf("c%03d", i), alice, bob, begun.Add(time.Duration(i)*time.Second))
		c.Call.Metadata = map[string]string{"noise": noise(40 << 10)}
		_, err := h.db.CreateCall(t.Context(), c)
		require.NoError(t, err)
	}
	id := h.job(t, "acme", "", dataexport.Kind, "x1", dataexport.Payload{Of: dataexport.OfTenant, PartBytes: 200_000})
	kills := 0
	for try := 0; ; try++ {
		require.Less(t, try, 200)
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), exporterDir+"="+h.dir)
		var says strings.Builder
		cmd.Stderr = &says
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		if line, _ := bufio.NewReader(out).ReadString('\n'); line != "" && kills < 8 {
			time.Sleep(time.Duration(2+3*kills) * time.Millisecond) // the instant is any
			_ = cmd.Process.Kill()
		}
		err = cmd.Wait()
		if err != nil && says.Len() == 0 {
			kills++
		}
		j, err := h.db.Job(t.Context(), id)
		require.NoError(t, err)
		if j.State == ledger.Done {
			break
		}
		if j.State == ledger.Quarantined { // three that died alone were enough; a person puts it back
			require.NoError(t, h.db.Retry(t.Context(), id, "ann"))
		}
		time.Sleep(50 * time.Millisecond) // until the lease is over
	}
	t.Logf("%d kills", kills)
	j := h.ends(t, id)
	var e dataexport.Exported
	require.NoError(t, json.Unmarshal(j.Result, &e))
	o := h.open(t, &e)
	require.Len(t, o.names("calls/"), 2*n)
	require.EqualValues(t, n, e.Counts.Calls)
	events := h.events(t, outbox.ExportCompleted)
	require.Len(t, events, 1)
}

// events are those of the outbox of that type.
func (h *house) events(t *testing.T, kind string) (list []callmodel.OutboxEvent) {
	t.Helper()
	all, err := h.db.OutboxEvents(t.Context(), 0, 1000)
	require.NoError(t, err)
	for i := range all {
		if all[i].Type == kind {
			list = append(list, all[i])
		}
	}
	return list
}

// TestJobs: an export is told of, without its number, and is deleted when it expires.
func TestJobs(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, err := h.db.CreateCall(t.Context(), newCall("acme", "c1", alice, bob, begun))
	require.NoError(t, err)
	h.work(t)
	j := h.ends(t, h.job(t, "acme", "", dataexport.Kind, "x1", dataexport.Payload{Of: dataexport.OfNumber, Number: alice, KeepDays: 3}))
	require.Equal(t, ledger.Done, j.State, j.LastError)
	var e dataexport.Exported
	require.NoError(t, json.Unmarshal(j.Result, &e))
	require.Equal(t, record.StatusCompleted, e.Status)
	require.True(t, e.ExpiresAt.Equal(j.CreatedAt.Add(3*24*time.Hour)))
	events := h.events(t, outbox.ExportCompleted)
	require.Len(t, events, 1)
	require.NotContains(t, string(events[0].Body), alice)
	require.Contains(t, string(events[0].Body), e.Index.SHA256)
	lines, err := h.db.AuditEvents(t.Context(), "acme", 0, 100)
	require.NoError(t, err)
	told := false
	for _, l := range lines {
		if l.Action == callmodel.AuditJobCompleted && l.Subject == string(j.ID) {
			told = true
			require.Equal(t, "number", l.Detail["of"])
			require.Equal(t, e.Index.SHA256, l.Detail["index_sha256"])
		}
	}
	require.True(t, told)

	waits, err := h.db.Jobs(t.Context(), ledger.Filter{Kind: dataexport.KindDelete})
	require.NoError(t, err)
	require.Len(t, waits, 1)
	require.Equal(t, "x1", waits[0].Key)
	clock := &setClock{}
	clock.at.Store(e.ExpiresAt.Add(-time.Second).UnixMicro())
	kind := dataexport.Delete(clock, h.store)
	_, err = kind.Do(t.Context(), jobOf(&ledger.Lease{Job: waits[0]}))
	require.ErrorContains(t, err, "is kept until")
	require.NotEmpty(t, h.keys(t, "acme/exports/x1/"))
	clock.at.Store(e.ExpiresAt.UnixMicro())
	for range 2 { // again is no error
		_, err = kind.Do(t.Context(), jobOf(&ledger.Lease{Job: waits[0]}))
		require.NoError(t, err)
		require.Empty(t, h.keys(t, "acme/exports/"))
	}
	require.Empty(t, h.keys(t, ""), "nothing is left, and nothing beside it was there")
}

// setClock says what it was set to.
type setClock struct{ at atomic.Int64 }

func (c *setClock) Now(context.Context) (time.Time, error) { return time.UnixMicro(c.at.Load()), nil }

// TestManyCalls: the memory that an export takes doesn't grow with what it has.
func TestManyCalls(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	h := newHouse(t)
	const n = 10_000
	var group sync.WaitGroup
	for w := range 32 {
		group.Go(func() {
			for i := w; i < n; i += 32 {
				c := newCall("acme", fmt.Sprintf("c%05d", i), alice, bob, begun.Add(time.Duration(i)*time.Second))
				if _, err := h.db.CreateCall(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	now, err := h.db.Now(t.Context())
	require.NoError(t, err)
	p := &sampled{Place: h.store, sample: func() { most = max(most, heap()) }}
	began := time.Now()
	e, err := h.exporter().Export(t.Context(), p, &dataexport.Request{
		TenantID: "acme", Key: "x1", Attempt: "1", AsOf: now, Payload: dataexport.Payload{Of: dataexport.OfTenant, PartBytes: 1 << 20},
	})
	require.NoError(t, err)
	require.EqualValues(t, n, e.Counts.Calls)
	require.Greater(t, len(e.Parts), 3)
	grown := int64(most) - int64(before)
	t.Logf("%d calls in %d parts, %d bytes, in %v; the heap grew by %d KiB at most", n, len(e.Parts), e.Bytes, time.Since(began), grown>>10)
	require.Less(t, grown, int64(48<<20))
}

// sampled looks at the memory whenever a part was stored.
type sampled struct {
	dataexport.Place

	sample func()
}

func (s *sampled) PutNamed(ctx context.Context, name string, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	return s.Place.PutNamed(ctx, name, m, func(w io.Writer) error {
		err := write(w)
		s.sample()
		return err
	})
}

// TestDir: an export to a directory, or to a file, has no names of a bucket, and isn't
// overwritten.
func TestDir(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.end(t, newCall("acme", "c1", alice, bob, begun), "agent.wav")
	h.work(t)
	h.recorded(t, "acme", "c1")
	now, err := h.db.Now(t.Context())
	require.NoError(t, err)
	r := &dataexport.Request{
		TenantID: "acme", Key: "x1", Attempt: "1", AsOf: now, Flat: true,
		Payload: dataexport.Payload{Of: dataexport.OfTenant, PartBytes: dataexport.MinPartBytes},
	}
	e := dataexport.NewExporter(h.db, nil, h.store)
	to, err := dataexport.NewDir(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	for range 2 {
		done, err := e.Export(t.Context(), to, r)
		require.NoError(t, err)
		require.Greater(t, len(done.Parts), 1)
		b, err := os.ReadFile(strings.TrimPrefix(done.Parts[0].URL, "file://"))
		if done.Parts[0].URL != "" {
			require.NoError(t, err)
			require.Equal(t, done.Parts[0].SHA256, sum(b))
		}
	}
	_, err = e.Export(t.Context(), dataexport.NewFile(filepath.Join(t.TempDir(), "a.zip")), r)
	require.Equal(t, callmodel.CodeTooLarge, callmodel.CodeOf(err))
	r.Payload = dataexport.Payload{Of: dataexport.OfCall, CallID: "c1"}
	file := filepath.Join(t.TempDir(), "call.zip")
	done, err := e.Export(t.Context(), dataexport.NewFile(file), r)
	require.NoError(t, err)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, done.Parts[0].SHA256, sum(b))
	_, _, files := unzip(t, b)
	require.Contains(t, files, "calls/c1/call.json")
	list, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, list, 1, "nothing but the file")
	r.AsOf = now.Add(time.Hour)
	_, err = e.Export(t.Context(), dataexport.NewFile(file), r)
	require.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err), "what is there isn't overwritten")
}
