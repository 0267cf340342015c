package intake

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/broker"
)

// Tenants is who a subscription's messages may be of. One of its fields is set.
type Tenants struct {
	// One is whose every message is.
	One callmodel.TenantID
	// Allowed are those that a message may claim to be of, in its header
	// broker.HeaderTenant, or else in the field tenant_id of its body.
	Allowed []callmodel.TenantID
}

// TakeTenants takes the parameters tenant and tenants out of a subscription's URL. A URL
// that has neither, or both, is refused with FieldErrors.
func TakeTenants(u *broker.URL) (Tenants, error) {
	t := Tenants{One: callmodel.TenantID(u.Take("tenant"))}
	if list := u.Take("tenants"); list != "" {
		for name := range strings.SplitSeq(list, ",") {
			t.Allowed = append(t.Allowed, callmodel.TenantID(name))
		}
	}
	return t, t.validate()
}

func (t *Tenants) validate() error {
	var faults callmodel.FieldErrors
	if (t.One == "") == (len(t.Allowed) == 0) {
		faults.Add("tenant", "is missing, or tenants is given, too: say whose the messages are by tenant=acme, or by tenants=acme,beta which ones they may claim")
	}
	for _, name := range t.All() {
		if !callmodel.ValidID(string(name)) {
			faults.Add("tenants", "%.64q is not a tenant id", name)
		}
	}
	return faults.Err()
}

// All lists every tenant that a message may be of.
func (t *Tenants) All() []callmodel.TenantID {
	if t.One != "" {
		return []callmodel.TenantID{t.One}
	}
	return t.Allowed
}

// of is whose the message is. A claim that isn't allowed is refused with FieldErrors, and
// it is nobody's then.
func (t *Tenants) of(m *broker.Message) (callmodel.TenantID, error) {
	claim := callmodel.TenantID(m.Header(broker.HeaderTenant))
	if t.One != "" {
		if claim != "" && claim != t.One {
			return t.One, callmodel.FieldErrors{{Path: "tenant_id", Message: "is not the tenant of the subscription; leave it out"}}
		}
		return t.One, nil
	}
	if claim == "" {
		var body struct {
			TenantID callmodel.TenantID `json:"tenant_id"`
		}
		if json.Unmarshal(m.Body, &body) == nil { // the check says what else is wrong with it
			claim = body.TenantID
		}
	}
	switch {
	case claim == "":
		return "", callmodel.FieldErrors{{Path: "tenant_id", Message: "is missing; the subscription takes messages of several tenants"}}
	case !slices.Contains(t.Allowed, claim):
		return "", callmodel.FieldErrors{{Path: "tenant_id", Message: "is of a tenant that may not be claimed on this subscription"}}
	}
	return claim, nil
}
