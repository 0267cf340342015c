package calldb

import (
	"cmp"
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/reports"
)

// defectSums are changes to defect_hours.
type defectSums map[reports.DefectKey]int64

// add counts a call's recording, of which nothing more comes, by its defects.
func (d defectSums) add(call *reports.PromiseKey, s *reports.PromiseState) {
	for _, code := range s.Defects {
		d[reports.DefectKey{
			TenantID: call.TenantID, Hour: call.Hour, Server: call.Server, Software: value(s.HostSoftware), Defect: value(code),
		}]++
	}
}

// putDefects adds the changes to defect_hours.
func (t *tx) putDefects(ctx context.Context, sums defectSums) error {
	if !t.defects {
		return nil
	}
	for _, k := range inOrder(sums, compareDefects) {
		_, err := t.exec(ctx, `INSERT INTO defect_hours AS h (tenant_id, hour, server, software, defect, recordings) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (tenant_id, hour, server, software, defect) DO UPDATE SET recordings = h.recordings + excluded.recordings`,
			string(k.TenantID), k.Hour, k.Server, k.Software, k.Defect, sums[k])
		if err != nil {
			return err
		}
	}
	return nil
}

func compareDefects(a, b reports.DefectKey) int {
	return cmp.Or(cmp.Compare(a.TenantID, b.TenantID), cmp.Compare(a.Hour, b.Hour), cmp.Compare(a.Server, b.Server),
		cmp.Compare(a.Software, b.Software), cmp.Compare(a.Defect, b.Defect))
}

// ReportDefects implements reporthttp.Store.
func (d *DB) ReportDefects(ctx context.Context, q *reports.Query) (reports.Report[reports.Defects], error) {
	err := d.view(ctx, "report", func(_ context.Context, t *tx) error {
		if !t.defects {
			return callmodel.Errorf(callmodel.CodeUnavailable, "calldb: reports on defects need the schema's version %d: run \"switchtape migrate up\"", defectsSchema)
		}
		return nil
	})
	if err != nil {
		return reports.Report[reports.Defects]{}, err
	}
	return report(ctx, d, q, reports.DefectDimensions(), "defect_hours", []string{"recordings"}, "SELECT 1 FROM uncounted_calls",
		func(s *reports.Defects) ([]any, func()) { return []any{&s.Recordings}, func() {} })
}
