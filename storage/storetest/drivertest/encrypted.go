package drivertest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/encrypt"
)

// keyring is the keys of the tests' tenant, "acme", as several programs have them.
type keyring struct {
	file      *encrypt.File
	writer    *encrypt.Keys // recipients and the stamp key, no identity
	reader    *encrypt.Keys // all
	bare      *encrypt.Keys // an identity of another tenant alone
	strangers *encrypt.Keys // the tenant's recipients, and another stamp key
	plain     *encrypt.Keys // says that the tenant's objects are plain, and can decrypt
}

func newKeyring(t *testing.T) *keyring {
	t.Helper()
	keys := func(f *encrypt.File) *encrypt.Keys {
		k, err := f.Keys()
		require.NoError(t, err)
		return k
	}
	f, err := encrypt.New([]string{"acme"})
	require.NoError(t, err)
	other, err := encrypt.New([]string{"globex"})
	require.NoError(t, err)
	strangers := &encrypt.File{
		StampKeys: []string{base64.StdEncoding.EncodeToString(make([]byte, 32))},
		Tenants:   map[string]encrypt.Entry{"acme": {Recipients: f.Tenants["acme"].Recipients}},
	}
	return &keyring{
		file: f, reader: keys(f), writer: keys(f.WithoutIdentities()), strangers: keys(strangers),
		bare:  keys(&encrypt.File{Tenants: map[string]encrypt.Entry{"globex": {Identities: other.Tenants["globex"].Identities}}}),
		plain: keys(&encrypt.File{StampKeys: f.StampKeys, Tenants: map[string]encrypt.Entry{"acme": {Plain: true, Identities: f.Tenants["acme"].Identities}}}),
	}
}

// opener opens the bucket with those keys; nil for none.
func opener(t *testing.T, url string, drivers ...storage.Driver) func(*encrypt.Keys) *storage.Store {
	t.Helper()
	return func(k *encrypt.Keys) *storage.Store {
		o := &storage.Options{Drivers: drivers, SpoolMemory: 1 << 20, SpoolDir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)}
		if k != nil {
			o.Encryption = k
		}
		s, err := storage.Open(t.Context(), url, o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
}

// stored is the object as the bucket has it.
func stored(t *testing.T, s *storage.Store, key string) []byte {
	t.Helper()
	r, err := s.OpenLeg(t.Context(), key)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	return b
}

func opened(t *testing.T, s *storage.Store, key string) ([]byte, error) {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func requireEncryption(t *testing.T, reason string, err error) {
	t.Helper()
	var e *storage.EncryptionError
	require.ErrorAs(t, err, &e, "%v", err)
	require.Equal(t, reason, e.Reason, "%v", err)
}

// pattern is data in which no two places look alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// RunEncrypted holds an empty bucket to what a Store promises with an encryption: what is
// put is encrypted there, what is read is the plaintext, whole and in ranges, and a retry
// meets its own object.
func RunEncrypted(t *testing.T, url string, drivers ...storage.Driver) {
	t.Helper()
	ctx, open, keys := t.Context(), opener(t, url, drivers...), newKeyring(t)
	reader, writer, keyless := open(keys.reader), open(keys.writer), open(nil)
	meta := record.ObjectMeta{ContentType: "audio/wav", Metadata: map[string]string{"channel_map": "0=agent"}}
	const chunk = 64 << 10

	for name, size := range map[string]int{"empty": 0, "one": 1, "chunk": chunk, "more": chunk + 1, "parts": 12<<20 + 345} {
		t.Run(name, func(t *testing.T) {
			data, k := pattern(size), testKey(name)
			info, err := writer.Put(ctx, k, meta, write(data))
			require.NoError(t, err)
			assert.EqualValues(t, size, info.Bytes, "the ledger has the plaintext's size")
			assert.Equal(t, sum(data), info.SHA256, "and its hash")
			assert.False(t, info.Existed)

			raw := stored(t, keyless, k.String())
			require.Len(t, raw, int(storage.EncryptedSize(int64(size))))
			require.False(t, size > 16 && bytes.Contains(raw, data[:16]))
			id, err := age.ParseX25519Identity(keys.file.Tenants["acme"].Identities[0])
			require.NoError(t, err)
			text, err := age.Decrypt(bytes.NewReader(raw), id)
			require.NoError(t, err, "age itself decrypts it")
			got, err := io.ReadAll(text)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))

			got, err = opened(t, reader, k.String())
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			for who, s := range map[string]*storage.Store{"reader": reader, "writer": writer} {
				head, err := s.Stat(ctx, k.String())
				require.NoError(t, err, who)
				assert.EqualValues(t, size, head.Bytes, who)
				assert.True(t, head.Encrypted, who)
				assert.Equal(t, "audio/wav", head.ContentType)
				assert.Equal(t, "0=agent", head.Metadata["channel_map"])
				hash, err := s.SHA256(ctx, k.String())
				require.NoError(t, err, who)
				assert.Equal(t, sum(data), hash, who)

				again, err := s.Put(ctx, k, meta, write(data))
				require.NoError(t, err, who)
				assert.True(t, again.Existed, "%s: a retry meets its own object", who)
				assert.Equal(t, info.URL, again.URL)
			}
			require.Equal(t, raw, stored(t, keyless, k.String()), "and touches nothing")

			_, err = reader.SignedURL(ctx, k.String(), 1)
			assert.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(err), "nobody is sent to ciphertext: %v", err)
		})
	}

	t.Run("ranges", func(t *testing.T) {
		data, key := pattern(12<<20+345), testKey("parts").String()
		r, err := reader.Open(ctx, key)
		require.NoError(t, err)
		s, ok := r.(io.ReadSeeker)
		require.True(t, ok)
		end, err := s.Seek(0, io.SeekEnd)
		require.NoError(t, err)
		require.EqualValues(t, len(data), end)
		for _, c := range [][2]int{{0, 10}, {chunk - 3, 7}, {5 * chunk, chunk}, {len(data) - 5, 5}, {7 << 20, 1 << 20}, {3, 1}} {
			_, err := s.Seek(int64(c[0]), io.SeekStart)
			require.NoError(t, err)
			part := make([]byte, c[1])
			_, err = io.ReadFull(s, part)
			require.NoError(t, err)
			require.True(t, bytes.Equal(data[c[0]:c[0]+c[1]], part), "%v", c)
		}
		_, err = s.Seek(-1, io.SeekStart)
		require.ErrorIs(t, err, fs.ErrInvalid)
		require.NoError(t, r.Close())
	})

	t.Run("other bytes become a new version", func(t *testing.T) {
		k := testKey("versions")
		for _, s := range []*storage.Store{writer, reader} {
			for i, text := range []string{"first", "other"} { // of one length
				info, err := s.Put(ctx, k, meta, write([]byte(text)))
				require.NoError(t, err)
				assert.Equal(t, i+1, info.Key.Version)
				got, err := opened(t, reader, info.Key.String())
				require.NoError(t, err)
				assert.Equal(t, text, string(got))
			}
		}
		_, err := writer.PutNamed(ctx, "acme/named", meta, write([]byte("one")))
		require.NoError(t, err)
		info, err := writer.PutNamed(ctx, "acme/named", meta, write([]byte("one")))
		require.NoError(t, err)
		assert.True(t, info.Existed)
		_, err = writer.PutNamed(ctx, "acme/named", meta, write([]byte("two")))
		assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	})

	t.Run("plain objects beside encrypted ones", func(t *testing.T) {
		data := pattern(100_000)
		old, err := keyless.Put(ctx, testKey("old"), meta, write(data))
		require.NoError(t, err)
		for who, s := range map[string]*storage.Store{"reader": reader, "writer": writer} {
			got, err := opened(t, s, old.Key.String())
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			info, err := s.Put(ctx, testKey("old"), meta, write(data))
			require.NoError(t, err)
			assert.True(t, info.Existed, "%s: it is the recording, as it was stored", who)
		}
		info, err := open(keys.plain).Put(ctx, testKey("more"), meta, write(pattern(chunk+1)))
		require.NoError(t, err)
		assert.True(t, info.Existed, "a plain retry of what was encrypted")
		info, err = open(keys.plain).Put(ctx, testKey("open"), meta, write(data))
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, stored(t, keyless, info.Key.String())))
	})

	t.Run("without keys", func(t *testing.T) {
		key := testKey("more").String()
		_, err := opened(t, keyless, key)
		requireEncryption(t, storage.NoKeys, err)
		_, err = keyless.SHA256(ctx, key)
		requireEncryption(t, storage.NoKeys, err)
		_, err = opened(t, writer, key)
		requireEncryption(t, storage.NoIdentity, err)
		require.ErrorContains(t, err, `"acme"`)
		bare := open(keys.bare)
		_, err = opened(t, bare, key)
		requireEncryption(t, storage.NoIdentity, err)
		_, err = bare.SHA256(ctx, key)
		requireEncryption(t, storage.NoStampKey, err)
		_, err = bare.Put(ctx, testKey("none"), meta, write([]byte("x")))
		requireEncryption(t, storage.NoRecipients, err)
		var later *callmodel.RetryAfterError
		require.ErrorAs(t, err, &later, "the job waits for the keys")
		_, err = keyless.Put(ctx, testKey("more"), meta, write(pattern(chunk+1)))
		requireEncryption(t, storage.NoKeys, err)
		_, err = keyless.Stat(ctx, testKey("more").Next().String())
		require.ErrorIs(t, err, fs.ErrNotExist, "nobody guesses that the object is another one")
	})

	t.Run("tampered", func(t *testing.T) {
		data := pattern(3 * chunk)
		info, err := writer.Put(ctx, testKey("honest"), meta, write(data))
		require.NoError(t, err)
		raw := stored(t, keyless, info.Key.String())
		forged, err := open(keys.strangers).Put(ctx, testKey("forged"), meta, write(data))
		require.NoError(t, err)
		flipped, cut := bytes.Clone(raw), raw[:len(raw)-chunk-16]
		flipped[storage.EncryptedHeader+16+2*(chunk+16)+5] ^= 1
		inHeader := bytes.Clone(raw)
		inHeader[len(storage.EncryptedMagic)] ^= 1
		for name, b := range map[string][]byte{"acme/swapped": raw, "acme/flipped": flipped, "acme/cut": cut, "acme/header": inHeader} {
			_, err := keyless.PutNamed(ctx, name, meta, write(b))
			require.NoError(t, err)
		}
		for _, key := range []string{"acme/swapped", "acme/flipped", "acme/cut", "acme/header", forged.Key.String()} {
			_, err = opened(t, reader, key)
			requireEncryption(t, storage.Tampered, err)
			for _, s := range []*storage.Store{reader, writer} {
				_, err = s.SHA256(ctx, key)
				requireEncryption(t, storage.Tampered, err)
			}
		}
		_, err = writer.Put(ctx, testKey("forged"), meta, write(data))
		requireEncryption(t, storage.Tampered, err)
	})

	t.Run("list", func(t *testing.T) {
		found := 0
		for _, o := range listed(t, writer) {
			if o.Key == testKey("parts").String() && o.Current {
				found++
				assert.True(t, o.Has(12<<20+345), "%+v", o)
				assert.False(t, o.Has(12<<20+344))
			}
		}
		assert.Equal(t, 1, found)
	})
}

// meddler does something between a look at an object and its being written again.
type meddler struct {
	*encrypt.Keys

	meddle func()
}

// Sum implements storage.Encryption.
func (m *meddler) Sum(key string, object io.Reader) (string, error) {
	m.meddle()
	return m.Keys.Sum(key, object)
}

// RunRewrap holds an empty bucket to what a Store promises of objects that are given other
// recipients.
func RunRewrap(t *testing.T, url string, drivers ...storage.Driver) {
	t.Helper()
	ctx, open, keys := t.Context(), opener(t, url, drivers...), newKeyring(t)
	meta := record.ObjectMeta{ContentType: "audio/wav", Metadata: map[string]string{"channel_map": "0=agent"}}
	old := open(keys.reader)
	require.NoError(t, keys.file.Rotate("acme"))
	now, err := keys.file.Keys()
	require.NoError(t, err)
	alone := *keys.file
	entry := alone.Tenants["acme"]
	alone.Tenants = map[string]encrypt.Entry{"acme": {Recipients: entry.Recipients, Identities: entry.Identities[:1]}}
	only, err := alone.Keys()
	require.NoError(t, err)
	s, later := open(now), open(only)

	for name, size := range map[string]int{"empty": 0, "small": 1000, "large": 12<<20 + 345} {
		data, k := pattern(size), testKey(name)
		info, err := old.Put(ctx, k, meta, write(data))
		require.NoError(t, err)
		before := stored(t, s, k.String())
		_, err = opened(t, later, k.String())
		requireEncryption(t, storage.NoIdentity, err)

		for _, want := range []record.Rewrapped{record.RewrapDone, record.RewrapCurrent} {
			done, err := s.Rewrap(ctx, k.String())
			require.NoError(t, err)
			require.Equal(t, want, done)
			after := stored(t, s, k.String())
			require.True(t, bytes.Equal(before[storage.EncryptedHeader:], after[storage.EncryptedHeader:]), "the body is as it was")
			got, err := opened(t, later, k.String())
			require.NoError(t, err)
			require.True(t, bytes.Equal(data, got))
			_, err = opened(t, old, k.String())
			requireEncryption(t, storage.NoIdentity, err)
		}
		head, err := s.Stat(ctx, k.String())
		require.NoError(t, err)
		assert.EqualValues(t, size, head.Bytes)
		assert.Equal(t, info.SHA256, head.SHA256)
		assert.Equal(t, "audio/wav", head.ContentType)
		assert.Equal(t, "0=agent", head.Metadata["channel_map"])
		again, err := open(keys.writer).Put(ctx, k, meta, write(data))
		require.NoError(t, err)
		assert.True(t, again.Existed, "the stamp is as it was")
	}

	t.Run("what isn't", func(t *testing.T) {
		_, err := s.Rewrap(ctx, "acme/none")
		require.ErrorIs(t, err, fs.ErrNotExist)
		plain, err := open(nil).PutNamed(ctx, "acme/plain", meta, write([]byte("plain")))
		require.NoError(t, err)
		done, err := s.Rewrap(ctx, "acme/plain")
		require.NoError(t, err)
		assert.Equal(t, record.RewrapPlain, done)
		got, err := opened(t, s, "acme/plain")
		require.NoError(t, err)
		assert.Equal(t, "plain", string(got))
		assert.EqualValues(t, 5, plain.Bytes)

		_, err = old.PutNamed(ctx, "acme/old", meta, write([]byte("text")))
		require.NoError(t, err)
		_, err = open(nil).Rewrap(ctx, "acme/old")
		requireEncryption(t, storage.NoKeys, err)
		_, err = later.Rewrap(ctx, "acme/old")
		requireEncryption(t, storage.NoIdentity, err)
		raw := stored(t, s, "acme/old")
		raw[len(raw)-1] ^= 1
		_, err = open(nil).PutNamed(ctx, "acme/flipped", meta, write(raw))
		require.NoError(t, err)
		_, err = s.Rewrap(ctx, "acme/flipped")
		requireEncryption(t, storage.Tampered, err)
		require.Equal(t, raw, stored(t, s, "acme/flipped"), "nothing is made of what was tampered with")
	})

	t.Run("deleted meanwhile", func(t *testing.T) {
		info, err := old.Put(ctx, testKey("erased"), meta, write([]byte("to be erased")))
		require.NoError(t, err)
		key := info.Key.String()
		m := &meddler{Keys: now, meddle: func() { require.NoError(t, old.Remove(ctx, key, info.SHA256)) }}
		meddled, err := storage.Open(ctx, url, &storage.Options{Drivers: drivers, Encryption: m, SpoolDir: t.TempDir()})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, meddled.Close()) })
		_, err = meddled.Rewrap(ctx, key)
		require.Error(t, err)
		_, err = s.Stat(ctx, key)
		require.ErrorIs(t, err, fs.ErrNotExist, "what was deleted doesn't come back")
	})
}

// RunEncryptedVersions holds a driver with versions to bringing back an encrypted object that
// was deleted, by who can't decrypt it.
func RunEncryptedVersions(t *testing.T, v Versioned, d storage.Driver) {
	t.Helper()
	open, keys := opener(t, v.URL, d), newKeyring(t)
	writer, keyless := open(keys.writer), open(nil)
	sum := putNamed(t, writer, "acme/1", "encrypted")
	raw := stored(t, keyless, "acme/1")
	v.Delete(t, "acme/1")
	lost := older(t, listed(t, writer), "acme/1", storage.EncryptedSize(int64(len("encrypted"))))
	_, err := keyless.Restore(t.Context(), "acme/1", lost, sum)
	requireEncryption(t, storage.NoKeys, err)
	done, err := writer.Restore(t.Context(), "acme/1", lost, sum)
	require.NoError(t, err)
	require.True(t, done)
	assert.Equal(t, raw, stored(t, keyless, "acme/1"))
	assert.Equal(t, "encrypted", content(t, open(keys.reader), "acme/1"))
}
