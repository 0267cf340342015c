package drivertest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// Versioned is a bucket that keeps what was overwritten or deleted, with what somebody else
// does to it.
type Versioned struct {
	URL string // of the bucket, which is empty
	// Delete deletes an object, as somebody with a console does.
	Delete func(t testing.TB, key string)
	// Overwrite puts other bytes over an object, with that SHA-256 in its metadata, "" for
	// none.
	Overwrite func(t testing.TB, key, text, sha256 string)
}

func putNamed(t *testing.T, s *storage.Store, key, text string) (sha256 string) {
	t.Helper()
	info, err := s.PutNamed(t.Context(), key, record.ObjectMeta{ContentType: "audio/wav"}, write([]byte(text)))
	require.NoError(t, err)
	return info.SHA256
}

// listed is all that the store lists.
func listed(t *testing.T, s *storage.Store) (all []record.Listed) {
	t.Helper()
	for token := ""; ; {
		page, err := s.ListPage(t.Context(), token)
		require.NoError(t, err)
		all = append(all, page.Objects...)
		if token = page.Next; token == "" {
			return all
		}
	}
}

// of are the key's versions, marks of deletions apart, and the name of what is current, if
// there is anything.
func of(all []record.Listed, key string) (bytes map[string]int64, current string, found bool) {
	bytes = map[string]int64{}
	for _, o := range all {
		if o.Key != key || o.Deleted {
			continue
		}
		bytes[o.Version] = o.Bytes
		if o.Current {
			current, found = o.Version, true
		}
	}
	return bytes, current, found
}

// older is the version of so many bytes that isn't the current one.
func older(t *testing.T, all []record.Listed, key string, bytes int64) string {
	t.Helper()
	versions, current, found := of(all, key)
	for v, n := range versions {
		if n == bytes && (!found || v != current) {
			require.NotEmpty(t, v)
			return v
		}
	}
	require.Fail(t, "there is no such version", "%s of %d bytes", key, bytes)
	return ""
}

func content(t *testing.T, s *storage.Store, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// RunVersions holds a driver to storage.Versions: what was deleted or overwritten is listed,
// page by page, and can be brought back, and nothing is lost by it.
func RunVersions(t *testing.T, v Versioned, d storage.Driver) {
	t.Helper()
	s := Open(t, v.URL, d)
	one, two := putNamed(t, s, "a/1", "one"), putNamed(t, s, "a/2", "two")
	putNamed(t, s, "a/3", "three")
	putNamed(t, s, "b/1", "four")
	v.Delete(t, "a/1")
	v.Overwrite(t, "a/2", "TWO!", "")
	v.Overwrite(t, "a/3", "THREE", one) // which it isn't

	all := listed(t, s)
	assert.IsNonDecreasing(t, keysOf(all))
	versions, _, found := of(all, "a/1")
	assert.False(t, found, "it was deleted")
	assert.Len(t, versions, 1)
	versions, current, found := of(all, "a/2")
	assert.True(t, found)
	assert.Len(t, versions, 2)
	assert.EqualValues(t, 4, versions[current])
	for _, o := range all {
		assert.False(t, o.ModTime.IsZero(), "%v", o)
	}

	t.Run("page by page", func(t *testing.T) {
		u, err := url.Parse(v.URL)
		require.NoError(t, err)
		bucket, err := d.OpenHTTP(t.Context(), u, func(*http.Transport) {})
		require.NoError(t, err)
		defer bucket.Close() //nolint:errcheck // only read from
		named := func(o *record.Listed) string { return o.Key + "@" + o.Version }
		seen := map[string]bool{}
		last, pages := "", 0
		for token := ""; ; {
			page, err := d.Versions.List(t.Context(), bucket, u, token, 3)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page.Objects), 3)
			for i := range page.Objects { // an emulator may list some of a key again
				o := &page.Objects[i]
				require.LessOrEqual(t, last, o.Key)
				last, seen[named(o)] = o.Key, true
			}
			if pages++; page.Next == "" {
				break
			}
			require.Less(t, pages, 20)
			token = page.Next
		}
		assert.Greater(t, pages, 1)
		want := map[string]bool{}
		for i := range all {
			want[named(&all[i])] = true
		}
		assert.Equal(t, want, seen)
	})

	t.Run("a part of the bucket", func(t *testing.T) {
		part := listed(t, Open(t, v.URL+"&prefix=a/", d))
		assert.Len(t, part, len(all)-1)
		assert.Equal(t, "1", part[0].Key)
		done, err := Open(t, v.URL+"&prefix=a/", d).Restore(t.Context(), "1", older(t, part, "1", 3), strings.Repeat("0", 64))
		require.NoError(t, err)
		assert.False(t, done)
	})

	lost := older(t, all, "a/1", 3)
	done, err := s.Restore(t.Context(), "a/1", lost, two)
	require.NoError(t, err)
	require.False(t, done, "another's version")
	done, err = s.Restore(t.Context(), "a/1", lost, one)
	require.NoError(t, err)
	require.True(t, done)
	assert.Equal(t, "one", content(t, s, "a/1"))
	head, err := s.Stat(t.Context(), "a/1")
	require.NoError(t, err)
	assert.Equal(t, one, head.SHA256, "its metadata came along")
	assert.Equal(t, "audio/wav", head.ContentType)

	done, err = s.Restore(t.Context(), "a/2", older(t, all, "a/2", 3), two)
	require.NoError(t, err)
	require.True(t, done)
	assert.Equal(t, "two", content(t, s, "a/2"))
	now := listed(t, s)
	assert.NotEmpty(t, older(t, now, "a/2", 4), "what was put over it stays")

	versions, current, _ = of(all, "a/3")
	require.Len(t, versions, 2)
	_, err = s.Restore(t.Context(), "a/3", current, one)
	require.ErrorContains(t, err, "was changed there")
	assert.Equal(t, "THREE", content(t, s, "a/3"), "nothing was stored")

	_, err = s.Restore(t.Context(), "a/1", "", one)
	require.Error(t, err, "no version")

	t.Run("erased", func(t *testing.T) { erased(t, v, d, s, one) })
}

// erased: nothing is left of what is erased, and the rest stays.
func erased(t *testing.T, v Versioned, d storage.Driver, s *storage.Store, one string) {
	t.Helper()
	which := func(key string) bool { return key != "a/3" }
	v.Delete(t, "a/1")
	there, err := s.Inventory(t.Context(), "a/", which)
	require.NoError(t, err)
	versions := 0
	for _, o := range there {
		require.NotEqual(t, "a/3", o.Key)
		assert.Equal(t, s.String(), o.Bucket)
		if !o.Mark {
			assert.Empty(t, o.SHA256, "nothing was read")
			require.NoError(t, s.HashStored(t.Context(), &o))
			assert.Contains(t, []string{sum([]byte("one")), sum([]byte("two")), sum([]byte("TWO!"))}, o.SHA256, "each version's own, whatever its metadata says")
			assert.Equal(t, o.Bytes == 4, o.SHA256 == sum([]byte("TWO!")))
			assert.False(t, o.Encrypted)
		}
		if o.Key == "a/1" && !o.Mark {
			versions++
			assert.Equal(t, one, o.SHA256)
			assert.False(t, o.Current)
		}
	}
	require.GreaterOrEqual(t, versions, 2)
	gone, err := s.Erase(t.Context(), "a/", which)
	require.NoError(t, err)
	assert.Len(t, gone, len(there))
	for _, o := range listed(t, s) {
		assert.Contains(t, []string{"a/3", "b/1"}, o.Key, "%v", o)
	}
	gone, err = s.Erase(t.Context(), "a/", which)
	require.NoError(t, err, "again")
	assert.Empty(t, gone)

	part := Open(t, v.URL+"&prefix=a/", d)
	gone, err = part.Erase(t.Context(), "", func(string) bool { return true })
	require.NoError(t, err)
	assert.NotEmpty(t, gone)
	for _, o := range listed(t, s) {
		assert.Equal(t, "b/1", o.Key, "beyond the part")
	}
	deleted, err := s.EraseLeg(t.Context(), "b", "b/1")
	require.NoError(t, err)
	assert.True(t, deleted)
	deleted, err = s.EraseLeg(t.Context(), "b", "b/1")
	require.NoError(t, err)
	assert.False(t, deleted)
	_, err = s.EraseLeg(t.Context(), "c", "b/1")
	require.ErrorContains(t, err, "not below")
	assert.Empty(t, listed(t, s))
}

// RunUnversioned holds a driver to listing a bucket without versions as it is.
func RunUnversioned(t *testing.T, s *storage.Store) {
	t.Helper()
	assert.Empty(t, listed(t, s))
	putNamed(t, s, "b/1", "one")
	putNamed(t, s, "b/2", "two")
	putNamed(t, s, "b-", "three")
	all := listed(t, s)
	assert.Equal(t, []string{"b-", "b/1", "b/2"}, keysOf(all))
	for _, o := range all {
		assert.True(t, o.Current && !o.Deleted, "%v", o)
		assert.False(t, o.ModTime.IsZero())
		assert.Equal(t, map[string]int64{"b-": 5, "b/1": 3, "b/2": 3}[o.Key], o.Bytes)
	}
	gone, err := s.Erase(t.Context(), "b/", func(key string) bool { return key == "b/1" })
	require.NoError(t, err)
	assert.Len(t, gone, 1)
	assert.Equal(t, []string{"b-", "b/2"}, keysOf(listed(t, s)))
}

func keysOf(all []record.Listed) []string {
	keys := make([]string, len(all))
	for i := range all {
		keys[i] = all[i].Key
	}
	return keys
}
