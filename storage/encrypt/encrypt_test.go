package encrypt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

func newFile(t testing.TB, tenants ...string) *encrypt.File {
	t.Helper()
	f, err := encrypt.New(tenants)
	require.NoError(t, err)
	return f
}

func keysOf(t testing.TB, f *encrypt.File) *encrypt.Keys {
	t.Helper()
	k, err := f.Keys()
	require.NoError(t, err)
	return k
}

// object is data encrypted as the object of the key.
func object(t testing.TB, k *encrypt.Keys, key string, data []byte) []byte {
	t.Helper()
	var body bytes.Buffer
	e, err := k.Encrypt(key, &body)
	require.NoError(t, err)
	_, err = e.Write(data)
	require.NoError(t, err)
	require.NoError(t, e.Close())
	sum := sha256.Sum256(data)
	head, err := e.Header(key, hex.EncodeToString(sum[:]), int64(len(data)))
	require.NoError(t, err)
	return append(head, body.Bytes()...)
}

func plaintext(t testing.TB, k *encrypt.Keys, key string, object []byte) ([]byte, error) {
	t.Helper()
	r, err := k.Decrypt(key, bytes.NewReader(object), int64(len(object)))
	if err != nil {
		return nil, err
	}
	size, _ := storage.DecryptedSize(int64(len(object)))
	return io.ReadAll(io.NewSectionReader(r, 0, size))
}

func reasonOf(err error) string {
	e, ok := errors.AsType[*storage.EncryptionError](err)
	if !ok {
		return ""
	}
	return e.Reason
}

// All of a tenant's recipients can decrypt what is its, the escrow's too, and nobody else.
func TestRecipients(t *testing.T) {
	t.Parallel()
	x25519, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	own, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	f, err := encrypt.New([]string{"acme", "*"}, x25519.Recipient().String())
	require.NoError(t, err)
	f.Tenants["pq"] = encrypt.Entry{Recipients: []string{own.Recipient().String(), hybrid.Recipient().String()}}
	k := keysOf(t, f)
	data := []byte("what was said")
	for key, escrow := range map[string]age.Identity{"acme/a": x25519, "unnamed/a": x25519, "pq/a": hybrid} {
		text, err := age.Decrypt(bytes.NewReader(object(t, k, key, data)), escrow)
		require.NoError(t, err, key)
		got, err := io.ReadAll(text)
		require.NoError(t, err)
		assert.Equal(t, data, got)
	}
	only := func(name string) *encrypt.Keys {
		return keysOf(t, &encrypt.File{StampKeys: f.StampKeys, Tenants: map[string]encrypt.Entry{"acme": f.Tenants[name]}})
	}
	_, err = plaintext(t, only("*"), "acme/a", object(t, k, "acme/a", data))
	require.Equal(t, storage.NoIdentity, reasonOf(err), "%v", err)
	got, err := plaintext(t, only("acme"), "acme/a", object(t, k, "acme/a", data))
	require.NoError(t, err)
	assert.Equal(t, data, got)
	// A tenant that gets an entry of its own keeps what was everybody's before.
	got, err = plaintext(t, k, "acme/a", object(t, keysOf(t, &encrypt.File{StampKeys: f.StampKeys, Tenants: map[string]encrypt.Entry{"*": f.Tenants["*"]}}), "acme/a", data))
	require.NoError(t, err)
	assert.Equal(t, data, got)
}

// A body never has the same bytes twice.
func TestRandomised(t *testing.T) {
	t.Parallel()
	k := keysOf(t, newFile(t, "acme"))
	one, two := object(t, k, "acme/a", make([]byte, 100)), object(t, k, "acme/a", make([]byte, 100))
	assert.NotEqual(t, one[storage.EncryptedHeader:], two[storage.EncryptedHeader:])
}

// An object's rotation replaces its header and no byte of its body.
func TestRotation(t *testing.T) {
	t.Parallel()
	f := newFile(t, "acme")
	before, data := keysOf(t, f), []byte("what was said")
	escrow, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	old := object(t, before, "acme/a", data)
	head, body := old[:storage.EncryptedHeader], old[storage.EncryptedHeader:]
	fresh, err := before.Rewrap("acme/a", head)
	require.NoError(t, err)
	require.Nil(t, fresh, "they have it already")

	entry := f.Tenants["acme"]
	entry.Recipients = append(entry.Recipients, escrow.Recipient().String())
	f.Tenants["acme"] = entry
	require.NoError(t, f.Rotate("acme"))
	entry = f.Tenants["acme"]
	assert.Len(t, entry.Identities, 2)
	assert.Len(t, entry.Recipients, 2)
	assert.Equal(t, escrow.Recipient().String(), entry.Recipients[1], "what isn't its own stays")
	after := keysOf(t, f)
	got, err := plaintext(t, after, "acme/a", old)
	require.NoError(t, err, "what isn't re-wrapped yet can be decrypted")
	assert.Equal(t, data, got)

	fresh, err = after.Rewrap("acme/a", head)
	require.NoError(t, err)
	rewrapped := append(bytes.Clone(fresh), body...)
	again, err := after.Rewrap("acme/a", fresh)
	require.NoError(t, err)
	require.Nil(t, again)
	got, err = plaintext(t, after, "acme/a", rewrapped)
	require.NoError(t, err)
	assert.Equal(t, data, got)
	_, err = plaintext(t, before, "acme/a", rewrapped)
	require.Equal(t, storage.NoIdentity, reasonOf(err), "the old identity is no use any more: %v", err)
	sum := sha256.Sum256(data)
	for who, k := range map[string]*encrypt.Keys{"reader": after, "writer": keysOf(t, f.WithoutIdentities())} {
		got, err := k.Sum("acme/a", bytes.NewReader(rewrapped))
		require.NoError(t, err, who)
		assert.Equal(t, hex.EncodeToString(sum[:]), got, "%s: the stamp is the object's still", who)
	}
	_, err = keysOf(t, f.WithoutIdentities()).Rewrap("acme/a", head)
	require.Equal(t, storage.NoIdentity, reasonOf(err))
	require.Error(t, f.Rotate("globex"))
}

// Whoever can write the bucket, and knows the recipients, can't have a stamp stand for
// another body, not even in a range of it.
func TestStampIsBound(t *testing.T) {
	t.Parallel()
	f := newFile(t, "acme")
	k := keysOf(t, f)
	f.StampKeys = newFile(t, "acme").StampKeys
	forger := keysOf(t, f)
	honest, forged := object(t, k, "acme/a", []byte("yes")), object(t, forger, "acme/a", []byte("no!"))
	stampEnds := bytes.Index(honest, []byte("\n-> X25519"))
	mixed := append(bytes.Clone(honest[:stampEnds]), forged[stampEnds:]...)
	for _, o := range [][]byte{forged, mixed} {
		_, err := plaintext(t, k, "acme/a", o)
		require.Equal(t, storage.Tampered, reasonOf(err), "%v", err)
		_, err = keysOf(t, &encrypt.File{StampKeys: f.StampKeys, Tenants: f.WithoutIdentities().Tenants}).Sum("acme/b", bytes.NewReader(o))
		require.Equal(t, storage.Tampered, reasonOf(err), "%v", err)
	}
}

func TestFaultsOfFiles(t *testing.T) {
	t.Parallel()
	pq, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	good := newFile(t, "acme")
	r := good.Tenants["acme"].Recipients[0]
	stamp := good.StampKeys[0]
	many := `"` + r + `"`
	for range 40 {
		id, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		many += `,"` + id.Recipient().String() + `"`
	}
	for file, why := range map[string]string{
		`{`:                   "no JSON",
		`{"tenants":{}}`:      "name one",
		`{"identities":[]}`:   "unknown field",
		`{"tenants":{"a":5}}`: "tenants, at byte",
		`{"stamp_keys":["c2hvcnQ="],"tenants":{"a":{"plain":true}}}`:                                                      "stamp_keys[0]",
		`{"tenants":{"a":{"recipients":["` + r + `"]}}}`:                                                                  "need a key in stamp_keys",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a b":{"plain":true}}}`:                                               "tenant's id",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{}}}`:                                                             "has nothing",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{"plain":true,"recipients":["` + r + `"]}}}`:                      "plain and has recipients",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{"recipients":["age1x"]}}}`:                                       "recipients[0]",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{"identities":["AGE-SECRET-KEY-1NONSENSE"]}}}`:                    "identities[0]",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{"recipients":["` + r + `","` + pq.Recipient().String() + `"]}}}`: "one kind",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{"recipients":["` + r + `","` + r + `"]}}}`:                       "twice",
		`{"stamp_keys":["` + stamp + `"],"tenants":{"a":{"recipients":[` + many + `]}}}`:                                  "have fewer",
	} {
		_, err := encrypt.Parse([]byte(file))
		require.ErrorContains(t, err, why, file)
		assert.NotContains(t, err.Error(), "NONSENSE", "a secret isn't told")
	}
	b, err := json.Marshal(good)
	require.NoError(t, err)
	_, err = encrypt.Parse(b)
	require.NoError(t, err)
	require.Error(t, func() error { _, err := encrypt.Parse(make([]byte, 17<<20)); return err }())
}

// keeper is one that adds a prefix.
type keeper struct{ name string }

func (k keeper) Encrypt(_ context.Context, b []byte) ([]byte, error) {
	if len(b) > 190 {
		return nil, errors.New("more than an RSA key encrypts")
	}
	return append([]byte(k.name), b...), nil
}

func (k keeper) Decrypt(_ context.Context, b []byte) ([]byte, error) {
	rest, ok := bytes.CutPrefix(b, []byte(k.name))
	if !ok {
		return nil, errors.New("not mine")
	}
	return rest, nil
}

// A file of any length is wrapped by a keeper that encrypts a few bytes.
func TestWrapped(t *testing.T) {
	t.Parallel()
	names := make([]string, 100)
	for i := range names {
		names[i] = fmt.Sprintf("t%d", i)
	}
	b, err := json.Marshal(newFile(t, names...))
	require.NoError(t, err)
	w, err := encrypt.Wrap(t.Context(), b, keeper{"k"})
	require.NoError(t, err)
	assert.False(t, bytes.Contains(w, []byte("recipients")), "nothing of it can be read")
	k, err := encrypt.ParseWrapped(t.Context(), w, keeper{"k"})
	require.NoError(t, err)
	object(t, k, "t99/a", []byte("x"))
	_, err = encrypt.ParseWrapped(t.Context(), w, keeper{"other"})
	assert.Equal(t, callmodel.CodeForbidden, callmodel.CodeOf(err))
	_, err = encrypt.ParseWrapped(t.Context(), b, keeper{"k"})
	require.ErrorContains(t, err, "isn't wrapped")
	_, err = encrypt.Parse(w)
	require.Error(t, err)
}

// FuzzObject holds objects of any bytes to an error or the plaintext, without more memory
// than they have bytes.
func FuzzObject(f *testing.F) {
	const said = "what was said"
	// The processes of a fuzzing run have one key.
	file := &encrypt.File{StampKeys: []string{"t1nTUpU7ot8RtTj0i2KeRdq+9W3fPimFgiWf2GBejuY="}, Tenants: map[string]encrypt.Entry{"acme": {
		Recipients: []string{"age1g7ger20ewwtlj2p03rvdhf2hnqxkc8atvk4c95gtfrnmava5ac2qfxe6eh"},
		Identities: []string{"AGE-SECRET-KEY-135F779ZSEUKYAMGCLFCW7G9H6UJ0EE7DG2CRWPTSYVK356PRN4PQUQYDT6"},
	}}}
	k, writer := keysOf(f, file), keysOf(f, file.WithoutIdentities())
	whole := object(f, k, "acme/a", []byte(said))
	sum := sha256.Sum256([]byte(said))
	f.Add(whole)
	f.Add(whole[:storage.EncryptedHeader])
	f.Add([]byte(storage.EncryptedMagic))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, k := range []*encrypt.Keys{k, writer} {
			if got, err := k.Sum("acme/a", bytes.NewReader(b)); err == nil && got != hex.EncodeToString(sum[:]) {
				t.Fatal("a stamp that nobody made")
			}
		}
		if got, err := plaintext(t, k, "acme/a", b); err == nil && string(got) != said {
			t.Fatalf("%q", got)
		}
	})
}

func Example() {
	file, err := encrypt.New([]string{"acme"})
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := file.Keys()
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := storage.Open(context.Background(), "mem://", &storage.Options{Encryption: keys})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(storage.EncryptedSize(1_000_000))
	// Output: 1004368
}
