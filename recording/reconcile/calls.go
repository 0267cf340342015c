package reconcile

import (
	"context"

	"github.com/switchtape/switchtape/callmodel/ledger"
)

// calls looks for calls that should have a recording.
func (r *run) calls(ctx context.Context) error {
	for {
		var page ledger.UnrecordedPage
		if err := r.within(ctx, func(ctx context.Context) (err error) { page, err = r.ledger.Unrecorded(ctx, r.at.Call); return err }); err != nil {
			return err
		}
		r.at.Report.Calls += int64(page.Looked)
		for _, c := range page.Calls {
			f := Finding{Kind: CallNotRecorded, TenantID: c.TenantID, CallID: c.CallID, Detail: "it has ended, and no job records it"}
			if c.Unreadable != "" {
				f.Kind, f.Detail = CallUnreadable, c.Unreadable
				if err := r.found(ctx, f, nil); err != nil {
					return err
				}
				continue
			}
			err := r.found(ctx, f, func(ctx context.Context) (bool, error) {
				return r.ledger.Rerecord(ctx, c.TenantID, c.CallID, r.opts.Actor, r.opts.Defaults)
			})
			if err != nil {
				return err
			}
		}
		r.at.Call = page.Last
		if err := r.keep(); err != nil || !page.More {
			return err
		}
	}
}
