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
	looks *shared

	mu      sync.RWMutex
	byHash  map[keys.Hash]secret
	byID    map[string]keys.Stored
	through int64
	asOf    time.Time                  // when the store answered last; zero: never
	away    error                      // what it last failed with; nil if it answered
	tenants map[callmodel.TenantID]int // how many keys each has

	keptAt time.Time // what the snapshot's AsOf is; of those who look alone
	usedAt time.Time // when the store was told last; of Run alone
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
	b := &Book{
		store: s, byHash: map[keys.Hash]secret{}, byID: map[string]keys.Stored{}, tenants: map[callmodel.TenantID]int{},
		used: map[string]struct{}{},
	}
	if o != nil {
		b.opts = *o
	}
	b.opts.Poll = cmp.Or(b.opts.Poll, 250*time.Millisecond)
	b.looks = newShared(b.opts.Poll, lookGap, missTimeout, b.lookAndTell)
	b.opts.Stale = cmp.Or(b.opts.Stale, 24*time.Hour)
	if b.opts.Now == nil {
		b.opts.Now = time.Now
	}
	if b.opts.Logger == nil {
		b.opts.Logger = slog.New(slog.DiscardHandler)
	}
	b.usedAt = b.opts.Now()
	return b
}

// Open reads the snapshot, if there is one, and then the store, within ctx. Neither must
// be there: a snapshot that can't be read is logged, and Run goes on asking the store.
func (b *Book) Open(ctx context.Context) {
	if err := b.readSnapshot(); err != nil {
		b.opts.Logger.ErrorContext(ctx, "the snapshot of the API keys can't be used; it will be replaced", "file", b.opts.Snapshot, "error", err)
	}
	b.look(ctx)
}

// Run follows the changes of the keys until ctx ends.
func (b *Book) Run(ctx context.Context) error {
	b.looks.run(ctx)
	b.tellUsed(context.WithoutCancel(ctx))
	return nil
}

// lookAndTell is look, and once a minute tells the store which keys were used.
func (b *Book) lookAndTell(ctx context.Context) {
	b.look(ctx)
	if now := b.opts.Now(); now.Sub(b.usedAt) >= usedEvery {
		b.usedAt = now
		b.tellUsed(ctx)
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
	// A snapshot is written anew now and then, too: keys in it are good for Stale.
	if changed || b.opts.Now().Sub(b.keptAt) >= b.opts.Stale/snapshots {
		b.writeSnapshot(ctx)
	}
}

// snapshots is how many are written in the time for which the keys in one are good.
const snapshots = 48

// apply takes the changes in. b.mu is held.
func (b *Book) apply(c *keys.Changes) {
	if c.Anew {
		clear(b.byHash)
		clear(b.byID)
		clear(b.tenants)
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
		if b.tenants[before.TenantID]--; b.tenants[before.TenantID] == 0 {
			delete(b.tenants, before.TenantID)
		}
	}
	if !k.RevokedAt.IsZero() {
		return
	}
	b.byID[k.ID] = *k
	b.tenants[k.TenantID]++
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
	if !b.looks.next(ctx) {
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

// countTenants is how many tenants have keys, besides those.
func (b *Book) countTenants(besides map[callmodel.TenantID]bool) int {
	b.mu.RLock()
	defer b.mu.RUnlock()
	n := len(b.tenants)
	for t := range besides {
		if b.tenants[t] > 0 {
			n--
		}
	}
	return n
}

// Age is how long ago the store answered; false if it never has.
func (b *Book) Age() (time.Duration, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.opts.Now().Sub(b.asOf), !b.asOf.IsZero()
}
