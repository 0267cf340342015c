package rulehttp

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/diff"
	"github.com/switchtape/switchtape/routing/lint"
	"github.com/switchtape/switchtape/routing/simulate"
)

// maxTriedCalls bounds one request. The command switchtape rules has none.
const maxTriedCalls = 50_000

// checkRules says what is wrong with the rule set in the body, and stores nothing.
func (h *Handler) checkRules(w http.ResponseWriter, r *http.Request, _ callmodel.Principal) error {
	at, err := problem.Time(r, "at", h.opts.Now().UTC())
	if err != nil {
		return err
	}
	return h.onBody(w, r, func(_ context.Context, text []byte) error {
		report, err := lint.CheckFile(text, &lint.Options{At: at})
		if err != nil {
			return err
		}
		problem.WriteJSON(w, http.StatusOK, report)
		return nil
	})
}

// ruleSource is a rule set that is to be tried: a stored one, or one that is
// given. Neither: the one in service.
type ruleSource struct {
	Hash string `json:"hash"`
	Body string `json:"body"` // YAML or JSON
}

// tried is the body of requests to try rules out.
type tried struct {
	// Before and After are to be compared; RuleSet is to be simulated.
	Before  ruleSource        `json:"before"`
	After   ruleSource        `json:"after"`
	RuleSet ruleSource        `json:"ruleset"`
	Calls   []json.RawMessage `json:"calls"` // as in package callfile
	// AssumeSeconds is the length of calls without a duration. 0 means 180.
	AssumeSeconds int  `json:"assume_seconds"`
	Series        bool `json:"series"` // of the simulation, by the minute
}

func (h *Handler) diffRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.onBody(w, r, func(ctx context.Context, text []byte) error {
		in, calls, err := readTried(text, p.TenantID)
		if err != nil {
			return err
		}
		if in.RuleSet != (ruleSource{}) || in.Series {
			return callmodel.FieldErrors{{Path: "ruleset", Message: "is of a simulation; give before and after here"}}
		}
		before, err := h.diffSet(ctx, p.TenantID, "before", in.Before)
		if err != nil {
			return err
		}
		after, err := h.diffSet(ctx, p.TenantID, "after", in.After)
		if err != nil {
			return err
		}
		c := diff.New(before, after, &diff.Options{Assume: time.Duration(in.AssumeSeconds) * time.Second, Workers: 1})
		c.Calls(calls)
		problem.WriteJSON(w, http.StatusOK, c.Report())
		return nil
	})
}

func (h *Handler) diffSet(ctx context.Context, t callmodel.TenantID, field string, from ruleSource) (*diff.Set, error) {
	in, err := h.triedSet(ctx, t, field, from)
	if err != nil {
		return nil, err
	}
	return diff.NewSet(in.Rules, in.Router)
}

func (h *Handler) simulateRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.onBody(w, r, func(ctx context.Context, text []byte) error {
		in, calls, err := readTried(text, p.TenantID)
		if err != nil {
			return err
		}
		if in.Before != (ruleSource{}) || in.After != (ruleSource{}) {
			return callmodel.FieldErrors{{Path: "before", Message: "is of a comparison; give ruleset here"}}
		}
		set, err := h.triedSet(ctx, p.TenantID, "ruleset", in.RuleSet)
		if err != nil {
			return err
		}
		report, err := simulate.Run(ctx, set.Router, calls, &simulate.Options{Assume: time.Duration(in.AssumeSeconds) * time.Second, Series: in.Series})
		if err != nil {
			return err
		}
		problem.WriteJSON(w, http.StatusOK, report)
		return nil
	})
}

// explained is the body of a request to explain what a rule set does with a call.
type explained struct {
	RuleSet ruleSource      `json:"ruleset"`
	Call    json.RawMessage `json:"call"` // as in package callfile
}

// explainRules says what a rule set decides for a call and why each rule won or lost, and
// stores nothing. The destinations' health and limits are left out of it: they are those
// of the moment, and of the rules in service.
func (h *Handler) explainRules(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.onBody(w, r, func(ctx context.Context, text []byte) error {
		var in explained
		if err := callmodel.DecodeJSON(text, &in); err != nil {
			return err
		}
		var faults callmodel.FieldErrors
		var call callfile.Call
		if len(in.Call) == 0 {
			faults.Add("call", "is missing")
		} else if err := triedCall(&call, in.Call, 0, p.TenantID); err != nil {
			faults.AddAll("call", err)
		}
		if err := faults.Err(); err != nil {
			return err
		}
		set, err := h.triedSet(ctx, p.TenantID, "ruleset", in.RuleSet)
		if err != nil {
			return err
		}
		if call.Emergency {
			problem.WriteJSON(w, http.StatusOK, set.Router.ExplainEmergency(&call.Request))
			return nil
		}
		problem.WriteJSON(w, http.StatusOK, set.Router.Explain(&call.Request))
		return nil
	})
}

// readTried reads the body and its calls, which are the tenant's own: one that
// names none is.
func readTried(text []byte, t callmodel.TenantID) (*tried, []callfile.Call, error) {
	var in tried
	if err := callmodel.DecodeJSON(text, &in); err != nil {
		return nil, nil, err
	}
	var faults callmodel.FieldErrors
	if len(in.Calls) == 0 || len(in.Calls) > maxTriedCalls {
		faults.Add("calls", "must be 1 to %d calls, are %d; the command switchtape rules takes any number", maxTriedCalls, len(in.Calls))
		return nil, nil, faults
	}
	if most := int(callfile.MaxLength / time.Second); in.AssumeSeconds < 0 || in.AssumeSeconds > most {
		faults.Add("assume_seconds", "must be 1 to %d, is %d", most, in.AssumeSeconds)
	}
	calls := make([]callfile.Call, len(in.Calls))
	for i, raw := range in.Calls {
		if err := triedCall(&calls[i], raw, i, t); err != nil {
			faults.AddAll(fmt.Sprintf("calls[%d]", i), err)
		}
		if len(faults) >= maxTriedFaults {
			break
		}
	}
	return &in, calls, faults.Err()
}

// maxTriedFaults bounds the answer to calls that are wrong everywhere.
const maxTriedFaults = 100

func triedCall(c *callfile.Call, raw []byte, i int, t callmodel.TenantID) callmodel.FieldErrors {
	var err error
	*c, err = callfile.Decode(raw)
	c.Line = i + 1
	var faults callmodel.FieldErrors
	if err != nil && !errors.As(err, &faults) {
		faults.Add("", "%s", err)
	}
	kept := faults[:0]
	for _, f := range faults {
		if f.Path != "tenant" || namesTenant(raw) {
			kept = append(kept, f)
		}
	}
	if c.TenantID = cmp.Or(c.TenantID, t); c.TenantID != t {
		kept.Add("tenant", "is not %s, whose rules these are", t)
	}
	return kept
}

// namesTenant reports whether the call has a tenant, be it one or not.
func namesTenant(call []byte) bool {
	var names struct {
		Tenant json.RawMessage `json:"tenant"`
	}
	return json.Unmarshal(call, &names) == nil && names.Tenant != nil && string(names.Tenant) != `""`
}

// triedSet reads a set as it is asked for. Faults are below the field.
func (h *Handler) triedSet(ctx context.Context, t callmodel.TenantID, field string, from ruleSource) (*routing.Inspection, error) {
	body := []byte(from.Body)
	switch {
	case from.Hash != "" && from.Body != "":
		return nil, callmodel.FieldErrors{{Path: field, Message: "has a hash and a body; give one of them, or neither for the set in service"}}
	case from.Hash != "":
		stored, err := h.rules.RuleSet(ctx, t, from.Hash)
		if err != nil {
			return nil, err
		}
		body = stored.Body
	case from.Body == "":
		stored, err := h.rules.ActiveRuleSet(ctx, t)
		if err != nil {
			return nil, err
		}
		body = stored.Body
	}
	in, err := routing.Inspect(body)
	if err != nil {
		return nil, callmodel.FieldErrors{{Path: field, Message: err.Error()}}
	}
	var faults callmodel.FieldErrors
	faults.AddAll(field, append(append(callmodel.FieldErrors(nil), in.Faults...), in.Conflicts...))
	return in, faults.Err()
}
