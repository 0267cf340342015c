package service

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
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
	EncryptKeys   string `help:"File of keys (switchtape encryption new): recordings are encrypted with those of their tenants before they are stored, and decrypted when they are read. Read at the start. Default: they are stored as they are." type:"path" placeholder:"FILE"`
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
