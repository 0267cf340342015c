package recording_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// Of 1,000 calls of real speech with a fault each, at least 99 in 100 have just
// that fault named, of the right leg; of 1,000 without one, at most one in a
// thousand has any. SWITCHTAPE_LONG_TESTS=1 makes that many; 150 otherwise.
func TestFaultsAreNamed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	calls := 150 / slow
	if os.Getenv("SWITCHTAPE_LONG_TESTS") == "1" {
		calls = 1000
	}
	faults := recordingtest.CallFaults()
	var named, alarms atomic.Int64
	type miss struct{ text string }
	var mu sync.Mutex
	var misses []miss
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		misses = append(misses, miss{fmt.Sprintf(format, args...)})
	}
	work := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range work {
				fault := faults[i%len(faults)]
				c := recordingtest.NewCall(t, uint64(i), fault)
				got := defectsOf(t, &c)
				want := []string{string(c.Want.Code) + " of " + c.Want.Leg}
				if c.Want.Code == record.DefectWrongRateSuspected {
					// At too low a rate the leg is longer than the call: that is told, too.
					beyond := string(record.DefectBeyondSpan) + " of " + c.Want.Leg
					got = slices.DeleteFunc(got, func(d string) bool { return d == beyond })
				}
				if slices.Equal(want, got) {
					named.Add(1)
				} else {
					note("call %d: want %v, got %v", i, want, got)
				}
				c = recordingtest.NewCall(t, uint64(i), "")
				if got := defectsOf(t, &c); len(got) > 0 {
					alarms.Add(1)
					note("call %d without a fault: %v", i, got)
				}
			}
		})
	}
	for i := range calls {
		work <- i
	}
	close(work)
	wg.Wait()
	for _, m := range misses {
		t.Log(m.text)
	}
	assert.GreaterOrEqual(t, named.Load(), int64(calls)*99/100, "faults named")
	assert.LessOrEqual(t, alarms.Load(), int64(calls)/1000, "false alarms")
	t.Logf("%d of %d faults named, %d false alarms in %d calls", named.Load(), calls, alarms.Load(), calls)
}

// defectsOf records a call and lists what was found wrong, once each.
func defectsOf(t *testing.T, c *recordingtest.Call) []string {
	t.Helper()
	p := recording.NewProcessor(memLegs(c.Files), &memObjects{}, nil)
	r, err := p.Process(t.Context(), c.Spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
	require.NoError(t, err)
	require.NotEqual(t, record.StatusQuarantined, r.Status, "the other leg is good")
	var list []string
	for _, d := range r.Defects {
		list = append(list, string(d.Code)+" of "+d.Leg)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
