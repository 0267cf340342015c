package memdb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
)

// CountReports does nothing: reports are made of the calls themselves, so that nothing
// waits to be counted.
func (*Store) CountReports(ctx context.Context) (more bool, err error) { return false, ctx.Err() }

// ReportCalls implements reporthttp.Store.
func (s *Store) ReportCalls(ctx context.Context, q *reports.Query) (reports.Report[reports.Calls], error) {
	if err := valid(ctx, q, reports.CallDimensions()); err != nil {
		return reports.Report[reports.Calls]{}, err
	}
	rows := newRows[reports.Calls](q)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if !c.State.Final() {
			continue
		}
		k, one := reports.OfCall(&c.Call)
		rows.at(k.TenantID, k.Hour, map[reports.Dimension]string{
			reports.Trunk: k.Trunk, reports.Destination: k.Destination, reports.Direction: k.Direction, reports.Type: k.Type, reports.Cause: k.Cause,
		}, func(sums *reports.Calls) { sums.Add(&one) })
	}
	return rows.report()
}

// ReportRecordings implements reporthttp.Store.
func (s *Store) ReportRecordings(ctx context.Context, q *reports.Query) (reports.Report[reports.Recordings], error) {
	if err := valid(ctx, q, reports.RecordingDimensions()); err != nil {
		return reports.Report[reports.Recordings]{}, err
	}
	rows := newRows[reports.Recordings](q)
	s.mu.Lock()
	defer s.mu.Unlock()
	for call, made := range s.made {
		for i := range made {
			k, one := reports.OfRecording(call.tenant, &made[i])
			rows.at(k.TenantID, k.Hour, map[reports.Dimension]string{reports.Status: k.Status, reports.Reason: k.Reason},
				func(sums *reports.Recordings) { sums.Add(&one, 1) })
		}
	}
	return rows.report()
}

func valid(ctx context.Context, q *reports.Query, dimensions []reports.Dimension) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return q.Validate(dimensions)
}

// reportRows are the rows of a report while it is made.
type reportRows[S any] struct {
	q    *reports.Query
	rows map[string]*reports.Row[S]
}

func newRows[S any](q *reports.Query) *reportRows[S] {
	return &reportRows[S]{q: q, rows: map[string]*reports.Row[S]{}}
}

// at has add add to the row of the values, if the query asks for them.
func (r *reportRows[S]) at(t callmodel.TenantID, hour int64, values map[reports.Dimension]string, add func(*S)) {
	from, to := r.q.Hours()
	if r.q.TenantID != "" && r.q.TenantID != t || hour < from || hour >= to {
		return
	}
	for d, v := range r.q.Where {
		if values[d] != v {
			return
		}
	}
	values[reports.Tenant], values[reports.Hour], values[reports.Day] = string(t), reports.At(reports.Hour, hour), reports.At(reports.Day, hour)
	of := make([]string, len(r.q.By))
	for i, d := range r.q.By {
		of[i] = values[d]
	}
	key := strings.Join(of, "\x00")
	if r.rows[key] == nil {
		r.rows[key] = &reports.Row[S]{Of: of}
	}
	add(&r.rows[key].Sums)
}

func (r *reportRows[S]) report() (reports.Report[S], error) {
	if len(r.rows) > reports.MaxRows {
		return reports.Report[S]{}, callmodel.FieldErrors{{Path: "by", Message: fmt.Sprintf("makes more than %d rows; give fewer dimensions or less time", reports.MaxRows)}}
	}
	all := reports.Report[S]{Rows: []reports.Row[S]{}}
	for _, row := range r.rows {
		all.Rows = append(all.Rows, *row)
	}
	slices.SortFunc(all.Rows, func(a, b reports.Row[S]) int { return slices.Compare(a.Of, b.Of) })
	return all, nil
}

// ReportPromise implements reporthttp.Store.
func (s *Store) ReportPromise(ctx context.Context, q *reports.Query) (reports.Report[reports.Promise], error) {
	if err := valid(ctx, q, reports.PromiseDimensions()); err != nil {
		return reports.Report[reports.Promise]{}, err
	}
	rows := newRows[reports.Promise](q)
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, c := range s.calls {
		k, is := reports.Promised(&c.Call)
		if !is {
			continue
		}
		one := s.promise(at, c)
		rows.at(k.TenantID, k.Hour, map[reports.Dimension]string{
			reports.Server: k.Server, reports.Version: one.Version, reports.Reason: one.Reason,
		}, func(sums *reports.Promise) { sums.Add(&one.Sums, 1); sums.Sum() })
	}
	return rows.report()
}

// ReportDefects implements reporthttp.Store.
func (s *Store) ReportDefects(ctx context.Context, q *reports.Query) (reports.Report[reports.Defects], error) {
	if err := valid(ctx, q, reports.DefectDimensions()); err != nil {
		return reports.Report[reports.Defects]{}, err
	}
	rows := newRows[reports.Defects](q)
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, c := range s.calls {
		k, is := reports.Promised(&c.Call)
		if !is {
			continue
		}
		one := s.promise(at, c)
		for _, code := range one.Defects {
			rows.at(k.TenantID, k.Hour, map[reports.Dimension]string{
				reports.Server: k.Server, reports.Software: one.HostSoftware, reports.Defect: code,
			}, func(sums *reports.Defects) { sums.Recordings++ })
		}
	}
	return rows.report()
}

// promise is where that of a call stands.
func (s *Store) promise(at callKey, c *call) reports.PromiseState {
	now, after := s.clock(), time.Duration(-1)
	var jobs []reports.PromiseJob
	for _, j := range s.jobs {
		if j.Kind == record.Kind && j.TenantID == at.tenant && j.CallID == at.id {
			jobs = append(jobs, reports.PromiseJob{State: j.State, Reason: string(j.Reason), Leased: j.State == ledger.Running && j.LeaseUntil.After(now)})
		}
	}
	for i := range s.made[at] {
		if e := &s.made[at][i]; e.URL != "" && after < 0 {
			after = max(e.FinishedAt.Sub(c.EndedAt), 0)
		}
	}
	return reports.PromiseOf(now.Sub(c.EndedAt), after, jobs, s.made[at])
}
