package main

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/recording/intake/spool"
)

// jobsPage gives the tenant's recording jobs behind after, and behind which to go on; ""
// for the last page.
type jobsPage func(ctx context.Context, tenant callmodel.TenantID, after callmodel.JobID) (page []ledger.Job, next callmodel.JobID, err error)

// recordedOtherwise are the recordings that have jobs already of files of the calls, under
// other ids than the calls', by the calls' places in the list: a spool that reads the names
// by another pattern has handed them over. The ledger has no index of files, so all jobs of
// the calls' tenants are looked through, a page at a time.
func recordedOtherwise(ctx context.Context, calls []spool.Found, page jobsPage) (map[int]callmodel.RecordingID, error) {
	type file struct {
		tenant callmodel.TenantID
		uri    string
	}
	callOf, tenants := map[file]int{}, map[callmodel.TenantID]bool{}
	for i := range calls {
		spec := &calls[i].Spec
		tenants[spec.TenantID] = true
		for _, uri := range urisOf(spec) {
			callOf[file{spec.TenantID, uri}] = i
		}
	}
	other, same := map[int]callmodel.RecordingID{}, map[int]bool{}
	for tenant := range tenants {
		for after, more := callmodel.JobID(""), true; more; more = after != "" {
			jobs, next, err := page(ctx, tenant, after)
			if err != nil {
				return nil, err
			}
			for j := range jobs {
				if jobs[j].Kind != record.Kind {
					continue
				}
				spec, err := record.SpecOf(&jobs[j])
				if err != nil {
					continue // of an older form, which no spool has made
				}
				for _, uri := range urisOf(&spec) {
					i, ours := callOf[file{tenant, uri}]
					switch {
					case !ours:
					case jobs[j].Key == calls[i].Job.Key:
						same[i] = true
					default:
						other[i] = spec.RecordingID
					}
				}
			}
			after = next
		}
	}
	for i := range same { // it is told of as what is adopted already
		delete(other, i)
	}
	return other, nil
}

// urisOf are the files of a recording's legs.
func urisOf(s *record.Spec) []string {
	var uris []string
	for i := range s.Legs {
		for j := range s.Legs[i].Segments {
			uris = append(uris, s.Legs[i].Segments[j].URI)
		}
	}
	return uris
}

func (d dbAdopter) jobs(ctx context.Context, tenant callmodel.TenantID, after callmodel.JobID) ([]ledger.Job, callmodel.JobID, error) {
	const most = 1000
	jobs, err := d.db.Jobs(ctx, ledger.Filter{Kind: record.Kind, TenantID: tenant, After: after, Limit: most})
	if err != nil || len(jobs) == 0 {
		return nil, "", err
	}
	return jobs, jobs[len(jobs)-1].ID, nil
}

// jobs are those of the key's tenant, whichever the calls' is.
func (a apiAdopter) jobs(ctx context.Context, _ callmodel.TenantID, after callmodel.JobID) ([]ledger.Job, callmodel.JobID, error) {
	limit := maxAsked
	page, _, err := answered[struct {
		Jobs []ledger.Job
		Next callmodel.JobID
	}](a.api.ListJobsWithResponse(ctx, &apiclient.ListJobsParams{After: given(string(after)), Limit: &limit}))
	return page.Jobs, page.Next, err
}
