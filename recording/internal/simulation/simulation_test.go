package simulation

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The lanes of the tests, which run side by side.
const (
	laneOfSeeds     = 2 // behind those of TestSimulation
	laneOfRepeats   = 3
	laneOfBugs      = 4
	laneOfShrinking = 5
)

// number is that of the environment's variable, or the one by default.
func number(t *testing.T, variable string, by uint64) uint64 {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return by
	}
	n, err := strconv.ParseUint(text, 10, 64)
	require.NoError(t, err, variable)
	return n
}

// mostly is how many steps are simulated.
func mostly(t *testing.T) uint64 {
	t.Helper()
	switch {
	case os.Getenv("SWITCHTAPE_LONG_TESTS") == "1":
		return number(t, "SWITCHTAPE_SIMULATION_STEPS", 1_000_000)
	case testing.Short() || raced:
		return number(t, "SWITCHTAPE_SIMULATION_STEPS", 3_000)
	default:
		return number(t, "SWITCHTAPE_SIMULATION_STEPS", 10_000)
	}
}

// TestSimulation runs one seed after the other, each with calls, processes and faults of
// its own, until there were enough steps. A run that breaks a rule is made as small as it
// can be, and told with its seed.
func TestSimulation(t *testing.T) {
	t.Parallel()
	next := atomic.Uint64{}
	next.Store(number(t, "SWITCHTAPE_SIMULATION_SEED", 0))
	want := mostly(t)
	var steps, runs, faults atomic.Uint64
	var mu sync.Mutex
	ends := map[string]int{}
	t.Cleanup(func() { // when all lanes have ended
		t.Logf("%d steps in %d runs, with %d faults: %v", steps.Load(), runs.Load(), faults.Load(), ends)
		if t.Failed() || want < 10_000 {
			return
		}
		for _, how := range []string{"completed", "completed_degraded", "absent", "quarantined", "dead letters", "delete-legs done"} {
			assert.Positive(t, ends[how], "nothing ended as %s: the runs say little", how)
		}
	})
	for lane := range 2 {
		t.Run(strconv.Itoa(lane), func(t *testing.T) {
			t.Parallel()
			for steps.Load() < want && !t.Failed() {
				r := simulate(t, lane, configOf(next.Add(1)-1))
				if r.wrong != nil {
					small, _ := shrink(t, lane, r, 300)
					t.Errorf("the run of seed %d breaks a rule: %v\nThe smallest run that does:\n%s", r.cfg.seed, r.wrong, small)
				}
				steps.Add(uint64(r.steps))
				runs.Add(1)
				faults.Add(uint64(len(r.hit)))
				mu.Lock()
				for how, n := range r.jobs {
					ends[how] += n
				}
				mu.Unlock()
			}
		})
	}
}

// turns are the lines of a trace that the scheduler wrote: what else is in it is told by
// goroutines that run at the same instant, in whatever order.
func turns(r report) []string {
	return slices.DeleteFunc(slices.Clone(r.trace), func(line string) bool {
		_, says, _ := strings.Cut(line, "s  ")
		return strings.HasPrefix(says, "   ") && !strings.HasPrefix(says, "    !")
	})
}

// A seed is one run: what is found can be found again.
func TestSameSeedSameRun(t *testing.T) {
	t.Parallel()
	seeds := uint64(3)
	if testing.Short() || raced {
		seeds = 1
	}
	for seed := range seeds {
		cfg := configOf(seed)
		cfg.trace = true
		one, two := simulate(t, laneOfSeeds, cfg), simulate(t, laneOfRepeats, cfg)
		require.NotEmpty(t, turns(one))
		require.Equal(t, turns(one), turns(two), "seed %d", seed)
		require.Equal(t, one.jobs, two.jobs, "seed %d", seed)
	}
}

// Every bug that is put back on purpose is found, by the rule that it breaks, and the run
// made smaller.
func TestBugsAreFound(t *testing.T) {
	t.Parallel()
	long := os.Getenv("SWITCHTAPE_LONG_TESTS") == "1"
	names := map[string]bool{}
	for i, b := range bugs {
		require.False(t, names[b.name])
		names[b.name] = true
		if raced && i%4 != 1 {
			continue // the detector sees nothing new in them: all are looked for without it
		}
		found := hunt(t, laneOfBugs, b, long)
		if found == nil {
			continue
		}
		most := 2
		switch {
		case long:
			most = 60
		case raced:
			most = 1
		}
		small, runs := shrink(t, laneOfBugs, *found, most)
		require.NotNil(t, small.wrong, b.name)
		assert.Equal(t, b.rule, small.wrong.rule, b.name)
		assert.LessOrEqual(t, small.cfg.calls(), found.cfg.calls(), b.name)
		assert.LessOrEqual(t, runs, most, b.name)
		assert.NotEmpty(t, small.trace, b.name)
		t.Logf("%s: found with seed %d, %d calls, %d faults, %d steps; after %d more runs %d calls, %d faults, %d steps",
			b.name, found.cfg.seed, found.cfg.calls(), len(found.hit), found.steps, runs, small.cfg.calls(), len(small.hit), small.steps)
	}
}

// hunt looks for the bug in some runs, from the seed on with which it was found first, or
// from the first one on if there is time.
func hunt(t *testing.T, lane int, b *bug, long bool) *report {
	t.Helper()
	from, most := b.seed, uint64(120)
	if long {
		from, most = 0, 200
	}
	for seed := from; seed < from+most; seed++ {
		cfg := configOf(seed)
		cfg.bug, cfg.faults = b, max(cfg.faults, 400)
		if r := simulate(t, lane, cfg); r.wrong != nil {
			assert.Equal(t, b.rule, r.wrong.rule, "%s: %v", b.name, r.wrong)
			return &r
		}
	}
	t.Errorf("the bug wasn't found in %d runs: %s", most, b.name)
	return nil
}

// A run that breaks a rule is made smaller: with the fewest calls, and without the faults
// that it doesn't need.
func TestShrink(t *testing.T) {
	t.Parallel()
	i := slices.IndexFunc(bugs, func(b *bug) bool { return strings.HasPrefix(b.name, "an object that is there") })
	found := hunt(t, laneOfShrinking, bugs[i], false)
	require.NotNil(t, found)
	small, _ := shrink(t, laneOfShrinking, *found, 40)
	assert.Equal(t, found.wrong.rule, small.wrong.rule)
	assert.Less(t, small.cfg.calls(), found.cfg.calls())
	assert.Less(t, len(small.hit), len(found.hit))
	again := simulate(t, laneOfShrinking, small.cfg)
	require.NotNil(t, again.wrong)
	assert.Equal(t, small.wrong, again.wrong)
	assert.Subset(t, slices.Collect(maps.Keys(small.cfg.only)), again.hit)
	told := fmt.Sprint(small)
	assert.Contains(t, told, fmt.Sprintf("seed %d with %d calls", small.cfg.seed, small.cfg.calls()))
	for _, name := range again.hit {
		assert.Contains(t, told, "fault: "+name)
	}
	assert.Contains(t, told, "*** "+small.wrong.rule)
}
