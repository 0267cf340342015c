package routing

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"maps"
	"reflect"
	"strconv"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// Hash returns the name of this version: 32 hex digits of the SHA-256 of its
// canonical JSON. Equal rules have equal hashes, however a file lays them out.
//
// The canonical JSON is what encoding/json makes of the set. Rules with none but
// the most common fields are written directly, which takes a tenth of the time;
// every other rule goes through encoding/json.
func (rs *RuleSet) Hash() string {
	h := newHasher(rs)
	for i := range rs.Rules {
		h.rule(&rs.Rules[i])
	}
	return h.sum()
}

// hasher hashes a set, rule by rule.
type hasher struct {
	sha   hash.Hash
	out   *bufio.Writer
	buf   []byte
	rules bool // the set has a list of rules
	began bool // a rule was written
	known bool // see fieldsKnown
}

// canonicalSet is a RuleSet whose rates are quick to write. The fields behind the
// set stand for its fields of the same name, and follow them in the same order.
type canonicalSet struct {
	*RuleSet
	Rates    map[string][]rateJSON `json:"rates,omitempty"`
	Failover *calls.Failover       `json:"failover,omitempty"`
	Rules    []Rule                `json:"rules"`
}

func newHasher(rs *RuleSet) *hasher {
	h := &hasher{sha: sha256.New(), rules: rs.Rules != nil, known: fieldsKnown()}
	h.out = bufio.NewWriterSize(h.sha, 1<<16)
	head := *rs
	head.Order = cmp.Or(head.Order, PrefixFirst)
	head.Destinations = canonicalDestinations(rs.Destinations)
	if h.rules {
		head.Rules = []Rule{}
	}
	b := marshal(canonicalSet{&head, canonicalRates(rs.Rates), head.Failover, head.Rules})
	if h.rules {
		// "rules" is the last field: what stands before its list's end is the head.
		b = b[:len(b)-len(closing)]
	}
	_, _ = h.out.Write(b)
	return h
}

const closing = "]}"

// rule hashes the next rule. It returns the canonical JSON of its route, which is
// valid until the next call.
func (h *hasher) rule(r *Rule) []byte {
	h.buf = h.buf[:0]
	if h.began {
		h.buf = append(h.buf, ',')
	}
	h.began = true
	b, route := appendRule(h.buf, r, h.known)
	_, _ = h.out.Write(b)
	if route == 0 {
		route = len(b)
		b = append(appendRoute(b, r.Route, h.known), '}')
	}
	h.buf = b
	return b[route : len(b)-1]
}

func (h *hasher) sum() string {
	if h.rules {
		_, _ = h.out.WriteString(closing)
	}
	if h.out.Flush() != nil {
		return "" // unreachable: a hash takes all that is written
	}
	return hex.EncodeToString(h.sha.Sum(nil)[:16])
}

func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return nil // unreachable: strings, numbers and lists always marshal
	}
	return b
}

// fieldsKnown reports whether rules have just the fields that are written here. If
// one is added, everything goes through encoding/json, and the hash stays right.
func fieldsKnown() bool {
	const rule, match, numbers, tier, target = 10, 19, 4, 7, 2
	return reflect.TypeFor[Rule]().NumField() == rule && reflect.TypeFor[Match]().NumField() == match &&
		reflect.TypeFor[NumberMatch]().NumField() == numbers && reflect.TypeFor[Target]().NumField() == target && reflect.TypeFor[Tier]().NumField() == tier
}

// common reports whether the condition has no fields but to.prefix, to.exact,
// tenant and type. An empty list that is not nil counts as a field.
func (m *Match) common() bool {
	return m.To.List == nil && m.To.Service == nil && m.From.Prefix == nil && m.From.Exact == nil && m.From.List == nil && m.From.Service == nil &&
		m.Direction == nil && m.CallPriority == nil && m.When == nil && m.Trunk == nil && m.Metadata == nil && m.MetadataPresent == nil &&
		m.MetadataAbsent == nil && m.CapabilitiesAny == nil && m.CapabilitiesAll == nil && m.ValidFrom == "" && m.ValidUntil == "" && m.User == nil && m.Callee == nil && m.Not == nil && m.Expr == ""
}

// appendRule appends the rule and returns where its route begins, 0 if encoding/json
// wrote the rule.
func appendRule(b []byte, r *Rule, known bool) (_ []byte, route int) {
	if r.Enabled != nil && *r.Enabled { // as when it is left out
		plain := *r
		plain.Enabled = nil
		r = &plain
	}
	if len(r.Route) == 0 || r.Failover != nil || r.Enabled != nil || r.Reject != nil || r.Limits != nil || r.Description != "" || !known || !r.Match.common() {
		return append(b, marshal(r)...), 0
	}
	b = appendString(append(b, `{"id":`...), r.ID)
	if r.Default {
		b = append(b, `,"default":true`...)
	}
	if r.Priority != 0 {
		b = strconv.AppendInt(append(b, `,"priority":`...), int64(r.Priority), 10)
	}
	b = appendCommonMatch(b, &r.Match)
	b = append(b, `,"route":`...)
	route = len(b)
	return append(appendRoute(b, r.Route, known), '}'), route
}

func appendCommonMatch(b []byte, m *Match) []byte {
	// A list that is there and empty makes its struct not zero, and is not written.
	if m.To.Prefix == nil && m.To.Exact == nil && m.Tenant == nil && m.Type == nil {
		return b
	}
	b = append(b, `,"match":{`...)
	start := len(b)
	if !m.To.IsZero() {
		b = append(b, `"to":{`...)
		inner := len(b)
		b = appendList(b, inner, "prefix", m.To.Prefix)
		b = appendList(b, inner, "exact", m.To.Exact)
		b = append(b, '}')
	}
	b = appendList(b, start, "tenant", m.Tenant)
	b = appendList(b, start, "type", m.Type)
	return append(b, '}')
}

// appendList appends a field with a list, unless the list is empty. start is where
// the fields of its object begin.
func appendList[S ~string](b []byte, start int, name string, list []S) []byte {
	if len(list) == 0 {
		return b
	}
	if len(b) > start {
		b = append(b, ',')
	}
	b = append(append(append(b, '"'), name...), `":[`...)
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, string(s))
	}
	return append(b, ']')
}

func appendRoute(b []byte, tiers []Tier, known bool) []byte {
	b = append(b, '[')
	for i := range tiers {
		tier := &tiers[i]
		if i > 0 {
			b = append(b, ',')
		}
		if !known || !tier.plain() || tier.Targets == nil {
			b = append(b, marshal(tier)...)
			continue
		}
		b = append(b, '[')
		for j := range tier.Targets {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendTarget(b, &tier.Targets[j], known)
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

func appendTarget(b []byte, t *Target, known bool) []byte {
	if !known {
		return append(b, marshal(t)...)
	}
	b = appendString(append(b, `{"to":`...), t.To)
	if t.Weight != 0 {
		b = strconv.AppendInt(append(b, `,"weight":`...), int64(t.Weight), 10)
	}
	return append(b, '}')
}

// appendString appends s as encoding/json writes it.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return append(b, marshal(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// canonicalDestinations writes destinations that mean the same in the same way, so
// that their sets have the same hash.
func canonicalDestinations(specs map[string]DestinationSpec) map[string]DestinationSpec {
	out := maps.Clone(specs)
	for id, d := range specs {
		if d.Caller == nil || d.Caller.Policy != "" && d.Caller.Policy != CallerPass {
			continue
		}
		pass := *d.Caller
		pass.Policy = ""
		d.Caller = &pass
		if pass.Strip == 0 && pass.Prepend == "" && !pass.StripPlus {
			d.Caller = nil
		}
		out[id] = d
	}
	return out
}

// canonicalRates does the same for rates.
func canonicalRates(decks map[string][]RateRow) map[string][]rateJSON {
	if len(decks) == 0 {
		return nil
	}
	out := make(map[string][]rateJSON, len(decks))
	for name, rows := range decks {
		list := make([]rateJSON, len(rows))
		for i := range rows {
			row := rows[i].canonical()
			list[i] = row.inJSON()
		}
		out[name] = list
	}
	return out
}
