package callhttp

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

const (
	// rulesTimeout bounds the work on a change of the rules: a large set takes
	// longer to read and compile than a call may.
	rulesTimeout  = 2 * time.Minute
	maxCanaryBody = 4 << 10
	maxHistory    = 1000
)

// ruleSetInfo describes a version.
type ruleSetInfo struct {
	Hash      string         `json:"hash"`
	Active    bool           `json:"active"`
	Canary    bool           `json:"canary,omitempty"`
	Percent   rulesets.Share `json:"percent,omitempty"` // of the calls, of a canary
	CreatedAt string         `json:"created_at,omitempty"`
	CreatedBy string         `json:"created_by,omitempty"`
}

// stateInfo is what a change answers: the active version and what goes with it.
type stateInfo struct {
	Hash     string           `json:"hash"`
	Active   bool             `json:"active"`
	Previous string           `json:"previous,omitempty"`
	Canary   *rulesets.Canary `json:"canary,omitempty"`
}

func writeState(w http.ResponseWriter, s *rulesets.State) {
	hash := s.ActiveHash()
	w.Header().Set("ETag", `"`+hash+`"`)
	problem.WriteJSON(w, http.StatusOK, stateInfo{Hash: hash, Active: s.Active != nil, Previous: s.Previous, Canary: s.Canary})
}

// expected is the hash that If-Match says is active, "" for any.
func expected(r *http.Request) (string, error) {
	values := r.Header.Values("If-Match")
	if len(values) == 0 {
		return "", nil
	}
	tag := strings.TrimSpace(values[0])
	if tag == "*" {
		return "", nil
	}
	if len(tag) > 2 && tag[0] == '"' && tag[len(tag)-1] == '"' {
		tag = tag[1 : len(tag)-1]
	}
	if len(values) > 1 || tag == "" || strings.ContainsAny(tag, "\", ") {
		return "", callmodel.Errorf(callmodel.CodeMalformed, "If-Match must be given once, as the hash of the version that is to be active, in quotes")
	}
	return tag, nil
}

// inRulesLane is inLane with the time that rules take.
func (h *Handler) inRulesLane(f endpoint) endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		leave, err := h.enter(r.Context())
		if err != nil {
			return err
		}
		defer leave()
		ctx, cancel := context.WithTimeout(r.Context(), max(h.opts.RequestTimeout, rulesTimeout))
		defer cancel()
		return f(w, r.WithContext(ctx), p)
	}
}

func (h *Handler) putRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	expected, err := expected(r)
	if err != nil {
		return err
	}
	body, err := problem.Body(w, r, maxRulesBody)
	if err != nil {
		return err
	}
	state, err := h.install(r.Context(), p.TenantID, body, p.Subject, expected)
	if err != nil {
		return err
	}
	writeState(w, &state)
	return nil
}

// InstallRules checks, stores and activates a rule set, and puts it in service
// here at once. Its hash is returned. Faults are callmodel.FieldErrors, and
// then the set in service stays. A set that is active already changes nothing: a
// canary beside it goes on.
func (h *Handler) InstallRules(ctx context.Context, t callmodel.TenantID, body []byte, actor string) (string, error) {
	state, err := h.install(ctx, t, body, actor, "")
	return state.ActiveHash(), err
}

func (h *Handler) install(ctx context.Context, t callmodel.TenantID, body []byte, actor, expected string) (rulesets.State, error) {
	c, err := compile(body)
	if err != nil {
		return rulesets.State{}, err
	}
	stored := rulesets.Version{TenantID: t, Hash: c.router.Hash(), Format: formatOf(body), Body: body, CreatedBy: actor}
	if err := h.stores.PutRuleSet(ctx, stored, actor); err != nil {
		return rulesets.State{}, err
	}
	return h.changeRules(ctx, rulesets.Change{
		TenantID: t, Action: rulesets.ActionActivate, Hash: stored.Hash, Expected: expected, Actor: actor,
	}, c)
}

// changeRules makes the change and puts it in service here at once. ready are
// the versions that it needs, compiled.
func (h *Handler) changeRules(ctx context.Context, c rulesets.Change, ready ...compiled) (rulesets.State, error) {
	state, err := h.stores.ChangeRuleSet(ctx, c)
	if err != nil {
		return state, err
	}
	if err := h.rules.load(ctx, c.TenantID, ready...); err != nil {
		// It is made all the same: the next refresh takes it up.
		h.opts.Logger.ErrorContext(ctx, "a change of the rules is stored and not yet in service here", "tenant", c.TenantID, "action", c.Action, "error", err)
	}
	return state, nil
}

// change serves a change of the version of the path.
func (h *Handler) change(action rulesets.Action) endpoint {
	return func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		c := rulesets.Change{TenantID: p.TenantID, Action: action, Hash: r.PathValue("hash"), Actor: p.Subject}
		var err error
		if c.Expected, err = expected(r); err != nil {
			return err
		}
		if action == rulesets.ActionCanary {
			if c.Share, err = share(w, r); err != nil {
				return err
			}
		}
		var ready []compiled
		if action == rulesets.ActionActivate || action == rulesets.ActionCanary {
			// What doesn't compile here is not put in service anywhere.
			v, err := h.rules.version(r.Context(), p.TenantID, c.Hash, nil)
			if err != nil {
				return err
			}
			ready = append(ready, v)
		}
		state, err := h.changeRules(r.Context(), c, ready...)
		if err != nil {
			return err
		}
		writeState(w, &state)
		return nil
	}
}

func share(w http.ResponseWriter, r *http.Request) (rulesets.Share, error) {
	body, err := problem.Body(w, r, maxCanaryBody)
	if err != nil {
		return 0, err
	}
	var req struct {
		Percent rulesets.Share `json:"percent"`
	}
	err = callmodel.DecodeJSON(body, &req)
	return req.Percent, err
}

// rollbackRules goes back to the version before. It is compiled first, so the
// version that is active must be the same afterwards as when it was looked up.
func (h *Handler) rollbackRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	c := rulesets.Change{TenantID: p.TenantID, Action: rulesets.ActionRollback, Actor: p.Subject}
	var err error
	if c.Expected, err = expected(r); err != nil {
		return err
	}
	now, err := h.stores.RuleSetState(r.Context(), p.TenantID)
	if err != nil {
		return err
	}
	var ready []compiled
	if now.Previous != "" && (c.Expected == "" || c.Expected == now.ActiveHash()) {
		c.Expected = now.ActiveHash()
		v, err := h.rules.version(r.Context(), p.TenantID, now.Previous, nil)
		if err != nil {
			return err
		}
		ready = append(ready, v)
	}
	state, err := h.changeRules(r.Context(), c, ready...)
	if err != nil {
		return err
	}
	writeState(w, &state)
	return nil
}

func (h *Handler) listRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	sets, err := h.stores.RuleSets(r.Context(), p.TenantID)
	if err != nil {
		return err
	}
	state, err := h.stores.RuleSetState(r.Context(), p.TenantID)
	if err != nil {
		return err
	}
	out := struct {
		RuleSets []ruleSetInfo    `json:"rulesets"`
		Previous string           `json:"previous,omitempty"` // where a rollback goes
		Canary   *rulesets.Canary `json:"canary,omitempty"`
	}{RuleSets: make([]ruleSetInfo, 0, len(sets)), Previous: state.Previous, Canary: state.Canary}
	for _, s := range sets {
		info := ruleSetInfo{
			Hash: s.Hash, Active: s.Hash == state.ActiveHash(), Canary: s.Hash == state.CanaryHash(),
			CreatedAt: s.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"), CreatedBy: s.CreatedBy,
		}
		if info.Canary {
			info.Percent = state.Canary.Share
		}
		out.RuleSets = append(out.RuleSets, info)
	}
	if state.Active != nil {
		w.Header().Set("ETag", `"`+state.Active.Hash+`"`)
	}
	problem.WriteJSON(w, http.StatusOK, out)
	return nil
}

func (h *Handler) listHistory(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxHistory)
	if err != nil {
		return err
	}
	all, err := h.stores.Activations(r.Context(), p.TenantID, limit)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Activations []rulesets.Activation `json:"activations"`
	}{all})
	return nil
}
