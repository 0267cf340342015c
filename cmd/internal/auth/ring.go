package auth

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
)

// Ring are the API keys of a file that can be read again while they are in use.
type Ring struct {
	path   string
	loaded atomic.Pointer[loaded]
}

// loaded is what the file held when it was read.
type loaded struct {
	keys    Keys
	tenants map[callmodel.TenantID]bool // that have keys
}

// OpenRing reads the key file at path.
func OpenRing(path string) (*Ring, error) {
	r := &Ring{path: path}
	return r, r.Reload()
}

// Reload reads the file again. From its return on, keys that are no longer in it
// open nothing. On an error those in use stay.
func (r *Ring) Reload() error {
	keys, err := Load(r.path)
	if err != nil {
		return err
	}
	l := &loaded{keys: keys, tenants: map[callmodel.TenantID]bool{}}
	for _, p := range keys {
		l.tenants[p.TenantID] = true
	}
	r.loaded.Store(l)
	return nil
}

// find is whom the key is of.
func (r *Ring) find(token string) (callmodel.Principal, bool) {
	// Looking up the hash takes no longer for a key that is almost right.
	p, ok := r.loaded.Load().keys[sha256.Sum256([]byte(token))]
	return p, ok
}
