package directory

import (
	"cmp"
	"context"
	"hash/maphash"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/users"
)

// Source is where users and tenants are kept. *calldb.DB and memdb's Store are such
// sources.
//
// Every implementation passes storetest.UserStore.
type Source interface {
	// UserChanges lists the users and tenants whose last change is behind the place
	// after in the sequence of changes, in its order; at most limit, 0 for 1000. Nothing
	// appears later at a place before the last of them.
	UserChanges(ctx context.Context, after int64, limit int) ([]users.Change, error)
}

// Options configure a Directory. The zero value works.
type Options struct {
	// Refresh is how often the source is asked for changes. 0 means 2 s.
	Refresh time.Duration
	// Now is the clock by which the age of what is known is told. Nil means time.Now.
	Now func() time.Time
	// Logger gets what goes wrong. Nil logs nothing.
	Logger *slog.Logger
}

// Directory is users and tenants in memory. Make one with [New]; Run must be running
// beside it. Its other methods may be called by any number of goroutines.
type Directory struct {
	source Source
	opts   Options

	numbers, dids, ids table
	tenants            atomic.Pointer[map[callmodel.TenantID]*users.Defaults]
	names              map[string]string // texts that many users have, each once; Run's alone
	after              int64             // Run's alone

	mu    sync.Mutex
	state State
}

// State is how much a directory knows, and how old it is.
type State struct {
	Users, Tenants int
	// Loaded says that everything there was has been read once.
	Loaded bool
	// Current is when everything was known that there is; zero before it was loaded.
	Current time.Time
	// Err is why the last look at the source failed; nil if it didn't.
	Err error
}

// New makes an empty directory. It starts nothing. o may be nil.
func New(s Source, o *Options) *Directory {
	opts := Options{}
	if o != nil {
		opts = *o
	}
	opts.Refresh = cmp.Or(opts.Refresh, 2*time.Second)
	if opts.Now == nil {
		opts.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	seed := maphash.MakeSeed()
	d := &Directory{source: s, opts: opts, names: map[string]string{}}
	d.numbers.by, d.numbers.seed = byNumber, seed
	d.dids.by, d.dids.seed = byDID, seed
	d.ids.by, d.ids.seed = byID, seed
	d.tenants.Store(&map[callmodel.TenantID]*users.Defaults{})
	return d
}

// Find is the tenant's user with the number, in E.164 or an extension; nil for nobody.
func (d *Directory) Find(t callmodel.TenantID, number string) *users.Facts {
	key := pack(number)
	if key == 0 {
		return nil
	}
	return d.numbers.find(key, t, "").facts()
}

// DID is the user of any tenant with the DID; nil for nobody.
func (d *Directory) DID(number string) *users.Facts {
	key := pack(number)
	if key == 0 {
		return nil
	}
	return d.dids.find(key, "", "").facts()
}

// Defaults are those of the tenant, nil for one that has none. They must not be changed.
func (d *Directory) Defaults(t callmodel.TenantID) *users.Defaults {
	return (*d.tenants.Load())[t]
}

// State says how much is known, and how old it is.
func (d *Directory) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state
}

// pageOfChanges is how many are read at a time.
const pageOfChanges = 2000

// Run loads what there is and follows its changes until ctx ends. It returns nil.
func (d *Directory) Run(ctx context.Context) error {
	tick := time.NewTicker(d.opts.Refresh)
	defer tick.Stop()
	for {
		d.catchUp(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// catchUp reads all changes that there are.
func (d *Directory) catchUp(ctx context.Context) {
	for ctx.Err() == nil {
		began := d.opts.Now()
		list, err := d.source.UserChanges(ctx, d.after, pageOfChanges)
		if err != nil {
			d.failed(ctx, err)
			return
		}
		d.apply(list)
		d.mu.Lock()
		d.state.Err = nil
		d.state.Users, d.state.Tenants = d.ids.live, len(*d.tenants.Load())
		if len(list) < pageOfChanges {
			first := !d.state.Loaded
			d.state.Loaded, d.state.Current = true, began
			known := d.state
			d.mu.Unlock()
			if first {
				d.opts.Logger.InfoContext(ctx, "the users are loaded", "users", known.Users, "tenants", known.Tenants)
			}
			return
		}
		d.mu.Unlock()
	}
}

// failed notes why the source could not be asked, and logs the first time in a row.
func (d *Directory) failed(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	d.mu.Lock()
	first := d.state.Err == nil
	d.state.Err = err
	known := d.state
	d.mu.Unlock()
	if first {
		d.opts.Logger.ErrorContext(ctx, "changes of users can't be read; calls are decided by what is known",
			"users", known.Users, "current_at", known.Current, "error", err)
	}
}

// apply takes the changes over, in their order.
func (d *Directory) apply(list []users.Change) {
	var tenants map[callmodel.TenantID]*users.Defaults
	for i := range list {
		c := &list[i]
		d.after = c.Seq
		if c.User != nil {
			d.put(c.User, c.Deleted)
			continue
		}
		if tenants == nil {
			tenants = maps.Clone(*d.tenants.Load())
		}
		if c.Deleted || c.Tenant.Defaults.IsZero() {
			delete(tenants, c.Tenant.ID)
		} else {
			defaults := c.Tenant.Defaults
			tenants[callmodel.TenantID(d.name(string(c.Tenant.ID)))] = &defaults
		}
	}
	if tenants != nil {
		d.tenants.Store(&tenants)
	}
}

// put takes a user over, in the place of what was known of it.
func (d *Directory) put(u *users.User, deleted bool) {
	t := callmodel.TenantID(d.name(string(u.TenantID)))
	id := d.idKey(u.ID)
	before := d.ids.find(id, t, u.ID)
	if !deleted {
		now := d.node(u, t)
		for i, key := range now.keys {
			d.numbers.put(key, now)
			if i >= len(now.keys)-int(now.dids) {
				d.dids.put(key, now)
			}
		}
		d.ids.put(id, now)
	}
	if before == nil {
		return
	}
	for _, key := range before.keys { // those that another has now, or this one again, stay
		d.numbers.drop(key, before)
		d.dids.drop(key, before)
	}
	d.ids.drop(id, before)
}

// idKey is a key of the id, which others may have, too.
func (d *Directory) idKey(id users.ID) uint64 { return max(1, maphash.String(d.ids.seed, string(id))) }

func (d *Directory) node(u *users.User, t callmodel.TenantID) *node {
	own := *u
	own.TenantID, own.ID = t, users.ID(strings.Clone(string(u.ID)))
	own.Preferences.Region = d.name(u.Preferences.Region)
	n := &node{Facts: *users.FactsOf(&own, d.name(normalize.CountryCode(own.Preferences.Region)))}
	for _, s := range u.Numbers.All() {
		if key := pack(s); key != 0 {
			n.keys = append(n.keys, key)
		}
	}
	n.dids = uint8(len(u.Numbers.DIDs))
	return n
}

// name is the text, each once in memory.
func (d *Directory) name(s string) string {
	known, ok := d.names[s]
	if !ok {
		known = strings.Clone(s)
		d.names[known] = known
	}
	return known
}
