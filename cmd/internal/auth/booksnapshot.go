package auth

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
)

// keySnapshot is the form of the file in which a Book keeps what it knows. It holds no
// secret: whoever reads it has hashes.
type keySnapshot struct {
	AsOf time.Time    `json:"as_of"`
	Keys []keptInFile `json:"keys"`
}

type keptInFile struct {
	ID        string             `json:"id"`
	TenantID  callmodel.TenantID `json:"tenant_id"`
	Grants    []string           `json:"grants"`
	Secret    string             `json:"secret_sha256"`
	Old       string             `json:"old_secret_sha256,omitempty"`
	OldUntil  time.Time          `json:"old_until,omitzero"`
	ExpiresAt time.Time          `json:"expires_at,omitzero"`
}

// readSnapshot takes in what the file holds. A missing file is none.
func (b *Book) readSnapshot() error {
	if b.opts.Snapshot == "" {
		return nil
	}
	text, err := os.ReadFile(b.opts.Snapshot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var s keySnapshot
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asOf = s.AsOf
	for _, f := range s.Keys {
		k := keys.Stored{Key: keys.Key{ID: f.ID, TenantID: f.TenantID, Grants: f.Grants, OldUntil: f.OldUntil, ExpiresAt: f.ExpiresAt}}
		var ok bool
		if k.Secret, ok = keys.ParseHash(f.Secret); ok {
			k.Old, _ = keys.ParseHash(f.Old) // '' is none
			b.put(&k)
		}
	}
	// The store is read from the beginning: what was revoked meanwhile is among it.
	return nil
}

// writeSnapshot keeps what is known. It replaces the file as a whole, or not at all.
func (b *Book) writeSnapshot(ctx context.Context) {
	if b.opts.Snapshot == "" {
		return
	}
	b.mu.RLock()
	s := keySnapshot{AsOf: b.asOf, Keys: make([]keptInFile, 0, len(b.byID))}
	for _, k := range b.byID {
		f := keptInFile{ID: k.ID, TenantID: k.TenantID, Grants: k.Grants, Secret: k.Secret.String(), OldUntil: k.OldUntil, ExpiresAt: k.ExpiresAt}
		if k.Old != (keys.Hash{}) {
			f.Old = k.Old.String()
		}
		s.Keys = append(s.Keys, f)
	}
	b.mu.RUnlock()
	b.keptAt = s.AsOf
	text, err := json.Marshal(s)
	if err == nil {
		err = replaceFile(b.opts.Snapshot, text)
	}
	if err != nil {
		b.opts.Logger.ErrorContext(ctx, "the snapshot of the API keys can't be written", "file", b.opts.Snapshot, "error", err)
	}
}

// replaceFile puts text in the place of the file, which only its owner can read.
func replaceFile(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-"+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(text); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
