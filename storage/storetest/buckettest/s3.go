package buckettest

import (
	"os"
	"path/filepath"
	"testing"
)

// S3 starts versitygw, which checks signatures and does multipart uploads.
func S3(t testing.TB) *Server {
	t.Helper()
	exe := find(t, "versitygw", "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	const access, secret = "switchtape-test", "switchtape-test-secret"
	root := t.TempDir()
	dir := filepath.Join(root, "data", bucket)
	sidecar := filepath.Join(root, "meta") // not every file system has extended attributes
	for _, d := range []string{dir, sidecar} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	addr := freePort(t)
	start(t, addr, exe, "--quiet", "--port", addr, "--access", access, "--secret", secret, "posix", "--sidecar", sidecar, filepath.Dir(dir))
	return &Server{
		URL: "s3://" + bucket + "?region=us-east-1&use_path_style=true&disable_https=true&request_checksum_calculation=when_required&response_checksum_validation=when_required&endpoint=http://" + addr,
		Env: []string{"AWS_ACCESS_KEY_ID=" + access, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"},
		Dir: dir,
	}
}
