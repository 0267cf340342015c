package recordinghttp

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/intake"
)

// defaults asks the host about a call of the tenant, within the ledger's time.
func (h *Handler) defaults(ctx context.Context, t callmodel.TenantID, call callmodel.CallID) (d intake.Defaults, err error) {
	err = h.ledger.ask(ctx, func(ctx context.Context) error {
		d, err = h.opts.Defaults(ctx, t, call)
		return err
	})
	return d, err
}
