package encrypt

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/switchtape/switchtape/callmodel"
)

// File is a file of keys: see the package's comment.
type File struct {
	StampKeys []string         `json:"stamp_keys,omitempty"`
	Tenants   map[string]Entry `json:"tenants"`
}

// Entry is what a file of keys has of a tenant.
type Entry struct {
	Recipients []string `json:"recipients,omitempty"`
	Identities []string `json:"identities,omitempty"`
	// Plain says that the tenant's objects are stored as they are.
	Plain bool `json:"plain,omitempty"`
}

// stampKeyBytes is the length of a stamp key.
const stampKeyBytes = 32

// maxFile bounds a file of keys, in bytes: it is some 10,000 tenants.
const maxFile = 16 << 20

// Parse reads a file of keys. Its error has every fault of the file, as
// callmodel.FieldErrors, and none of its secrets.
func Parse(file []byte) (*Keys, error) {
	if len(file) > maxFile {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the file of keys has %d bytes, more than %d", len(file), maxFile)
	}
	var f File
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the file of keys is no JSON of keys: %w", withoutValue(err))
	}
	return f.Keys()
}

// withoutValue is a decoder's error without what it read, which may be a secret.
func withoutValue(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s, at byte %d, can't be a %s", e.Field, e.Offset, e.Value)
	}
	return err
}

// Keys checks the file, as Parse does.
func (f *File) Keys() (*Keys, error) {
	var e callmodel.FieldErrors
	k := &Keys{tenants: map[string]*tenant{}}
	for i, text := range f.StampKeys {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(b) != stampKeyBytes {
			e.Add(fmt.Sprintf("stamp_keys[%d]", i), "isn't %d bytes in base64", stampKeyBytes)
		}
		k.stampKeys = append(k.stampKeys, b)
	}
	for _, name := range slices.Sorted(maps.Keys(f.Tenants)) {
		path := "tenants." + name
		if name != everybody && !callmodel.ValidID(name) {
			e.Add(path, "isn't a tenant's id, nor %q", everybody)
		}
		entry := f.Tenants[name]
		t := entry.read(path, &e)
		if len(t.recipients) > 0 && len(f.StampKeys) == 0 {
			e.Add(path+".recipients", "need a key in stamp_keys")
		}
		k.tenants[name] = t
	}
	if len(f.Tenants) == 0 {
		e.Add("tenants", "are none: name one, or %q", everybody)
	}
	if err := e.Err(); err != nil {
		return nil, err
	}
	return k, nil
}

func (n *Entry) read(path string, e *callmodel.FieldErrors) *tenant {
	t := &tenant{plain: n.Plain}
	if n.Plain && len(n.Recipients) > 0 {
		e.Add(path, "is plain and has recipients: leave one of them out")
	}
	if !n.Plain && len(n.Recipients) == 0 && len(n.Identities) == 0 {
		e.Add(path, "has nothing: give recipients, identities, or plain")
	}
	hybrid := 0
	for i, text := range n.Recipients {
		r, isHybrid, err := parseRecipient(text)
		if err != nil {
			e.Add(fmt.Sprintf("%s.recipients[%d]", path, i), "is no recipient of age (age1…)")
			continue
		}
		if slices.Contains(n.Recipients[:i], text) {
			e.Add(fmt.Sprintf("%s.recipients[%d]", path, i), "is there twice")
		}
		if isHybrid {
			hybrid++
		}
		t.recipients = append(t.recipients, r)
	}
	if hybrid > 0 && hybrid < len(n.Recipients) {
		e.Add(path+".recipients", "are hybrid ones and others: who breaks the others hears all, so have one kind")
	}
	for i, text := range n.Identities {
		id, err := parseIdentity(text)
		if err != nil {
			e.Add(fmt.Sprintf("%s.identities[%d]", path, i), "is no identity of age (AGE-SECRET-KEY-…)")
			continue
		}
		t.identities = append(t.identities, id)
	}
	t.reads = slices.ContainsFunc(n.Recipients, n.owns)
	t.id = recipientsID(slices.Sorted(slices.Values(n.Recipients)))
	if len(t.recipients) == len(n.Recipients) && len(t.recipients) > 0 {
		if _, err := header(make([]byte, 16), &stamp{size: 1 << 40}, t.recipients, t.id); err != nil {
			e.Add(path+".recipients", "%s", err)
		}
	}
	return t
}

func parseRecipient(text string) (r age.Recipient, hybrid bool, err error) {
	if strings.HasPrefix(text, "age1pq1") {
		r, err := age.ParseHybridRecipient(text)
		return r, true, err
	}
	r, err = age.ParseX25519Recipient(text)
	return r, false, err
}

func parseIdentity(text string) (age.Identity, error) {
	if strings.HasPrefix(text, "AGE-SECRET-KEY-PQ-") {
		return age.ParseHybridIdentity(text)
	}
	return age.ParseX25519Identity(text)
}

// New makes a file with a new stamp key and a new X25519 identity for each of the tenants,
// "*" for those that aren't named. The escrow recipients are added to each.
func New(tenants []string, escrow ...string) (*File, error) {
	f := &File{StampKeys: []string{newStampKey()}, Tenants: map[string]Entry{}}
	for _, name := range tenants {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			return nil, err
		}
		f.Tenants[name] = Entry{Recipients: append([]string{id.Recipient().String()}, escrow...), Identities: []string{id.String()}}
	}
	_, err := f.Keys()
	return f, err
}

func newStampKey() string {
	b := make([]byte, stampKeyBytes)
	_, _ = rand.Read(b) // it never fails
	return base64.StdEncoding.EncodeToString(b)
}

// Rotate gives the tenant a new identity in place of its own, which stays to decrypt what
// isn't re-wrapped yet: take it out when all is. Its other recipients stay.
func (f *File) Rotate(name string) error {
	entry, ok := f.Tenants[name]
	if !ok || entry.Plain {
		return callmodel.Errorf(callmodel.CodeNotFound, "the keys have no recipients for tenant %q", name)
	}
	fresh, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	to := []string{fresh.Recipient().String()}
	for _, r := range entry.Recipients {
		if !entry.owns(r) {
			to = append(to, r)
		}
	}
	entry.Recipients, entry.Identities = to, append([]string{fresh.String()}, entry.Identities...)
	f.Tenants[name] = entry
	_, err = f.Keys()
	return err
}

// owns reports whether one of the identities is the recipient's.
func (n *Entry) owns(recipient string) bool {
	return slices.ContainsFunc(n.Identities, func(text string) bool {
		id, err := parseIdentity(text)
		switch id := id.(type) {
		case *age.X25519Identity:
			return err == nil && id.Recipient().String() == recipient
		case *age.HybridIdentity:
			return err == nil && id.Recipient().String() == recipient
		}
		return false
	})
}

// WithoutIdentities is the file for programs that only store: it decrypts nothing.
func (f *File) WithoutIdentities() *File {
	only := &File{StampKeys: f.StampKeys, Tenants: map[string]Entry{}}
	for name, entry := range f.Tenants {
		entry.Identities = nil
		if entry.Plain || len(entry.Recipients) > 0 {
			only.Tenants[name] = entry
		}
	}
	return only
}

// Keeper encrypts a small secret, as a cloud's key service does. *secrets.Keeper of
// gocloud.dev/secrets is one.
type Keeper interface {
	Encrypt(ctx context.Context, plaintext []byte) ([]byte, error)
	Decrypt(ctx context.Context, ciphertext []byte) ([]byte, error)
}

// wrapped is a file of keys whose content is encrypted by age to an identity of its own,
// which a keeper has wrapped: services bound what they encrypt to some kilobytes or less.
type wrapped struct {
	WrappedKey []byte `json:"wrapped_key"`
	Keys       []byte `json:"keys"`
}

// Wrap is the file, to be read by ParseWrapped with the same keeper.
func Wrap(ctx context.Context, file []byte, k Keeper) ([]byte, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, err
	}
	var w wrapped
	if w.WrappedKey, err = k.Encrypt(ctx, []byte(id.String())); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "wrapping the keys: %w", err)
	}
	var out bytes.Buffer
	to, err := age.Encrypt(&out, id.Recipient())
	if err == nil {
		_, err = to.Write(file)
	}
	if err == nil {
		err = to.Close()
	}
	if err != nil {
		return nil, err
	}
	w.Keys = out.Bytes()
	return json.MarshalIndent(w, "", "  ")
}

// Unwrap is the file that Wrap was given.
func Unwrap(ctx context.Context, file []byte, k Keeper) ([]byte, error) {
	var w wrapped
	if err := json.Unmarshal(file, &w); err != nil || len(w.WrappedKey) == 0 {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the file of keys isn't wrapped by a keeper: wrap it, or name no keeper")
	}
	text, err := k.Decrypt(ctx, w.WrappedKey)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeForbidden, "the keeper doesn't unwrap the file of keys: %w; it must be the one that wrapped it, and let this program decrypt", err)
	}
	id, err := age.ParseX25519Identity(string(text))
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "what the keeper has unwrapped is no key")
	}
	r, err := age.Decrypt(bytes.NewReader(w.Keys), id)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeInvalid, "the file of keys isn't what was wrapped: %w", err)
	}
	return io.ReadAll(io.LimitReader(r, maxFile+1))
}

// ParseWrapped reads a file of keys that Wrap has made.
func ParseWrapped(ctx context.Context, file []byte, k Keeper) (*Keys, error) {
	b, err := Unwrap(ctx, file, k)
	if err != nil {
		return nil, err
	}
	return Parse(b)
}

// Tried is what a tenant's keys can do.
type Tried struct {
	Tenant     string
	Plain      bool // its objects are stored as they are
	Recipients int
	Decrypts   bool  // what is encrypted to them
	Err        error // of a few bytes that were encrypted, and decrypted if there are identities
}

// Try encrypts a few bytes with the keys of each tenant, in the order of their names, and
// decrypts them where there are identities: those must include one of the recipients'.
func (k *Keys) Try() []Tried {
	var all []Tried
	for _, name := range slices.Sorted(maps.Keys(k.tenants)) {
		t := k.tenants[name]
		tried := Tried{Tenant: name, Plain: t.plain, Recipients: len(t.recipients)}
		if len(t.recipients) > 0 {
			tried.Decrypts, tried.Err = k.try(name)
		}
		all = append(all, tried)
	}
	return all
}

func (k *Keys) try(name string) (decrypts bool, err error) {
	const text = "switchtape"
	key := name + "/probe"
	var body bytes.Buffer
	e, err := k.Encrypt(key, &body)
	if err != nil {
		return false, err
	}
	_, err = io.WriteString(e, text)
	if err = errors.Join(err, e.Close()); err != nil {
		return false, err
	}
	sum := sha256.Sum256([]byte(text))
	head, err := e.Header(key, hex.EncodeToString(sum[:]), int64(len(text)))
	if err != nil {
		return false, err
	}
	if _, err := k.Sum(key, io.MultiReader(bytes.NewReader(head), &body)); err != nil {
		return false, err
	}
	if len(k.identities(name)) == 0 {
		return false, nil
	}
	_, _, err = k.open(key, head)
	return err == nil, err
}
