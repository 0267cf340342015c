package callservice

import (
	"context"

	"github.com/switchtape/switchtape/callmodel"
)

// AccessDenied leaves a line in the audit log of the principal's tenant: it asked
// for what it may not have. Of a principal that goes on asking the further lines
// of a minute are counted, and its next line says how many were "left_out". A
// line that can't be stored is logged.
func (s *Service) AccessDenied(ctx context.Context, p callmodel.Principal, what string) {
	e, keep := s.denials.Line(p, what, s.opts.Now())
	if !keep {
		return
	}
	if err := s.stores.Audit(ctx, e); err != nil {
		s.opts.Logger.ErrorContext(ctx, "an audit line could not be stored", "tenant", p.TenantID, "action", e.Action, "subject", what, "error", err)
	}
}
