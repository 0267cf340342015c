package auth

import "context"

// AuditBursts writes the audit lines of wrong keys that are due; with all every one.
func (g *Gate) AuditBursts(ctx context.Context, all bool) { g.audit(ctx, all) }
