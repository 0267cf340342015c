package routing

import (
	"fmt"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/routing/calendar"
)

// Exclusions are conditions that take calls away from a rule: it takes none for which one
// of them holds. Each is as in [Match].
type Exclusions struct {
	To        NumberMatch          `json:"to,omitzero" unsaid:""` // of numbers and short codes, without service
	From      NumberMatch          `json:"from,omitzero" unsaid:""`
	Tenant    []callmodel.TenantID `json:"tenant,omitempty" unsaid:""`
	Type      []calls.Type         `json:"type,omitempty" unsaid:""`
	Direction []calls.Direction    `json:"direction,omitempty" unsaid:""`
	Trunk     []string             `json:"trunk,omitempty" unsaid:""`
	Metadata  map[string][]string  `json:"metadata,omitempty" unsaid:""` // one key with one of its values
	When      *calendar.Windows    `json:"when,omitempty" unsaid:""`
}

func (v *validation) checkExclusions(x *Exclusions) {
	if x == nil {
		return
	}
	v.checkNumbers("match.not.to", &x.To)
	v.checkNumbers("match.not.from", &x.From)
	codes := slices.ContainsFunc(x.To.Prefix, e164.BeginsCode) || slices.ContainsFunc(x.To.Exact, e164.BeginsCode)
	if codes || len(x.To.Service) > 0 {
		v.fault("match.not.to", "excludes numbers and short codes only; a rule of a higher priority takes service codes and emergency calls away")
	}
	for i, t := range x.Tenant {
		if !callmodel.ValidID(string(t)) {
			v.fault(fmt.Sprintf("match.not.tenant[%d]", i), "%q is not a tenant id", t)
		}
	}
	for i, t := range x.Type {
		if typeBit(t) == 0 {
			v.fault(fmt.Sprintf("match.not.type[%d]", i), "%q is not one of voice, video, fax, emergency", t)
		}
	}
	for i, d := range x.Direction {
		if directionBit(d) == 0 {
			v.fault(fmt.Sprintf("match.not.direction[%d]", i), "%q is not one of inbound, outbound, internal", d)
		}
	}
	v.checkIDs("match.not.trunk", "a trunk id", x.Trunk)
	for _, k := range sortedKeys(x.Metadata) {
		if n := len(x.Metadata[k]); k == "" || len(k) > calls.MaxMetadataKey || n == 0 || n > MaxMatchValues {
			v.fault("match.not.metadata."+k, "must be a key of 1 to %d bytes with 1 to %d values", calls.MaxMetadataKey, MaxMatchValues)
		}
	}
	if x.When != nil {
		v.checkWindowsAt("match.not.when.", x.When)
	}
}

// exclusions is a compiled Exclusions.
type exclusions struct {
	to, from    []uint32 // indexes in Router.callers
	tenants     []callmodel.TenantID
	types, dirs uint8
	trunks      []string
	metadata    []metadataTerm
	window      *calendar.Window
}

func (c *compiler) exclusions(m *Exclusions) *exclusions {
	if m == nil {
		return nil
	}
	x := &exclusions{tenants: unique2(m.Tenant), trunks: unique(m.Trunk), window: c.window(m.When)}
	for _, t := range m.Type {
		x.types |= typeBit(t)
	}
	for _, d := range m.Direction {
		x.dirs |= directionBit(d)
	}
	for _, k := range sortedKeys(m.Metadata) {
		x.metadata = append(x.metadata, metadataTerm{key: k, values: unique(m.Metadata[k])})
	}
	if !m.To.IsZero() {
		x.to = c.callersOf(&m.To)
	}
	if !m.From.IsZero() {
		x.from = c.callersOf(&m.From)
	}
	return x
}

func unique2(list []callmodel.TenantID) []callmodel.TenantID {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// holds returns the name of the first condition that takes the call away, "" if none
// does. It allocates nothing.
func (x *exclusions) holds(r *Router, req *calls.Request) string {
	switch {
	case len(x.tenants) > 0 && slices.Contains(x.tenants, req.TenantID):
		return "tenant"
	case x.types&typeBit(req.Type) != 0:
		return "type"
	case x.dirs&directionBit(req.Direction) != 0:
		return "direction"
	case len(x.trunks) > 0 && slices.Contains(x.trunks, req.Trunk):
		return "trunk"
	case len(x.from) > 0 && !req.FromAsGiven && r.among(x.from, req.From):
		return "from"
	case len(x.to) > 0 && r.among(x.to, req.To):
		return "to"
	}
	for i := range x.metadata {
		t := &x.metadata[i]
		if value, ok := req.Metadata[t.key]; ok && slices.Contains(t.values, value) {
			return "metadata"
		}
	}
	if x.window != nil && !req.At.IsZero() && x.window.Open(req.At) {
		return "when"
	}
	return ""
}

// among reports whether the number is one of the sets.
func (r *Router) among(sets []uint32, number string) bool {
	var keys callerKeys
	keys.pack(number)
	for _, i := range sets {
		set := &r.callers[i-1]
		if v := keys.from[set.length]; v != 0 && set.has(v) {
			return true
		}
	}
	return false
}

// excludes reports whether the exclusions of p's rule take every call away that q could
// match.
func (c *compiler) excludes(p, q *kind, posting *posting) bool {
	if p.extra == 0 {
		return false
	}
	x := c.r.extras[p.extra-1].not
	switch {
	case x == nil:
		return false
	case posting.tenant() != 0 && slices.Contains(x.tenants, c.tenantNames[posting.tenant()]):
		return true
	case q.types != 0 && q.types&^x.types == 0, q.dirs != 0 && q.dirs&^x.dirs == 0:
		return true
	case q.from != 0 && slices.Contains(x.from, q.from):
		return true
	case q.extra == 0:
		return false
	}
	trunks := c.r.extras[q.extra-1].trunks
	return len(trunks) > 0 && !slices.ContainsFunc(trunks, func(t string) bool { return !slices.Contains(x.trunks, t) })
}
