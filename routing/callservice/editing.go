package callservice

import (
	"context"
	"runtime"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/ruleedit"
)

// RulesEdit asks for single rules to be changed.
type RulesEdit struct {
	Edits []ruleedit.Edit
	// Expected is the hash of the version that must be active, "" for any.
	Expected string
	// DryRun has the edits checked and not made.
	DryRun bool
}

// EditedRules is what has become of edits.
type EditedRules struct {
	// Hash is the version with the edits. It is in service unless they were a dry run.
	Hash string
	// Diffs are the rules that the edits have changed; none if they change nothing.
	Diffs []ruleedit.Diff
	// State is what is in service now.
	State rulesets.State
}

// maxEditTries bounds how often edits that don't say of which version they are begin
// again because others put another one in service meanwhile.
const maxEditTries = 4

// EditRules makes edits in the text of the tenant's active version, and has the result
// checked, stored and put in service as a version of its own, as [Service.InstallRules]
// does. The version before stays, for a rollback. Where Expected is "", the edits are
// made again if another version has become active meanwhile.
//
// The errors are those of [ruleedit.Apply] and of InstallRules, and CodeNotFound if the
// tenant has no version of its own in service.
func (s *Service) EditRules(ctx context.Context, t callmodel.TenantID, e RulesEdit, actor string) (EditedRules, error) {
	for try := 1; ; try++ {
		v, err := s.ownRules(ctx, t)
		if err != nil {
			return EditedRules{}, err
		}
		if e.Expected != "" && e.Expected != v.Hash {
			return EditedRules{}, callmodel.Errorf(callmodel.CodeConflict,
				"the active version of the rules is %s, not %.40q as the request expects; look at what has changed, and edit that", v.Hash, e.Expected)
		}
		out, err := s.editRules(ctx, &v, &e, actor)
		if callmodel.CodeOf(err) != callmodel.CodeConflict || e.Expected != "" || try == maxEditTries {
			return out, err
		}
		if now, stateErr := s.ownHash(ctx, t); stateErr != nil || now == v.Hash {
			return out, err // it is the edit itself that can't be made
		}
	}
}

// editRules makes the edits in a version, which must be active still when the result is
// put in service.
func (s *Service) editRules(ctx context.Context, v *rulesets.Version, e *RulesEdit, actor string) (EditedRules, error) {
	ctx, done, err := s.RuleWork(ctx, int64(len(v.Body)))
	if err != nil {
		return EditedRules{}, err
	}
	defer done()
	return inLane(ctx, s, anyTurn(v.TenantID), s.rulesTimeout(), func(ctx context.Context) (EditedRules, error) {
		body, diffs, err := editText(v.Body, e.Edits)
		if err != nil {
			return EditedRules{}, err
		}
		out := EditedRules{Hash: v.Hash, Diffs: diffs}
		if len(diffs) == 0 {
			out.State, err = s.stores.RuleSetState(ctx, v.TenantID)
			return out, err
		}
		c, err := s.rules.compile(ctx, body)
		if err != nil {
			return EditedRules{}, err
		}
		if err := c.router.RunTests(); err != nil {
			return EditedRules{}, err
		}
		if out.Hash = c.router.Hash(); e.DryRun {
			out.State, err = s.stores.RuleSetState(ctx, v.TenantID)
			return out, err
		}
		stored := rulesets.Version{TenantID: v.TenantID, Hash: out.Hash, Format: formatOf(body), Body: body, CreatedBy: actor}
		if err := s.stores.PutRuleSet(ctx, stored, actor); err != nil {
			return EditedRules{}, err
		}
		out.State, err = s.changeRules(ctx, rulesets.Change{
			TenantID: v.TenantID, Action: rulesets.ActionActivate, Hash: out.Hash, Expected: v.Hash, Actor: actor,
		}, c)
		return out, err
	})
}

// editText makes the edits on a thread of its own: see ruleCache.compile.
func editText(text []byte, edits []ruleedit.Edit) ([]byte, []ruleedit.Diff, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return ruleedit.Apply(text, edits)
}

// Rule finds a rule of the tenant's active version, and returns the version's hash with
// it. The error is CodeNotFound for a rule that it hasn't, and if the tenant has no
// version of its own in service.
func (s *Service) Rule(ctx context.Context, t callmodel.TenantID, id string) (found *ruleedit.Found, hash string, err error) {
	v, err := s.ownRules(ctx, t)
	if err != nil {
		return nil, "", err
	}
	_, done, err := s.RuleWork(ctx, int64(len(v.Body)))
	if err != nil {
		return nil, "", err
	}
	defer done()
	found, err = ruleedit.Find(v.Body, id)
	return found, v.Hash, err
}

// ownRules is the tenant's own active version, with its body.
func (s *Service) ownRules(ctx context.Context, t callmodel.TenantID) (rulesets.Version, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (rulesets.Version, error) {
		state, err := s.stores.RuleSetState(ctx, t)
		if err != nil {
			return rulesets.Version{}, err
		}
		if state.Active == nil {
			return rulesets.Version{}, callmodel.Errorf(callmodel.CodeNotFound,
				"tenant %s has no rule set of its own in service; install one, over HTTP with PUT /v1/rules", t)
		}
		return s.rules.stored(ctx, t, state.ActiveHash())
	})
}

// ownHash is the hash of the tenant's own active version.
func (s *Service) ownHash(ctx context.Context, t callmodel.TenantID) (string, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (string, error) {
		state, err := s.stores.RuleSetState(ctx, t)
		return state.ActiveHash(), err
	})
}
