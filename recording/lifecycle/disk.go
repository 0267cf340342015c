package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// DiskOptions configure a Disk. Now is needed; what else is zero works.
type DiskOptions struct {
	// Reserve is the least space, in bytes, that must be left for the telephone server;
	// ReserveShare the least share of the disk, 0 to 1. The greater of the two counts. 0
	// and 0: none.
	Reserve      int64
	ReserveShare float64
	// Every is how often the disk is looked at. 0 means one minute.
	Every time.Duration
	// Window is by how much of the past it is told when the disk will be full. 0 means 6 h.
	Window time.Duration
	// Usage is how many bytes are free, for those who aren't root, and how many there are
	// on the disk of the path. Nil: the system is asked.
	Usage func(path string) (free, size int64, err error)
	// Now is the machine's clock. Needed.
	Now func() time.Time
	// Logger gets a line when the reserve is reached, and when it isn't any more. Nil:
	// nothing is logged.
	Logger *slog.Logger
}

// DiskState is how a disk was when it was looked at last.
type DiskState struct {
	Free, Size, Reserve int64 // bytes; Size 0: it couldn't be looked at yet
	// FullIn is how long it takes until nothing is free, if it goes on as within
	// DiskOptions.Window; 0 if it isn't filling, or nobody knows yet.
	FullIn time.Duration
	Err    error // why it couldn't be looked at last
}

// Disk tells how full the disk of a directory is, and when it will be full. It may be used
// by any number of goroutines.
type Disk struct {
	path string
	opts DiskOptions
	// asking has who asks the system, who may hang.
	asking chan struct{}

	mu      sync.Mutex
	state   DiskState
	samples []sample // by time, within the window
	begun   time.Time
	low     bool
}

// sample is how much was free at a time.
type sample struct {
	at   time.Duration // since begun
	free float64
}

const (
	// leastSamples and leastSpan are what a forecast is made of at least.
	leastSamples = 5
	leastSpan    = 10 * time.Minute
	// maxSamples bounds what is kept of a window.
	maxSamples = 10_000
	// maxFullIn is the longest forecast: what is later isn't known.
	maxFullIn = 365 * 24 * time.Hour
)

// NewDisk makes the Disk of the directory at path. It looks at nothing yet: Look and Run
// do. The error is FieldErrors.
func NewDisk(path string, o DiskOptions) (*Disk, error) {
	var faults callmodel.FieldErrors
	if o.Reserve < 0 {
		faults.Add("reserve", "must be at least 0, is %d", o.Reserve)
	}
	if !(o.ReserveShare >= 0 && o.ReserveShare < 1) {
		faults.Add("reserve_share", "must be from 0 to below 1, is %v", o.ReserveShare)
	}
	if o.Now == nil {
		faults.Add("now", "is missing; give the machine's clock")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	o.Every, o.Window = cmp.Or(o.Every, time.Minute), cmp.Or(o.Window, 6*time.Hour)
	if o.Usage == nil {
		o.Usage = Usage
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Disk{path: path, opts: o, begun: o.Now(), asking: make(chan struct{}, 1)}, nil
}

// Run looks at the disk until ctx ends. It returns nil.
func (d *Disk) Run(ctx context.Context) error {
	tick := time.NewTicker(d.opts.Every)
	defer tick.Stop()
	for {
		d.Look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// State is how it was when it was looked at last.
func (d *Disk) State() DiskState {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// Room is an error while less than the reserve is free. A disk that can't be looked at has
// room: whoever writes to it meets its fault.
func (d *Disk) Room() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.room()
}

func (d *Disk) room() error {
	if s := &d.state; s.Err == nil && s.Size > 0 && s.Free < s.Reserve {
		return fmt.Errorf("the disk of %s has %d bytes free, less than its reserve of %d: delete something, or have legs deleted earlier", d.path, s.Free, s.Reserve)
	}
	return nil
}

// answer is what Usage says.
type answer struct {
	free, size int64
	err        error
}

// ask asks how full the disk is, for so long: a mount whose server is away answers nobody.
// One that hasn't answered isn't asked again before it does.
func (d *Disk) ask(ctx context.Context) (free, size int64, err error) {
	select {
	case d.asking <- struct{}{}:
	default:
		return 0, 0, errNoAnswer
	}
	got := make(chan answer, 1)
	go func() {
		var a answer
		a.free, a.size, a.err = d.opts.Usage(d.path)
		<-d.asking
		got <- a
	}()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	select {
	case a := <-got:
		return a.free, a.size, a.err
	case <-ctx.Done():
		return 0, 0, errNoAnswer
	}
}

// askTimeout bounds a look at the disk.
const askTimeout = 10 * time.Second

var errNoAnswer = errors.New("the disk doesn't answer")

// Look looks at the disk once, for 10 s at most.
func (d *Disk) Look(ctx context.Context) {
	free, size, err := d.ask(ctx)
	if err == nil && (size <= 0 || free < 0) {
		err = errors.New("the system says nothing of its size")
	}
	now := d.opts.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		if d.state.Err == nil {
			d.opts.Logger.WarnContext(ctx, "it can't be seen how full a disk is", "directory", d.path, "error", err)
		}
		d.state.Err = err
		return
	}
	d.state = DiskState{Free: free, Size: size, Reserve: max(d.opts.Reserve, int64(d.opts.ReserveShare*float64(size)))}
	at := now.Sub(d.begun)
	if n := len(d.samples); n > 0 && at <= d.samples[n-1].at { // the clock was put back
		d.samples = nil
	}
	d.samples = append(d.samples, sample{at, float64(free)})
	old := 0
	for old < len(d.samples) && (at-d.samples[old].at > d.opts.Window || len(d.samples)-old > maxSamples) {
		old++
	}
	d.samples = append(d.samples[:0], d.samples[old:]...)
	d.state.FullIn = fullIn(d.samples)
	full := d.room()
	if (full != nil) != d.low {
		d.low = full != nil
		if d.low {
			d.opts.Logger.ErrorContext(ctx, "a disk has reached its reserve: nothing more is begun on it", "directory", d.path, "error", full)
		} else {
			d.opts.Logger.InfoContext(ctx, "a disk has room again", "directory", d.path, "free", free)
		}
	}
}

// fullIn is how long it takes from the last sample until nothing is free, by the straight
// line through the samples that has the least squares; 0 if they don't tell.
func fullIn(samples []sample) time.Duration {
	n := len(samples)
	if n < leastSamples || samples[n-1].at-samples[0].at < leastSpan {
		return 0
	}
	var meanAt, meanFree float64
	for _, s := range samples {
		meanAt += s.at.Seconds() / float64(n)
		meanFree += s.free / float64(n)
	}
	var both, square float64
	for _, s := range samples {
		dt := s.at.Seconds() - meanAt
		both += float64(dt * (s.free - meanFree))
		square += float64(dt * dt)
	}
	perSecond := -both / square
	seconds := samples[n-1].free / perSecond
	if perSecond <= 0 || math.IsNaN(seconds) || seconds > maxFullIn.Seconds() {
		return 0
	}
	return max(time.Duration(seconds*float64(time.Second)), time.Second)
}
