package worker_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// A job whose legs came too late is put back by a person, and makes the recording:
// beside what was made of the legs that were there.
func TestRetriedWhenTheLegsHaveCome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		late   string // the leg that comes too late
		before record.Status
		key    string // of the recording that is made then
	}{
		"every leg": {"agent.wav", record.StatusAbsent, ".v1.wav"},
		"one leg":   {"customer.wav", record.StatusCompletedDegraded, ".v2.wav"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var legs []record.LegSpec
			if c.late == "customer.wav" {
				legs = append(legs, record.LegSpec{Name: "customer", Segments: []record.SegmentSpec{{URI: c.late}}})
			}
			s := growing(t, samplecall.Agent(), legs...)
			s.r.rest.Store(true) // nothing grows here
			dir := filepath.Dir(s.r.path)
			whole := samplecall.Agent()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "agent.wav"), whole, 0o600))
			require.NoError(t, os.RemoveAll(filepath.Join(dir, c.late)))
			o := *s.opts
			o.FollowGrowing = -1
			stop := s.start(t, &o)
			first := s.waitDone(t)
			require.Equal(t, c.before, first.Result.Status, "%+v", first.Result)
			require.True(t, first.Result.Has(record.DefectLegMissing) || first.Result.Reason == record.ReasonNoMedia)
			require.NoError(t, s.q.Retry(t.Context(), s.id, "ann"))
			again := s.waitDone(t)
			require.Equal(t, c.before, again.Result.Status, "it is still missing")
			require.Equal(t, first.Result.URL(), again.Result.URL())
			stop()

			require.NoError(t, os.WriteFile(filepath.Join(dir, c.late), whole, 0o600))
			require.NoError(t, s.q.Retry(t.Context(), s.id, "ann"))
			s.start(t, &o)
			j := s.waitDone(t)
			require.Equal(t, record.StatusCompleted, j.Result.Status, j.Result.Defects)
			require.Contains(t, j.Result.Outputs[0].Key, c.key)
			s.onCall(t, j.Result)

			// A degraded one whose legs are gone keeps what it had.
			if c.before == record.StatusAbsent {
				return
			}
			require.Error(t, s.q.Retry(t.Context(), s.id, "ann"), "it is complete now")
			require.Equal(t, 2, s.versions(t)[".wav"], "the first version is still there")
		})
	}
}

// A retried recording whose legs are gone is never made less.
func TestRetriedWhenTheLegsAreGone(t *testing.T) {
	t.Parallel()
	s := growing(t, samplecall.Agent(), record.LegSpec{Name: "customer", Segments: []record.SegmentSpec{{URI: "customer.wav"}}})
	s.r.rest.Store(true)
	dir := filepath.Dir(s.r.path)
	o := *s.opts
	o.FollowGrowing = -1
	stop := s.start(t, &o)
	first := s.waitDone(t)
	require.Equal(t, record.StatusCompletedDegraded, first.Result.Status)
	stop()
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "agent.wav")))
	require.NoError(t, s.q.Retry(t.Context(), s.id, "ann"))
	j, err := s.q.Job(context.WithoutCancel(t.Context()), s.id)
	require.NoError(t, err)
	require.Equal(t, ledger.Queued, j.State)
	require.True(t, j.Published)
	s.start(t, &o)
	last := s.waitDone(t)
	require.Equal(t, first.Result, last.Result)
	s.onCall(t, last.Result)
}
