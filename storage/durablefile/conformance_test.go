package durablefile

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
	"gocloud.dev/blob/fileblob"
)

// harness runs gocloud's own suite for drivers on a directory.
type harness struct {
	dir    string
	opts   Options
	server *httptest.Server
}

func newHarness(t *testing.T, opts Options) *harness {
	t.Helper()
	h := &harness{dir: t.TempDir(), opts: opts}
	h.server = httptest.NewServer(http.HandlerFunc(h.serve))
	u, err := url.Parse(h.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	h.opts.Signer = fileblob.NewURLSignerHMAC(u, []byte("a secret of the test"))
	return h
}

func (h *harness) MakeDriver(context.Context) (driver.Bucket, error) {
	return openDriver(h.dir, &h.opts)
}

func (h *harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	return nil, nil //nolint:nilnil // gocloud's way to say that a directory must exist to be opened
}
func (h *harness) HTTPClient() *http.Client         { return &http.Client{} }
func (h *harness) SupportsCopy() bool               { return true }
func (h *harness) SupportsNonSlashDelimiters() bool { return true }
func (h *harness) Close()                           { h.server.Close() }

func (h *harness) serve(w http.ResponseWriter, r *http.Request) {
	key, err := h.opts.Signer.KeyFromURL(r.Context(), r.URL)
	method := r.URL.Query().Get("method")
	if method == "" {
		method = http.MethodGet
	}
	if err != nil || method != r.Method || r.Header.Get("Content-Type") != r.URL.Query().Get("contentType") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	b, err := OpenBucket(h.dir, &h.opts)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	defer b.Close()
	switch r.Method {
	case http.MethodPut:
		err = b.Upload(r.Context(), key, r.Body, &blob.WriterOptions{ContentType: "text/plain"})
	case http.MethodDelete:
		err = b.Delete(r.Context(), key)
	default:
		var data []byte
		if data, err = b.ReadAll(r.Context(), key); err == nil {
			_, err = io.Copy(w, bytes.NewReader(data))
		}
	}
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
	}
}

type verifyAs struct{}

func (verifyAs) Name() string                           { return "path errors" }
func (verifyAs) BucketCheck(*blob.Bucket) error         { return nil }
func (verifyAs) BeforeRead(func(any) bool) error        { return nil }
func (verifyAs) BeforeWrite(func(any) bool) error       { return nil }
func (verifyAs) BeforeCopy(func(any) bool) error        { return nil }
func (verifyAs) BeforeDelete(func(any) bool) error      { return nil }
func (verifyAs) BeforeList(func(any) bool) error        { return nil }
func (verifyAs) BeforeSign(func(any) bool) error        { return nil }
func (verifyAs) AttributesCheck(*blob.Attributes) error { return nil }
func (verifyAs) ReaderCheck(*blob.Reader) error         { return nil }
func (verifyAs) ListObjectCheck(*blob.ListObject) error { return nil }
func (verifyAs) ErrorCheck(b *blob.Bucket, err error) error {
	var pe *os.PathError
	if !b.ErrorAs(err, &pe) {
		return err
	}
	return nil
}

func TestConformance(t *testing.T) {
	for name, opts := range map[string]Options{"unnamed": {}, "named": {NoUnnamed: true}} {
		t.Run(name, func(t *testing.T) {
			drivertest.RunConformanceTests(t, func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
				t.Helper()
				return newHarness(t, opts), nil
			}, []drivertest.AsTest{verifyAs{}})
		})
	}
}

func TestConformanceWithPrefix(t *testing.T) {
	drivertest.RunConformanceTests(t, func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
		t.Helper()
		return &prefixed{newHarness(t, Options{})}, nil
	}, nil)
}

type prefixed struct{ *harness }

func (p *prefixed) MakeDriver(ctx context.Context) (driver.Bucket, error) {
	d, err := p.harness.MakeDriver(ctx)
	if err != nil {
		return nil, err
	}
	return driver.NewPrefixedBucket(d, "some/prefix/"), nil
}

func BenchmarkBucket(b *testing.B) {
	bucket, err := OpenBucket(b.TempDir(), nil)
	if err != nil {
		b.Fatal(err)
	}
	drivertest.RunBenchmarks(b, bucket)
}
