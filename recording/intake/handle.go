package intake

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/tracing"
	"github.com/switchtape/switchtape/recording/broker"
)

// notKeptDelay is when a message comes again that is to be a dead letter and can't be
// kept as one.
const notKeptDelay = time.Minute

// delivery is one message that is worked on.
type delivery struct {
	*broker.Message

	in          *Intake
	fingerprint string
	kind        string
	tenant      callmodel.TenantID // "": nobody vouches for one
	counted     bool               // its tries are in the database
}

// handle brings a message to its end: a job, a dead letter, or back to the broker.
func (in *Intake) handle(ctx context.Context, m *broker.Message) {
	d := &delivery{Message: m, in: in, fingerprint: deadletter.Fingerprint(m.ID, m.Body), kind: m.Header(broker.HeaderKind)}
	ctx, span := tracing.Start(tracing.Within(ctx, in.opts.Tracer, m.Header(tracing.Header)), in.opts.Tracer, "take message")
	a, err := d.read(ctx)
	defer span.End(err)
	switch {
	case ctx.Err() != nil:
		d.release(ctx, 0)
	case err != nil:
		d.bury(ctx, err)
	default:
		d.take(ctx, &a)
	}
}

// read is the job that the message asks for. Its error is a reason for a dead letter,
// unless ctx ended.
func (d *delivery) read(ctx context.Context) (a Asked, err error) {
	if d.Redelivered {
		var tries int
		err := d.insist(ctx, func(ctx context.Context) (err error) {
			tries, err = d.in.letters.Tried(ctx, d.in.source.Name, d.fingerprint)
			return err
		})
		if err != nil {
			return Asked{}, err
		}
		if d.counted = true; tries > d.in.opts.MaxTries {
			d.tenant, _ = d.in.source.Tenants.of(d.Message)
			return Asked{}, callmodel.Errorf(callmodel.CodeInternal,
				"it was tried %d times and came to no end; whatever it was tried by may have ended with it", tries-1)
		}
	}
	if d.tenant, err = d.in.source.Tenants.of(d.Message); err != nil {
		return Asked{}, err
	}
	err = d.insist(ctx, func(ctx context.Context) (err error) {
		a, err = d.in.door.Read(ctx, d.kind, d.tenant, d.Body, d.in.source.Name)
		return err
	})
	return a, err
}

// take puts the job in the ledger and acknowledges the message.
func (d *delivery) take(ctx context.Context, a *Asked) {
	var created bool
	var id callmodel.JobID
	err := d.insist(ctx, func(ctx context.Context) (err error) {
		id, created, err = Enqueue(ctx, d.in.ledger, a)
		return err
	})
	switch {
	case ctx.Err() != nil && err != nil:
		d.release(ctx, 0)
		return
	case err != nil:
		d.bury(ctx, err)
		return
	}
	if created {
		d.in.taken.Add(1)
		d.in.opts.JobEnqueued()
	} else {
		d.in.doubles.Add(1)
	}
	d.in.opts.Logger.DebugContext(ctx, "a message was taken", "source", d.in.source.Name, "message", d.ID, "job", id, "created", created)
	d.forgetTries(ctx)
	d.ack(ctx)
}

// bury makes the message a dead letter and acknowledges it.
func (d *delivery) bury(ctx context.Context, why error) {
	var id deadletter.ID
	err := d.insist(ctx, func(ctx context.Context) (err error) {
		id, _, err = d.in.letters.KeepLetter(ctx, deadletter.New{
			TenantID: d.tenant, Source: d.in.source.Name, Fingerprint: d.fingerprint, MessageID: d.ID, Kind: d.kind,
			Code: callmodel.CodeOf(why), Reason: why.Error(), Body: d.Body,
		})
		return err
	})
	log := d.in.opts.Logger.With("source", d.in.source.Name, "tenant", d.tenant, "code", callmodel.CodeOf(why))
	switch {
	case ctx.Err() != nil && err != nil:
		d.release(ctx, 0)
		return
	case err != nil: // it is lost to nobody: it comes again
		log.ErrorContext(ctx, "a message that is refused can't be kept as a dead letter; it stays with the broker", "error", err)
		d.release(ctx, notKeptDelay)
		return
	}
	d.in.dead.Add(1)
	log.WarnContext(ctx, "a message is a dead letter; see \"switchtape dead-letters\"", "dead_letter", id) // the reason may have numbers
	d.ack(ctx)
}

// insist calls do until it succeeds, is refused, or ctx ends; while the ledger is away
// for as long as that takes, and otherwise MaxTries times.
func (d *delivery) insist(ctx context.Context, do func(context.Context) error) error {
	in := d.in
	for failures, faults := 0, 0; ; failures++ {
		err := in.timed(ctx, do)
		if err == nil || refused(err) {
			in.store.over(func() { in.opts.Logger.InfoContext(ctx, "the ledger takes messages again", "source", in.source.Name) })
			return err
		}
		if callmodel.CodeOf(err) == callmodel.CodeInternal {
			if faults++; faults >= in.opts.MaxTries {
				return fmt.Errorf("it was tried %d times: %w", faults, err)
			}
		}
		in.store.failed(in.opts.Now(), err, func() {
			in.opts.Logger.ErrorContext(ctx, "the ledger can't take a message; it is held, and tried again", "source", in.source.Name, "error", err)
		})
		if !in.pause(ctx, failures) {
			return err
		}
		d.extend(ctx)
	}
}

// timed calls do within Options.Timeout.
func (in *Intake) timed(ctx context.Context, do func(context.Context) error) (err error) {
	timed, cancel := context.WithTimeout(ctx, in.opts.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil { // one message doesn't take the others along
			err = callmodel.Errorf(callmodel.CodeInternal, "%v", p)
		}
	}()
	if err = do(timed); err != nil && timed.Err() != nil {
		return callmodel.Errorf(callmodel.CodeUnavailable, "the ledger did not answer within %v: %w", in.opts.Timeout, err)
	}
	return err
}

// refused reports whether the error would be the same at every further try.
func refused(err error) bool {
	switch callmodel.CodeOf(err) {
	case callmodel.CodeUnavailable:
		return errors.Is(err, deadletter.ErrNotKept)
	case callmodel.CodeInternal, callmodel.CodeOverloaded, callmodel.CodeInFlight, callmodel.CodeNotFound, callmodel.CodeLeaseLost:
		return false
	default:
		return true
	}
}

func (d *delivery) extend(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, d.in.opts.Timeout)
	defer cancel()
	if err := d.Receipt.Extend(timed); err != nil { // it may come to another then, as the same job
		d.in.opts.Logger.DebugContext(ctx, "a message could not be kept longer", "source", d.in.source.Name, "error", err)
	}
}

// forgetTries forgets how often the message was tried, which is worth no waiting.
func (d *delivery) forgetTries(ctx context.Context) {
	if !d.counted {
		return
	}
	end, cancel := d.in.ending(ctx)
	defer cancel()
	if err := d.in.letters.Taken(end, d.in.source.Name, d.fingerprint); err != nil {
		d.in.opts.Logger.DebugContext(ctx, "a message's tries could not be forgotten", "source", d.in.source.Name, "error", err)
	}
}

// ack acknowledges the message. One whose acknowledgement is lost comes again, and is
// what it is already.
func (d *delivery) ack(ctx context.Context) {
	end, cancel := d.in.ending(ctx)
	defer cancel()
	if err := d.Receipt.Ack(end); err != nil {
		d.in.unacked.Add(1)
		d.in.opts.Logger.WarnContext(ctx, "an acknowledgement was not confirmed; the message may come again", "source", d.in.source.Name, "error", err)
	}
}

// release gives the message back. That it wasn't taken is no fault of its own.
func (d *delivery) release(ctx context.Context, delay time.Duration) {
	d.in.letGo.Add(1)
	d.forgetTries(ctx)
	end, cancel := d.in.ending(ctx)
	defer cancel()
	if err := d.Receipt.Nack(end, delay); err != nil {
		d.in.opts.Logger.WarnContext(ctx, "a message could not be given back; it comes again by itself", "source", d.in.source.Name, "error", err)
	}
}
