package lifecycle

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/task/dataexport"
	"github.com/switchtape/switchtape/recording/task/stored"
)

// exportsOf passes the jobs to do that export the call.
func (e *Eraser) exportsOf(ctx context.Context, t callmodel.TenantID, call callmodel.CallID, do func(*ledger.Job) error) error {
	if call == "" {
		return nil
	}
	for _, kind := range []string{stored.KindExport, dataexport.Kind} {
		// By their payloads: who enqueues such a job needn't name the call of it besides.
		f := ledger.Filter{TenantID: t, Kind: kind, Limit: 1000}
		for {
			jobs, err := e.ledger.Jobs(ctx, f)
			if err != nil {
				return err
			}
			for i := range jobs {
				var of stored.ExportPayload // a data export's names its call likewise
				if _ = json.Unmarshal(jobs[i].Payload, &of); of.CallID != call {
					continue
				}
				if err := do(&jobs[i]); err != nil {
					return err
				}
			}
			if len(jobs) < f.Limit {
				break
			}
			f.After = jobs[len(jobs)-1].ID
		}
	}
	return nil
}

// exportKeys are the keys of what the export's job has made, by its result.
func exportKeys(j *ledger.Job) (keys []string) {
	var all []string
	if j.Kind == stored.KindExport {
		var zip stored.Exported
		_ = json.Unmarshal(j.Result, &zip) // what can't be read names nothing
		all = append(all, zip.Key)
	} else {
		var x dataexport.Exported
		_ = json.Unmarshal(j.Result, &x)
		all = x.Objects()
	}
	for _, key := range all {
		if strings.HasPrefix(key, string(j.TenantID)+"/") {
			keys = append(keys, key)
		}
	}
	return keys
}

// exports adds the zips of the call, which the recording is in. Those of a number and of a
// tenant have others' calls as well: they go when they expire. One that is being made is
// waited for: it may have read the recording, and says what it has made at its end.
func (e *Eraser) exports(ctx context.Context, made *ledger.Job, b *retention.Begin) error {
	return e.exportsOf(ctx, made.TenantID, made.CallID, func(j *ledger.Job) error {
		if j.State == ledger.Running {
			return beingMade(j)
		}
		if keys := exportKeys(j); len(keys) > 0 {
			b.Erasure.Keys = append(b.Erasure.Keys, keys...)
			b.Derived = append(b.Derived, j.Kind+"/"+j.Key)
		}
		return nil
	})
}

func beingMade(j *ledger.Job) error {
	return callmodel.RetryAfter(callmodel.Errorf(callmodel.CodeConflict, "job %s is exporting the call, and may have read the recording", j.ID), soon)
}

// lateExports are where the bytes are of exports of the call that weren't done when the
// deletion began: one may have begun between the look at the exports and that, and one that
// goes on later has parts in the bucket which its result doesn't name yet. Whatever begins
// from here on finds the recording gone.
func (e *Eraser) lateExports(ctx context.Context, begun *retention.Erasure) (all []place, err error) {
	err = e.exportsOf(ctx, begun.TenantID, begun.CallID, func(j *ledger.Job) error {
		if j.State == ledger.Running {
			return beingMade(j)
		}
		if j.Kind == dataexport.Kind && j.CreatedAt.Before(begun.BegunAt) {
			all = append(all, place{dataexport.Prefix(j.TenantID, j.Key), func(string) bool { return true }})
			return nil
		}
		if j.CreatedAt.Before(begun.BegunAt) {
			for _, own := range exportKeys(j) {
				all = append(all, place{own, func(key string) bool { return key == own }})
			}
		}
		return nil
	})
	return all, err
}
