package routing

import (
	"encoding/binary"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/calendar"
	"github.com/switchtape/switchtape/routing/internal/text"
)

// extra returns the index, plus one, of the rule's rarer conditions; 0 for none.
func (c *compiler) extra(m *Match) uint32 {
	many := len(m.Tenant) > tenantRuns
	if !many && m.When == nil && len(m.Trunk) == 0 && len(m.Metadata) == 0 && len(m.MetadataPresent) == 0 && len(m.MetadataAbsent) == 0 &&
		len(m.CapabilitiesAny) == 0 && len(m.CapabilitiesAll) == 0 && m.ValidFrom == "" && m.ValidUntil == "" && m.User == nil && m.Callee == nil && m.Not == nil && m.Expr == "" {
		return 0
	}
	not := c.exclusions(m.Not) // it uses c.buf, as the key does
	c.extraKey(m, many)
	if i, ok := c.extraIndex[string(c.buf)]; ok {
		return i
	}
	key := string(c.buf)
	x := extra{
		trunks: unique(m.Trunk), any: unique(m.CapabilitiesAny), all: unique(m.CapabilitiesAll),
		from: bound(m.ValidFrom, always), until: bound(m.ValidUntil, never), window: c.window(m.When),
		user: newUserTerm(m.User), callee: newUserTerm(m.Callee), not: not,
	}
	if many {
		x.tenants = make(map[callmodel.TenantID]bool, len(m.Tenant))
		for _, t := range m.Tenant {
			x.tenants[t] = true
		}
	}
	for _, k := range sortedKeys(m.Metadata) {
		x.metadata = append(x.metadata, metadataTerm{key: k, values: unique(m.Metadata[k])})
	}
	for _, k := range unique(m.MetadataPresent) {
		x.metadata = append(x.metadata, metadataTerm{key: k})
	}
	for _, k := range unique(m.MetadataAbsent) {
		x.metadata = append(x.metadata, metadataTerm{key: k, absent: true})
	}
	if m.Expr != "" {
		x.pred, _ = c.v.predicates.Get(m.Expr) // validated
	}
	c.r.extras = append(c.r.extras, x)
	i := uint32(len(c.r.extras))
	c.extraIndex[key] = i
	return i
}

func (c *compiler) extraKey(m *Match, many bool) {
	b := c.buf[:0]
	if many {
		b = text.AppendKey(b, m.Tenant)
	}
	if m.When != nil {
		b = m.When.AppendKey(append(b, 't'))
	}
	b = text.AppendKey(b, m.Trunk)
	b = binary.AppendUvarint(b, uint64(len(m.Metadata)))
	for _, k := range sortedKeys(m.Metadata) {
		b = text.AppendKey(text.AppendKey(b, []string{k}), m.Metadata[k])
	}
	b = text.AppendKey(text.AppendKey(b, m.MetadataPresent), m.MetadataAbsent)
	b = text.AppendKey(text.AppendKey(b, m.CapabilitiesAny), m.CapabilitiesAll)
	b = text.AppendKey(b, []string{string(marshal(m.Not))})
	for _, u := range [2]*UserMatch{m.User, m.Callee} {
		b = text.AppendKey(b, []string{string(marshal(u))})
	}
	c.buf = text.AppendKey(b, []string{m.ValidFrom, m.ValidUntil, m.Expr})
}

// window returns the compiled times, nil for always. Equal times are compiled once.
func (c *compiler) window(w *calendar.Windows) *calendar.Window {
	if w == nil {
		return nil
	}
	w = c.rs.Windows(w)
	key := w.AppendKey(nil)
	compiled, ok := c.windows[string(key)]
	if !ok {
		compiled = c.v.calendar.Compile(w)
		c.windows[string(key)] = compiled
	}
	return compiled
}
