package callhttp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/internal/rulebody"
	"github.com/switchtape/switchtape/routing/ruleedit"
)

// Limits of the bodies of edits, in bytes.
const (
	maxRuleBody  = 1 << 20
	maxEditsBody = 8 << 20
)

// mediaYAML is the media type of a rule as it is written.
const mediaYAML = "application/yaml"

// editRoutes lists the endpoints for single rules.
func (h *Handler) editRoutes() []problem.Route {
	return []problem.Route{
		problem.At("GET /v1/rules/items/{rule}", callmodel.ScopeRulesRead, h.getRule,
			problem.Door{Query: []string{"format"}, Gives: []string{problem.JSON, mediaYAML}}),
		problem.At("PUT /v1/rules/items/{rule}", callmodel.ScopeRulesWrite, h.putRule,
			problem.Door{Query: []string{"before", "after", "dry_run"}, Takes: rulebody.Types()}),
		problem.At("DELETE /v1/rules/items/{rule}", callmodel.ScopeRulesWrite, h.deleteRule, problem.Query("dry_run")),
		problem.At("POST /v1/rules/edits", callmodel.ScopeRulesWrite, h.editRules, problem.Query("dry_run")),
	}
}

// getRule answers with one rule of the active version: as JSON, or as it is written.
func (h *Handler) getRule(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	format := r.URL.Query().Get("format")
	if format != "" && format != "json" && format != "yaml" {
		return callmodel.FieldErrors{{Path: "format", Message: "must be json or yaml"}}
	}
	found, hash, err := h.service.Rule(r.Context(), p.TenantID, r.PathValue("rule"))
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+hash+`"`)
	if format == "yaml" {
		w.Header().Set("Content-Type", mediaYAML)
		_, err = w.Write(found.Text) //nolint:gosec // G705: it is the tenant's own text, as YAML
		return err
	}
	problem.WriteJSON(w, http.StatusOK, found.Rule)
	return nil
}

func (h *Handler) putRule(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	text, err := problem.Body(w, r, maxRuleBody)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	return h.edit(w, r, p, ruleedit.Edit{Op: ruleedit.Put, ID: r.PathValue("rule"), Rule: text, Before: q.Get("before"), After: q.Get("after")})
}

func (h *Handler) deleteRule(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.edit(w, r, p, ruleedit.Edit{Op: ruleedit.Remove, ID: r.PathValue("rule")})
}

// edits is the body of POST /v1/rules/edits.
type edits struct {
	Edits []struct {
		Op     ruleedit.Op     `json:"op"`
		ID     string          `json:"id"`
		Rule   json.RawMessage `json:"rule"` // an object, or a text in YAML
		Before string          `json:"before"`
		After  string          `json:"after"`
	} `json:"edits"`
}

func (h *Handler) editRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var in edits
	body, leave, err := h.body(w, r, maxEditsBody)
	if err != nil {
		return err
	}
	defer leave()
	if err := callmodel.DecodeJSON(body, &in); err != nil {
		return err
	}
	list := make([]ruleedit.Edit, len(in.Edits))
	for i, e := range in.Edits {
		text := []byte(e.Rule)
		if len(text) > 0 && text[0] == '"' {
			var written string
			if err := json.Unmarshal(text, &written); err != nil {
				return callmodel.FieldErrors{{Path: fmt.Sprintf("edits[%d].rule", i), Message: "is neither an object nor a text"}}
			}
			text = []byte(written)
		}
		list[i] = ruleedit.Edit{Op: e.Op, ID: e.ID, Rule: text, Before: e.Before, After: e.After}
	}
	return h.edit(w, r, p, list...)
}

// editedInfo is what edits answer.
type editedInfo struct {
	Hash     string           `json:"hash"`   // of the version with the edits
	Active   bool             `json:"active"` // false of a dry run that would change something
	Previous string           `json:"previous,omitempty"`
	Canary   *rulesets.Canary `json:"canary,omitempty"`
	Changes  []ruleedit.Diff  `json:"changes"`
}

// edit makes the edits and answers what has changed.
func (h *Handler) edit(w http.ResponseWriter, r *http.Request, p callmodel.Principal, list ...ruleedit.Edit) error {
	e := callservice.RulesEdit{Edits: list}
	var err error
	if e.Expected, err = expected(r); err != nil {
		return err
	}
	if dry := r.URL.Query().Get("dry_run"); dry != "" {
		if e.DryRun, err = strconv.ParseBool(dry); err != nil {
			return callmodel.FieldErrors{{Path: "dry_run", Message: "must be true or false"}}
		}
	}
	out, err := h.service.EditRules(r.Context(), p.TenantID, e, p.Subject)
	if err != nil {
		return err
	}
	active := out.State.ActiveHash()
	w.Header().Set("ETag", `"`+active+`"`)
	problem.WriteJSON(w, http.StatusOK, editedInfo{
		Hash: out.Hash, Active: out.Hash == active, Previous: out.State.Previous, Canary: out.State.Canary, Changes: out.Diffs,
	})
	return nil
}
