package auth

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/switchtape/switchtape/callmodel"
)

// Ring are the API keys of a file that can be read again while they are in use.
type Ring struct {
	path string
	keys atomic.Pointer[Keys]
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
	r.keys.Store(&keys)
	return nil
}

// find is whom the key is of.
func (r *Ring) find(token string) (callmodel.Principal, bool) {
	// Looking up the hash takes no longer for a key that is almost right.
	p, ok := (*r.keys.Load())[sha256.Sum256([]byte(token))]
	return p, ok
}
