package routing_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
)

// tally is what a run of the comparison met.
type tally struct{ decided, refused, tied, matched int }

// compareSet draws a set and calls, and holds Compile, Route, RouteInto and
// Explain against the oracle.
func compareSet(d draw, calls int, reused *calls.Decision, n *tally) error {
	rs := genRules(d)
	router, err := routing.Compile(rs)
	if err != nil {
		n.refused++
	}
	for range calls {
		q := genCall(d)
		want, level := oracle(rs, q)
		if len(level) > 0 {
			n.tied++
			if err == nil {
				return fmt.Errorf("rules %s and %v are level for %+v, and Compile took them: %+v", want, level, q, rs.Rules)
			}
		}
		if err != nil {
			continue
		}
		n.decided++
		if want != "" {
			n.matched++
		}
		if wrong := compareWith(router, q, want, reused); wrong != nil {
			return fmt.Errorf("%w\ncall %+v\nset %s %+v", wrong, q, rs.Order, rs.Rules)
		}
	}
	return nil
}

// oracle is the winner, "" for none, and who is level with it.
func oracle(rs *routing.RuleSet, q *calls.Request) (winner string, level []string) {
	var best oracleRank
	for i := range rs.Rules {
		rank, ok := oracleMatches(rs, &rs.Rules[i], q)
		if !ok {
			continue
		}
		switch c := rank.compare(best, rs.Order); {
		case winner == "" || c > 0:
			winner, best, level = rs.Rules[i].ID, rank, nil
		case c == 0:
			level = append(level, rs.Rules[i].ID)
		}
	}
	return winner, level
}

// compareWith checks a decision, its explanation and its reuse against the oracle's rule.
func compareWith(router *routing.Router, q *calls.Request, want string, reused *calls.Decision) error {
	d, err := router.Route(q)
	switch {
	case d.Rule != want || d.RuleSet != router.Hash():
		return fmt.Errorf("rule %q of %s, want %q of %s", d.Rule, d.RuleSet, want, router.Hash())
	case want == "" && err != routing.ErrNoRoute: //nolint:errorlint // the very one
		return fmt.Errorf("no rule, and the error is %w", err)
	case want != "" && (err != nil || len(d.Destinations) != 3 || d.Destinations[2].ID != "z"):
		return fmt.Errorf("destinations %v, error %w; the second tier comes second", d.Destinations, err)
	}
	if again := router.RouteInto(q, reused); again != err || !sameDecision(&d, reused) { //nolint:errorlint // the very one
		return fmt.Errorf("a reused decision differs: %v %w, %v", *reused, again, d)
	}
	x := router.Explain(q)
	if !sameDecision(&d, &x.Decision) || x.NoRoute != (err != nil) {
		return fmt.Errorf("the explanation decides %v, Route %v", x.Decision, d)
	}
	won := ""
	listed := map[string]bool{}
	for _, v := range x.Considered {
		if listed[v.Rule] || v.Reason == "" || v.Won && won != "" {
			return fmt.Errorf("%s is listed twice, without a reason, or as a second winner: %v", v.Rule, x.Considered)
		}
		listed[v.Rule] = true
		if v.Won {
			won = v.Rule
		}
	}
	if won != want {
		return fmt.Errorf("the explanation says that %q won, not %q", won, want)
	}
	return nil
}

func sameDecision(a, b *calls.Decision) bool {
	return a.Rule == b.Rule && a.RuleSet == b.RuleSet && a.Source == b.Source && slices.EqualFunc(a.Destinations, b.Destinations, func(x, y calls.Destination) bool { return reflect.DeepEqual(x, y) })
}

// least is how often the draws of a property must meet what it is about: with
// -short they are a fifth as many.
func least(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// oracleCases is how many decisions TestRouteEqualsOracle compares: a million with
// SWITCHTAPE_LONG_TESTS=1. SWITCHTAPE_ORACLE_CASES asks for another number.
func oracleCases(t *testing.T) int {
	t.Helper()
	if s := os.Getenv("SWITCHTAPE_ORACLE_CASES"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	switch {
	case os.Getenv("SWITCHTAPE_LONG_TESTS") == "1":
		return 1_050_000 / slow
	case testing.Short():
		return 20_000 / slow
	}
	return 100_000 / slow
}

// TestRouteEqualsOracle compares decisions of rule sets and calls that are drawn
// at random. A failure names the seed that repeats it.
func TestRouteEqualsOracle(t *testing.T) {
	t.Parallel()
	cases := oracleCases(t)
	var parts [4]tally
	var wg sync.WaitGroup
	for part := range parts {
		wg.Go(func() {
			n := &parts[part]
			var reused calls.Decision
			for seed := uint64(part); n.decided < cases/len(parts); seed += uint64(len(parts)) {
				rng := rand.New(rand.NewPCG(seed, 1))
				if err := compareSet(rng.IntN, 60, &reused, n); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					return
				}
			}
		})
	}
	wg.Wait()
	var all tally
	for _, n := range parts {
		all.decided += n.decided
		all.refused += n.refused
		all.tied += n.tied
		all.matched += n.matched
	}
	t.Logf("%d decisions, %d of which found a rule; %d sets refused, %d calls tied", all.decided, all.matched, all.refused, all.tied)
	assert.Positive(t, all.refused)
	assert.Positive(t, all.tied)
	assert.Greater(t, all.matched, all.decided/4, "the draws meet")
}

// TestRouteEqualsOracleSmall does with draws that are shrunk on failure.
func TestRouteEqualsOracleSmall(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		var reused calls.Decision
		var n tally
		require.NoError(t, compareSet(d, 5, &reused, &n))
	})
}
