package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

func put(t *testing.T, s *storage.Store, name, text string) record.ObjectInfo {
	t.Helper()
	info, err := s.PutNamed(t.Context(), name, record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	require.NoError(t, err)
	return info
}

// list is all that is listed, with pages of the server's own size.
func list(t *testing.T, s *storage.Store) (all []record.Listed) {
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

func text(t *testing.T, s *storage.Store, key string) string {
	t.Helper()
	r, err := s.Open(t.Context(), key)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(b)
}

// What was deleted or overwritten is listed and can be brought back; nothing is lost by it.
func TestVersions(t *testing.T) {
	srv := buckettest.S3Versions(t)
	srv.Setenv(t)
	s := drivertest.Open(t, srv.URL, s3.Driver())
	one := put(t, s, "a/1", "one")
	put(t, s, "a/2", "two")
	srv.Delete(t, "a/1")
	srv.Overwrite(t, "a/2", "TWO!")

	all := list(t, s)
	require.Len(t, all, 4)
	assert.True(t, all[0].Key == "a/1" && all[1].Key == "a/1" && !all[0].Current && !all[1].Current)
	assert.NotEqual(t, all[0].Deleted, all[1].Deleted, "a mark and a version")
	assert.True(t, all[2].Current && all[2].Bytes == 4 && !all[3].Current && all[3].Bytes == 3)
	lost := all[0]
	if lost.Deleted {
		lost = all[1]
	}
	done, err := s.Restore(t.Context(), "a/1", lost.Version, strings.Repeat("0", 64))
	require.NoError(t, err)
	require.False(t, done, "another's version")
	done, err = s.Restore(t.Context(), "a/1", lost.Version, one.SHA256)
	require.NoError(t, err)
	require.True(t, done)
	assert.Equal(t, "one", text(t, s, "a/1"))
	head, err := s.Stat(t.Context(), "a/1")
	require.NoError(t, err)
	assert.Equal(t, one.SHA256, head.SHA256, "its metadata came along")
	sum, err := s.SHA256(t.Context(), "a/1")
	require.NoError(t, err)
	assert.Equal(t, one.SHA256, sum)
	assert.Len(t, list(t, s), 5)
}

// A bucket without versions is listed by the same pages.
func TestListPageWithoutVersions(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	s := drivertest.Open(t, srv.URL, s3.Driver())
	put(t, s, "b/1", "one")
	put(t, s, "b/2", "two")
	put(t, s, "b-", "three")
	all := list(t, s)
	require.Len(t, all, 3)
	assert.Equal(t, "b-", all[0].Key)
	assert.True(t, all[1].Current)
	assert.EqualValues(t, 3, all[1].Bytes)
	assert.Empty(t, all[1].Version)

	part := drivertest.Open(t, srv.URL+"&prefix=b/", s3.Driver())
	in := list(t, part)
	require.Len(t, in, 2)
	assert.Equal(t, "1", in[0].Key)
}

// A store that knows no versions, or doesn't let them be listed, is listed as it is, page by
// page.
func TestListPageWhereVersionsCantBeListed(t *testing.T) {
	for code, status := range map[string]int{"NotImplemented": http.StatusNotImplemented, "AccessDenied": http.StatusForbidden} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			w.Header().Set("Content-Type", "application/xml")
			switch {
			case q.Has("versions"):
				w.WriteHeader(status)
				_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
			case q.Get("continuation-token") == "next":
				_, _ = io.WriteString(w, "<ListBucketResult><Contents><Key>b</Key><Size>2</Size><LastModified>2026-03-01T00:00:00Z</LastModified><ETag>x</ETag></Contents></ListBucketResult>")
			default:
				_, _ = io.WriteString(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>next</NextContinuationToken><Contents><Key>a</Key><Size>1</Size><LastModified>2026-03-01T00:00:00Z</LastModified><ETag>x</ETag></Contents></ListBucketResult>")
			}
		}))
		t.Cleanup(srv.Close)
		for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"} {
			t.Setenv(name, value)
		}
		s := drivertest.Open(t, "s3://recordings?region=us-east-1&use_path_style=true&request_checksum_calculation=when_required&endpoint="+srv.URL, s3.Driver())
		all := list(t, s)
		require.Len(t, all, 2, code)
		assert.Equal(t, "b", all[1].Key)
		assert.True(t, all[1].Current)
		_, err := s.Restore(t.Context(), "a", "", "")
		assert.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(err))
	}
}
