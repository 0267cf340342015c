package main

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/recording/recordinghttp"
)

// maxAsked is the most that the API does, or lists, at once.
const maxAsked = 500

// onlyLedger refuses what can be asked of a database alone: an API's jobs are those of
// its key's tenant.
func (w *jobsWhich) onlyLedger(db string) error {
	switch {
	case db != "":
		return errBoth()
	case w.Tenant != "":
		return cli.Usagef("--tenant is of --db: an API has the jobs of its key's tenant")
	}
	return nil
}

// ask is Run with an API.
func (c *jobsList) ask(ctx context.Context, s cli.Streams) error {
	if err := c.onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	limit := min(c.Limit, maxAsked)
	page, _, err := answered[struct{ Jobs []ledger.Job }](api.ListAllJobsWithResponse(ctx, &apiclient.ListAllJobsParams{
		Kind: given(c.Kind), State: given(apiclient.JobStateFilter(c.State)), Queue: given(c.Queue), Status: given(apiclient.ListAllJobsParamsStatus(c.Status)),
		Code: given(c.Code), Since: givenTime(c.Since), Until: givenTime(c.Until), After: given(c.After), Limit: &limit,
	}))
	if err != nil {
		return err
	}
	return c.printList(s, page.Jobs)
}

// ask is Run with an API.
func (c *jobsShow) ask(ctx context.Context, s cli.Streams) error {
	if err := (&jobsWhich{}).onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	job, _, err := answered[ledger.Job](api.GetAnyJobWithResponse(ctx, c.ID))
	if err != nil {
		return err
	}
	return c.printJob(s, job)
}

// ask is Run with an API.
func (c *jobsRetry) ask(ctx context.Context, s cli.Streams) error {
	if err := c.onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	if len(c.IDs) > 0 {
		return c.askEach(ctx, s, api)
	}
	limit := min(c.Limit, maxAsked)
	done, _, err := answered[recordinghttp.Changed](api.RetryAnyJobsWithResponse(ctx, apiclient.AnyRetryRequest{
		Kind: given(c.Kind), Status: given(apiclient.AnyRetryRequestStatus(c.Status)), Code: given(c.Code), Queue: given(c.Queue),
		Since: givenTime(c.Since), Until: givenTime(c.Until), Limit: &limit, DryRun: &c.DryRun,
	}))
	if err == nil {
		c.printChanged(s, done, "put back")
	}
	return err
}

// askEach puts the jobs back that were named.
func (c *jobsRetry) askEach(ctx context.Context, s cli.Streams, api *apiclient.ClientWithResponses) error {
	done := recordinghttp.Changed{Jobs: []callmodel.JobID{}, DryRun: c.DryRun}
	var job ledger.Job
	var err error
	for _, id := range c.IDs {
		if c.DryRun {
			job, _, err = answered[ledger.Job](api.GetAnyJobWithResponse(ctx, id))
		} else {
			job, _, err = answered[ledger.Job](api.RetryAnyJobWithResponse(ctx, id))
		}
		if err != nil {
			break
		}
		done.Jobs = append(done.Jobs, job.ID)
	}
	switch {
	case err == nil && len(c.IDs) == 1 && !c.DryRun:
		return c.printJob(s, job)
	case err == nil || len(done.Jobs) > 0:
		c.printChanged(s, done, "put back")
	}
	return err
}

// ask is Run with an API.
func (c *jobsQueues) ask(ctx context.Context, s cli.Streams) error {
	if err := (&jobsWhich{Tenant: c.Tenant}).onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	list, _, err := answered[struct{ Queues []recordinghttp.Queue }](api.ListAllQueuesWithResponse(ctx, &apiclient.ListAllQueuesParams{Limit: &c.Limit}))
	if err != nil {
		return err
	}
	return c.printQueues(s, list.Queues)
}

// ask is Run with an API. It moves as many at once as the API does, until there are none
// or the limit is reached.
func (c *jobsMove) ask(ctx context.Context, s cli.Streams) error {
	if err := (&jobsWhich{Tenant: c.Tenant, Kind: c.Kind}).onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	all := recordinghttp.Changed{Jobs: []callmodel.JobID{}, DryRun: c.DryRun}
	for left := c.Limit; left > 0; {
		limit := min(left, maxAsked)
		var done recordinghttp.Changed
		done, _, err = answered[recordinghttp.Changed](api.MoveAnyJobsWithResponse(ctx, apiclient.AnyMoveRequest{
			Kind: given(c.Kind), From: c.From, To: c.To, State: given(apiclient.AnyMoveRequestState(c.State)), Limit: &limit, DryRun: &c.DryRun,
		}))
		all.Jobs = append(all.Jobs, done.Jobs...)
		if left -= len(done.Jobs); err != nil || c.DryRun || len(done.Jobs) < limit {
			break
		}
	}
	if err == nil || len(all.Jobs) > 0 {
		c.printChanged(s, all, "moved")
	}
	return err
}

// ask is Run with an API.
func (c *jobsQuarantine) ask(ctx context.Context, s cli.Streams) error {
	if err := (&jobsWhich{}).onlyLedger(c.DB); err != nil {
		return err
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	job, _, err := answered[ledger.Job](api.QuarantineAnyJobWithResponse(ctx, c.ID, apiclient.QuarantineRequest{Reason: c.Reason}))
	if err != nil {
		return err
	}
	return c.printJob(s, job)
}
