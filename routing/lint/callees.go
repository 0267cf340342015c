package lint

import (
	"math/bits"
	"strings"

	"github.com/switchtape/switchtape/routing"
)

// mostSiblings is how many of ten siblings must be there for a missing one to be a
// hole.
const mostSiblings = 7

// prefixHoles reports prefixes that are missing among their siblings, if no shorter
// prefix takes their calls.
func (l *linter) prefixHoles(x *index) {
	if root, ok := x.find(0); ok && l.takesPrefix(x, root) {
		return
	}
	h := holes{index: x, l: l}
	for callee, c := range x.codes {
		if c != 0 && !starred(c) && l.takesPrefix(x, callee) {
			h.add(c)
		}
	}
	for length := range h.siblings {
		h.flush(length)
	}
}

// takesPrefix reports whether a rule that calls may reach takes all numbers
// that begin with the callee.
func (l *linter) takesPrefix(x *index, callee int) bool {
	for _, p := range x.of(callee) {
		if !p.exact && !l.dead[p.rule] {
			return true
		}
	}
	return false
}

type holes struct {
	*index

	l *linter
	// siblings holds, for each length, the callees that have the last parent.
	siblings [codeSymbols + 1]struct {
		parent uint64
		digits uint16 // a bit for each symbol
	}
}

// add adds a callee. Callees come in order, those of one length and parent together.
func (h *holes) add(c uint64) {
	length := codeLength(c)
	symbol := c >> (64 - 4*length) & 15
	parent := c &^ (symbol << (64 - 4*length))
	s := &h.siblings[length]
	if s.parent != parent {
		h.flush(length)
		s.parent = parent
	}
	s.digits |= 1 << symbol
}

func (h *holes) flush(length int) {
	s := &h.siblings[length]
	digits, parent := s.digits, s.parent
	s.digits = 0
	if length < 2 || bits.OnesCount16(digits) < mostSiblings || h.covered(parent, length-1) {
		return
	}
	for symbol := uint64(1); symbol <= 10; symbol++ {
		c := parent | symbol<<(64-4*length)
		if digits>>symbol&1 != 0 || !assigned(parent, length-1, symbol) || h.anyBelow(c, length) {
			continue
		}
		h.hole(c, digits, parent, length)
	}
}

// covered reports whether a rule takes the numbers that begin with the code or with a
// part of it.
func (h *holes) covered(c uint64, length int) bool {
	for n := length; n > 0; n-- {
		if callee, ok := h.find(c &^ (1<<(64-4*n) - 1)); ok && h.l.takesPrefix(h.index, callee) {
			return true
		}
	}
	return false
}

// assigned reports whether the digit may follow the prefix: no country code
// begins with 0, and in the North American plan no area code and no exchange
// with 0 or 1.
func assigned(parent uint64, length int, symbol uint64) bool {
	text := codeText(parent)
	zeroOrOne := symbol <= 2
	switch {
	case text == "+":
		return symbol != 1
	case text == "+1", strings.HasPrefix(text, "+1") && length == 5:
		return !zeroOrOne
	}
	return true
}

func (h *holes) hole(c uint64, digits uint16, parent uint64, length int) {
	neighbour := parent | uint64(bits.TrailingZeros16(digits))<<(64-4*length)
	rule := 0
	if callee, ok := h.find(neighbour); ok {
		rule = int(h.of(callee)[0].rule)
	}
	h.l.aboutRule(PrefixHole, rule, "add the prefix, or a rule for "+codeText(parent),
		"calls to %s… reach no rule, although %d of its siblings below %s have one", codeText(c), bits.OnesCount16(digits), codeText(parent))
}

// catchAll reports which rules take the calls that no other rule takes.
func (l *linter) catchAll(x *index) {
	everyones := false
	for i := range l.rs.Rules {
		r := &l.rs.Rules[i]
		if l.dead[i] {
			continue
		}
		switch {
		case r.Default:
			everyones = everyones || x.everyCall(r)
			l.aboutRule(CatchAll, i, "", "takes %s that no other rule takes%s", whose(r), conditional(r))
		case wide(r.Match.To.Prefix):
			l.aboutRule(CatchAll, i, "", "takes %s to international numbers that no other rule takes%s", whose(r), conditional(r))
		}
	}
	if !everyones {
		l.about(NoCatchAll, "rules", "add a rule with default: true, if they are to be routed",
			"calls that no rule matches are refused: there is no default rule for everyone's calls at any time")
	}
	l.emergency(x)
}

func whose(r *routing.Rule) string {
	switch n := len(r.Match.Tenant); n {
	case 0:
		return "every call"
	case 1:
		return "every call of tenant " + string(r.Match.Tenant[0])
	default:
		return "every call of its tenants"
	}
}

func conditional(r *routing.Rule) string {
	if plain(&r.Match) && r.Match.From.IsZero() {
		return ""
	}
	return ", if its other conditions hold"
}

func (x *index) everyCall(r *routing.Rule) bool {
	return len(r.Match.Tenant) == 0 && r.Match.From.IsZero() && plain(&r.Match)
}

// wide reports whether the prefixes cover every international number.
func wide(prefixes []string) bool {
	first := 0
	for _, p := range prefixes {
		if p == "+" {
			return true
		}
		if len(p) == 2 && p[0] == '+' && p[1] >= '1' && p[1] <= '9' {
			first |= 1 << (p[1] - '1')
		}
	}
	return first == 1<<9-1
}
