package console

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/diff"
)

// maxChanges bounds the changes that a page lists.
const maxChanges = 200

// setChanges is what one rule set has that another hasn't.
type setChanges struct {
	Added, Changed, Removed int
	List                    []setChange
	More                    int  // changes that aren't listed
	Reordered               bool // rules that are in both stand in another order
}

// None reports whether nothing differs.
func (s *setChanges) None() bool { return s.Added+s.Changed+s.Removed == 0 && !s.Reordered }

// setChange is a part that differs.
type setChange struct {
	What  string // "rule london"
	Kind  string // added, changed or removed
	Lines []diffLine
}

// diffLine is a line of a part: "+" it is new, "-" it is gone, " " it is in both.
type diffLine struct {
	Sign string
	Text string
}

// ruleSet is a rule set with the parts that are compared one by one.
type ruleSet struct {
	rules        []namedPart
	destinations []namedPart
	others       []namedPart
}

// namedPart is a part of a rule set, as JSON.
type namedPart struct {
	name string
	text json.RawMessage
}

// changesOf compares two versions part by part.
func (c *Console) changesOf(r *http.Request, before, after string) (*setChanges, error) {
	a, err := c.partsOf(r, before)
	if err != nil {
		return nil, err
	}
	b, err := c.partsOf(r, after)
	if err != nil {
		return nil, err
	}
	out := &setChanges{}
	out.compare("rule ", a.rules, b.rules)
	out.compare("destination ", a.destinations, b.destinations)
	out.compare("", a.others, b.others)
	out.Reordered = reordered(a.rules, b.rules)
	if n := len(out.List); n > maxChanges {
		out.List, out.More = out.List[:maxChanges], n-maxChanges
	}
	return out, nil
}

// partsOf reads a version.
func (c *Console) partsOf(r *http.Request, hash string) (*ruleSet, error) {
	top, err := get[map[string]json.RawMessage](c, r, rulePath(hash), url.Values{"format": {"json"}})
	if err != nil {
		return nil, err
	}
	var rules []json.RawMessage
	var destinations map[string]json.RawMessage
	for field, into := range map[string]any{"rules": &rules, "destinations": &destinations} {
		if raw := top[field]; raw != nil {
			if err := json.Unmarshal(raw, into); err != nil {
				return nil, fmt.Errorf("the %s of version %s: %w", field, hash, err)
			}
		}
		delete(top, field)
	}
	set := &ruleSet{destinations: sortedParts(destinations), others: sortedParts(top)}
	for _, raw := range rules {
		var rule struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(raw, &rule); err != nil {
			return nil, fmt.Errorf("a rule of version %s: %w", hash, err)
		}
		set.rules = append(set.rules, namedPart{rule.ID, raw})
	}
	return set, nil
}

func sortedParts(parts map[string]json.RawMessage) []namedPart {
	var list []namedPart
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		list = append(list, namedPart{name, parts[name]})
	}
	return list
}

// compare adds what differs, in the order of after, and then what is gone.
func (s *setChanges) compare(kind string, before, after []namedPart) {
	was := make(map[string]string, len(before))
	for _, p := range before {
		was[p.name] = indented(p.text)
	}
	for _, p := range after {
		text := indented(p.text)
		old, there := was[p.name]
		delete(was, p.name)
		switch {
		case !there:
			s.Added++
			s.add(kind+p.name, "added", "", text)
		case old != text:
			s.Changed++
			s.add(kind+p.name, "changed", old, text)
		}
	}
	for _, p := range before {
		if old, gone := was[p.name]; gone {
			s.Removed++
			s.add(kind+p.name, "removed", old, "")
		}
	}
}

func (s *setChanges) add(what, kind, before, after string) {
	change := setChange{What: what, Kind: kind}
	if len(s.List) < maxChanges { // else it isn't shown
		change.Lines = diffLines(before, after)
	}
	s.List = append(s.List, change)
}

// maxAligned bounds the lines of each side that are aligned: it takes their product.
const maxAligned = 500

// diffLines is the shortest edit of one text into the other, by the longest common
// subsequence of their lines (Wagner and Fischer 1974). Between the common beginning and
// end of larger texts all lines count as changed.
func diffLines(before, after string) []diffLine {
	a, b := splitLines(before), splitLines(after)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	var list []diffLine
	add := func(sign string, lines ...string) {
		for _, text := range lines {
			list = append(list, diffLine{sign, text})
		}
	}
	add(" ", a[:head]...)
	end := a[len(a)-tail:]
	a, b = a[head:len(a)-tail], b[head:len(b)-tail]
	if len(a) <= maxAligned && len(b) <= maxAligned {
		common := commonLines(a, b)
		i, j := 0, 0
		for i < len(a) && j < len(b) {
			switch {
			case a[i] == b[j]:
				add(" ", a[i])
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				add("-", a[i])
				i++
			default:
				add("+", b[j])
				j++
			}
		}
		a, b = a[i:], b[j:]
	}
	add("-", a...)
	add("+", b...)
	add(" ", end...)
	return list
}

// commonLines is, at [i][j], how many lines a[i:] and b[j:] have in common in order.
func commonLines(a, b []string) [][]int {
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i, was := range slices.Backward(a) {
		for j, is := range slices.Backward(b) {
			if was == is {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}

func splitLines(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "\n")
}

// reordered reports whether the rules that are in both stand in another order.
func reordered(before, after []namedPart) bool {
	place := make(map[string]int, len(before))
	for i, p := range before {
		place[p.name] = i
	}
	last := -1
	for _, p := range after {
		at, both := place[p.name]
		if !both {
			continue
		}
		if at < last {
			return true
		}
		last = at
	}
	return false
}

// What of the calls is compared.
const (
	mostCompared   = 5000
	comparedPage   = 500 // the most that the API lists at a time
	compareTimeout = 10 * time.Second
	// Pages may be short.
	maxComparedPages = 2 * mostCompared / comparedPage
)

// callPeriod is a time whose calls are compared.
type callPeriod struct {
	Name  string
	Label string
	since func(now time.Time) (from, to time.Time)
}

// callPeriods are those that the page offers; the first is taken where none is asked for.
func callPeriods() []callPeriod {
	const day = 24 * time.Hour
	back := func(d time.Duration) func(now time.Time) (from, to time.Time) {
		return func(now time.Time) (from, to time.Time) { return now.Add(-d), now }
	}
	return []callPeriod{
		{"yesterday", "yesterday (UTC)", func(now time.Time) (from, to time.Time) { return now.Truncate(day).Add(-day), now.Truncate(day) }},
		{"hour", "the last hour", back(time.Hour)},
		{"day", "the last 24 hours", back(day)},
		{"week", "the last 7 days", back(7 * day)},
	}
}

// comparison is what a version would change of the calls of a period.
type comparison struct {
	Period  callPeriod
	Periods []callPeriod // none for those who may not compare
	Report  *diff.Report // nil if there are no calls, or if Wrong says why
	Skipped int          // calls that have no number to route by
	Cut     bool         // the period has more calls than are compared
	Wrong   string
}

// compareCalls sends the calls of the period that the page asks for through the version,
// and through the one in service.
func (c *Console) compareCalls(r *http.Request, hash string) (*comparison, error) {
	who, _ := callmodel.PrincipalFrom(r.Context())
	all := callPeriods()
	out := &comparison{Periods: all, Period: all[0]}
	for _, p := range all {
		if p.Name == r.URL.Query().Get("period") {
			out.Period = p
		}
	}
	for _, scope := range []callmodel.Scope{callmodel.ScopeRulesWrite, callmodel.ScopeCallsRead} {
		if !who.Allows(scope) {
			out.Periods = nil
			out.Wrong = "What it would change of calls is shown to those who have the scope " + string(scope) + "."
			return out, nil
		}
	}
	list, err := c.recordedCalls(r, out)
	if out.Wrong, err = told(err); err != nil || out.Wrong != "" || len(list) == 0 {
		return out, err
	}
	report, err := post[diff.Report](c, r, "/v1/rules/diff", map[string]any{"after": map[string]string{"hash": hash}, "calls": list})
	if out.Wrong, err = told(err); err != nil || out.Wrong != "" {
		return out, err
	}
	out.Report = &report
	return out, nil
}

// recordedCalls are the period's newest calls, as the API lists them.
func (c *Console) recordedCalls(r *http.Request, of *comparison) ([]json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(r.Context(), compareTimeout)
	defer cancel()
	inTime := r.WithContext(ctx)
	from, to := of.Period.since(c.opts.Now().UTC())
	q := url.Values{"limit": {strconv.Itoa(comparedPage)}, "since": {from.Format(time.RFC3339Nano)}, "until": {to.Format(time.RFC3339Nano)}}
	var list []json.RawMessage
	for range maxComparedPages {
		page, err := get[struct {
			Calls []json.RawMessage `json:"calls"`
			Next  string            `json:"next"`
		}](c, inTime, "/v1/calls", q)
		if ctx.Err() != nil && len(list) > 0 && r.Context().Err() == nil {
			break // what there is so far says something, too
		}
		if err != nil {
			return nil, err
		}
		for _, raw := range page.Calls {
			if _, err := callfile.Decode(raw); err != nil {
				of.Skipped++
				continue
			}
			list = append(list, raw)
		}
		q.Set("cursor", page.Next)
		if of.Cut = page.Next != ""; !of.Cut || len(list) >= mostCompared {
			break
		}
	}
	return list, nil
}

// changeKind says what changes for a call.
func changeKind(k diff.Kind) string {
	switch k {
	case diff.Lost:
		return "no destination any more"
	case diff.Gained:
		return "a destination where there was none"
	case diff.Destination:
		return "another destination first"
	case diff.Order:
		return "others after the first"
	case diff.Form:
		return "another number, caller or address"
	case diff.Rule:
		return "another rule, and the same destinations"
	default:
		return string(k)
	}
}
