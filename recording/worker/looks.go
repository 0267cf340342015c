package worker

import (
	"math/rand/v2"
	"sync"
	"time"
)

// diary spreads the looks at jobs that wait for legs, so that however many wait they
// cost this worker and its ledger about as much as a few: a second that is full hands
// on to the next one that isn't. A job's first look isn't among them.
type diary struct {
	most   int // looks a second
	places int // that the worker has

	mu     sync.Mutex
	second int64             // the first one of booked, since the worker was made
	booked [diarySeconds]int // looks in each second from there on, by its number modulo diarySeconds
}

// diarySeconds is how far ahead looks are put off: about a quarter of an hour, a few
// times the longest pause that a job's age alone makes. Where all of it is full they
// come at any time within it.
const diarySeconds = 1024

// How many looks a second a worker has for each of its places. A look is some hundredth
// of the work of a recording, so that a worker that records as fast as it can has several
// for each of its jobs, should the legs of all be a little late. Of jobs that wait for
// longer than most legs are late there may be many, and a leg comes to few of them.
const (
	looksSoon = 25 // within Options.MissingLegWait
	looksLate = 4
)

// look is the pause until a look at a job that waits, which is due after pause and must
// be by latest.
func (w *Worker) look(d *diary, pause, latest time.Duration) time.Duration {
	return d.book(now().Sub(w.made), pause, max(latest, pause))
}

// book enters a look after the pause or, where that second is full, in the next one
// that isn't, and returns the pause until then. It is never more than latest, which is
// no less than pause: what must be looked at by then is, however full the seconds are.
// The time is since the worker was made.
func (d *diary) book(at, pause, latest time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn(second(at))
	wanted := second(at + pause)
	last := min(second(at+latest), d.second+diarySeconds-1)
	for s := wanted; s <= last; s++ {
		n := &d.booked[s%diarySeconds]
		if *n == d.most {
			continue
		}
		*n++
		if s == wanted {
			return pause
		}
		// The looks of a second are spread over it, as many at once as there are places:
		// one claim takes them.
		into := time.Duration((*n-1)/d.places*d.places) * time.Second / time.Duration(d.most)
		return min(time.Duration(s)*time.Second+into-at, latest)
	}
	full := min(latest, time.Duration(last+1)*time.Second-at)
	if full <= pause || full == latest {
		return max(full, pause)
	}
	return pause + rand.N(full-pause) //nolint:gosec // no secret
}

// turn forgets the seconds before this one.
func (d *diary) turn(now int64) {
	for s := max(d.second, now-diarySeconds); s < now; s++ {
		d.booked[s%diarySeconds] = 0
	}
	d.second = max(d.second, now)
}

func second(d time.Duration) int64 { return int64(d / time.Second) }
