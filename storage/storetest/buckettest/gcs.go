package buckettest

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// GCS starts fake-gcs-server, which speaks Google's protocol and checks no
// signatures.
func GCS(t testing.TB) *Server {
	t.Helper()
	exe := find(t, "fake-gcs-server", "go install github.com/fsouza/fake-gcs-server@v1.56.0")
	data := filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(filepath.Join(data, bucket), 0o750); err != nil { // a directory there is a bucket
		t.Fatal(err)
	}
	addr := freePort(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	start(t, addr, exe, "-scheme", "http", "-host", host, "-port", port, "-public-host", addr, "-external-url", "http://"+addr,
		"-backend", "memory", "-data", data, "-log-level", "error")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/storage/v1/b/"+bucket, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("the bucket isn't there: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	return &Server{URL: "gs://" + bucket + "?anonymous=true", Env: []string{"STORAGE_EMULATOR_HOST=" + addr}}
}
