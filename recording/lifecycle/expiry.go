package lifecycle

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
)

// ExpiryLedger is where recordings are found whose time is over. *calldb.DB and
// *memdb.Store are such ledgers: every one passes storetest.Retention.
type ExpiryLedger interface {
	// Enqueue is recordinghttp.Ledger's.
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
	// Jobs and Retry are recordinghttp.Ledger's.
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	Retry(ctx context.Context, id callmodel.JobID, actor string) error
	// Now is the database's clock.
	Now(ctx context.Context) (time.Time, error)
	// HeldBy is ErasureLedger's.
	HeldBy(ctx context.Context, r retention.Recording) (*retention.HeldError, error)
	// Expired looks at some recordings, and gives those whose time is over by the
	// database's clock and that aren't being deleted. What it looks at it finds by an index.
	Expired(ctx context.Context, q retention.Due) (retention.DuePage, error)
}

// ExpiryOptions say when a recording's time is over. The zero value works.
type ExpiryOptions struct {
	// Keep is how long recordings are kept of which neither they nor their users nor their
	// tenant say it. 0 means for ever.
	Keep time.Duration
	// DeniedOnly has only those deleted to which a party has not consented: of them nothing
	// was made, and legs may be left.
	DeniedOnly bool
	// Every is about how long Run pauses between two looks. 0 means 1 hour.
	Every time.Duration
	// Timeout bounds every call of the ledger by Run. 0 means 1 minute.
	Timeout time.Duration
	// Logger gets a line for what is found. Nil: nothing is logged.
	Logger *slog.Logger
}

// Expiry has recordings deleted whose time is over. Make one with [NewExpiry].
type Expiry struct {
	ledger ExpiryLedger
	opts   ExpiryOptions
}

// NewExpiry makes what has recordings of the ledger deleted. It starts nothing.
func NewExpiry(l ExpiryLedger, o ExpiryOptions) *Expiry {
	o.Every, o.Timeout = cmp.Or(o.Every, time.Hour), cmp.Or(o.Timeout, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Expiry{ledger: l, opts: o}
}

// Run looks for recordings whose time is over until ctx ends. It returns nil.
func (e *Expiry) Run(ctx context.Context) error {
	next := time.NewTimer(rand.N(e.opts.Every/10 + 1)) //nolint:gosec // it spreads load
	defer next.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		n, err := e.Sweep(ctx)
		if n > 0 {
			e.opts.Logger.InfoContext(ctx, "recordings are to be deleted, as their time is over", "recordings", n)
		}
		if err != nil && !failed && ctx.Err() == nil {
			e.opts.Logger.ErrorContext(ctx, "it can't be seen which recordings' time is over; it is tried again", "error", err)
		}
		failed = err != nil
		next.Reset(e.opts.Every/2 + rand.N(e.opts.Every)) //nolint:gosec // as above
	}
}

// Sweep looks once for recordings whose time is over, and enqueues the jobs that delete
// them, but for those that are held. It puts deletions back that were set aside as their
// workers were lost with them. Any number of processes may do so.
func (e *Expiry) Sweep(ctx context.Context) (enqueued int, err error) {
	if err := e.goOn(ctx); err != nil {
		return 0, err
	}
	q := retention.Due{Service: e.opts.Keep, DeniedOnly: e.opts.DeniedOnly}
	for {
		page, err := e.look(ctx, q)
		if err != nil {
			return enqueued, err
		}
		for i := range page.Expired {
			created, err := e.decide(ctx, &page.Expired[i])
			if err != nil {
				return enqueued, err
			}
			if created {
				enqueued++
			}
		}
		if q.After = page.Next; page.End {
			return enqueued, nil
		}
	}
}

func (e *Expiry) goOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	return goOn(ctx, e.ledger, retention.KindErase, nil, e.opts.Logger)
}

func (e *Expiry) look(ctx context.Context, q retention.Due) (retention.DuePage, error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	return e.ledger.Expired(ctx, q)
}

func (e *Expiry) decide(ctx context.Context, x *retention.Expired) (created bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.opts.Timeout)
	defer cancel()
	held, err := e.ledger.HeldBy(ctx, x.Recording)
	if err != nil || held != nil {
		return false, err
	}
	r, err := erasure.Job(&ledger.Job{
		ID: x.JobID, Kind: record.Kind, TenantID: x.TenantID, CallID: x.CallID, Key: string(x.RecordingID), Queue: x.Queue,
	}, x.Reason(), actor)
	if err != nil {
		return false, err
	}
	r.Priority = priority
	_, created, err = e.ledger.Enqueue(ctx, r)
	return created, err
}
