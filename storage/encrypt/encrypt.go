package encrypt

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"filippo.io/age"

	"github.com/switchtape/switchtape/storage"
)

// Keys are the keys of the tenants. They implement storage.Encryption, never change, and may
// be used by any number of goroutines.
type Keys struct {
	stampKeys [][]byte
	tenants   map[string]*tenant
}

// everybody is the entry of tenants that have none of their own.
const everybody = "*"

type tenant struct {
	plain      bool
	recipients []age.Recipient
	id         string // of the recipients
	identities []age.Identity
	reads      bool // one of the identities is a recipient's
}

func tenantOf(key string) string {
	t, _, _ := strings.Cut(key, "/")
	return t
}

// entry is the tenant's, or that of everybody; nil if there is neither.
func (k *Keys) entry(name string) *tenant {
	if t, ok := k.tenants[name]; ok {
		return t
	}
	return k.tenants[everybody]
}

// identities are all that may decrypt the tenant's objects: of those too that were stored
// before it had an entry of its own.
func (k *Keys) identities(name string) []age.Identity {
	var all []age.Identity
	for _, n := range []string{name, everybody} {
		if t, ok := k.tenants[n]; ok {
			all = append(all, t.identities...)
		}
	}
	return all
}

// writable is the entry that the key's object is encrypted by; nil if it is stored as it is.
func (k *Keys) writable(key string) (*tenant, error) {
	name := tenantOf(key)
	t := k.entry(name)
	switch {
	case t == nil:
		return nil, storage.NewEncryptionError(storage.NoRecipients, key, name,
			"the keys have no entry for tenant %q, and none for %q: add one with recipients, or one that says plain", name, everybody)
	case t.plain:
		return nil, nil //nolint:nilnil // that is what it says
	case len(t.recipients) == 0:
		return nil, storage.NewEncryptionError(storage.NoRecipients, key, name, "the keys have no recipients for tenant %q: add them", name)
	}
	return t, nil
}

// Encrypt implements storage.Encryption.
func (k *Keys) Encrypt(key string, to io.Writer) (storage.Encrypter, error) {
	t, err := k.writable(key)
	if t == nil || err != nil {
		return nil, err
	}
	if len(k.stampKeys) == 0 {
		return nil, storage.NewEncryptionError(storage.NoStampKey, key, tenantOf(key), "the keys have no stamp key: add one to stamp_keys")
	}
	e := &encrypter{tenant: t, name: tenantOf(key), stampKey: k.stampKeys[0], body: body{to: to, hash: sha256.New(), begin: &bytes.Buffer{}}}
	if e.text, err = age.Encrypt(&e.body, &e.fileKey); err != nil {
		return nil, fmt.Errorf("encrypting %s: %w", key, err)
	}
	// What age has written is a header for nobody, and the nonce.
	header, err := age.ExtractHeader(bytes.NewReader(e.body.begin.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("encrypting %s: %w", key, err)
	}
	nonce := e.body.begin.Bytes()[len(header):]
	e.body.begin = nil
	if _, err := e.body.Write(nonce); err != nil {
		return nil, err
	}
	return e, nil
}

// encrypter encrypts one object.
type encrypter struct {
	tenant   *tenant
	name     string // the tenant's
	stampKey []byte
	fileKey  fileKey
	text     io.WriteCloser
	body     body
}

// fileKey is a recipient that keeps the key of a file as it is.
type fileKey []byte

// Wrap implements age.Recipient.
func (f *fileKey) Wrap(key []byte) ([]*age.Stanza, error) {
	*f = bytes.Clone(key)
	return []*age.Stanza{{Type: "switchtape"}}, nil
}

// body is what is behind the header.
type body struct {
	to    io.Writer
	hash  hash.Hash
	begin *bytes.Buffer // what comes before the chunks; nil once they are written
}

func (b *body) Write(p []byte) (int, error) {
	if b.begin != nil {
		return b.begin.Write(p)
	}
	n, err := b.to.Write(p)
	b.hash.Write(p[:n])
	return n, err
}

// Write implements io.Writer.
func (e *encrypter) Write(p []byte) (int, error) { return e.text.Write(p) }

// Close implements io.Closer.
func (e *encrypter) Close() error { return e.text.Close() }

// Header implements storage.Encrypter.
func (e *encrypter) Header(key, sum string, size int64) ([]byte, error) {
	if tenantOf(key) != e.name {
		return nil, fmt.Errorf("%s isn't tenant %q's, to whom it was encrypted", key, e.name)
	}
	s := stamp{size: size, body: [32]byte(e.body.hash.Sum(nil))}
	plain, err := hex.DecodeString(sum)
	if err != nil || len(plain) != len(s.sum) {
		return nil, fmt.Errorf("encrypting %s: %q is no SHA-256 in hex", key, sum)
	}
	s.sum = [32]byte(plain)
	if s.commit, err = commitTo(e.fileKey); err != nil {
		return nil, err
	}
	s.mac = [32]byte(s.macBy(e.stampKey, key))
	return header(e.fileKey, &s, e.tenant.recipients, e.tenant.id)
}

// Decrypt implements storage.Encryption.
func (k *Keys) Decrypt(key string, object io.ReaderAt, size int64) (io.ReaderAt, error) {
	head := make([]byte, storage.EncryptedHeader)
	if _, err := object.ReadAt(head, 0); err != nil {
		return nil, cutError(key, err)
	}
	s, own, err := k.open(key, head)
	if err != nil {
		return nil, err
	}
	if plain, ok := storage.DecryptedSize(size); !ok || plain != s.size {
		return nil, tampered(key, "its %d bytes aren't those of a plaintext of %d", size, s.size)
	}
	met := &readErrors{from: object}
	text, _, err := age.DecryptReaderAt(met, size, age.NewInjectedFileKeyIdentity(own))
	if err != nil {
		return nil, met.explain(key, err)
	}
	return &chunks{key: key, text: text, met: met}, nil
}

// chunks reads the plaintext, and tells a bucket's faults from an object's.
type chunks struct {
	key  string
	text io.ReaderAt
	met  *readErrors
}

// ReadAt implements io.ReaderAt.
func (c *chunks) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.text.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = c.met.explain(c.key, err)
	}
	return n, err
}

// readErrors keeps the last error of what is decrypted.
type readErrors struct {
	from io.ReaderAt
	err  error
}

// ReadAt implements io.ReaderAt.
func (r *readErrors) ReadAt(p []byte, off int64) (n int, err error) {
	n, err = r.from.ReadAt(p, off)
	if r.err = err; errors.Is(err, io.EOF) {
		r.err = nil
	}
	return n, err
}

func (r *readErrors) explain(key string, err error) error {
	if r.err != nil {
		return r.err
	}
	return tampered(key, "%w", err)
}

// cutError is the error of an object whose header couldn't be read.
func cutError(key string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return tampered(key, "it ends within its header: %w", err)
	}
	return err
}

func tampered(key, format string, args ...any) error {
	args = append([]any{key}, args...)
	return storage.NewEncryptionError(storage.Tampered, key, tenantOf(key), "encrypted object %s isn't as it was stored: "+format, args...)
}

// open is the stamp of the object's header, and the key of its body: both hold together, and
// if there are stamp keys, one of our programs has stored the object under its key.
func (k *Keys) open(key string, head []byte) (s stamp, own []byte, err error) {
	if s, err = parseStamp(head); err != nil {
		return s, nil, tampered(key, "%w", err)
	}
	name := tenantOf(key)
	identities := k.identities(name)
	if len(identities) == 0 {
		return s, nil, storage.NewEncryptionError(storage.NoIdentity, key, name,
			"%s is encrypted, and the keys have no identity of tenant %q: give this program one of the tenant's, or of its escrow's", key, name)
	}
	own, err = age.DecryptHeader(head, identities...)
	if _, none := errors.AsType[*age.NoIdentityMatchError](err); none {
		if t := k.entry(name); t != nil && t.reads && recipientsOf(head) == t.id {
			return s, nil, tampered(key, "its header is for the recipients of tenant %q, and their identity doesn't open it", name)
		}
		return s, nil, storage.NewEncryptionError(storage.NoIdentity, key, name,
			"%s is encrypted to others than the %d identities of tenant %q: add the one that it was encrypted to (recipients %s), or have it re-wrapped where that is",
			key, len(identities), name, recipientsOf(head))
	}
	if err != nil {
		return s, nil, tampered(key, "%w", err)
	}
	commit, err := commitTo(own)
	if err != nil {
		return s, nil, err
	}
	if !hmac.Equal(commit[:], s.commit[:]) {
		return s, nil, tampered(key, "its stamp is another object's")
	}
	if len(k.stampKeys) > 0 && !k.stamped(key, &s) {
		return s, nil, tampered(key, "none of the %d stamp keys has made its stamp: it was stored under another key, or by somebody else", len(k.stampKeys))
	}
	return s, own, nil
}

// stamped reports whether a stamp key has made the stamp, for that key.
func (k *Keys) stamped(key string, s *stamp) bool {
	for _, stampKey := range k.stampKeys {
		if hmac.Equal(s.macBy(stampKey, key), s.mac[:]) {
			return true
		}
	}
	return false
}

// Sum implements storage.Encryption.
func (k *Keys) Sum(key string, object io.Reader) (string, error) {
	head := make([]byte, storage.EncryptedHeader)
	if _, err := io.ReadFull(object, head); err != nil {
		return "", cutError(key, err)
	}
	if len(k.identities(tenantOf(key))) > 0 {
		s, own, err := k.open(key, head)
		if err == nil {
			return decryptedSum(key, &s, head, own, object)
		}
		if e, ok := errors.AsType[*storage.EncryptionError](err); !ok || e.Reason != storage.NoIdentity {
			return "", err
		}
	}
	s, err := parseStamp(head)
	switch {
	case err != nil:
		return "", tampered(key, "%w", err)
	case len(k.stampKeys) == 0:
		return "", storage.NewEncryptionError(storage.NoStampKey, key, tenantOf(key),
			"the keys have neither an identity for %s nor a stamp key: give this program an identity of tenant %q, or the stamp key of the program that stored it", key, tenantOf(key))
	case !k.stamped(key, &s):
		return "", tampered(key, "none of the %d stamp keys has made its stamp: it was stored under another key, or by somebody else", len(k.stampKeys))
	}
	h := sha256.New()
	if _, err := io.Copy(h, object); err != nil {
		return "", err
	}
	if !hmac.Equal(h.Sum(nil), s.body[:]) {
		return "", tampered(key, "its body has another hash than its stamp says")
	}
	return hex.EncodeToString(s.sum[:]), nil
}

// decryptedSum is the hash of the plaintext, which is decrypted for it.
func decryptedSum(key string, s *stamp, head, own []byte, object io.Reader) (string, error) {
	met := &streamErrors{from: object}
	text, err := age.Decrypt(io.MultiReader(bytes.NewReader(head), met), age.NewInjectedFileKeyIdentity(own))
	h := sha256.New()
	if err == nil {
		_, err = io.Copy(h, text)
	}
	switch {
	case met.err != nil:
		return "", met.err
	case err != nil:
		return "", tampered(key, "%w", err)
	case !hmac.Equal(h.Sum(nil), s.sum[:]):
		return "", tampered(key, "its plaintext has another hash than its stamp says")
	}
	return hex.EncodeToString(s.sum[:]), nil
}

// streamErrors keeps the error of what is decrypted.
type streamErrors struct {
	from io.Reader
	err  error
}

// Read implements io.Reader.
func (r *streamErrors) Read(p []byte) (int, error) {
	n, err := r.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// Rewrap implements storage.Encryption. It needs an identity that decrypts the object.
func (k *Keys) Rewrap(key string, head []byte) ([]byte, error) {
	t, err := k.writable(key)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, storage.NewEncryptionError(storage.NoRecipients, key, tenantOf(key),
			"the keys say that objects of tenant %q are plain: %s stays encrypted to those that it was encrypted to", tenantOf(key), key)
	}
	s, own, err := k.open(key, head)
	if err != nil || recipientsOf(head) == t.id {
		return nil, err
	}
	return header(own, &s, t.recipients, t.id)
}
