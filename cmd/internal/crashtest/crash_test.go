//go:build linux

package crashtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/drill"
)

// options say how hard it is.
type options struct {
	length      time.Duration // how long there are faults, at least
	seed        uint64
	kills, jobs int // at least
}

// optionsOf reads the environment. It is false if nobody asks for the test.
func optionsOf(t *testing.T) (o options, asked bool) {
	t.Helper()
	text := os.Getenv("SWITCHTAPE_CRASH")
	if text == "" {
		return o, false
	}
	var err error
	o.length, err = time.ParseDuration(text)
	require.NoError(t, err, "SWITCHTAPE_CRASH")
	o.seed = rand.Uint64N(1_000_000)
	if text = os.Getenv("SWITCHTAPE_CRASH_SEED"); text != "" {
		o.seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "SWITCHTAPE_CRASH_SEED")
	}
	for name, n := range map[string]struct {
		of  *int
		per int // in ten minutes
	}{"SWITCHTAPE_CRASH_KILLS": {&o.kills, 300}, "SWITCHTAPE_CRASH_JOBS": {&o.jobs, 5000}} {
		*n.of = int(o.length*time.Duration(n.per)/(10*time.Minute)) + 1
		if text = os.Getenv(name); text != "" {
			*n.of, err = strconv.Atoi(text)
			require.NoError(t, err, name)
		}
	}
	return o, true
}

// TestCrash: see the package's comment.
func TestCrash(t *testing.T) {
	o, asked := optionsOf(t)
	if !asked {
		t.Skip("SKIPPED: it takes minutes: SWITCHTAPE_CRASH=2m says how many; see .ci/crash-test")
	}
	t.Logf("seed %d: %v, %d kills, %d jobs", o.seed, o.length, o.kills, o.jobs)
	s := newScene(t)
	s.report = newReport(o.seed)
	begun := time.Now()
	defer func() {
		s.report.Whole = seconds(time.Since(begun))
		s.report.write(t)
	}()
	s.storm(o)
	s.calm()
	s.check()
}

// storm has calls made while there are faults.
func (s *scene) storm(o options) {
	begun := time.Now()
	ctx, over := context.WithCancel(s.t.Context())
	defer over()
	var watcher, callers, trouble sync.WaitGroup
	watcher.Go(func() { s.watchLegs(ctx) })

	stop := make(chan struct{})
	s.startCallers(&callers, o, stop)
	worse, better := context.WithCancel(ctx)
	if o.kills > 0 {
		s.makeTrouble(worse, &trouble, o)
	}
	late := time.NewTimer(o.length)
	defer late.Stop()
	<-late.C
	s.until("the kills and calls", o.length+10*time.Minute, func(context.Context) (bool, string) {
		kills, jobs := s.kills.Load(), len(s.callsMade())
		return kills >= int64(o.kills) && jobs >= o.jobs, fmt.Sprintf("%d of %d kills, %d of %d calls", kills, o.kills, jobs, o.jobs)
	})
	close(stop)
	better()
	trouble.Wait()
	s.report.Troubled = seconds(time.Since(begun))
	callers.Wait()
	over()
	watcher.Wait()
	s.report.Kills, s.report.Faults, s.report.Calls = s.kills.Load(), s.counts, len(s.callsMade())
	for _, c := range s.callsMade() {
		s.report.Kinds[c.kind.name]++
		if c.message {
			s.report.Messages++
		}
	}
}

// makeTrouble has our processes killed, and faults until ctx ends.
func (s *scene) makeTrouble(ctx context.Context, wg *sync.WaitGroup, o options) {
	wg.Go(func() { s.kill(o) })
	for lane := range uint64(2) {
		wg.Go(func() { s.run(ctx, chance{rand.New(rand.NewPCG(o.seed, 1000+lane))}, 700*time.Millisecond) })
	}
	failovers := 1
	if o.length >= 5*time.Minute {
		failovers = 2
	}
	wg.Go(func() {
		for range failovers {
			select {
			case <-ctx.Done():
			case <-time.After(o.length / time.Duration(failovers+1)):
			}
			s.places["database"].Lock()
			s.failOver()
			s.places["database"].Unlock()
			s.count("failover of the database")
		}
	})
}

// startCallers has calls made until stop is closed, evenly over the time.
func (s *scene) startCallers(wg *sync.WaitGroup, o options, stop <-chan struct{}) {
	rng := rand.New(rand.NewPCG(o.seed, 2000))
	var mu sync.Mutex
	caller := &drill.Caller{Client: http.Client{Timeout: 10 * time.Second}, Service: func() string {
		mu.Lock()
		defer mu.Unlock()
		return "http://" + s.apis[rng.IntN(len(s.apis))].addr
	}}
	all := kinds()
	next := make(chan int)
	wg.Go(func() {
		defer close(next)
		pace := time.NewTicker(o.length * 9 / 10 / time.Duration(o.jobs))
		defer pace.Stop()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case next <- i:
			}
			select {
			case <-stop:
				return
			case <-pace.C:
			}
		}
	})
	const callersAtOnce = 12
	for range callersAtOnce {
		wg.Go(func() {
			for i := range next {
				s.makeCall(caller, callOf(o.seed, all, i))
			}
		})
	}
}

// makeCall makes the call, or asks for its recording by a message.
func (s *scene) makeCall(caller *drill.Caller, c call) {
	err := s.legs.lay(&c, false)
	if err == nil {
		err = s.ask(caller, &c)
	}
	if err == nil && c.kind.late {
		time.Sleep(c.delay)
		err = s.legs.lay(&c, true)
	}
	if err != nil {
		s.t.Error(err)
		return
	}
	s.made(c)
}

func (s *scene) ask(caller *drill.Caller, c *call) error {
	if !c.message {
		return caller.Make(s.t.Context(), &drill.Call{ID: c.id, Legs: c.legs(), Recording: record.Preference{Enabled: true, Outputs: c.outputs()}, Twice: c.twice})
	}
	body, err := c.body()
	if err != nil {
		return err
	}
	for range map[bool]int{false: 1, true: 2}[c.twice] {
		s.asked.Send(s.t, jobsSubject, "", body, nil)
	}
	return nil
}

func (s *scene) made(c call) {
	s.madeMu.Lock()
	defer s.madeMu.Unlock()
	s.calls = append(s.calls, c)
}

func (s *scene) callsMade() []call {
	s.madeMu.Lock()
	defer s.madeMu.Unlock()
	return slices.Clip(s.calls)
}

// sendAgain has some messages sent again that were sent before.
func (s *scene) sendAgain(c chance) {
	made := s.callsMade()
	for range 5 {
		if len(made) == 0 {
			return
		}
		one := made[c.IntN(len(made))]
		if !one.message {
			continue
		}
		body, err := one.body()
		require.NoError(s.t, err)
		s.asked.Send(s.t, jobsSubject, "", body, nil)
	}
}

// kill kills our processes, evenly over the time, at random instants.
func (s *scene) kill(o options) {
	c := chance{rand.New(rand.NewPCG(o.seed, 3000))}
	every := o.length * 9 / 10 / time.Duration(o.kills)
	all := s.all()
	for begun := time.Now(); s.kills.Load() < int64(o.kills) || time.Since(begun) < o.length; {
		if s.t.Context().Err() != nil {
			return
		}
		time.Sleep(c.between(0, 2*every)) // the instant
		if all[c.IntN(len(all))].kill() {
			s.kills.Add(1)
		}
	}
}

// counters are what a scene has seen.
type counters struct {
	kills  atomic.Int64
	aged   aged
	places map[string]*sync.Mutex
	report report

	madeMu sync.Mutex
	calls  []call

	countMu sync.Mutex
	counts  map[string]int
}
