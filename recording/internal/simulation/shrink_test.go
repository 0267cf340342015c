package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// shrink finds a run with fewer calls and faults that breaks the same rule, in at most that
// many runs: it leaves out all of them, then halves, and at last one by one.
func shrink(t *testing.T, lane int, found report, most int) (small report, runs int) {
	t.Helper()
	small = found
	breaks := func(cfg config) bool {
		runs++
		r := simulate(t, lane, cfg)
		if r.wrong == nil || r.wrong.rule != found.wrong.rule {
			return false
		}
		small = r
		return true
	}
	// What can be left out of the smallest run so far, and the run without some of it.
	calls := func() (all []string) {
		for i := range small.cfg.jobs {
			if name := callName(i); !small.cfg.without[name] {
				all = append(all, name)
			}
		}
		return all
	}
	withoutCalls := func(some []string) config {
		cfg := small.cfg
		cfg.without = maps.Clone(cfg.without)
		if cfg.without == nil {
			cfg.without = map[string]bool{}
		}
		for _, name := range some {
			cfg.without[name] = true
		}
		return cfg
	}
	faults := func() []string { return slices.Clone(small.hit) }
	withoutFaults := func(some []string) config {
		cfg := small.cfg
		cfg.only = map[string]bool{}
		for _, name := range small.hit {
			if !slices.Contains(some, name) {
				cfg.only[name] = true
			}
		}
		return cfg
	}
	leaveOut := func(all func() []string, without func([]string) config) {
		for size := len(all()); size > 0; size /= 2 {
			for chunk := range slices.Chunk(all(), size) {
				left := slices.DeleteFunc(chunk, func(name string) bool { return !slices.Contains(all(), name) })
				if runs < most && len(left) > 0 {
					breaks(without(left))
				}
			}
		}
	}
	for before := -1; before != len(calls())+len(faults()) && runs < most; {
		before = len(calls()) + len(faults())
		leaveOut(faults, withoutFaults)
		leaveOut(calls, withoutCalls)
	}
	cfg := small.cfg
	cfg.trace = true
	if r := simulate(t, lane, cfg); r.wrong != nil {
		small = r
	}
	return small, runs
}

// String is the run for people: how to have it again, and what happened.
func (r report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d with %d calls, %d steps and %d faults breaks a rule: %v\n", r.cfg.seed, r.cfg.calls(), r.steps, len(r.hit), r.wrong)
	for _, name := range r.hit {
		fmt.Fprintf(&b, "  fault: %s\n", name)
	}
	const most = 150
	if len(r.trace) > most {
		fmt.Fprintf(&b, "  … %d lines\n", len(r.trace)-most)
	}
	for _, line := range r.trace[max(len(r.trace)-most, 0):] {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}
