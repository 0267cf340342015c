package auth

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
)

// Store is where API keys are kept. *calldb.DB is one.
//
// Every implementation passes storetest.KeyStore.
type Store interface {
	// KeyChanges are the keys that have changed since the place after, which is 0 or the
	// Through of the answer before: in the order of their changes, each as it is now.
	KeyChanges(ctx context.Context, after int64) (keys.Changes, error)
	// KeysUsed notes that the keys were used a moment ago.
	KeysUsed(ctx context.Context, ids []string) error
}

// BookOptions configure a Book. The zero value works.
type BookOptions struct {
	// Poll is how often the store is asked what has changed. A key that was revoked is
	// refused so long after, at the latest, while the store answers. 0 means 250 ms.
	Poll time.Duration
	// Stale is for how long keys are taken at their word while the store doesn't answer.
	// 0 means 24 h.
	Stale time.Duration
	// Snapshot is a file in which the keys are kept, as hashes, for a start without the
	// store. "": none.
	Snapshot string
	// Now is the clock that expiries are held against. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil: nothing is logged.
	Logger *slog.Logger
}

const (
	lookTimeout = 2 * time.Second
	// lookGap is how long the store is left alone between two looks, however many wrong
	// keys come.
	lookGap = 20 * time.Millisecond
	// missTimeout is how long a request with a key that isn't known waits for a look.
	missTimeout = time.Second
	usedEvery   = time.Minute
)

// Book are the API keys of a store, in memory. A key that isn't in it is looked for in
// the store before it is refused, so that a new one works on every server at once; all
// who wait share one look, so that wrong keys can't keep the store busy.
type Book struct {
	store Store
	opts  BookOptions
	kick  chan struct{}

	mu      sync.RWMutex
	byHash  map[keys.Hash]secret
	byID    map[string]keys.Stored
	through int64
	asOf    time.Time // when the store answered last; zero: never
	away    error     // what it last failed with; nil if it answered

	waitMu  sync.Mutex
	waiting chan struct{} // closed after the next look; nil if nobody waits

	usedMu sync.Mutex
	used   map[string]struct{}
}

// secret is what is known of one.
type secret struct {
	id    string
	until time.Time // zero: no end
	who   callmodel.Principal
}

// NewBook makes an empty book; Run fills it. o may be nil.
func NewBook(s Store, o *BookOptions) *Book {
	b := &Book{store: s, kick: make(chan struct{}, 1), byHash: map[keys.Hash]secret{}, byID: map[string]keys.Stored{}, used: map[string]struct{}{}}
	if o != nil {
		b.opts = *o
	}
	b.opts.Poll = cmp.Or(b.opts.Poll, 250*time.Millisecond)
	b.opts.Stale = cmp.Or(b.opts.Stale, 24*time.Hour)
	if b.opts.Now == nil {
		b.opts.Now = time.Now
	}
	if b.opts.Logger == nil {
		b.opts.Logger = slog.New(slog.DiscardHandler)
	}
	return b
}

// Open reads the snapshot, if there is one, and then the store, within ctx. A store that
// doesn't answer is no error: Run goes on asking it.
func (b *Book) Open(ctx context.Context) error {
	if err := b.readSnapshot(); err != nil {
		return err
	}
	b.look(ctx)
	return nil
}

// Run follows the changes of the keys until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	poll := time.NewTicker(b.opts.Poll)
	defer poll.Stop()
	usedAt := b.opts.Now()
	for {
		b.lookForAll(ctx)
		if now := b.opts.Now(); now.Sub(usedAt) >= usedEvery {
			usedAt = now
			b.tellUsed(ctx)
		}
		// Whoever comes now waits for the next look, which is not at once.
		select {
		case <-ctx.Done():
			b.tellUsed(context.WithoutCancel(ctx))
			return nil
		case <-time.After(lookGap):
		}
		select {
		case <-ctx.Done():
		case <-poll.C:
		case <-b.kick:
		}
	}
}

// lookForAll is one look, for all who wait for it.
func (b *Book) lookForAll(ctx context.Context) {
	b.waitMu.Lock()
	waiting := b.waiting
	b.waiting = nil
	b.waitMu.Unlock()
	b.look(ctx)
	if waiting != nil {
		close(waiting)
	}
}

// look asks the store what has changed.
func (b *Book) look(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	changed := false
	for {
		b.mu.RLock()
		after := b.through
		b.mu.RUnlock()
		c, err := b.store.KeyChanges(timed, after)
		if ctx.Err() != nil {
			return
		}
		b.mu.Lock()
		if err != nil {
			known := b.away != nil
			b.away = err
			b.mu.Unlock()
			if !known {
				b.opts.Logger.WarnContext(ctx, "the API keys can't be looked up; those that are known go on working", "for", b.opts.Stale, "error", err)
			}
			return
		}
		if b.away != nil {
			b.opts.Logger.InfoContext(ctx, "the API keys are looked up again")
		}
		b.away, b.asOf = nil, b.opts.Now()
		b.apply(&c)
		b.mu.Unlock()
		if changed = changed || c.Anew || len(c.Keys) > 0; !c.More {
			break
		}
	}
	if changed {
		b.writeSnapshot(ctx)
	}
}

// apply takes the changes in. b.mu is held.
func (b *Book) apply(c *keys.Changes) {
	if c.Anew {
		clear(b.byHash)
		clear(b.byID)
	}
	b.through = c.Through
	for i := range c.Keys {
		b.put(&c.Keys[i])
	}
}

// put takes one key in, as it is now. b.mu is held.
func (b *Book) put(k *keys.Stored) {
	if before, ok := b.byID[k.ID]; ok {
		delete(b.byHash, before.Secret)
		delete(b.byHash, before.Old)
		delete(b.byID, k.ID)
	}
	if !k.RevokedAt.IsZero() {
		return
	}
	b.byID[k.ID] = *k
	s := secret{id: k.ID, until: k.ExpiresAt, who: callmodel.Principal{TenantID: k.TenantID, Subject: k.ID, Scopes: k.Scopes()}}
	if k.Old != (keys.Hash{}) {
		old := s
		if old.until.IsZero() || k.OldUntil.Before(old.until) {
			old.until = k.OldUntil
		}
		b.byHash[k.Old] = old
	}
	b.byHash[k.Secret] = s
}

// Found is what became of looking for a secret.
type Found int

// What it can be.
const (
	Unknown Found = iota // there is no such key, or it has expired
	Known
	// Unsure says that the store can't be asked: it may be a key that isn't known here
	// yet, or, with a principal, one that was known too long ago.
	Unsure
)

// Find looks for the key with this secret.
func (b *Book) Find(ctx context.Context, token string) (callmodel.Principal, Found) {
	h := keys.HashOf(token)
	p, found := b.find(h)
	if found != Unknown {
		return p, found
	}
	if !b.next(ctx) {
		return callmodel.Principal{}, Unsure
	}
	return b.find(h)
}

func (b *Book) find(h keys.Hash) (callmodel.Principal, Found) {
	now := b.opts.Now()
	b.mu.RLock()
	s, ok := b.byHash[h]
	asOf, away := b.asOf, b.away
	b.mu.RUnlock()
	switch {
	case ok && !s.until.IsZero() && !now.Before(s.until):
		return callmodel.Principal{}, Unknown
	case ok && now.Sub(asOf) > b.opts.Stale:
		return s.who, Unsure
	case ok:
		b.use(s.id)
		return s.who, Known
	case away != nil:
		return callmodel.Principal{}, Unsure
	default:
		return callmodel.Principal{}, Unknown
	}
}

// next waits for a look that begins after now; false if there is none in time.
func (b *Book) next(ctx context.Context) bool {
	b.waitMu.Lock()
	if b.waiting == nil {
		b.waiting = make(chan struct{})
	}
	looked := b.waiting
	b.waitMu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default:
	}
	timeout := time.NewTimer(missTimeout)
	defer timeout.Stop()
	select {
	case <-looked:
		return true
	case <-ctx.Done():
	case <-timeout.C:
	}
	return false
}

func (b *Book) use(id string) {
	b.usedMu.Lock()
	b.used[id] = struct{}{}
	b.usedMu.Unlock()
}

// tellUsed tells the store which keys were used.
func (b *Book) tellUsed(ctx context.Context) {
	b.usedMu.Lock()
	used := b.used
	b.used = map[string]struct{}{}
	b.usedMu.Unlock()
	if len(used) == 0 {
		return
	}
	timed, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	if err := b.store.KeysUsed(timed, slices.Sorted(maps.Keys(used))); err != nil {
		b.opts.Logger.DebugContext(ctx, "it can't be noted which API keys were used", "error", err)
	}
}

// Tenants are those that have keys.
func (b *Book) Tenants() map[callmodel.TenantID]bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	tenants := map[callmodel.TenantID]bool{}
	for _, k := range b.byID {
		tenants[k.TenantID] = true
	}
	return tenants
}

// Age is how long ago the store answered; false if it never has.
func (b *Book) Age() (time.Duration, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.opts.Now().Sub(b.asOf), !b.asOf.IsZero()
}
