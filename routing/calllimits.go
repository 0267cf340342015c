package routing

import (
	"maps"

	"github.com/switchtape/switchtape/callmodel"
)

// CallLimits say how many calls of a tenant and from an inbound trunk a set takes, at once
// and each second, whatever their rule. Processes that decide share them: see package
// trunk.
type CallLimits struct {
	// Tenants are the limits of the calls of each tenant, by its id; "*" are those of
	// every tenant that isn't named, for each by itself.
	Tenants map[string]Limits `json:"tenants,omitempty"`
	// Trunks are the limits of the calls that come in by each trunk, by its id; "*" as
	// for tenants.
	Trunks map[string]Limits `json:"trunks,omitempty"`
}

// AnyOther is the key of the limits for whatever isn't named.
const AnyOther = "*"

func (v *validation) checkCallLimits(l *CallLimits) {
	if l == nil {
		return
	}
	if len(l.Tenants)+len(l.Trunks) == 0 {
		v.fault("limits", "limits nothing; give tenants or trunks, or leave it out")
	}
	for _, list := range []struct {
		path string
		of   map[string]Limits
	}{{"limits.tenants.", l.Tenants}, {"limits.trunks.", l.Trunks}} {
		for _, id := range sortedKeys(list.of) {
			one := list.of[id]
			if id != AnyOther && !callmodel.ValidID(id) {
				v.fault(list.path+id, "the id must be %q, or 1 to 128 letters, digits, '.', '_' or '-', the first a letter or digit, without \"..\"", AnyOther)
			}
			v.checkLimits(list.path+id, &one)
		}
	}
}

// AllLimits are the limits of a set's calls, besides those of its destinations.
type AllLimits struct {
	CallLimits

	Rules map[string]Limits // by their id
}

// Limits returns the limits of tenants, inbound trunks and rules that the set has. Those of
// destinations are in [Router.Endpoints].
func (r *Router) Limits() AllLimits {
	return AllLimits{CallLimits{maps.Clone(r.limits.Tenants), maps.Clone(r.limits.Trunks)}, maps.Clone(r.limits.Rules)}
}

// limitRule keeps the limits of a rule.
func (r *Router) limitRule(src *Rule) {
	if src.Limits == nil {
		return
	}
	if r.limits.Rules == nil {
		r.limits.Rules = map[string]Limits{}
	}
	r.limits.Rules[src.ID] = *src.Limits
}
