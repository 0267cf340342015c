package calldb

import (
	"bufio"
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// SecretKeys encrypt the secrets that the database keeps because a hash wouldn't do: those
// that webhooks are signed with. What they encrypt is bound to its row: somebody who can write
// the database can't give one webhook's secret to another. They never change, and may be used
// by any number of goroutines.
type SecretKeys struct{ keys []secretKey }

type secretKey struct {
	id   string
	aead cipher.AEAD
}

// encryptedPrefix begins the text of a secret that is encrypted, which goes on with the
// key's id and, in base64, a nonce and what AES-256-GCM makes (NIST SP 800-38D). Other
// secrets are base64, and have no colon.
const encryptedPrefix = "aes256gcm:"

const secretKeyBytes = 32

// ParseSecretKeys reads keys of 32 bytes in base64, one a line; empty lines and those that
// begin with # are passed over. The first encrypts, and all of them decrypt. Its error has
// nothing of the keys.
func ParseSecretKeys(text []byte) (*SecretKeys, error) {
	k := &SecretKeys{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		b, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(b) != secretKeyBytes {
			return nil, callmodel.Errorf(callmodel.CodeInvalid, "the keys of secrets: line %d isn't %d bytes in base64", n, secretKeyBytes)
		}
		block, err := aes.NewCipher(b)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		id := sha256.Sum256(append([]byte("switchtape secret key"), b...))
		k.keys = append(k.keys, secretKey{hex.EncodeToString(id[:4]), aead})
	}
	if err := lines.Err(); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the keys of secrets: %w", err)
	}
	if len(k.keys) == 0 {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the keys of secrets are none")
	}
	return k, nil
}

// row is what a webhook's secrets are bound to.
func row(e *webhooks.Stored) []byte {
	return []byte("webhook\x00" + string(e.TenantID) + "\x00" + e.ID)
}

// kept is the secret as the database keeps it: encrypted by the first key, if there are
// keys. What is encrypted already stays as it is, by whatever key.
func (k *SecretKeys) kept(e *webhooks.Stored, s webhooks.Secret) string {
	text := s.Reveal()
	if k == nil || text == "" || strings.HasPrefix(text, encryptedPrefix) {
		return text
	}
	first := &k.keys[0]
	b := first.aead.Seal(nil, nil, []byte(text), row(e)) //nolint:gosec // it makes a nonce of its own
	return encryptedPrefix + first.id + ":" + base64.StdEncoding.EncodeToString(b)
}

// current reports whether the database keeps the secret as the first key has it, or none.
func (k *SecretKeys) current(s webhooks.Secret) bool {
	return s.Reveal() == "" || strings.HasPrefix(s.Reveal(), encryptedPrefix+k.keys[0].id+":")
}

// open is the secret that the database keeps, encrypted or not.
func (k *SecretKeys) open(e *webhooks.Stored, s webhooks.Secret) (webhooks.Secret, error) {
	rest, ok := strings.CutPrefix(s.Reveal(), encryptedPrefix)
	if !ok {
		return s, nil
	}
	id, text, _ := strings.Cut(rest, ":")
	if k != nil {
		for i := range k.keys {
			if k.keys[i].id != id {
				continue
			}
			b, err := base64.StdEncoding.DecodeString(text)
			if err == nil {
				b, err = k.keys[i].aead.Open(nil, nil, b, row(e))
			}
			if err != nil {
				return "", callmodel.Errorf(callmodel.CodeConflict, "the secret of webhook %s isn't as it was stored: rotate it", e.ID)
			}
			return webhooks.Secret(b), nil
		}
	}
	return "", callmodel.Errorf(callmodel.CodeForbidden, "the secret of webhook %s is encrypted by key %s, which this program doesn't have: give it that key of secrets, too", e.ID, id)
}

// openBoth has the secrets that deliveries are signed with as they are.
func (k *SecretKeys) openBoth(e *webhooks.Stored) (err error) {
	if e.Secret, err = k.open(e, e.Secret); err != nil {
		return err
	}
	e.Old, err = k.open(e, e.Old)
	return err
}

// encryptedAtOnce is how many webhooks a transaction of EncryptSecrets looks at.
const encryptedAtOnce = 100

// EncryptSecrets encrypts, with the first of Options.SecretKeys, all secrets of webhooks that
// aren't yet, and says how many webhooks it has written. It may be cut short and repeated.
func (d *DB) EncryptSecrets(ctx context.Context) (written int, err error) {
	keys := d.opts.SecretKeys
	if keys == nil {
		return 0, callmodel.Errorf(callmodel.CodeInvalid, "there are no keys of secrets")
	}
	after := ""
	for more := true; more; {
		n, last := 0, after
		err := d.update(ctx, "encrypt secrets", func(ctx context.Context, t *tx) error {
			n, last, more = 0, after, false
			if err := t.needWebhooks(); err != nil {
				return err
			}
			var page []webhooks.Stored
			if err := t.each(ctx, func(s scanner) error {
				e, err := scanWebhook(s)
				page = append(page, e)
				return err
			}, "SELECT "+webhookColumns+" FROM webhook_endpoints e WHERE e.id > ? ORDER BY e.id LIMIT ? @forupdate", after, encryptedAtOnce); err != nil {
				return err
			}
			for i := range page {
				e := &page[i]
				last, more = e.ID, len(page) == encryptedAtOnce
				if keys.current(e.Secret) && keys.current(e.Old) {
					continue
				}
				if err := keys.openBoth(e); err != nil {
					return err
				}
				if _, err := t.exec(ctx, "UPDATE webhook_endpoints SET secret = ?, old_secret = ? WHERE id = ?", keys.kept(e, e.Secret), keys.kept(e, e.Old), e.ID); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		if err != nil {
			return written, err
		}
		written, after = written+n, last
	}
	return written, nil
}
