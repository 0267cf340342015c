package routing

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"reflect"
	"strconv"
)

// Hash is the version's name: 32 hex digits of the SHA-256 of its canonical
// JSON. Equal rules have equal hashes, however they were laid out in a file.
//
// The canonical JSON is what encoding/json makes of the set. Rules that use
// nothing but the common fields are written directly, which takes a tenth of
// the time; every other goes through encoding/json itself.
func (rs *RuleSet) Hash() string {
	h := newHasher(rs)
	for i := range rs.Rules {
		h.rule(&rs.Rules[i])
	}
	return h.sum()
}

// hasher is given the rules of a set in order.
type hasher struct {
	sha   hash.Hash
	out   *bufio.Writer
	buf   []byte
	rules bool // the set has a list of rules
	began bool // and one of them was given
}

func newHasher(rs *RuleSet) *hasher {
	h := &hasher{sha: sha256.New(), rules: rs.Rules != nil}
	h.out = bufio.NewWriterSize(h.sha, 1<<16)
	head := *rs
	head.Order = cmp.Or(head.Order, PrefixFirst)
	if h.rules {
		head.Rules = []Rule{}
	}
	b := marshal(&head)
	if h.rules {
		// "rules" is the last field: what stands before its list's end is the head.
		b = b[:len(b)-len(closing)]
	}
	_, _ = h.out.Write(b)
	return h
}

const closing = "]}"

// rule takes the next rule, and returns the canonical JSON of its route, which
// is good until the next.
func (h *hasher) rule(r *Rule) []byte {
	h.buf = h.buf[:0]
	if h.began {
		h.buf = append(h.buf, ',')
	}
	h.began = true
	b, route := appendRule(h.buf, r)
	_, _ = h.out.Write(b)
	if route == 0 {
		route = len(b)
		b = append(appendRoute(b, r.Route), '}')
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

// rest reports whether v, which the caller has cleared of the fields that it
// writes itself, holds anything else. Fields that are added later are seen too.
func rest[T any](v *T) bool { return !reflect.ValueOf(v).Elem().IsZero() }

// appendRule writes the rule, and says where its route begins; 0 if it was
// left to encoding/json.
func appendRule(b []byte, r *Rule) (_ []byte, route int) {
	other, match := *r, r.Match
	other.ID, other.Default, other.Priority, other.Match, other.Route = "", false, 0, Match{}, nil
	match.To.Prefix, match.To.Exact, match.Tenant, match.Type = nil, nil, nil, nil
	if r.Route == nil || rest(&other) || rest(&match) {
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
	return append(appendRoute(b, r.Route), '}'), route
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

// appendList writes a field that is a list, if it has any. start is where the
// fields of its object begin.
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

func appendRoute(b []byte, tiers [][]Target) []byte {
	b = append(b, '[')
	for i, tier := range tiers {
		if i > 0 {
			b = append(b, ',')
		}
		if tier == nil {
			b = append(b, "null"...)
			continue
		}
		b = append(b, '[')
		for j := range tier {
			if j > 0 {
				b = append(b, ',')
			}
			b = appendTarget(b, &tier[j])
		}
		b = append(b, ']')
	}
	return append(b, ']')
}

func appendTarget(b []byte, t *Target) []byte {
	other := *t
	other.To, other.Weight = "", 0
	if rest(&other) {
		return append(b, marshal(t)...)
	}
	b = appendString(append(b, `{"to":`...), t.To)
	if t.Weight != 0 {
		b = strconv.AppendInt(append(b, `,"weight":`...), int64(t.Weight), 10)
	}
	return append(b, '}')
}

// appendString writes s as encoding/json does.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return append(b, marshal(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
