package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake/spool"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// scene is a tree, a ledger, and a stopwatch that stands still.
type scene struct {
	dir string
	db  *memdb.Store
	now time.Time
	log bytes.Buffer
	o   spool.Options
}

func newScene(t *testing.T, naming string) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir(), db: memdb.New(time.Now), now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)}
	patterns, err := spool.Patterns(naming)
	require.NoError(t, err)
	s.o = spool.Options{
		Patterns: patterns, Tenant: "acme", Outputs: []record.OutputSpec{{Codec: record.CodecMP3}},
		Quiet: 10 * time.Second, Wait: time.Minute, Now: func() time.Time { return s.now }, Logger: slog.New(slog.NewTextHandler(&s.log, nil)),
	}
	return s
}

func (s *scene) open(t *testing.T) *spool.Spool {
	t.Helper()
	sp, err := spool.New(s.dir, s.db, &s.o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, sp.Close()) })
	return sp
}

// put writes files below the tree.
func (s *scene) put(t *testing.T, content string, names ...string) {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(s.dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

// after sweeps once so much later.
func (s *scene) after(t *testing.T, sp *spool.Spool, d time.Duration) {
	t.Helper()
	s.now = s.now.Add(d)
	require.NoError(t, sp.Sweep(t.Context()))
}

// specs are those of all jobs, by their first legs' files.
func (s *scene) specs(t *testing.T) map[string]record.Spec {
	t.Helper()
	all := map[string]record.Spec{}
	for after := callmodel.JobID(""); ; {
		jobs, err := s.db.Jobs(t.Context(), ledger.Filter{Limit: 1000, After: after})
		require.NoError(t, err)
		for i := range jobs {
			spec, err := record.SpecOf(&jobs[i])
			require.NoError(t, err)
			first := spec.Legs[0].Segments[0].URI
			require.NotContains(t, all, first, "twice")
			all[first] = spec
			after = jobs[i].ID
		}
		if len(jobs) == 0 {
			return all
		}
	}
}

// count is how many jobs there are.
func (s *scene) count(t *testing.T) int { t.Helper(); return len(s.specs(t)) }

func legsOf(s record.Spec) []string {
	var legs []string
	for _, l := range s.Legs {
		for _, seg := range l.Segments {
			legs = append(legs, l.Name+"="+seg.URI)
		}
	}
	return legs
}

// A call is handed over once its files have stayed as they are for a while, by looking
// at them: not before, and once.
func TestQuietCallsAreHandedOver(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	sp := s.open(t)
	const in, out = "2026/11/Müller & *97 5-in.wav", "2026/11/Müller & *97 5-out.wav"
	s.put(t, "some", in, out)
	// Whatever the clock of whoever wrote them says.
	for _, name := range []string{in, out} {
		require.NoError(t, os.Chtimes(filepath.Join(s.dir, name), time.Time{}, s.now.Add(time.Hour)))
	}
	s.after(t, sp, 0)
	s.after(t, sp, 9*time.Second)
	assert.Empty(t, s.specs(t))
	s.put(t, "some more", out)
	s.after(t, sp, time.Second)
	s.after(t, sp, 9*time.Second)
	assert.Empty(t, s.specs(t), "one was still being written")
	assert.Equal(t, spool.Stats{Pending: 1}, sp.Stats())
	s.after(t, sp, time.Second)
	spec := s.specs(t)[in]
	assert.Equal(t, []string{"in=" + in, "out=" + out}, legsOf(spec))
	assert.Equal(t, callmodel.TenantID("acme"), spec.TenantID)
	assert.Regexp(t, `^M-ller-*97-5-[0-9a-f]{16}$`, string(spec.CallID))
	assert.Equal(t, record.LayoutStereo, spec.Outputs[0].Layout)
	for range 3 {
		s.after(t, sp, time.Minute)
	}
	assert.Equal(t, 1, s.count(t))
	assert.Equal(t, spool.Stats{HandedOver: 1}, sp.Stats())
}

// A leg that is not there is waited for, and then named: the worker follows it.
func TestTheOtherLegMayComeLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	sp := s.open(t)
	s.put(t, "x", "a-in.wav", "B-OUT.WAV")
	s.after(t, sp, 0)
	s.after(t, sp, 59*time.Second)
	assert.Empty(t, s.specs(t))
	s.after(t, sp, time.Second)
	all := s.specs(t)
	require.Len(t, all, 2)
	assert.Equal(t, []string{"in=a-in.wav", "out=a-out.wav"}, legsOf(all["a-in.wav"]))
	assert.Equal(t, []string{"in=B-IN.WAV", "out=B-OUT.WAV"}, legsOf(all["B-IN.WAV"]))
	s.put(t, "x", "a-out.wav")
	s.after(t, sp, time.Second)
	s.after(t, sp, time.Minute)
	assert.Equal(t, 2, s.count(t))
	assert.Equal(t, spool.Stats{HandedOver: 2}, sp.Stats(), "it isn't news")
}

// A leg that nothing foretold is said to be late; with a number of legs it is waited for.
func TestLateLegs(t *testing.T) {
	t.Parallel()
	for legs, want := range map[int]spool.Stats{0: {HandedOver: 1, Late: 1}, 2: {HandedOver: 1}} {
		s := newScene(t, "{call}-{leg}.wav")
		s.o.Legs = legs
		sp := s.open(t)
		s.put(t, "x", "5-agent.wav")
		s.after(t, sp, 0)
		s.after(t, sp, 11*time.Second)
		s.put(t, "x", "5-customer.wav")
		s.after(t, sp, 0)
		s.after(t, sp, 11*time.Second)
		s.after(t, sp, time.Second)
		assert.Equal(t, want, sp.Stats(), "%d legs", legs)
	}
}

// A file that is taken away before its call is handed over, and one that is replaced.
func TestFilesThatGo(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	sp := s.open(t)
	s.put(t, "x", "a-in.wav", "a-out.wav", "b-in.wav", "b-out.wav")
	s.after(t, sp, 0)
	require.NoError(t, os.Remove(filepath.Join(s.dir, "a-in.wav")))
	require.NoError(t, os.Remove(filepath.Join(s.dir, "a-out.wav")))
	s.put(t, "y, and more", "new")
	require.NoError(t, os.Rename(filepath.Join(s.dir, "new"), filepath.Join(s.dir, "b-in.wav")))
	s.after(t, sp, 10*time.Second)
	assert.Empty(t, s.specs(t), "b was replaced, a is gone")
	s.after(t, sp, 10*time.Second)
	assert.Contains(t, s.specs(t), "b-in.wav")
	assert.Equal(t, 1, s.count(t))
	s.put(t, "another one under the name", "b-in.wav")
	s.after(t, sp, 0)
	s.after(t, sp, time.Minute)
	assert.Equal(t, 1, s.count(t), "of a call that is handed over")
}

// Where files are renamed when they are whole nothing is waited for.
func TestRenamedFiles(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Renamed = true
	sp := s.open(t)
	s.put(t, "x", "a-in.wav.part", "a-out.wav", ".b-in.wav", ".b-out.wav")
	s.after(t, sp, 0)
	assert.Empty(t, s.specs(t))
	require.NoError(t, os.Rename(filepath.Join(s.dir, "a-in.wav.part"), filepath.Join(s.dir, "a-in.wav")))
	s.after(t, sp, 0)
	assert.Equal(t, 1, s.count(t))
}

// The mapping says whose a call is, and files of nobody's, links and pipes are left.
func TestOnlyTheMappingSaysWhoseACallIs(t *testing.T) {
	t.Parallel()
	s := newScene(t, "fusionpbx")
	s.o.Tenant, s.o.Below = "", "pbx"
	s.o.Tenants = map[string]callmodel.TenantID{"a.example": "acme", "b.example": "beta"}
	s.o.OutputsOf = map[callmodel.TenantID][]record.OutputSpec{"beta": {{Codec: record.CodecFLAC}}}
	sp := s.open(t)
	const day = "/archive/2026/Nov/29/"
	outside := filepath.Join(t.TempDir(), "x.wav")
	require.NoError(t, os.WriteFile(outside, nil, 0o600))
	s.put(t, "x", "a.example"+day+"1.wav", "b.example"+day+"1.wav", "c.example"+day+"1.wav", "a.example"+day+"notes.txt", "b.example"+day+"1.json")
	require.NoError(t, os.Symlink(outside, filepath.Join(s.dir, "a.example"+day+"2.wav")))
	require.NoError(t, os.Symlink(filepath.Join(s.dir, "b.example"+day+"1.wav"), filepath.Join(s.dir, "a.example"+day+"3.wav")))
	require.NoError(t, os.Symlink(filepath.Dir(outside), filepath.Join(s.dir, "d.example")))
	s.put(t, `{"tenant_id":"acme","call_id":"from-json","span_ms":1500,"legs":{"call":{"name":"both"}}}`, "b.example"+day+"1.json")
	s.after(t, sp, 0)
	s.after(t, sp, 10*time.Second)
	all := s.specs(t)
	require.Len(t, all, 2)
	a, b := all["pbx/a.example"+day+"1.wav"], all["pbx/b.example"+day+"1.wav"]
	assert.Equal(t, callmodel.TenantID("acme"), a.TenantID)
	assert.Equal(t, callmodel.TenantID("beta"), b.TenantID, "the JSON isn't asked")
	assert.Equal(t, "pbx/a.example", a.LegsBelow)
	assert.Equal(t, time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), a.StartedAt)
	assert.Equal(t, record.CodecFLAC, b.Outputs[0].Codec)
	assert.Equal(t, record.LayoutMono, b.Outputs[0].Layout)
	assert.Equal(t, callmodel.CallID("from-json"), b.CallID)
	assert.Equal(t, 1500*time.Millisecond, b.Span)
	assert.Equal(t, "both", b.Legs[0].Name)
	assert.NotEqual(t, a.RecordingID, b.RecordingID)
	assert.EqualValues(t, 5, sp.Stats().Left, "c's, the text, three links: %s", &s.log)
}

// Offsets are those of the names, and segments come in their order.
func TestSegmentsAndOffsets(t *testing.T) {
	t.Parallel()
	s := newScene(t, "{call}_{leg}_{segment}_{legtime:20060102-150405}.{ext}")
	sp := s.open(t)
	s.put(t, "x", "c_b_2_20261129-100030.ulaw", "c_b_1_20261129-100002.ulaw", "c_a_1_20261129-100000.ulaw")
	s.after(t, sp, 0)
	s.after(t, sp, 10*time.Second)
	spec := s.specs(t)["c_a_1_20261129-100000.ulaw"]
	require.Len(t, spec.Legs, 2)
	assert.Equal(t, []record.SegmentSpec{
		{URI: "c_b_1_20261129-100002.ulaw", Offset: 2 * time.Second, Raw: &record.RawFormat{Encoding: "mulaw", SampleRateHz: 8000}},
		{URI: "c_b_2_20261129-100030.ulaw", Offset: 30 * time.Second, Raw: &record.RawFormat{Encoding: "mulaw", SampleRateHz: 8000}},
	}, spec.Legs[1].Segments)
	assert.Equal(t, time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC), spec.StartedAt)
}

// flaky is a ledger that is away at times.
type flaky struct {
	*memdb.Store

	mu    sync.Mutex
	calls int
	away  func(call int) bool
}

func (f *flaky) Enqueue(ctx context.Context, r ledger.Request) (callmodel.JobID, bool, error) {
	f.mu.Lock()
	f.calls++
	call := f.calls
	away := f.away(call)
	f.mu.Unlock()
	if !away {
		return f.Store.Enqueue(ctx, r)
	}
	if call%2 == 0 { // it did, and nobody was told
		_, _, _ = f.Store.Enqueue(ctx, r)
	}
	return "", false, callmodel.Errorf(callmodel.CodeUnavailable, "away")
}

// A restart at any point makes none twice and loses none, with the index and without.
func TestRestarts(t *testing.T) {
	t.Parallel()
	const calls = 300
	for name, index := range map[string]bool{"with the index": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, "asterisk")
			if index {
				s.o.Index = filepath.Join(t.TempDir(), "a", "index")
			}
			db := &flaky{Store: s.db, away: func(call int) bool { return call%7 == 0 || call%7 == 4 }}
			for i := range calls {
				s.put(t, "x", fmt.Sprintf("%d/%d-in.wav", i%20, i), fmt.Sprintf("%d/%d-out.wav", i%20, i))
			}
			failed := 0
			for life := 1; life < 40 && len(s.specs(t)) < calls; life++ {
				sp, err := spool.New(s.dir, db, &s.o)
				require.NoError(t, err)
				require.NoError(t, sp.Sweep(t.Context()))
				s.now = s.now.Add(10 * time.Second)
				for range life { // sweeps until it is killed
					if err := sp.Sweep(t.Context()); err != nil {
						failed++
					}
				}
				require.NoError(t, sp.Close())
			}
			assert.Equal(t, calls, s.count(t))
			assert.Positive(t, failed)
			db.away = func(int) bool { return false }
			before := db.calls
			sp, err := spool.New(s.dir, db, &s.o)
			require.NoError(t, err)
			s.after(t, sp, 0)
			s.after(t, sp, time.Minute)
			require.NoError(t, sp.Close())
			assert.Equal(t, calls, s.count(t))
			if !index {
				assert.Equal(t, spool.Stats{Known: calls}, sp.Stats())
				assert.Equal(t, calls, db.calls-before)
			} else {
				assert.Less(t, db.calls-before, calls/2, "those of which it isn't known how they ended")
			}
		})
	}
}

// What a crash has left of the index's last line is passed over.
func TestIndexThatIsCutOff(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Index = filepath.Join(t.TempDir(), "index")
	s.put(t, "x", "a-in.wav", "a-out.wav")
	sweep := func() spool.Stats {
		sp := s.open(t)
		s.after(t, sp, 0)
		s.after(t, sp, 10*time.Second)
		return sp.Stats()
	}
	assert.Equal(t, spool.Stats{HandedOver: 1}, sweep())
	assert.Equal(t, spool.Stats{}, sweep())
	b, err := os.ReadFile(s.o.Index)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.o.Index, append([]byte("no line\n"), b[:len(b)-5]...), 0o600))
	assert.Equal(t, spool.Stats{Known: 1}, sweep())
	assert.Equal(t, spool.Stats{}, sweep(), "it was written on a line of its own")
}

// Two processes over one tree make each call's job once.
func TestTwoSpools(t *testing.T) {
	t.Parallel()
	s := newScene(t, "rtpengine")
	s.o.Index = filepath.Join(t.TempDir(), "index")
	one, two := s.open(t), s.open(t)
	const calls = 500
	for i := range calls {
		s.put(t, "x", fmt.Sprintf("%d@10.0.0.1-%08X.wav", i, i), fmt.Sprintf("%d@10.0.0.1-%08x.wav", i, i+0xa0000000))
	}
	s.after(t, one, 0)
	s.after(t, two, 0)
	s.now = s.now.Add(10 * time.Second)
	var both sync.WaitGroup
	for _, sp := range []*spool.Spool{one, two} {
		both.Go(func() { assert.NoError(t, sp.Sweep(t.Context())) })
	}
	both.Wait()
	assert.Equal(t, calls, s.count(t))
	a, b := one.Stats(), two.Stats()
	assert.EqualValues(t, calls, a.HandedOver+b.HandedOver)
	assert.EqualValues(t, calls, a.Known+b.Known)
}

// Nothing is written into a directory in which no call was seen: it may be where a share
// isn't mounted. Once that is there its index is read.
func TestIndexOfAShareThatIsMountedLater(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Index = filepath.Join(s.dir, ".switchtape", "handed-over")
	s.put(t, "x", "a-in.wav", "a-out.wav")
	sp := s.open(t)
	s.after(t, sp, 0)
	s.after(t, sp, 10*time.Second)
	assert.Equal(t, spool.Stats{HandedOver: 1}, sp.Stats())
	require.NoError(t, os.Rename(s.dir, s.dir+"-share"))
	require.NoError(t, os.Mkdir(s.dir, 0o750))
	sp = s.open(t)
	s.after(t, sp, 0)
	s.after(t, sp, time.Minute)
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	assert.Empty(t, entries)
	require.NoError(t, os.Remove(s.dir))
	require.NoError(t, os.Rename(s.dir+"-share", s.dir))
	s.after(t, sp, 0)
	s.after(t, sp, time.Minute)
	assert.Equal(t, spool.Stats{}, sp.Stats(), "it isn't even asked about")
	assert.Equal(t, 1, s.count(t))
}

// A directory that is away loses nothing, and is no news of files that are gone.
func TestSpoolThatIsAway(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	sp := s.open(t)
	s.put(t, "x", "a-in.wav", "a-out.wav")
	s.after(t, sp, 0)
	require.NoError(t, os.Rename(s.dir, s.dir+"-away"))
	s.now = s.now.Add(time.Minute)
	require.ErrorContains(t, sp.Sweep(t.Context()), "can't be opened")
	require.NoError(t, os.Rename(s.dir+"-away", s.dir))
	s.after(t, sp, 0)
	assert.Equal(t, 1, s.count(t))
}

// No recording can be made of files with such names; others are taken all the same.
func TestNamesThatNoJobCanHave(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	sp := s.open(t)
	s.put(t, "x", "5551234567\n-in.wav", "5551234567\n-out.wav", "M\xfcller-in.wav", "M\xfcller-out.wav", "c-in.wav", "c-out.wav")
	s.after(t, sp, 0)
	s.after(t, sp, 10*time.Second)
	s.after(t, sp, 10*time.Second)
	assert.Equal(t, 1, s.count(t))
	assert.Equal(t, spool.Stats{HandedOver: 1, Refused: 2}, sp.Stats())
	assert.NotContains(t, s.log.String(), "5551234567", "no telephone number stands whole in a log line")
	assert.Contains(t, s.log.String(), "…4567")
}

// Only so many calls are watched at once, and all come to their turn.
func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.MaxPending = 10
	sp := s.open(t)
	for i := range 55 {
		s.put(t, "x", fmt.Sprintf("%d-in.wav", i), fmt.Sprintf("%d-out.wav", i))
	}
	for range 12 { // one to see ten of them, one to hand them over
		s.after(t, sp, 10*time.Second)
		assert.LessOrEqual(t, sp.Stats().Pending, int64(10))
	}
	assert.Equal(t, 55, s.count(t))
}

// The service is told at the start of all that can't be meant.
func TestFaultyOptions(t *testing.T) {
	t.Parallel()
	o := spool.Options{Queue: "a b", Below: "../x", Sidecar: "maybe", Quiet: -1, Tenant: "/"}
	_, err := spool.New("x", nil, &o)
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	var paths []string
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	assert.Equal(t, []string{"below", "json", "outputs", "pattern", "queue", "quiet", "tenant"}, paths)
}
