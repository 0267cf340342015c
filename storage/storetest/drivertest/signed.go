package drivertest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
)

// RunSigned tests the signed URLs of a bucket whose server checks signatures.
func RunSigned(t *testing.T, s *storage.Store) {
	t.Helper()
	ours, theirs := testKey("call-a"), testKey("call-b")
	for _, k := range []record.ObjectKey{ours, theirs} {
		_, err := s.Put(t.Context(), k, record.ObjectMeta{ContentType: "audio/wav"}, write([]byte("0123456789")))
		require.NoError(t, err)
	}
	signed, err := s.SignedURL(t.Context(), ours.String(), time.Minute)
	require.NoError(t, err)
	unsigned, _, found := strings.Cut(signed, "?")
	require.True(t, found)
	for _, c := range []struct {
		name, url, ranged string
		status            int
		body              string
	}{
		{"whole", signed, "", http.StatusOK, "0123456789"},
		{"a range", signed, "bytes=2-4", http.StatusPartialContent, "234"},
		{"of another object", strings.ReplaceAll(signed, "call-a", "call-b"), "", http.StatusForbidden, ""},
		{"without its signature", unsigned, "", 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
			require.NoError(t, err)
			if c.ranged != "" {
				req.Header.Set("Range", c.ranged)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close() //nolint:errcheck // only read from
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			if c.status == 0 { // which refusal it is differs from cloud to cloud
				assert.GreaterOrEqual(t, resp.StatusCode, http.StatusBadRequest)
				return
			}
			assert.Equal(t, c.status, resp.StatusCode, "%s", body)
			if c.body != "" {
				assert.Equal(t, c.body, string(body))
			}
		})
	}
}
