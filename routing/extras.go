package routing

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// callersOf is the indexes, plus one, of the condition's callers, those of each
// rank apart; one 0 for any caller. Equal conditions share them.
func (c *compiler) callersOf(m *NumberMatch) []uint32 {
	if m.IsZero() {
		return c.everybody
	}
	c.buf = appendKey(appendKey(appendKey(c.buf[:0], m.Prefix), m.Exact), m.List)
	if list, ok := c.callerIndex[string(c.buf)]; ok {
		return list
	}
	key := string(c.buf)
	prefixes, exact := c.numbers(m)
	var byLength [exactCallers + 1][]string
	byLength[exactCallers] = exact
	for _, p := range prefixes {
		byLength[len(p)] = append(byLength[len(p)], p)
	}
	var list []uint32
	for length, numbers := range byLength {
		if len(numbers) == 0 {
			continue
		}
		packed := make([]uint64, len(numbers))
		for i, s := range numbers {
			packed[i] = packNumber(s)
		}
		one := callers{numberSet: newNumberSet(packed), length: uint8(length)}
		if length == exactCallers {
			one.text = describeNumbers(nil, numbers)
		} else {
			one.text = describeNumbers(numbers, nil)
		}
		c.r.callers = append(c.r.callers, one)
		list = append(list, uint32(len(c.r.callers)))
	}
	c.callerIndex[key] = list
	return list
}

// appendKey writes a list so that different lists are different bytes.
func appendKey[S ~string](b []byte, list []S) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return b
}

// extra is the index, plus one, of the rule's rarer conditions; 0 for none.
func (c *compiler) extra(m *Match) uint32 {
	many := len(m.Tenant) > tenantRuns
	if !many && m.When == nil && len(m.Trunk) == 0 && len(m.Metadata) == 0 && len(m.MetadataPresent) == 0 && len(m.MetadataAbsent) == 0 &&
		len(m.CapabilitiesAny) == 0 && len(m.CapabilitiesAll) == 0 && m.ValidFrom == "" && m.ValidUntil == "" && m.Expr == "" {
		return 0
	}
	c.extraKey(m, many)
	if i, ok := c.extraIndex[string(c.buf)]; ok {
		return i
	}
	key := string(c.buf)
	x := extra{
		trunks: unique(m.Trunk), any: unique(m.CapabilitiesAny), all: unique(m.CapabilitiesAll),
		from: bound(m.ValidFrom, always), until: bound(m.ValidUntil, never), window: c.window(m.When),
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
		x.pred, _ = c.v.progs.get(m.Expr) // validated
	}
	c.r.extras = append(c.r.extras, x)
	i := uint32(len(c.r.extras))
	c.extraIndex[key] = i
	return i
}

func (c *compiler) extraKey(m *Match, many bool) {
	b := c.buf[:0]
	if many {
		b = appendKey(b, m.Tenant)
	}
	b = strconv.AppendInt(append(b, 't'), int64(c.window(m.When)), 10)
	b = appendKey(b, m.Trunk)
	b = binary.AppendUvarint(b, uint64(len(m.Metadata)))
	for _, k := range sortedKeys(m.Metadata) {
		b = appendKey(appendKey(b, []string{k}), m.Metadata[k])
	}
	b = appendKey(appendKey(b, m.MetadataPresent), m.MetadataAbsent)
	b = appendKey(appendKey(b, m.CapabilitiesAny), m.CapabilitiesAll)
	c.buf = appendKey(b, []string{m.ValidFrom, m.ValidUntil, m.Expr})
}

// window is the index of the compiled times, -1 for always.
func (c *compiler) window(w *Windows) int32 {
	if w == nil {
		return -1
	}
	key := w.appendKey(nil)
	if i, ok := c.windowIndex[string(key)]; ok {
		return i
	}
	loc, err := c.v.zone(w.TimeZone)
	if err != nil {
		loc = time.UTC // unreachable: validated
	}
	z, ok := c.zones[loc.String()]
	if !ok {
		z = newZone(loc)
		c.zones[loc.String()] = z
	}
	compiled := window{zone: z, except: wallSpans(w.Except), also: wallSpans(w.Also)}
	for _, s := range w.Weekly {
		_ = compiled.week.add(s) // validated
	}
	var recur [][2]uint32
	for _, r := range w.RRule {
		list, _ := c.v.recur.expand(r, loc) // validated
		recur = append(recur, list...)
	}
	compiled.recur = newSpans(recur)
	i := int32(len(c.r.windows))
	c.r.windows = append(c.r.windows, compiled)
	c.windowIndex[string(key)] = i
	return i
}

func wallSpans(list []string) spans {
	var all [][2]uint32
	for _, s := range list {
		one, _ := dates(s) // validated
		all = append(all, one...)
	}
	return newSpans(all)
}

// describeNumbers names the first few of the numbers and prefixes.
func describeNumbers(prefixes, exact []string) string {
	const most = 3
	list := slices.Clone(exact[:min(len(exact), most)])
	for _, p := range prefixes[:min(len(prefixes), most)] {
		list = append(list, p+"…")
	}
	list = list[:min(len(list), most)]
	if n := len(prefixes) + len(exact) - len(list); n > 0 {
		return strings.Join(list, ", ") + " and " + strconv.Itoa(n) + " more"
	}
	return strings.Join(list, ", ")
}
