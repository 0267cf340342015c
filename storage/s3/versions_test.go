package s3_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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

func TestVersions(t *testing.T) {
	srv := buckettest.S3Versions(t)
	srv.Setenv(t)
	drivertest.RunVersions(t, drivertest.Versioned{URL: srv.URL, Delete: srv.Delete, Overwrite: srv.Overwrite}, s3.Driver())
}

func TestUnversioned(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	drivertest.RunUnversioned(t, drivertest.Open(t, srv.URL, s3.Driver()))
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
