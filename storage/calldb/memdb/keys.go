package memdb

import (
	"context"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/storage/calldb/internal/storeform"
)

// CreateKey implements keyhttp.Keys.
func (s *Store) CreateKey(ctx context.Context, n keys.New) (keys.Key, error) {
	if err := ctx.Err(); err != nil {
		return keys.Key{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock()
	if err := n.Validate(now); err != nil {
		return keys.Key{}, err
	}
	active := 0
	for _, k := range s.apiKeys {
		if k.TenantID != n.TenantID || !k.RevokedAt.IsZero() {
			continue
		}
		if active++; k.Name == n.Name {
			return keys.Key{}, storeform.NameTaken(n.Name, k.ID)
		}
	}
	if active >= keys.MaxActive {
		return keys.Key{}, storeform.TooManyKeys(n.TenantID)
	}
	k := &keys.Stored{Key: copied(storeform.NewKey(&n, now)), Secret: n.Secret}
	s.keyChanges++
	k.Version = s.keyChanges
	s.apiKeys = append(s.apiKeys, k)
	s.line(storeform.KeyLine(callmodel.AuditKeyCreated, &k.Key, k.CreatedBy))
	return copied(k.Key), nil
}

func (s *Store) apiKey(t callmodel.TenantID, id string) *keys.Stored {
	i := slices.IndexFunc(s.apiKeys, func(k *keys.Stored) bool { return k.TenantID == t && k.ID == id })
	if i < 0 {
		return nil
	}
	return s.apiKeys[i]
}

// Key implements keyhttp.Keys.
func (s *Store) Key(ctx context.Context, t callmodel.TenantID, id string) (keys.Key, error) {
	if err := ctx.Err(); err != nil {
		return keys.Key{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.apiKey(t, id)
	if k == nil {
		return keys.Key{}, callmodel.ErrNotFound
	}
	return copied(k.Key), nil
}

// Keys implements keyhttp.Keys.
func (s *Store) Keys(ctx context.Context, t callmodel.TenantID, f keys.Filter) ([]keys.Key, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []keys.Key{}
	for _, k := range s.apiKeys {
		if k.TenantID == t && k.ID > f.After && (f.Revoked || k.RevokedAt.IsZero()) {
			all = append(all, copied(k.Key))
		}
	}
	slices.SortFunc(all, func(a, b keys.Key) int { return strings.Compare(a.ID, b.ID) })
	return all[:min(len(all), storeform.JobsLimit(f.Limit))], nil
}

// ChangeKey implements keyhttp.Keys.
func (s *Store) ChangeKey(ctx context.Context, c keys.Change) (keys.Key, error) {
	if err := ctx.Err(); err != nil {
		return keys.Key{}, err
	}
	if err := c.Validate(); err != nil {
		return keys.Key{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.apiKey(c.TenantID, c.ID)
	if k == nil {
		return keys.Key{}, callmodel.ErrNotFound
	}
	after := *k
	line, done, err := storeform.ChangeKey(&after, &c, s.clock())
	if err != nil {
		return keys.Key{}, err
	}
	if !done {
		s.keyChanges++
		after.Version = s.keyChanges
		*k = after
		s.line(line)
	}
	return copied(k.Key), nil
}

// KeyChanges implements auth.Store.
func (s *Store) KeyChanges(ctx context.Context, after int64) (keys.Changes, error) {
	if err := ctx.Err(); err != nil {
		return keys.Changes{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := keys.Changes{Through: s.keyChanges, Anew: after > s.keyChanges}
	if c.Anew {
		after = 0
	}
	for _, k := range s.apiKeys {
		if k.Version > after {
			c.Keys = append(c.Keys, keys.Stored{Key: copied(k.Key), Secret: k.Secret, Old: k.Old})
		}
	}
	slices.SortFunc(c.Keys, func(a, b keys.Stored) int { return int(a.Version - b.Version) })
	if len(c.Keys) > storeform.MaxKeyChanges {
		c.Keys, c.More = c.Keys[:storeform.MaxKeyChanges], true
		c.Through = c.Keys[storeform.MaxKeyChanges-1].Version
	}
	return c, nil
}

// KeysUsed implements auth.Store.
func (s *Store) KeysUsed(ctx context.Context, ids []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.apiKeys {
		if now := s.clock(); slices.Contains(ids, k.ID) && now.Sub(k.LastUsedAt) > storeform.UsedWithin {
			k.LastUsedAt = now
		}
	}
	return nil
}
