package buckettest

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

// GCSVersions is GCS with a bucket that keeps versions.
func GCSVersions(t testing.TB) *Versioned {
	t.Helper()
	srv := GCS(t)
	_, addr, _ := strings.Cut(srv.Env[0], "=")
	ctx := context.WithoutCancel(t.Context())
	ask := func(method, path, contentType, body string) error {
		req, err := http.NewRequestWithContext(ctx, method, "http://"+addr+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", contentType)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if resp.StatusCode >= http.StatusMultipleChoices {
			err = errors.New(method + " " + path + ": " + resp.Status)
		}
		return errors.Join(err, resp.Body.Close())
	}
	const at = "/storage/v1/b/" + bucket
	if err := ask(http.MethodPatch, at, "application/json", `{"versioning":{"enabled":true}}`); err != nil {
		t.Fatal(err)
	}
	return &Versioned{srv, func(key string) error { return ask(http.MethodDelete, at+"/o/"+url.PathEscape(key), "", "") }, func(key, text string, metadata map[string]string) error {
		head, err := json.Marshal(map[string]any{"name": key, "metadata": metadata})
		if err != nil {
			return err
		}
		const part = "--part\r\nContent-Type: "
		return ask(http.MethodPost, "/upload"+at+"/o?uploadType=multipart", "multipart/related; boundary=part",
			part+"application/json\r\n\r\n"+string(head)+"\r\n"+part+"application/octet-stream\r\n\r\n"+text+"\r\n--part--\r\n")
	}}
}
