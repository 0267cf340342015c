package reports_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
)

func TestPromiseOf(t *testing.T) {
	t.Parallel()
	const none = -time.Second
	queued := func(reason string) []reports.PromiseJob {
		return []reports.PromiseJob{{State: ledger.Queued, Reason: reason}}
	}
	entry := func(s record.Status, codes ...record.DefectCode) record.CallEntry {
		e := record.CallEntry{Status: s, Reason: "no_media", Software: "v1", HostSoftware: "Asterisk 20.9.1"}
		for _, c := range codes {
			e.Defects = append(e.Defects, record.Defect{Code: c})
		}
		return e
	}
	for name, c := range map[string]struct {
		ago, after time.Duration
		jobs       []reports.PromiseJob
		made       []record.CallEntry
		want       reports.PromiseState
	}{
		"no job":      {ago: 0, after: none, want: reports.PromiseState{Reason: "no_job", Sums: reports.Promise{Unexplained: 1}}},
		"lost job":    {ago: time.Hour, after: none, jobs: []reports.PromiseJob{{State: ledger.Done}}, want: reports.PromiseState{Reason: "no_job", Sums: reports.Promise{Unexplained: 1}}},
		"waits":       {ago: time.Minute, after: none, jobs: queued("legs_missing"), want: reports.PromiseState{Sums: reports.Promise{Waiting: 1}}},
		"late, named": {ago: time.Hour, after: none, jobs: queued("bucket_away"), want: reports.PromiseState{Reason: "bucket_away", Sums: reports.Promise{Explained: 1}}},
		"late":        {ago: time.Hour, after: none, jobs: queued(""), want: reports.PromiseState{Reason: "overdue", Sums: reports.Promise{Unexplained: 1}}},
		"runs long":   {ago: time.Hour, after: none, jobs: []reports.PromiseJob{{State: ledger.Running, Leased: true}}, want: reports.PromiseState{Reason: "running", Sums: reports.Promise{Explained: 1}}},
		"lease ended": {ago: time.Hour, after: none, jobs: []reports.PromiseJob{{State: ledger.Running}}, want: reports.PromiseState{Reason: "overdue", Sums: reports.Promise{Unexplained: 1}}},
		"published": {
			ago: time.Hour, after: time.Second, jobs: queued(""), made: []record.CallEntry{entry(record.StatusCompletedDegraded, record.DefectLegGrowing)},
			want: reports.PromiseState{Reason: "follows", Sums: reports.Promise{Explained: 1}},
		},
		"whole": {
			after: 3 * time.Second, made: []record.CallEntry{entry(record.StatusCompleted)},
			want: reports.PromiseState{
				Settled: true, Version: "v1", Sums: reports.Promise{Recorded: 1, Whole: 1, After: 3 * time.Second, By: [9]int64{0, 0, 0, 1, 1, 1, 1, 1, 1}},
				HostSoftware: "Asterisk 20.9.1", Defects: []string{""},
			},
		},
		"late and with defects": {
			after: 2 * time.Hour,
			made: []record.CallEntry{entry(record.StatusCompletedDegraded, record.DefectLegMissing, record.DefectLegEmpty, record.DefectAudioLost,
				record.DefectDropoutSuspected, record.DefectDriftCorrected, record.DefectTruncated, record.DefectClipped, record.DefectLegMissing)},
			want: reports.PromiseState{Settled: true, Version: "v1", Sums: reports.Promise{
				Recorded: 1, After: 2 * time.Hour, MissingLegs: 1, Silence: 1, Gaps: 1, Drift: 1, Short: 1, Faults: 1,
			}, HostSoftware: "Asterisk 20.9.1", Defects: []string{
				"leg_missing", "leg_empty", "audio_lost_suspected", "dropout_suspected", "drift_corrected", "truncated", "clipped",
			}},
		},
		"absent":    {after: none, made: []record.CallEntry{entry(record.StatusAbsent)}, want: reports.PromiseState{Settled: true, Version: "v1", Reason: "no_media", Sums: reports.Promise{Absent: 1}}},
		"set aside": {after: none, made: []record.CallEntry{entry(record.StatusQuarantined)}, want: reports.PromiseState{Settled: true, Version: "v1", Reason: "quarantined", Sums: reports.Promise{Quarantined: 1}}},
		"the best of several": {
			after: 0, made: []record.CallEntry{entry(record.StatusAbsent), entry(record.StatusCompleted), entry(record.StatusQuarantined)},
			want: reports.PromiseState{
				Settled: true, Version: "v1", Sums: reports.Promise{Recorded: 1, Whole: 1, By: [9]int64{1, 1, 1, 1, 1, 1, 1, 1, 1}},
				HostSoftware: "Asterisk 20.9.1", Defects: []string{""},
			},
		},
	} {
		assert.Equal(t, c.want, reports.PromiseOf(c.ago, c.after, c.jobs, c.made), name)
	}
}

func TestPromiseBudget(t *testing.T) {
	t.Parallel()
	require.Len(t, reports.PromiseBounds(), len(reports.Promise{}.By))
	p := reports.Promise{}
	assert.InDelta(t, 1, p.Kept(), 0)
	assert.InDelta(t, 0, p.BurnRate(), 0)
	p = reports.Promise{Recorded: 997, Absent: 2, Unexplained: 1, Waiting: 50}
	p.By[4] = 997 // within PromiseWithin
	p.Sum()
	assert.EqualValues(t, 1050, p.Calls)
	assert.EqualValues(t, 997, p.Within())
	assert.InDelta(t, 0.999, p.Kept(), 1e-9)
	assert.InDelta(t, 1, p.BurnRate(), 1e-9)
	assert.InDelta(t, 0, p.BudgetLeft(), 1e-9)
	var sum reports.Promise
	sum.Add(&p, 2)
	sum.Add(&p, -1)
	sum.Sum()
	assert.Equal(t, p, sum)
}
