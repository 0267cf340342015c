package storeform

import (
	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// RuleSets is what a store keeps of which versions of a tenant's rules are in
// service.
type RuleSets struct {
	rulesets.State

	// Before is the entry that a rollback goes back to, nil if there is none.
	Before *rulesets.Activation
}

// Change is what a change writes. Ids, times and salts are the store's to give.
type Change struct {
	// Activation is the new entry of the history, nil for none.
	Activation *rulesets.Activation
	// Canary is the one that runs from now on, nil for none. It keeps its salt
	// when only its share changes; "" asks for a new one.
	Canary *rulesets.Canary
	Audit  callmodel.AuditEvent
}

// Change works out what c comes to; nil if it has been made already. That the
// version is stored is for the store to check.
func (s *RuleSets) Change(c *rulesets.Change) (*Change, error) {
	if s.made(c) {
		return nil, nil //nolint:nilnil // nothing to do is no fault
	}
	if active := s.ActiveHash(); c.Expected != "" && c.Expected != active {
		if active == "" {
			return nil, conflict("the version %s was to be replaced, and none is active", c.Expected)
		}
		return nil, conflict("the version %s was to be replaced, and %s is active: somebody changed it meanwhile; look at the history and decide again", c.Expected, active)
	}
	out := &Change{Audit: RuleSetLine("", c.TenantID, c.Hash, c.Actor)}
	out.Audit.Detail = map[string]string{}
	var err error
	switch c.Action {
	case rulesets.ActionActivate:
		s.activate(out, c, c.Hash, callmodel.AuditRuleSetActivated)
	case rulesets.ActionRollback:
		err = s.rollback(out, c)
	case rulesets.ActionCanary:
		err = s.canary(out, c)
	case rulesets.ActionPromote:
		if err = s.sameCanary(c); err == nil {
			s.activate(out, c, s.Canary.Hash, callmodel.AuditRuleSetPromoted)
		}
	case rulesets.ActionAbort:
		if err = s.sameCanary(c); err == nil {
			out.Audit.Action, out.Audit.Subject = callmodel.AuditRuleSetAborted, s.Canary.Hash
		}
	}
	if err != nil {
		return nil, err
	}
	if s.Canary != nil && out.Canary == nil && s.Canary.Hash != out.Audit.Subject {
		out.Audit.Detail["canary_ended"] = s.Canary.Hash
	}
	return out, nil
}

func conflict(format string, args ...any) error {
	return callmodel.Errorf(callmodel.CodeConflict, format, args...)
}

// made reports whether what c asks for is so already.
func (s *RuleSets) made(c *rulesets.Change) bool {
	switch c.Action {
	case rulesets.ActionActivate:
		return s.ActiveHash() == c.Hash
	case rulesets.ActionRollback:
		return c.Expected != "" && s.Active != nil && s.Active.Action == rulesets.ActionRollback &&
			s.Active.Replaced == c.Expected && s.Canary == nil
	case rulesets.ActionCanary:
		return s.Canary != nil && s.Canary.Hash == c.Hash && s.Canary.Share == c.Share && (c.Expected == "" || c.Expected == s.ActiveHash())
	case rulesets.ActionPromote:
		return s.Canary == nil && s.Active != nil && s.Active.Action == rulesets.ActionPromote &&
			(c.Hash == "" || c.Hash == s.Active.Hash) && (c.Expected == "" || c.Expected == s.Active.Replaced || c.Expected == s.Active.Hash)
	case rulesets.ActionAbort:
		return s.Canary == nil && (c.Expected == "" || c.Expected == s.ActiveHash())
	}
	return false
}

func (s *RuleSets) activate(out *Change, c *rulesets.Change, hash, action string) {
	out.Activation = &rulesets.Activation{Hash: hash, Replaced: s.ActiveHash(), Action: c.Action, Actor: Text(c.Actor, MaxText)}
	if s.Active != nil {
		out.Activation.Back = s.Active.ID
		out.Audit.Detail["replaced"] = s.Active.Hash
	}
	out.Audit.Action, out.Audit.Subject = action, hash
}

func (s *RuleSets) rollback(out *Change, c *rulesets.Change) error {
	if s.Active == nil || s.Before == nil {
		return conflict("there is no version to go back to: none was active before the one that is")
	}
	s.activate(out, c, s.Before.Hash, callmodel.AuditRuleSetRollback)
	out.Activation.Back = s.Before.Back // going back once more goes further back
	return nil
}

func (s *RuleSets) canary(out *Change, c *rulesets.Change) error {
	switch {
	case s.Active == nil:
		return conflict("a canary needs an active version beside it, and there is none; activate one")
	case s.Active.Hash == c.Hash:
		return conflict("the version %s is active for every call already", c.Hash)
	case s.Canary != nil && s.Canary.Hash != c.Hash:
		return conflict("the version %s is the canary now; promote or abort it first", s.Canary.Hash)
	}
	out.Canary = &rulesets.Canary{Hash: c.Hash, Share: c.Share, Actor: Text(c.Actor, MaxText)}
	if s.Canary != nil {
		out.Canary.Salt, out.Canary.StartedAt = s.Canary.Salt, s.Canary.StartedAt
		out.Audit.Detail["percent_before"] = s.Canary.Share.String()
	}
	out.Audit.Action = callmodel.AuditRuleSetCanary
	out.Audit.Detail["percent"] = c.Share.String()
	return nil
}

func (s *RuleSets) sameCanary(c *rulesets.Change) error {
	switch {
	case s.Canary == nil:
		return conflict("there is no canary to %s", c.Action)
	case c.Hash != "" && c.Hash != s.Canary.Hash:
		return conflict("the version %s is the canary, not %s", s.Canary.Hash, c.Hash)
	}
	return nil
}

// CheckChange refuses a change that no store can keep.
func CheckChange(c *rulesets.Change) error {
	if err := c.Validate(); err != nil {
		return err
	}
	named := c.Action == rulesets.ActionActivate || c.Action == rulesets.ActionCanary
	if named && CheckKey("hash", c.Hash) != nil {
		return callmodel.ErrNotFound
	}
	return nil
}
