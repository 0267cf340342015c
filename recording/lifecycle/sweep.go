package lifecycle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// actor is who deletes legs, in the audit log.
const actor = "retention"

// priority is that of the jobs: whatever else waits in a queue comes first.
const priority = -100

// maxKept bounds the recordings that are remembered to have legs which are kept.
const maxKept = 100_000

// Run looks for legs to delete until ctx ends. It returns nil.
func (l *Legs) Run(ctx context.Context) error {
	next := time.NewTimer(rand.N(l.opts.Every/10 + 1)) //nolint:gosec // it spreads load
	defer next.Stop()
	for failed := false; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		n, left, err := l.sweepFor(ctx)
		if left {
			return nil
		}
		if n > 0 {
			l.opts.Logger.InfoContext(ctx, "legs are to be deleted, as their recordings are safe", "recordings", n)
		}
		if err != nil && !failed && ctx.Err() == nil {
			l.opts.Logger.ErrorContext(ctx, "it can't be seen which legs are to be deleted; it is tried again", "error", err)
		}
		failed = err != nil
		next.Reset(l.opts.Every/2 + rand.N(l.opts.Every)) //nolint:gosec // as above
	}
}

// sweepFor is Sweep in a goroutine of its own, which is left when ctx has ended and it
// doesn't soon: a leg may be on a mount whose server is away.
func (l *Legs) sweepFor(ctx context.Context) (n int, left bool, err error) {
	type look struct {
		n   int
		err error
	}
	done := make(chan look, 1)
	go func() {
		n, err := l.Sweep(ctx)
		done <- look{n, err}
	}()
	select {
	case got := <-done:
		return got.n, false, got.err
	case <-ctx.Done():
	}
	soon := time.NewTimer(letGo)
	defer soon.Stop()
	select {
	case <-done:
	case <-soon.C:
	}
	return 0, true, nil
}

// letGo is for how long Run waits at its end for a look that goes on.
const letGo = 5 * time.Second

// Sweep looks once for recordings whose legs may be deleted, and enqueues the jobs that
// do. It may be called by any number of processes, but by one goroutine of each. Legs that
// are kept for what they are, it looks at once. It puts deletions back that were set aside as
// their workers were lost with them.
func (l *Legs) Sweep(ctx context.Context) (enqueued int, err error) {
	if err := l.goOn(ctx); err != nil {
		return 0, err
	}
	at, settled := l.settled, true
	for {
		found, err := l.due(ctx, at)
		if err != nil {
			return enqueued, err
		}
		for i := range found.Jobs {
			j := &found.Jobs[i]
			if _, kept := l.kept[j.ID]; kept {
				continue
			}
			created, err := l.decide(ctx, j)
			if err != nil {
				if ctx.Err() != nil {
					return enqueued, ctx.Err()
				}
				l.opts.Logger.WarnContext(ctx, "the legs of a recording can't be looked at; it is tried again", "job", j.ID, "error", err)
				settled = false
				continue
			}
			if created {
				enqueued++
			} else if len(l.kept) < maxKept {
				l.kept[j.ID] = struct{}{}
			}
		}
		at = found.Next
		if settled = settled && !found.Open && !found.End; settled {
			l.settled = at
		}
		if found.End {
			return enqueued, nil
		}
	}
}

func (l *Legs) goOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	return goOn(ctx, l.ledger, KindDeleteLegs, l.opts.Queues, l.opts.Logger)
}

func (l *Legs) due(ctx context.Context, at int64) (ledger.LegsFound, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	return l.ledger.LegsDue(ctx, ledger.LegsDue{Queues: l.opts.Queues, By: KindDeleteLegs, Keep: l.opts.Keep, After: at})
}

// decide enqueues the job that deletes the legs, if they are still what was recorded.
func (l *Legs) decide(ctx context.Context, j *ledger.Job) (created bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.Timeout)
	defer cancel()
	rec, why, err := recorded(j)
	if _, never := errors.AsType[*callmodel.PermanentError](err); never {
		why, err = err.Error(), nil
	}
	var files []File
	if err == nil && why == "" {
		files, why, err = l.files(ctx, &rec.Spec, &rec.Result)
	}
	if err != nil {
		return false, err
	}
	if why != "" || len(files) == 0 {
		l.opts.Logger.DebugContext(ctx, "legs are kept, or gone", "job", j.ID, "reason", why)
		return false, nil
	}
	payload, err := json.Marshal(Deletion{JobID: j.ID, Files: files})
	if err != nil {
		return false, err
	}
	_, created, err = l.ledger.Enqueue(ctx, ledger.Request{
		Kind: KindDeleteLegs, TenantID: j.TenantID, CallID: j.CallID, Key: j.Key, Queue: j.Queue, Priority: priority, Payload: payload, Actor: actor,
	})
	return created, err
}

// files are those of the legs, if they are what was recorded and nobody has written to
// them for as long as they are kept; none if all are gone.
func (l *Legs) files(ctx context.Context, s *record.Spec, r *record.Result) (files []File, why string, err error) {
	hashes := map[string]string{}
	for i := range r.Legs {
		hashes[r.Legs[i].Name] = r.Legs[i].SHA256
	}
	gone := 0
	for i := range s.Legs {
		sum := sha256.New()
		for k := range s.Legs[i].Segments {
			uri := s.Legs[i].Segments[k].URI
			f, err := l.file(ctx, s.LegsBelow, uri, sum)
			if errors.Is(err, fs.ErrNotExist) {
				gone++
				continue
			}
			if _, never := errors.AsType[*callmodel.PermanentError](err); never {
				return nil, err.Error(), nil
			}
			if err != nil {
				return nil, "", err
			}
			if l.opts.Now().Sub(f.ModifiedAt) < l.opts.Keep {
				return nil, "", callmodel.Errorf(callmodel.CodeConflict, "%s was written to at %s", uri, f.ModifiedAt)
			}
			files = append(files, f)
		}
		if gone == 0 && hex.EncodeToString(sum.Sum(nil)) != hashes[s.Legs[i].Name] {
			return nil, "leg " + s.Legs[i].Name + " has other bytes than were recorded", nil
		}
	}
	if gone > 0 && len(files) > 0 {
		return nil, "a part of the legs is gone, and the rest can't be told by its hash", nil
	}
	return files, "", nil
}

// file hashes a leg's file and says how it is.
func (l *Legs) file(ctx context.Context, below, uri string, sum hash.Hash) (File, error) {
	size, modified, err := l.place.StatLeg(ctx, below, uri)
	if err != nil {
		return File{}, err
	}
	in, err := l.place.OpenLeg(ctx, uri)
	if err != nil {
		return File{}, err
	}
	n, err := io.Copy(sum, until{ctx, in})
	if err = errors.Join(err, in.Close()); err != nil {
		return File{}, err
	}
	after, again, err := l.place.StatLeg(ctx, below, uri)
	if err == nil && (n != size || after != size || !again.Equal(modified)) {
		err = callmodel.Errorf(callmodel.CodeConflict, "%s was written to while it was read", uri)
	}
	return File{URI: uri, Bytes: size, ModifiedAt: modified}, err
}

// until reads until ctx ends.
type until struct {
	ctx context.Context //nolint:containedctx // lives only as long as its caller reads
	in  io.Reader
}

func (u until) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.in.Read(p)
}
