package spool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/switchtape/switchtape/callmodel/record"
)

// together is how many jobs are stored at once: a ledger commits them together.
const together = 16

// actor is who it is in the audit log.
const actor = "spool"

// handOver stores the jobs of the calls that are ready.
func (s *Spool) handOver(ctx context.Context, root *os.Root) error {
	type call struct {
		id  id
		set Set
	}
	var calls []call
	now := s.opts.Now()
	for i, p := range s.pending {
		ready := s.ready(p, now)
		if len(p.files) == 0 {
			delete(s.pending, i)
			continue
		}
		if ready {
			calls = append(calls, call{i, p.set()})
		}
	}
	slices.SortFunc(calls, func(a, b call) int {
		return cmp.Or(a.set.Files[0].ModTime.Compare(b.set.Files[0].ModTime), strings.Compare(a.set.Files[0].Path, b.set.Files[0].Path))
	})
	var mu sync.Mutex // of what is known of calls, and of:
	var failed []error
	var group errgroup.Group
	group.SetLimit(together)
	before := s.stats.handedOver.Load()
	for i := range calls {
		mu.Lock()
		away := len(failed) >= together
		mu.Unlock()
		if away || ctx.Err() != nil { // a ledger that is away isn't asked about thousands
			break
		}
		group.Go(func() error {
			c := &calls[i]
			spec, err := s.store(ctx, root, c.id, &c.set)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				s.recent.add(c.id, spec)
				delete(s.pending, c.id)
			case errors.Is(err, errWaits):
			case refusedBy(err):
				s.refuse(ctx, c.id, err)
			default:
				failed = append(failed, err)
			}
			return nil
		})
	}
	_ = group.Wait() // they tell by failed
	var err error
	if len(failed) > 0 {
		err = fmt.Errorf("%d calls can't be handed over: %w", len(failed), failed[0])
	}
	if n := s.stats.handedOver.Load() - before; n > 0 {
		s.opts.Enqueued()
		s.opts.Logger.InfoContext(ctx, "calls were handed over", "spool", s.dir, "calls", n)
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// errWaits says that a call can't be handed over yet.
var errWaits = errors.New("it waits")

// store puts the call's job in the ledger, and in the index that it is there.
func (s *Spool) store(ctx context.Context, root *os.Root, i id, set *Set) (record.Spec, error) {
	if err := s.note(ctx, root, set); err != nil {
		return record.Spec{}, err
	}
	spec, ignored, err := s.opts.specWithNotes(set)
	if ignored != nil {
		s.badNotes(ctx, set, ignored)
	}
	if err != nil {
		return spec, err
	}
	job, err := record.NewJob(spec, s.opts.Queue, s.opts.Priority)
	if err != nil {
		return spec, err
	}
	job.Actor = actor
	timed, cancel := context.WithTimeout(ctx, s.opts.LedgerTimeout)
	defer cancel()
	jobID, created, err := s.ledger.Enqueue(timed, job)
	if err != nil {
		return spec, err
	}
	if created {
		s.stats.handedOver.Add(1)
	} else {
		s.stats.known.Add(1)
	}
	s.opts.Logger.DebugContext(ctx, "a call was handed over", "recording", spec.RecordingID, "job", jobID, "legs", len(spec.Legs), "created", created)
	if err := s.index.add(i); err != nil && s.said.first(indexFault, "") {
		s.opts.Logger.WarnContext(ctx, "which calls are handed over can't be kept on disk; after a restart the ledger is asked about all", "spool", s.dir, "error", reason(err))
	}
	return spec, nil
}

// note reads what a file beside the legs says of the call.
func (s *Spool) note(ctx context.Context, root *os.Root, set *Set) error {
	if s.opts.Sidecar == SidecarIgnored {
		return nil
	}
	notes, err := readNotes(root, sidecarOf(&set.Files[0]))
	switch {
	case err == nil:
		set.Notes = notes
	case errors.Is(err, fs.ErrNotExist) && s.opts.Sidecar == SidecarOptional:
	case s.opts.Sidecar == SidecarRequired && !isWhole(err): // it isn't there, or not whole yet
		return errWaits
	default:
		s.badNotes(ctx, set, err)
	}
	return nil
}

// badNotes tells of what is written beside legs and can't be used.
func (s *Spool) badNotes(ctx context.Context, set *Set, err error) {
	if s.said.first(badSidecar, path.Dir(set.Files[0].Path)) {
		s.opts.Logger.WarnContext(ctx, "what is written beside a call's legs can't be read; they are handed over without", "spool", s.dir, "error", reason(err))
	}
}

// refuse leaves a call alone of which no job can be made.
func (s *Spool) refuse(ctx context.Context, i id, err error) {
	s.stats.refused.Add(1)
	delete(s.pending, i)
	if len(s.refused) < maxRefused {
		s.refused[i] = struct{}{}
	}
	s.opts.Logger.ErrorContext(ctx, "no recording can be made of a call's legs", "spool", s.dir, "recording", i.recordingID(), "error", shown(err.Error()))
}

// late tells of a leg that came after its call was handed over without it.
func (s *Spool) late(i id, name string) {
	if s.recent.has(i, path.Join(s.opts.Below, name)) {
		return
	}
	s.stats.late.Add(1)
	s.opts.Logger.Warn("a leg has come after its call was handed over, and isn't recorded: list the legs in the pattern, or give the number of legs",
		"spool", s.dir, "recording", i.recordingID())
}

// maxRefused bounds what is remembered of refused calls; others are refused anew.
const maxRefused = 100_000
