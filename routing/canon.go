package routing

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"
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
	sum := sha256.New()
	w := bufio.NewWriterSize(sum, 1<<16)
	rs.writeCanonical(w)
	if w.Flush() != nil {
		return "" // unreachable: a hash takes all that is written
	}
	return hexSum(sum)
}

func hexSum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)[:16]) }

func (rs *RuleSet) writeCanonical(w io.Writer) {
	head := *rs
	if head.Order == "" {
		head.Order = PrefixFirst
	}
	if rs.Rules == nil {
		_, _ = w.Write(marshal(&head))
		return
	}
	// "rules" is the last field: what stands before its list is the head.
	head.Rules = []Rule{}
	b := marshal(&head)
	_, _ = w.Write(b[:len(b)-len("]}")])
	var buf []byte
	for i := range rs.Rules {
		buf = buf[:0]
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = appendRule(buf, &rs.Rules[i])
		_, _ = w.Write(buf)
	}
	_, _ = io.WriteString(w, "]}")
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

func appendRule(b []byte, r *Rule) []byte {
	other, match := *r, r.Match
	other.ID, other.Default, other.Priority, other.Match, other.Route = "", false, 0, Match{}, nil
	match.To.Prefix, match.To.Exact, match.Tenant, match.Type = nil, nil, nil, nil
	if r.Route == nil || rest(&other) || rest(&match) {
		return append(b, marshal(r)...)
	}
	b = appendString(append(b, `{"id":`...), r.ID)
	if r.Default {
		b = append(b, `,"default":true`...)
	}
	if r.Priority != 0 {
		b = strconv.AppendInt(append(b, `,"priority":`...), int64(r.Priority), 10)
	}
	b = appendCommonMatch(b, &r.Match)
	b = appendRoute(append(b, `,"route":`...), r.Route)
	return append(b, '}')
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
