package callservice

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

// rulesTimeout bounds the work on a change of the rules: a large set takes
// longer to read and compile than a call may.
const rulesTimeout = 2 * time.Minute

func (s *Service) rulesTimeout() time.Duration { return max(s.opts.RequestTimeout, rulesTimeout) }

// ruleWorkKey marks contexts whose work on rules has its share of the budget.
type ruleWorkKey struct{}

// ruleWorkWait is how long work on rules waits for its share: about as long as
// that on a set of a million.
const ruleWorkWait = 15 * time.Second

// RuleWork takes a share of Options.MaxRuleBytes for all work on rules of so many
// bytes that is done with the context it returns, until done is called. It is for
// callers that have work of their own on rules: to read, check or compare them. A
// large set takes seconds of a processor, and as a whole a dozen times its size of
// memory; rule by rule, as it is installed, three times. What is larger than the
// budget is worked on alone. The error is CodeOverloaded when
// others have the budget for 15 s.
func (s *Service) RuleWork(ctx context.Context, bytes int64) (admitted context.Context, done func(), err error) {
	if ctx.Value(ruleWorkKey{}) != nil {
		return ctx, func() {}, nil
	}
	if done, err = s.ruleWork.Enter(ctx, bytes); err != nil {
		return ctx, nil, err
	}
	return context.WithValue(ctx, ruleWorkKey{}, true), done, nil
}

// InstallRules checks, stores and activates a rule set in YAML or JSON, puts it
// in service here at once, and returns what is in service then. expected is the
// hash of the version that must be active, "" for any: see rulesets.Change.
//
// Faults are FieldErrors or CodeMalformed, and then the set in service stays; tests of
// the set that fail are faults, too. A
// set that is active already changes nothing: a canary beside it goes on.
func (s *Service) InstallRules(ctx context.Context, t callmodel.TenantID, body []byte, actor, expected string) (rulesets.State, error) {
	ctx, done, err := s.RuleWork(ctx, int64(len(body)))
	if err != nil {
		return rulesets.State{}, err
	}
	defer done()
	return inLane(ctx, s, anyTurn(t), s.rulesTimeout(), func(ctx context.Context) (rulesets.State, error) {
		c, err := s.storeRules(ctx, t, body, actor)
		if err != nil {
			return rulesets.State{}, err
		}
		return s.changeRules(ctx, rulesets.Change{
			TenantID: t, Action: rulesets.ActionActivate, Hash: c.router.Hash(), Expected: expected, Actor: actor,
		}, c)
	})
}

// StoreRules checks and stores a rule set as InstallRules does, and puts it in service
// nowhere: it can be compared with what is, be tried on a share of the calls, and be
// activated by [Service.ChangeRules]. It returns the version's hash, and what is in
// service as before. A set that is stored already stays as it is.
func (s *Service) StoreRules(ctx context.Context, t callmodel.TenantID, body []byte, actor string) (hash string, in rulesets.State, err error) {
	ctx, done, err := s.RuleWork(ctx, int64(len(body)))
	if err != nil {
		return "", rulesets.State{}, err
	}
	defer done()
	in, err = inLane(ctx, s, anyTurn(t), s.rulesTimeout(), func(ctx context.Context) (rulesets.State, error) {
		c, err := s.storeRules(ctx, t, body, actor)
		if err != nil {
			return rulesets.State{}, err
		}
		hash = c.router.Hash()
		return s.stores.RuleSetState(ctx, t)
	})
	return hash, in, err
}

// storeRules checks and stores a rule set.
func (s *Service) storeRules(ctx context.Context, t callmodel.TenantID, body []byte, actor string) (compiled, error) {
	c, err := s.rules.compile(ctx, body)
	if err != nil {
		return compiled{}, err
	}
	if err := c.router.RunTests(); err != nil {
		return compiled{}, err
	}
	stored := rulesets.Version{TenantID: t, Hash: c.router.Hash(), Format: formatOf(body), Body: body, CreatedBy: actor}
	return c, s.stores.PutRuleSet(ctx, stored, actor)
}

// ChangeRules makes the change, puts it in service here at once, and returns what
// is in service then. A version that doesn't compile here is not put in service
// anywhere: its faults are FieldErrors, as are its tests that fail, but for a rollback.
// The other errors are those of
// [RuleSetStore.ChangeRuleSet].
func (s *Service) ChangeRules(ctx context.Context, c rulesets.Change) (rulesets.State, error) {
	return inLane(ctx, s, anyTurn(c.TenantID), s.rulesTimeout(), func(ctx context.Context) (rulesets.State, error) {
		hash := ""
		switch c.Action {
		case rulesets.ActionActivate, rulesets.ActionCanary:
			hash = c.Hash
		case rulesets.ActionRollback:
			// The version before is compiled first, so the version that is active must
			// be the same afterwards as when it was looked up.
			now, err := s.stores.RuleSetState(ctx, c.TenantID)
			if err != nil {
				return rulesets.State{}, err
			}
			if now.Previous != "" && (c.Expected == "" || c.Expected == now.ActiveHash()) {
				c.Expected, hash = now.ActiveHash(), now.Previous
			}
		case rulesets.ActionPromote, rulesets.ActionAbort: // of a version in service
		}
		if hash == "" {
			return s.changeRules(ctx, c)
		}
		v, err := s.rules.version(ctx, c.TenantID, hash, s.rules.keeper.versions(ctx, c.TenantID, hash))
		if err != nil {
			return rulesets.State{}, err
		}
		if c.Action != rulesets.ActionRollback { // the way back stands open always
			if err := v.router.RunTests(); err != nil {
				return rulesets.State{}, err
			}
		}
		return s.changeRules(ctx, c, v)
	})
}

// changeRules makes the change and puts it in service here at once. ready are
// the versions that it needs, compiled.
func (s *Service) changeRules(ctx context.Context, c rulesets.Change, ready ...compiled) (rulesets.State, error) {
	state, err := s.stores.ChangeRuleSet(ctx, c)
	if err != nil {
		return state, err
	}
	if err := s.rules.load(ctx, c.TenantID, ready...); err != nil {
		// The change is made all the same: the next refresh takes it up.
		s.opts.Logger.ErrorContext(ctx, "a change of the rules is stored and not yet in service here", "tenant", c.TenantID, "action", c.Action, "error", err)
	}
	return state, nil
}

// RuleSets lists the versions of the tenant's rules without their bodies, newest
// first, and says which are in service.
func (s *Service) RuleSets(ctx context.Context, t callmodel.TenantID) (list []rulesets.Version, in rulesets.State, err error) {
	list, err = inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) ([]rulesets.Version, error) {
		if in, err = s.stores.RuleSetState(ctx, t); err != nil {
			return nil, err
		}
		return s.stores.RuleSets(ctx, t)
	})
	return list, in, err
}

// History is which version was active when, newest first, at most limit entries;
// 0 means 50.
func (s *Service) History(ctx context.Context, t callmodel.TenantID, limit int) ([]rulesets.Activation, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) ([]rulesets.Activation, error) {
		return s.stores.Activations(ctx, t, limit)
	})
}

// RuleSet is a stored version with its body. The error for one that isn't there
// names it.
func (s *Service) RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (rulesets.Version, error) {
		return s.rules.stored(ctx, t, hash)
	})
}

// ActiveRuleSet is the active version that decides the tenant's calls: its own,
// or the platform's. ErrNotFound if there is neither.
func (s *Service) ActiveRuleSet(ctx context.Context, t callmodel.TenantID) (rulesets.Version, error) {
	return inLane(ctx, s, anyTurn(t), s.opts.RequestTimeout, func(ctx context.Context) (rulesets.Version, error) {
		for _, owner := range [2]callmodel.TenantID{t, s.opts.PlatformTenant} {
			if owner == "" {
				continue
			}
			state, err := s.stores.RuleSetState(ctx, owner)
			if err != nil {
				return rulesets.Version{}, err
			}
			if state.Active != nil {
				return s.stores.RuleSet(ctx, owner, state.ActiveHash())
			}
		}
		return rulesets.Version{}, callmodel.ErrNotFound
	})
}
