package memdb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// directory is the users and tenants.
type directory struct {
	entries map[entryKey]*entry
	numbers map[numberKey]entryKey
	dids    map[string]entryKey
	seq     int64
}

type (
	entryKey struct {
		kind   string
		tenant callmodel.TenantID
		id     users.ID
	}
	numberKey struct {
		tenant callmodel.TenantID
		number string
	}
	entry struct {
		storeform.Entry

		seq     int64
		history []storeform.Entry // by version, from 1
		numbers []storeform.NumberOf
	}
)

func newDirectory() directory {
	return directory{entries: map[entryKey]*entry{}, numbers: map[numberKey]entryKey{}, dids: map[string]entryKey{}}
}

func keyOf(e *storeform.Entry) entryKey { return entryKey{e.Kind, e.Tenant, e.ID} }

// before is the entry as it is now, the zero value with its ids if it isn't there.
func (d *directory) before(k entryKey) storeform.Entry {
	if e := d.entries[k]; e != nil {
		return e.Entry
	}
	return storeform.Entry{Kind: k.kind, Tenant: k.tenant, ID: k.id, Gone: true}
}

// PutUser implements userhttp.Store.
func (s *Store) PutUser(ctx context.Context, u users.User, w users.Write) (stored users.User, created bool, err error) {
	entries, err := storeform.CheckPut([]users.User{u})
	if err != nil {
		return users.User{}, false, err
	}
	if created, err = s.putEntries(ctx, entries, []*users.Numbers{&u.Numbers}, w); err != nil {
		return users.User{}, false, err
	}
	stored, err = entries[0].User()
	return stored, created, err
}

// PutUsers implements userhttp.Store.
func (s *Store) PutUsers(ctx context.Context, list []users.User, actor string) error {
	entries, err := storeform.CheckPut(list)
	if err != nil {
		return err
	}
	numbers := make([]*users.Numbers, len(list))
	for i := range list {
		numbers[i] = &list[i].Numbers
	}
	_, err = s.putEntries(ctx, entries, numbers, users.Write{Actor: actor})
	return err
}

// PutTenant implements userhttp.Store.
func (s *Store) PutTenant(ctx context.Context, t users.Tenant, w users.Write) (stored users.Tenant, created bool, err error) {
	e, err := storeform.TenantEntry(&t)
	if err != nil {
		return users.Tenant{}, false, err
	}
	entries := []storeform.Entry{e}
	if created, err = s.putEntries(ctx, entries, nil, w); err != nil {
		return users.Tenant{}, false, err
	}
	stored, err = entries[0].TenantDocument()
	return stored, created, err
}

func (s *Store) putEntries(ctx context.Context, entries []storeform.Entry, numbers []*users.Numbers, w users.Write) (created bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := map[entryKey]bool{}
	for i := range entries {
		before := s.users.before(keyOf(&entries[i]))
		if err := w.If.Check(before.Current()); err != nil {
			return false, err
		}
		created = !before.There()
		mine[keyOf(&entries[i])] = true
	}
	if err := s.users.taken(entries, numbers, mine); err != nil {
		return false, err
	}
	for i := range numbers {
		s.users.dropNumbers(keyOf(&entries[i]))
	}
	for i := range entries {
		s.put(&entries[i], w.Actor)
		if i < len(numbers) {
			s.users.addNumbers(keyOf(&entries[i]), storeform.NumbersOf(numbers[i]))
		}
	}
	return created, nil
}

// taken reports every number that is another's, but for those of mine, which give
// theirs up.
func (d *directory) taken(entries []storeform.Entry, numbers []*users.Numbers, mine map[entryKey]bool) error {
	var faults callmodel.FieldErrors
	now, dids := map[numberKey]bool{}, map[string]bool{}
	for i, n := range numbers {
		for _, one := range storeform.NumbersOf(n) {
			k := numberKey{entries[i].Tenant, one.Number}
			whose, has := d.numbers[k]
			other, hasDID := d.dids[one.Number]
			if has && !mine[whose] || one.DID && hasDID && !mine[other] || now[k] || one.DID && dids[one.Number] {
				storeform.Taken(&faults, storeform.PutPath(i, len(entries)), &one)
			}
			now[k] = true
			dids[one.Number] = dids[one.Number] || one.DID
		}
	}
	return faults.Err()
}

func (d *directory) dropNumbers(k entryKey) {
	e := d.entries[k]
	if e == nil {
		return
	}
	for _, n := range e.numbers {
		delete(d.numbers, numberKey{k.tenant, n.Number})
		if n.DID {
			delete(d.dids, n.Number)
		}
	}
	e.numbers = nil
}

func (d *directory) addNumbers(k entryKey, list []storeform.NumberOf) {
	for _, n := range list {
		d.numbers[numberKey{k.tenant, n.Number}] = k
		if n.DID {
			d.dids[n.Number] = k
		}
	}
	d.entries[k].numbers = list
}

// put writes what became of the entry, unless nothing did, and sets its revision.
func (s *Store) put(after *storeform.Entry, actor string) {
	d, k := &s.users, keyOf(after)
	before := d.before(k)
	if before.Version > 0 && before.Gone == after.Gone && before.Doc == after.Doc {
		after.Revision = before.Revision
		return
	}
	if d.entries[k] == nil {
		d.entries[k] = &entry{}
	}
	actor = storeform.Text(actor, storeform.MaxText)
	d.seq++
	after.Revision = users.Revision{Version: before.Version + 1, UpdatedAt: s.clock(), UpdatedBy: actor}
	e := d.entries[k]
	e.Entry, e.seq, e.history = *after, d.seq, append(e.history, *after)
	s.line(storeform.DirectoryLine(&before, after, actor))
	if after.Kind == storeform.KindTenant {
		s.settingsWebhooks(after, actor)
	}
}

// DeleteUser implements userhttp.Store.
func (s *Store) DeleteUser(ctx context.Context, t callmodel.TenantID, id users.ID, w users.Write) error {
	return s.deleteEntry(ctx, entryKey{storeform.KindUser, t, id}, w)
}

// DeleteTenant implements userhttp.Store.
func (s *Store) DeleteTenant(ctx context.Context, t callmodel.TenantID, w users.Write) error {
	return s.deleteEntry(ctx, entryKey{storeform.KindTenant, t, ""}, w)
}

func (s *Store) deleteEntry(ctx context.Context, k entryKey, w users.Write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.users.before(k)
	if !before.There() {
		return callmodel.ErrNotFound
	}
	if err := w.If.Check(before.Current()); err != nil {
		return err
	}
	s.users.dropNumbers(k)
	s.put(&storeform.Entry{Kind: k.kind, Tenant: k.tenant, ID: k.id, Gone: true}, w.Actor)
	return nil
}

func (s *Store) entry(ctx context.Context, k entryKey) (storeform.Entry, error) {
	if err := ctx.Err(); err != nil {
		return storeform.Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.users.before(k)
	if !e.There() {
		return e, callmodel.ErrNotFound
	}
	return e, nil
}

// User implements userhttp.Store.
func (s *Store) User(ctx context.Context, t callmodel.TenantID, id users.ID) (users.User, error) {
	e, err := s.entry(ctx, entryKey{storeform.KindUser, t, id})
	if err != nil {
		return users.User{}, err
	}
	return e.User()
}

// Tenant implements userhttp.Store.
func (s *Store) Tenant(ctx context.Context, t callmodel.TenantID) (users.Tenant, error) {
	e, err := s.entry(ctx, entryKey{storeform.KindTenant, t, ""})
	if err != nil {
		return users.Tenant{}, err
	}
	return e.TenantDocument()
}

// Users implements userhttp.Store.
func (s *Store) Users(ctx context.Context, f users.Filter) (users.Page[users.User], error) {
	after, err := storeform.ParseIDCursor(f.After)
	if err != nil {
		return users.Page[users.User]{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	whose, known := s.users.numbers[numberKey{f.TenantID, f.Number}]
	return entryPage(ctx, s, f.Limit, func(k entryKey) bool {
		return k.kind == storeform.KindUser && k.tenant == f.TenantID && string(k.id) > after && (f.Number == "" || known && k == whose)
	}, (*storeform.Entry).User, func(u *users.User) string { return string(u.ID) })
}

// Tenants implements userhttp.Store.
func (s *Store) Tenants(ctx context.Context, cursor string, limit int) (users.Page[users.Tenant], error) {
	after, err := storeform.ParseIDCursor(cursor)
	if err != nil {
		return users.Page[users.Tenant]{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return entryPage(ctx, s, limit, func(k entryKey) bool { return k.kind == storeform.KindTenant && string(k.tenant) > after },
		(*storeform.Entry).TenantDocument, func(t *users.Tenant) string { return string(t.ID) })
}

// entryPage is called with the store locked.
func entryPage[T any](ctx context.Context, s *Store, limit int, in func(entryKey) bool,
	document func(*storeform.Entry) (T, error), id func(*T) string,
) (users.Page[T], error) {
	if err := ctx.Err(); err != nil {
		return users.Page[T]{}, err
	}
	limit = storeform.CallsLimit(limit)
	var keys []entryKey
	for k, e := range s.users.entries {
		if e.There() && in(k) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b entryKey) int {
		return cmp.Or(strings.Compare(string(a.tenant), string(b.tenant)), strings.Compare(string(a.id), string(b.id)))
	})
	page := users.Page[T]{Items: []T{}}
	for _, k := range keys[:min(limit, len(keys))] {
		one, err := document(&s.users.entries[k].Entry)
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, one)
	}
	if len(keys) > limit {
		page.Next = storeform.IDCursor(id(&page.Items[limit-1]))
	}
	return page, nil
}

// UserVersions implements userhttp.Store.
func (s *Store) UserVersions(ctx context.Context, t callmodel.TenantID, id users.ID, before int64, limit int) ([]users.Version[users.User], error) {
	return versionsOf(ctx, s, entryKey{storeform.KindUser, t, id}, before, limit, (*storeform.Entry).User)
}

// TenantVersions implements userhttp.Store.
func (s *Store) TenantVersions(ctx context.Context, t callmodel.TenantID, before int64, limit int) ([]users.Version[users.Tenant], error) {
	return versionsOf(ctx, s, entryKey{storeform.KindTenant, t, ""}, before, limit, (*storeform.Entry).TenantDocument)
}

func versionsOf[T any](ctx context.Context, s *Store, k entryKey, before int64, limit int,
	document func(*storeform.Entry) (T, error),
) ([]users.Version[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.users.entries[k]
	if e == nil {
		return nil, callmodel.ErrNotFound
	}
	if before <= 0 {
		before = storeform.NoVersion
	}
	all := []users.Version[T]{}
	for i := range slices.Backward(e.history) {
		old := &e.history[i]
		if old.Version >= before || len(all) == storeform.HistoryLimit(limit) {
			continue
		}
		v, err := storeform.VersionOf(old, document)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// UserChanges implements directory.Source.
func (s *Store) UserChanges(ctx context.Context, after int64, limit int) ([]users.Change, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*entry
	for _, e := range s.users.entries {
		if e.seq > after {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	all := []users.Change{}
	for _, e := range list[:min(len(list), storeform.ChangesLimit(limit))] {
		c, err := e.Change(e.seq)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
