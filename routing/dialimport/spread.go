package dialimport

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/switchtape/switchtape/routing"
)

// ranked is a rule with its rank in the source.
type ranked struct {
	rule     routing.Rule
	at       place
	priority int64
	id       int64    // of the row: the lowest of those that are level wins
	groups   []string // rules that share none never meet
	bucket   string   // the callee prefix
	dropped  bool
}

// spread gives the rules of each callee prefix priorities that a rule set takes, with
// the winner of every tie above the others. It keeps the priorities of the source
// where they do this.
func spread(rules []ranked, report *Report) {
	order := make([]int, len(rules))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &rules[a], &rules[b]
		return cmp.Or(cmp.Compare(x.bucket, y.bucket), cmp.Compare(y.priority, x.priority), cmp.Compare(x.id, y.id), cmp.Compare(a, b))
	})
	for len(order) > 0 {
		n := 1
		for n < len(order) && rules[order[n]].bucket == rules[order[0]].bucket {
			n++
		}
		spreadBucket(rules, order[:n], report)
		order = order[n:]
	}
}

// spreadBucket sets the priorities of the rules of one prefix. order is their rank.
func spreadBucket(rules []ranked, order []int, report *Report) {
	keep := true
	type level struct {
		group    string
		priority int64
	}
	first := map[level]int{}
	for _, i := range order {
		r := &rules[i]
		keep = keep && r.priority >= -routing.MaxRulePriority && r.priority <= routing.MaxRulePriority
		told := false
		for _, g := range r.groups {
			if winner, tie := first[level{g, r.priority}]; tie && winner != i {
				keep = false
				if !told {
					report.approximate(r.at, "priority "+strconv.FormatInt(r.priority, 10),
						"%s has the same prefix and priority and comes first; it is given the higher priority", rules[winner].at.row)
				}
				told = true
				continue
			}
			first[level{g, r.priority}] = i
		}
	}
	if keep {
		for _, i := range order {
			rules[i].rule.Priority = int(rules[i].priority)
		}
		return
	}
	// Each rule stands one below the lowest of those before it that it may meet.
	depth, deepest := map[string]int{}, 0
	at := make([]int, len(order))
	for k, i := range order {
		for _, g := range rules[i].groups {
			at[k] = max(at[k], depth[g])
		}
		for _, g := range rules[i].groups {
			depth[g] = at[k] + 1
		}
		deepest = max(deepest, at[k])
	}
	for k, i := range order {
		r := &rules[i]
		if at[k] > 2*routing.MaxRulePriority {
			r.dropped = true
			report.skip(r.at, "the rule", "more than %d rules before it have the same prefix", 2*routing.MaxRulePriority)
			continue
		}
		r.rule.Priority = min(deepest, routing.MaxRulePriority) - at[k]
		if int64(r.rule.Priority) != r.priority {
			report.remark(r.at, "priority "+strconv.FormatInt(r.priority, 10), "it is %d here, which ranks it alike among the rules of its prefix",
				r.rule.Priority)
		}
	}
}
