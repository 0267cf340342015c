package memdb

import (
	"cmp"
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/outbox"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

type (
	message struct{ source, fingerprint string }
	tries   struct {
		n  int
		at time.Time
	}
	// intake is what the store keeps of messages that come from brokers, and of those
	// who send what is in the outbox.
	intake struct {
		letters []*deadletter.Letter // by seq, from 1
		byPrint map[message]*deadletter.Letter
		tries   map[message]tries
		places  map[string]*outboxPlace
	}
	outboxPlace struct {
		through int64
		holder  string
		until   time.Time
	}
)

func newIntake() intake {
	return intake{byPrint: map[message]*deadletter.Letter{}, tries: map[message]tries{}, places: map[string]*outboxPlace{}}
}

// Tried implements intake.DeadLetters.
func (s *Store) Tried(ctx context.Context, source, fingerprint string) (int, error) {
	if err := cmp.Or(ctx.Err(), storeform.CheckTry(source, fingerprint)); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now, m := s.clock(), message{source, fingerprint}
	for of, t := range s.intake.tries {
		if now.Sub(t.at) > storeform.TriesKept {
			delete(s.intake.tries, of)
		}
	}
	s.intake.tries[m] = tries{s.intake.tries[m].n + 1, now}
	return s.intake.tries[m].n, nil
}

// Taken implements intake.DeadLetters.
func (s *Store) Taken(ctx context.Context, source, fingerprint string) error {
	if err := cmp.Or(ctx.Err(), storeform.CheckTry(source, fingerprint)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.intake.tries, message{source, fingerprint})
	return nil
}

// KeepLetter implements intake.DeadLetters.
func (s *Store) KeepLetter(ctx context.Context, n deadletter.New) (deadletter.ID, bool, error) {
	if err := ctx.Err(); err != nil {
		return "", false, err
	}
	l, err := storeform.NewLetter(&n)
	if err != nil {
		return "", false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := message{n.Source, n.Fingerprint}
	delete(s.intake.tries, m)
	if have := s.intake.byPrint[m]; have != nil {
		return have.ID, false, nil
	}
	l.ID, l.At = storeform.LetterID(int64(len(s.intake.letters))+1, storeform.Nonce()), s.clock()
	s.intake.letters, s.intake.byPrint[m] = append(s.intake.letters, &l), &l
	s.line(storeform.LetterLine(deadletter.AuditKept, &l, storeform.System))
	return l.ID, true, nil
}

// letter is the letter, of the tenant's unless that is "".
func (s *Store) letter(tenant callmodel.TenantID, id deadletter.ID) (*deadletter.Letter, error) {
	seq, _, ok := storeform.ParseLetterID(id)
	if !ok || seq > int64(len(s.intake.letters)) {
		return nil, callmodel.ErrNotFound
	}
	l := s.intake.letters[seq-1]
	if l.ID != id || tenant != "" && l.TenantID != tenant {
		return nil, callmodel.ErrNotFound
	}
	return l, nil
}

// Letter implements recordinghttp.DeadLetters.
func (s *Store) Letter(ctx context.Context, tenant callmodel.TenantID, id deadletter.ID) (deadletter.Letter, error) {
	if err := ctx.Err(); err != nil {
		return deadletter.Letter{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.letter(tenant, id)
	if err != nil {
		return deadletter.Letter{}, err
	}
	return copied(*l), nil
}

// Letters implements recordinghttp.DeadLetters.
func (s *Store) Letters(ctx context.Context, f deadletter.Filter) ([]deadletter.Letter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	after, err := storeform.AfterLetter(f.After)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []deadletter.Letter{}
	for i := after; i < int64(len(s.intake.letters)) && len(all) < storeform.JobsLimit(f.Limit); i++ {
		l := s.intake.letters[i]
		if (f.TenantID == "" || l.TenantID == f.TenantID) && (f.State == "" || l.State == f.State) && (f.Source == "" || l.Source == f.Source) {
			listed := copied(*l)
			listed.Text, listed.Base64 = "", nil
			all = append(all, listed)
		}
	}
	return all, nil
}

// SettleLetter implements recordinghttp.DeadLetters.
func (s *Store) SettleLetter(ctx context.Context, c deadletter.Settle) (deadletter.Letter, error) {
	if err := cmp.Or(ctx.Err(), storeform.CheckSettle(&c)); err != nil {
		return deadletter.Letter{}, err
	}
	c.Actor = cmp.Or(c.Actor, storeform.System)
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := s.letter(c.TenantID, c.ID)
	if err != nil {
		return deadletter.Letter{}, err
	}
	after := *l
	line, done, err := storeform.SettleLetter(&after, &c, s.clock())
	if err != nil {
		return deadletter.Letter{}, err
	}
	if !done {
		*l = after
		s.line(line)
	}
	return copied(*l), nil
}

// place is how far the reader has come; nil for one that never read.
func (s *Store) place(name string) outbox.Place {
	have := s.intake.places[name]
	if have == nil {
		return outbox.Place{}
	}
	p := outbox.Place{Through: have.through}
	if left := have.until.Sub(s.clock()); have.holder != "" && left > 0 {
		p.Holder, p.Held = have.holder, left
	}
	return p
}

// OutboxPlace implements publish.Outbox.
func (s *Store) OutboxPlace(ctx context.Context, name string) (outbox.Place, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Place{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.place(name)
	p.More = int64(len(s.outbox)) > p.Through
	return p, nil
}

// TakeOutbox implements publish.Outbox.
func (s *Store) TakeOutbox(ctx context.Context, r outbox.Reader) (outbox.Place, error) {
	if err := cmp.Or(ctx.Err(), storeform.CheckReader(&r)); err != nil {
		return outbox.Place{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if holder := s.place(r.Name).Holder; holder != "" && holder != r.Holder {
		return s.place(r.Name), nil
	}
	if s.intake.places[r.Name] == nil {
		s.intake.places[r.Name] = &outboxPlace{}
	}
	p := s.intake.places[r.Name]
	p.holder, p.until = r.Holder, s.clock().Add(r.TTL)
	return s.place(r.Name), nil
}

// AdvanceOutbox implements publish.Outbox.
func (s *Store) AdvanceOutbox(ctx context.Context, r outbox.Reader, through int64) error {
	if err := cmp.Or(ctx.Err(), storeform.CheckReader(&r)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.intake.places[r.Name]
	if p == nil || p.holder != r.Holder {
		return callmodel.ErrLeaseLost
	}
	p.through, p.until = max(p.through, through), s.clock().Add(r.TTL)
	return nil
}

// LeaveOutbox implements publish.Outbox.
func (s *Store) LeaveOutbox(ctx context.Context, r outbox.Reader) error {
	if err := cmp.Or(ctx.Err(), storeform.CheckReader(&r)); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.intake.places[r.Name]; p != nil && p.holder == r.Holder {
		p.holder, p.until = "", time.Time{}
	}
	return nil
}
