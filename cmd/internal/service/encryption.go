package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"
	"gocloud.dev/secrets/localsecrets"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

// EncryptionOptions name the keys that recordings are encrypted with.
type EncryptionOptions struct {
	EncryptKeys   string `help:"File of keys (switchtape encryption new): recordings are encrypted with those of their tenants before they are stored, and decrypted when they are read. Services read it again at SIGHUP. Default: they are stored as they are." type:"path" placeholder:"FILE"`
	EncryptKeeper string `help:"Key service that has wrapped the file of keys: awskms://, gcpkms:// or azurekeyvault://, or base64key:// with a key of one's own, from a @FILE or the environment. Default: it isn't wrapped." placeholder:"URL" type:"private"`
}

// ownKey is the scheme of keys that are in the URL itself.
const ownKey = localsecrets.Scheme

// keeperTimeout bounds what a key service may take at the start.
const keeperTimeout = 20 * time.Second

// Encryption is nil if there are no keys.
func (o *EncryptionOptions) Encryption(ctx context.Context) (storage.Encryption, error) {
	k, err := o.RecordingKeys(ctx)
	if k == nil || err != nil {
		return nil, err
	}
	return k, nil
}

// currentKeys are keys that can be read again while they are used: what has begun with the
// old ones ends with them.
type currentKeys struct {
	opts EncryptionOptions
	keys atomic.Pointer[encrypt.Keys]
}

// newCurrentKeys reads the keys; nil if there are none.
func newCurrentKeys(ctx context.Context, o EncryptionOptions) (*currentKeys, error) {
	k, err := o.RecordingKeys(ctx)
	if k == nil || err != nil {
		return nil, err
	}
	c := &currentKeys{opts: o}
	c.keys.Store(k)
	return c, nil
}

// encryption is what a bucket is opened with.
func (c *currentKeys) encryption() storage.Encryption {
	if c == nil {
		return nil
	}
	return c
}

// Encrypt implements storage.Encryption.
func (c *currentKeys) Encrypt(key string, body io.Writer) (storage.Encrypter, error) {
	return c.keys.Load().Encrypt(key, body)
}

// Decrypt implements storage.Encryption.
func (c *currentKeys) Decrypt(key string, object io.ReaderAt, size int64) (io.ReaderAt, error) {
	return c.keys.Load().Decrypt(key, object, size)
}

// Sum implements storage.Encryption.
func (c *currentKeys) Sum(key string, object io.Reader) (string, error) {
	return c.keys.Load().Sum(key, object)
}

// Rewrap implements storage.Encryption.
func (c *currentKeys) Rewrap(key string, header []byte) ([]byte, error) {
	return c.keys.Load().Rewrap(key, header)
}

// ReloadKeys has the file of keys read again, with a program's other files. With an error,
// and without a file, the keys stay as they are.
func (s *Stores) ReloadKeys(ctx context.Context) Reload {
	return Reload{Name: "the encryption keys", Do: func() error {
		if s.keys == nil {
			return nil
		}
		k, err := s.keys.opts.RecordingKeys(ctx)
		if err == nil {
			s.keys.keys.Store(k)
		}
		return err
	}}
}

// warnBlind warns of keys that can't decrypt what is asked for.
func (s *Stores) warnBlind(ctx context.Context, log *slog.Logger) {
	if s.keys == nil || s.Objects == nil {
		return
	}
	tenants := s.keys.keys.Load().StoreOnly()
	if n := len(tenants); n > 0 {
		log.WarnContext(ctx, "the encryption keys have no identities of some tenants: their recordings are stored, and nobody can listen to them here; give this program a file with identities",
			"tenants", tenants[:min(n, maxTold)], "of", n)
	}
}

// RecordingKeys reads the file of keys; nil if there is none.
func (o *EncryptionOptions) RecordingKeys(ctx context.Context) (*encrypt.Keys, error) {
	if o.EncryptKeys == "" {
		if o.EncryptKeeper != "" {
			return nil, callmodel.FieldErrors{{Path: "--encrypt-keeper", Message: "is there, and no --encrypt-keys that it could unwrap"}}
		}
		return nil, nil //nolint:nilnil // recordings aren't encrypted
	}
	b, err := os.ReadFile(o.EncryptKeys)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "--encrypt-keys: %w", err)
	}
	if o.EncryptKeeper != "" {
		if b, err = Keep(ctx, o.EncryptKeeper, func(ctx context.Context, k encrypt.Keeper) ([]byte, error) { return encrypt.Unwrap(ctx, b, k) }); err != nil {
			return nil, fmt.Errorf("--encrypt-keys %s: %w", o.EncryptKeys, err)
		}
	}
	k, err := encrypt.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("--encrypt-keys %s: %w", o.EncryptKeys, err)
	}
	return k, nil
}

// Keep has do use the key service at rawURL, for keeperTimeout at most.
func Keep(ctx context.Context, rawURL string, do func(context.Context, encrypt.Keeper) ([]byte, error)) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, keeperTimeout)
	defer cancel()
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the key service's URL is none") // it may be a key
	}
	if !secrets.DefaultURLMux().ValidKeeperScheme(u.Scheme) {
		return nil, callmodel.Errorf(callmodel.CodeUnsupported, "this program has no key service of the scheme %q: it has %v", u.Scheme, secrets.DefaultURLMux().KeeperSchemes())
	}
	if u.Scheme == ownKey && u.Host == "" {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "a %s:// URL holds a key: without one there would be another each time", ownKey)
	}
	k, err := secrets.DefaultURLMux().OpenKeeperURL(ctx, u)
	if err != nil {
		if u.Scheme == ownKey {
			return nil, callmodel.Errorf(callmodel.CodeInvalid, "a %s:// URL holds 32 bytes in URL-safe base64", ownKey)
		}
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "the key service %s: %w", u.Redacted(), err)
	}
	b, err := do(ctx, k)
	if err != nil && gcerrors.Code(err) == gcerrors.DeadlineExceeded {
		err = callmodel.Errorf(callmodel.CodeUnavailable, "the key service hasn't answered for %v: %w", keeperTimeout, err)
	}
	return b, errors.Join(err, k.Close())
}
