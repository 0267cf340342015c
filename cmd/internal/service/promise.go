package service

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// promiseStore says what became of the promise.
type promiseStore interface {
	ReportPromise(ctx context.Context, q *reports.Query) (reports.Report[reports.Promise], error)
	Unexplained(ctx context.Context) (int64, error)
	Now(ctx context.Context) (time.Time, error)
}

// promiseWindow is a time of which the metrics tell.
type promiseWindow struct {
	name  string
	span  time.Duration
	every time.Duration // how often it is asked for: the longer it is, the more rows it has
}

// promiseWindows are those of alerts on burn rates, by hours as calls are counted, and that
// of the budget.
func promiseWindows() []promiseWindow {
	const hour, day = time.Hour, 24 * time.Hour
	return []promiseWindow{
		{"1h", hour, 15 * time.Second}, {"6h", 6 * hour, time.Minute}, {"3d", 3 * day, 10 * time.Minute}, {"28d", reports.PromiseWindow, 30 * time.Minute},
	}
}

// promiseWatch keeps what the metrics tell of the promise, so that no scrape asks the
// database for it.
type promiseWatch struct {
	store promiseStore
	log   *slog.Logger
	now   func() time.Time // of the pauses alone; hours are those of the database's clock
	tick  func(time.Duration) <-chan time.Time

	mu          sync.Mutex
	sums        map[string]reports.Promise
	asked       map[string]time.Time
	unexplained int64
	known       time.Time // when the database last answered; zero: never
	failed      bool
}

// promiseTick is how often it is looked which window is to be asked for.
const promiseTick = 5 * time.Second

// promiseTimeout bounds one question.
const promiseTimeout = 10 * time.Second

func newPromiseWatch(s promiseStore, m *ops.Metrics, log *slog.Logger) *promiseWatch {
	w := &promiseWatch{store: s, log: log, now: clock.Now, tick: time.After, sums: map[string]reports.Promise{}, asked: map[string]time.Time{}}
	m.Gauge("switchtape_unexplained_calls", func() float64 { w.mu.Lock(); defer w.mu.Unlock(); return float64(w.unexplained) })
	m.Gauge("switchtape_promise_age_seconds", func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.known.IsZero() {
			return -1
		}
		return w.now().Sub(w.known).Seconds()
	})
	for _, window := range promiseWindows() {
		of := func(f func(p *reports.Promise) float64) func() float64 {
			return func() float64 {
				w.mu.Lock()
				defer w.mu.Unlock()
				p := w.sums[window.name]
				return f(&p)
			}
		}
		labels := map[string]string{"window": window.name}
		m.GaugeOf("switchtape_promise_burn_rate", labels, of((*reports.Promise).BurnRate))
		m.GaugeOf("switchtape_promise_kept_ratio", labels, of((*reports.Promise).Kept))
		for _, c := range []struct {
			outcome string
			n       func(p *reports.Promise) float64
		}{
			{"waiting", func(p *reports.Promise) float64 { return float64(p.Waiting) }},
			{"explained", func(p *reports.Promise) float64 { return float64(p.Explained) }},
			{"unexplained", func(p *reports.Promise) float64 { return float64(p.Unexplained) }},
			{"recorded", func(p *reports.Promise) float64 { return float64(p.Recorded) }},
			{"absent", func(p *reports.Promise) float64 { return float64(p.Absent) }},
			{"quarantined", func(p *reports.Promise) float64 { return float64(p.Quarantined) }},
		} {
			m.GaugeOf("switchtape_promised_calls", map[string]string{"window": window.name, "outcome": c.outcome}, of(c.n))
		}
	}
	m.Gauge("switchtape_promise_budget_left", func() float64 {
		w.mu.Lock()
		defer w.mu.Unlock()
		p := w.sums["28d"]
		return p.BudgetLeft()
	})
	return w
}

// run asks until ctx ends.
func (w *promiseWatch) run(ctx context.Context) error {
	for {
		w.once(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-w.tick(promiseTick):
		}
	}
}

// once asks for the windows whose time has come.
func (w *promiseWatch) once(ctx context.Context) {
	err := w.ask(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil && !w.failed:
		w.log.WarnContext(ctx, "the database doesn't tell what became of the promise; it is asked again", "error", err)
	case err == nil && w.failed:
		w.log.InfoContext(ctx, "the database tells what became of the promise again")
	}
	w.failed = err != nil
}

func (w *promiseWatch) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, promiseTimeout)
	defer cancel()
	n, err := w.store.Unexplained(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.unexplained, w.known = n, w.now()
	w.mu.Unlock()
	for _, window := range promiseWindows() {
		began := w.now()
		if at, done := w.asked[window.name]; done && began.Sub(at) < window.every {
			continue
		}
		at, err := w.store.Now(ctx)
		if err != nil {
			return err
		}
		r, err := w.store.ReportPromise(ctx, &reports.Query{Since: at.Add(-window.span), Until: at.Add(time.Second)})
		if err != nil {
			return err
		}
		var sum reports.Promise
		for i := range r.Rows {
			sum.Add(&r.Rows[i].Sums, 1)
		}
		sum.Sum()
		w.mu.Lock()
		w.sums[window.name] = sum
		w.mu.Unlock()
		w.asked[window.name] = began
	}
	return nil
}
