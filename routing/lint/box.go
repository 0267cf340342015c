package lint

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/switchtape/switchtape/routing/calendar"
)

// box is a set of calls of one callee, tenant and caller: all calls whose attributes,
// time and values are within its bounds.
type box struct {
	attrs       attributes
	from, until int64
	week        calendar.WeekMinutes
	anyWeek     bool // every minute of the week; week says nothing
	terms       []term
}

func (b *box) term(key string) values {
	for i := range b.terms {
		if b.terms[i].key == key {
			return b.terms[i].values
		}
	}
	return values{but: true}
}

func (b *box) withTerm(key string, v values) box {
	out := *b
	out.terms = slices.Clone(b.terms)
	for i := range out.terms {
		if out.terms[i].key == key {
			out.terms[i].values = v
			return out
		}
	}
	out.terms = append(out.terms, term{key, v})
	return out
}

// taker is the part of a box that another rule surely takes.
type taker struct {
	attrs       attributes
	from, until int64
	week        *calendar.WeekMinutes // nil: all of it
	terms       []term
}

// maxBoxes bounds the pieces that are left of one rule's calls.
const maxBoxes = 256

// take returns what is left of the boxes without the part of t, and whether that is
// less than before. ok is false if it is too many pieces.
func take(boxes []box, t *taker) (left []box, changed, ok bool) {
	if !slices.ContainsFunc(boxes, func(b box) bool { return b.meets(t) }) {
		return boxes, false, true
	}
	for i := range boxes {
		if left = split(&boxes[i], t, left); len(left) > maxBoxes {
			return left, true, false
		}
	}
	return left, true, true
}

// split appends what is left of b without the part of t. For each kind of condition
// it appends the part that t doesn't take by this condition, and goes on with the
// rest.
func split(b *box, t *taker, left []box) []box {
	if !b.meets(t) {
		return append(left, *b)
	}
	in := *b
	if out := b.attrs.minus(&t.attrs); !out.empty() {
		piece := in
		piece.attrs = out
		left = append(left, piece)
		in.attrs = b.attrs.and(&t.attrs)
	}
	if in.from < t.from {
		piece := in
		piece.until = t.from
		left = append(left, piece)
		in.from = t.from
	}
	if in.until > t.until {
		piece := in
		piece.from = t.until
		left = append(left, piece)
		in.until = t.until
	}
	if t.week != nil {
		inside, outside := in.weekParts(t.week)
		if outside != (calendar.WeekMinutes{}) {
			piece := in
			piece.week, piece.anyWeek = outside, false
			left = append(left, piece)
			in.week, in.anyWeek = inside, false
		}
	}
	for i := range t.terms {
		key, have := t.terms[i].key, in.term(t.terms[i].key)
		if out := have.minus(t.terms[i].values); !out.empty() {
			left = append(left, in.withTerm(key, out))
			in = in.withTerm(key, have.and(t.terms[i].values))
		}
	}
	return left
}

// meets reports whether t takes any part of the box.
func (b *box) meets(t *taker) bool {
	both := b.attrs.and(&t.attrs)
	if both.empty() || b.from >= t.until || t.from >= b.until {
		return false
	}
	if t.week != nil {
		if inside, _ := b.weekParts(t.week); inside == (calendar.WeekMinutes{}) {
			return false
		}
	}
	for i := range t.terms {
		if !b.term(t.terms[i].key).meets(&t.terms[i].values) {
			return false
		}
	}
	return true
}

func (b *box) weekParts(w *calendar.WeekMinutes) (inside, outside calendar.WeekMinutes) {
	have := b.week
	if b.anyWeek {
		have = fullWeek()
	}
	for i := range w {
		inside[i], outside[i] = have[i]&w[i], have[i]&^w[i]
	}
	return inside, outside
}

const minutesOfWeek = 7 * 24 * 60

func fullWeek() (w calendar.WeekMinutes) {
	for i := range w {
		w[i] = ^uint64(0)
	}
	if rest := minutesOfWeek % 64; rest != 0 {
		w[len(w)-1] = 1<<rest - 1
	}
	return w
}

// openMinutes returns how many minutes of the week are open.
func openMinutes(w *calendar.WeekMinutes) (n int) {
	for _, word := range w {
		n += bits.OnesCount64(word)
	}
	return n
}

// calls returns a box with all calls that the condition takes from the time at on,
// and maybe more.
func (c *cond) calls(emergencyOnly bool, at int64) box {
	b := box{attrs: c.attrs, from: max(c.from, at), until: c.until, anyWeek: true, terms: c.terms}
	if emergencyOnly {
		b.attrs = c.emergency
	}
	if w := c.when; w != nil && len(w.Also) == 0 && len(w.RRule) == 0 {
		b.week, b.anyWeek = c.week, false
	}
	return b
}

// none reports whether no call is in the box.
func (b *box) none() bool {
	return b.attrs.empty() || b.from >= b.until || slices.ContainsFunc(b.terms, func(t term) bool { return t.values.empty() })
}

// of returns the part that c surely takes of the calls of p. ok is false if that
// can't be said. zone is the time zone of the weeks in the boxes, "" for none yet.
func (c *cond) of(p *cond, emergencyOnly bool, zone *string) (t taker, ok bool) {
	if c.expr != "" && c.expr != p.expr || !c.capableOf(p) {
		return t, false
	}
	t = taker{attrs: c.attrs, from: c.from, until: c.until, terms: c.terms}
	if emergencyOnly {
		t.attrs = c.emergency
	}
	if c.when == nil || c.window == p.window {
		return t, true
	}
	if !exceptionsWithin(c.when, p.when) {
		return t, false
	}
	*zone = cmp.Or(*zone, c.when.TimeZone)
	t.week = &c.week
	return t, *zone == c.when.TimeZone
}

// exceptionsWithin reports whether everything that closes q closes p. Then q is open
// whenever its weekly times say so and p is open.
func exceptionsWithin(q, p *calendar.Windows) bool {
	if len(q.Except) == 0 {
		return true
	}
	return p != nil && p.TimeZone == q.TimeZone && len(p.Also) == 0 &&
		!slices.ContainsFunc(q.Except, func(s string) bool { return !slices.Contains(p.Except, s) })
}
