package s3_test

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/s3"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// keeper stands before a server and may answer in its place.
type keeper struct {
	proxy http.Handler

	mu      sync.Mutex
	locked  bool // refuses uploads without a checksum in the header
	answers func(w http.ResponseWriter, r *http.Request) bool
	bare    int // uploads without a checksum in the header that the server got
	summed  int // and with one
}

func keep(addr string) *keeper {
	return &keeper{proxy: &httputil.ReverseProxy{
		Rewrite:  func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", addr },
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}}
}

func (k *keeper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.answers != nil && k.answers(w, r) {
		return
	}
	if r.Method == http.MethodPut && !k.upload(w, r) {
		return
	}
	k.proxy.ServeHTTP(w, r)
}

// upload counts an upload, and reports whether it may go on.
func (k *keeper) upload(w http.ResponseWriter, r *http.Request) bool {
	has := r.Header.Get("Content-MD5") != ""
	for name := range r.Header {
		has = has || strings.HasPrefix(strings.ToLower(name), "x-amz-checksum-")
	}
	switch {
	case has:
		k.summed++
	case k.locked:
		_, _ = io.Copy(io.Discard, r.Body)
		refuse(w, http.StatusBadRequest, "InvalidRequest")
		return false
	default:
		k.bare++
	}
	return true
}

func (k *keeper) counted() (bare, summed int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.bare, k.summed
}

func (k *keeper) lock() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.locked = true
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as it is</Message></Error>", code)
}

// behind opens the server's bucket through the keeper, without what its URL says of
// checksums.
func behind(t *testing.T, srv *buckettest.Server, k func(addr string) *keeper) (*keeper, *storage.Store) {
	t.Helper()
	before, addr, _ := strings.Cut(srv.URL, "endpoint=http://")
	front := k(addr)
	l := httptest.NewServer(front)
	t.Cleanup(l.Close)
	before = strings.Replace(before, "request_checksum_calculation=when_required&", "", 1)
	require.NotContains(t, before, "request_checksum")
	return front, drivertest.Open(t, before+"endpoint="+l.URL, s3.Driver())
}

// putBytes puts so many bytes that are told from others by their number.
func putBytes(t *testing.T, s *storage.Store, id string, n int) error {
	t.Helper()
	k := record.ObjectKey{
		TenantID: "acme", CallID: "c1", RecordingID: callmodel.RecordingID(id), StartedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), Version: 1, Ext: "wav",
	}
	info, err := s.Put(t.Context(), k, record.ObjectMeta{}, func(w io.Writer) error {
		_, err := w.Write(bytes.Repeat([]byte{byte(n)}, n))
		return err
	})
	if err == nil {
		sum, err := s.SHA256(t.Context(), info.Key.String())
		require.NoError(t, err)
		assert.Equal(t, info.SHA256, sum)
	}
	return err
}

// severalParts is more than is sent in one.
const severalParts = 20 << 20

// A bucket with Object Lock gets a checksum with each upload, of one part or of several.
func TestObjectLock(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	for name, answer := range map[string]func(w http.ResponseWriter){
		"says so": func(w http.ResponseWriter) {
			fmt.Fprint(w, `<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>`)
		},
		"may not say":  func(w http.ResponseWriter) { refuse(w, http.StatusForbidden, "AccessDenied") },
		"doesn't know": func(w http.ResponseWriter) { refuse(w, http.StatusInternalServerError, "InternalError") },
	} {
		t.Run(name, func(t *testing.T) {
			k, s := behind(t, srv, keep)
			k.locked = true
			k.answers = func(w http.ResponseWriter, r *http.Request) bool {
				asked := r.Method == http.MethodGet && r.URL.Query().Has("object-lock")
				if asked {
					answer(w)
				}
				return asked
			}
			for i, n := range []int{1000, severalParts, 1000} {
				require.NoError(t, putBytes(t, s, fmt.Sprintf("%s-%d", strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), "'", ""), i), n))
			}
			bare, summed := k.counted()
			assert.Zero(t, bare)
			assert.Equal(t, 6, summed)
		})
	}
}

// A bucket without Object Lock is asked once, and gets none from then on; one that is
// locked later gets them as soon as it has refused an upload.
func TestObjectLockComesLater(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	k, s := behind(t, srv, keep)
	for i := range 3 {
		require.NoError(t, putBytes(t, s, fmt.Sprint("r", i), 1000))
	}
	bare, summed := k.counted()
	assert.Equal(t, 1, summed, "of the first one it isn't known yet")
	assert.Equal(t, 2, bare)
	k.lock()
	require.NoError(t, putBytes(t, s, "locked", severalParts))
	require.NoError(t, putBytes(t, s, "locked2", 1000))
	bare, summed = k.counted()
	assert.Equal(t, 2, bare)
	assert.Equal(t, 6, summed)
}

// Servers that refuse bodies in the encoding aws-chunked, with a checksum behind, take
// uploads by a URL that says nothing of checksums. Over TLS Amazon's SDK would send such.
func TestNoChunkedBodies(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	before, addr, _ := strings.Cut(srv.URL, "endpoint=http://")
	k := keep(addr)
	k.answers = func(w http.ResponseWriter, r *http.Request) bool {
		chunked := strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") || strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-")
		if chunked {
			refuse(w, http.StatusNotImplemented, "NotImplemented")
		}
		return chunked
	}
	front := httptest.NewTLSServer(k)
	t.Cleanup(front.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw}), 0o600))
	t.Setenv("AWS_CA_BUNDLE", ca)
	before = strings.Replace(strings.Replace(before, "request_checksum_calculation=when_required&", "", 1), "disable_https=true&", "", 1)
	s := drivertest.Open(t, before+"endpoint="+front.URL, s3.Driver())
	require.NoError(t, putBytes(t, s, "small", 1000))
	require.NoError(t, putBytes(t, s, "large", severalParts))

	chunks := drivertest.Open(t, before+"request_checksum_calculation=when_supported&endpoint="+front.URL, s3.Driver())
	require.Error(t, putBytes(t, chunks, "refused", 1000), "who asks for them gets them")
}

// An upload in parts that the server says has succeeded, and of which it has nothing, or
// whose end it answers with an error under status 200, isn't taken for a success.
func TestFalseSuccess(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	completes := func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"an error with status 200": func(w http.ResponseWriter, r *http.Request) bool {
			if completes(r) {
				refuse(w, http.StatusOK, "InternalError")
			}
			return completes(r)
		},
		"a success of nothing": func(w http.ResponseWriter, r *http.Request) bool {
			if completes(r) {
				fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"x-1"</ETag></CompleteMultipartUploadResult>`)
			}
			return completes(r)
		},
		"a small one's success of nothing": func(w http.ResponseWriter, r *http.Request) bool {
			small := r.Method == http.MethodPut && !r.URL.Query().Has("uploadId")
			if small {
				_, _ = io.Copy(io.Discard, r.Body)
				w.Header().Set("ETag", `"x"`)
			}
			return small
		},
	} {
		t.Run(name, func(t *testing.T) {
			n := severalParts
			if strings.HasPrefix(name, "a small") {
				n = 1000
			}
			id := strings.ReplaceAll(name, " ", "-")
			id = strings.ReplaceAll(id, "'", "")
			k, s := behind(t, srv, keep)
			k.answers = answer
			err := putBytes(t, s, id, n)
			var later *callmodel.RetryAfterError
			require.ErrorAs(t, err, &later, "%v", err)
			k.mu.Lock()
			k.answers = nil
			k.mu.Unlock()
			require.NoError(t, putBytes(t, s, id, n))
		})
	}
}
