package lifecycle_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/lifecycle"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// sweep is one look that enqueues so many jobs.
func sweep(t *testing.T, l *lifecycle.Legs, want int) {
	t.Helper()
	n, err := l.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, n)
}

func result(t *testing.T, j *ledger.Job) lifecycle.Deleted {
	t.Helper()
	var d lifecycle.Deleted
	require.NoError(t, json.Unmarshal(j.Result, &d))
	return d
}

// Legs are kept for as long as they are to be, and gone then, with a line in the audit log
// that says what was where. Until then they make the same bytes again.
func TestLegsAreDeleted(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	job, files := s.call(t, "c1")
	s.record(t)
	l := s.deleter(t)
	s.advance(keep - time.Hour)
	sweep(t, l, 0)
	require.True(t, exists(t, files...))

	// Processed again, they give what is in the bucket.
	again := newServer(t)
	again.legs, again.dir = s.legs, s.dir
	second := again.enqueue(t, newSpec("c1", "c1/agent.wav", "c1/customer.wav"))
	again.record(t)
	a, b := s.made(t, job), again.made(t, second)
	require.Len(t, a.Outputs, 2)
	for i := range a.Outputs {
		require.Equal(t, a.Outputs[i].SHA256, b.Outputs[i].SHA256)
	}

	s.advance(2 * time.Hour)
	sweep(t, l, 1)
	sweep(t, l, 0)
	defer s.work(t, l.Kind())()
	require.Eventually(t, func() bool { return s.deletion(t, "c1").State == ledger.Done }, within, time.Millisecond)
	for _, f := range files {
		require.False(t, exists(t, f))
	}
	d := result(t, s.deletion(t, "c1"))
	require.Equal(t, record.StatusCompleted, d.Status)
	require.Len(t, d.Files, 2)
	require.EqualValues(t, len(samplecall.Agent())+len(samplecall.Customer()), d.Bytes)
	require.Equal(t, 3, d.Objects, "and the manifest")
	lines, err := s.db.AuditEvents(t.Context(), "acme", 0, 1000)
	require.NoError(t, err)
	last := lines[len(lines)-1]
	require.Equal(t, callmodel.AuditJobCompleted, last.Action)
	require.Equal(t, string(job), last.Detail["job_id"])
	require.Contains(t, last.Detail["files"], "c1/agent.wav (deleted, ")
	sweep(t, s.deleter(t), 0)
}

func (s *server) made(t *testing.T, id callmodel.JobID) *record.Result {
	t.Helper()
	j, err := s.db.Job(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, ledger.Done, j.State, j.LastError)
	r, err := record.ResultOf(&j)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompleted, r.Status)
	return r
}

// What legs are kept for, when they are looked at.
func TestLegsAreKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, s *server, files []string)
		late   bool // it happens once the legs are old
	}{
		"they are young by the machine's clock": {late: true, change: func(t *testing.T, s *server, files []string) {
			t.Helper()
			require.NoError(t, os.Chtimes(files[0], s.now(), s.now()))
		}},
		"they have other bytes": {late: true, change: func(t *testing.T, _ *server, files []string) {
			t.Helper()
			info, err := os.Stat(files[1])
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(files[1], []byte(strings.Repeat("x", int(info.Size()))), 0o600))
			require.NoError(t, os.Chtimes(files[1], info.ModTime(), info.ModTime()))
		}},
		"one is a symbolic link": {late: true, change: func(t *testing.T, s *server, files []string) {
			t.Helper()
			require.NoError(t, os.Rename(files[0], filepath.Join(s.legs, "elsewhere.wav")))
			require.NoError(t, os.Symlink("../elsewhere.wav", files[0]))
		}},
		"a leg is missing": {change: func(t *testing.T, _ *server, files []string) {
			t.Helper()
			require.NoError(t, os.Remove(files[0]))
		}},
		"there is nothing to record": {change: func(t *testing.T, _ *server, files []string) {
			t.Helper()
			for _, f := range files {
				require.NoError(t, os.Rename(f, f+".away"))
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			_, files := s.call(t, "c1")
			if !c.late {
				c.change(t, s, files)
			}
			s.record(t)
			s.advance(keep + time.Hour)
			if c.late {
				c.change(t, s, files)
			}
			before := listed(t, s.legs)
			l := s.deleter(t)
			sweep(t, l, 0)
			sweep(t, l, 0)
			require.Equal(t, before, listed(t, s.legs))
		})
	}
}

func listed(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}))
	return names
}

// What happens between the decision and the deletion: legs wait, or are kept for good.
func TestLegsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(t *testing.T, s *server, files []string)
		waits  string // what the job says that waits
		kept   string // or why they are kept
		status record.Status
	}{
		"another recording waits for a leg": {change: func(t *testing.T, s *server, _ []string) {
			t.Helper()
			spec := newSpec("c2", "c1/customer.wav")
			r, err := record.NewJob(spec, "elsewhere", 0)
			require.NoError(t, err)
			_, _, err = s.db.Enqueue(t.Context(), r)
			require.NoError(t, err)
			leases, err := s.db.Claim(t.Context(), ledger.Claim{Worker: "other", Queues: []string{"elsewhere"}, TTL: 100 * keep})
			require.NoError(t, err)
			require.Len(t, leases, 1)
		}, waits: "needs a leg"},
		"it is held": {change: func(_ *testing.T, s *server, _ []string) {
			s.opts.Held = func(_ context.Context, r *record.Spec) (string, error) {
				return "case 17 of " + string(r.TenantID), nil
			}
		}, waits: "is held: case 17 of acme"},
		"they are on another server": {change: func(_ *testing.T, s *server, _ []string) { s.opts.Queues = []string{"pbx-9"} }, waits: "are elsewhere"},
		"they are kept longer now":   {change: func(_ *testing.T, s *server, _ []string) { s.opts.Keep *= 2 }, waits: "are kept for 1"},
		"an object is damaged": {change: func(t *testing.T, s *server, _ []string) {
			t.Helper()
			n := 0
			for _, path := range listed(t, s.at) {
				if strings.HasSuffix(path, ".flac") {
					b, err := os.ReadFile(path)
					require.NoError(t, err)
					b[len(b)/2] ^= 1
					require.NoError(t, os.WriteFile(path, b, 0o600))
					n++
				}
			}
			require.Equal(t, 1, n)
		}, kept: "as it was", status: record.StatusAbsent},
		"a file is another one": {change: func(t *testing.T, s *server, files []string) {
			t.Helper()
			require.NoError(t, os.WriteFile(files[0], []byte("new call"), 0o600))
		}, status: record.StatusCompletedDegraded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			_, files := s.call(t, "c1")
			s.record(t)
			s.advance(keep + time.Hour)
			sweep(t, s.deleter(t), 1)
			c.change(t, s, files)
			stop := s.work(t, s.deleter(t).Kind())
			require.Eventually(t, func() bool {
				j := s.deletion(t, "c1")
				return j.State == ledger.Done || j.State == ledger.Queued && j.LastError != ""
			}, within, time.Millisecond)
			stop()
			j := s.deletion(t, "c1")
			require.Zero(t, j.Attempts, "it is nobody's fault")
			if c.waits != "" {
				require.Contains(t, j.LastError, c.waits)
				require.True(t, exists(t, files...))
				return
			}
			d := result(t, j)
			require.Equal(t, c.status, d.Status)
			require.Equal(t, c.status == record.StatusAbsent, exists(t, files[1]))
			require.True(t, exists(t, files[0]))
			if d.Status == record.StatusCompletedDegraded {
				require.Equal(t, []string{lifecycle.FileChanged, lifecycle.FileDeleted}, []string{d.Files[0].End, d.Files[1].End})
			}
			require.NoError(t, s.db.Retry(t.Context(), j.ID, "ann"), "a person may have it tried again")
		})
	}
}

// A job can't name other files than the recording's own, nor another tenant's recording.
func TestOnlyItsOwnLegs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	job, files := s.call(t, "c1")
	other := s.put(t, "passwords.txt", []byte("secret"))
	s.record(t)
	s.advance(keep + time.Hour)
	info, err := os.Stat(other)
	require.NoError(t, err)
	for i, c := range []struct {
		tenant callmodel.TenantID
		key    string
		file   lifecycle.File
		state  ledger.State
	}{
		{"acme", "c1", lifecycle.File{URI: "passwords.txt", Bytes: info.Size(), ModifiedAt: info.ModTime()}, ledger.Quarantined},
		{"umbrella", "c1", lifecycle.File{URI: "c1/agent.wav"}, ledger.Done},
		{"acme", "c2", lifecycle.File{URI: "c1/agent.wav"}, ledger.Done},
	} {
		payload, err := json.Marshal(lifecycle.Deletion{JobID: job, Files: []lifecycle.File{c.file}})
		require.NoError(t, err)
		id, _, err := s.db.Enqueue(t.Context(), ledger.Request{Kind: lifecycle.KindDeleteLegs, TenantID: c.tenant, Key: c.key, Payload: payload})
		require.NoError(t, err)
		stop := s.work(t, s.deleter(t).Kind())
		require.Eventually(t, func() bool {
			j, err := s.db.Job(t.Context(), id)
			return err == nil && j.State == c.state
		}, within, time.Millisecond, i)
		stop()
	}
	require.True(t, exists(t, append(files, other)...))
}

func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := lifecycle.NewLegs(nil, nil, nil, lifecycle.Options{Keep: time.Minute})
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	require.ErrorContains(t, err, "at least 1h")
	require.ErrorContains(t, err, "clock")
}
