package callhttp

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
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
	Stored   string           `json:"stored,omitempty"` // of a set that was put and not activated
}

// writeState answers what is in service. stored is the hash of a version that isn't.
func writeState(w http.ResponseWriter, s *rulesets.State, stored string) {
	hash := s.ActiveHash()
	if hash != "" {
		w.Header().Set("ETag", `"`+hash+`"`)
	}
	problem.WriteJSON(w, http.StatusOK, stateInfo{Hash: hash, Active: s.Active != nil, Previous: s.Previous, Canary: s.Canary, Stored: stored})
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

func (h *Handler) putRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	expected, err := expected(r)
	if err != nil {
		return err
	}
	activate := true
	if asked := problem.Values(r).Get("activate"); asked != "" {
		if activate, err = strconv.ParseBool(asked); err != nil {
			return callmodel.FieldErrors{{Path: "activate", Message: "must be true or false"}}
		}
	}
	if !activate && expected != "" {
		return callmodel.FieldErrors{{Path: "If-Match", Message: "goes with what changes the active version; leave it out with activate=false"}}
	}
	body, leave, err := h.reading.Read(w, r)
	if err != nil {
		return err
	}
	defer leave()
	ctx, done, err := h.service.RuleWork(r.Context(), body.Size())
	if err != nil {
		return err
	}
	defer done()
	text, err := body.Text()
	if err != nil {
		return err
	}
	var state rulesets.State
	stored := ""
	if activate {
		state, err = h.service.InstallRules(ctx, p.TenantID, text, p.Subject, expected)
	} else {
		stored, state, err = h.service.StoreRules(ctx, p.TenantID, text, p.Subject)
	}
	if err != nil {
		return err
	}
	writeState(w, &state, stored)
	return nil
}

// change serves a change of which versions are in service. The version is that of
// the path, except for a rollback.
func (h *Handler) change(action rulesets.Action) problem.Endpoint {
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
		state, err := h.service.ChangeRules(r.Context(), c)
		if err != nil {
			return err
		}
		writeState(w, &state, "")
		return nil
	}
}

func share(w http.ResponseWriter, r *http.Request) (rulesets.Share, error) {
	var req struct {
		Percent rulesets.Share `json:"percent"`
	}
	err := problem.Decode(w, r, maxCanaryBody, &req)
	return req.Percent, err
}

func (h *Handler) listRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	sets, state, err := h.service.RuleSets(r.Context(), p.TenantID)
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
	all, err := h.service.History(r.Context(), p.TenantID, limit)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Activations []rulesets.Activation `json:"activations"`
	}{some(all)})
	return nil
}
