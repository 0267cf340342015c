package buckettest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const access, secret = "switchtape-test", "switchtape-test-secret"

// S3 starts versitygw, which checks signatures and does multipart uploads.
func S3(t testing.TB) *Server {
	t.Helper()
	return versity(t, bucket)
}

// S3Named is S3 with a bucket of another name, for tests that have several: a bucket's name
// tells it from others.
func S3Named(t testing.TB, name string) *Server {
	t.Helper()
	return versity(t, name)
}

// Versioned is a server whose bucket keeps what was overwritten or deleted.
type Versioned struct {
	*Server

	remove func(key string) error
	put    func(key, text string, metadata map[string]string) error
}

// Delete deletes an object, as somebody with a console does.
func (v *Versioned) Delete(t testing.TB, key string) {
	t.Helper()
	if err := v.remove(key); err != nil {
		t.Fatal(err)
	}
}

// Overwrite puts other bytes over an object, with that SHA-256 in its metadata, "" for none.
func (v *Versioned) Overwrite(t testing.TB, key, text, sha256 string) {
	t.Helper()
	var metadata map[string]string
	if sha256 != "" {
		metadata = map[string]string{"sha256": sha256}
	}
	if err := v.put(key, text, metadata); err != nil {
		t.Fatal(err)
	}
}

// S3Versions is S3 with a bucket that keeps versions. Its directory needs a file system
// with extended attributes: in files of their own the gateway leaves the mark of a deletion
// beside what is put there later.
func S3Versions(t testing.TB) *Versioned {
	t.Helper()
	kept := t.TempDir()
	srv := versity(t, bucket, "--versioning-dir", kept)
	client, ctx := srv.client(), context.WithoutCancel(t.Context())
	_, err := client.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: aws.String(bucket), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Versioned{srv, func(key string) error {
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
		return err
	}, func(key, text string, metadata map[string]string) error {
		_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: strings.NewReader(text), Metadata: metadata})
		return err
	}}
}

// client is one of an S3 server.
func (s *Server) client() *s3.Client {
	_, endpoint, _ := strings.Cut(s.URL, "&endpoint=")
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: aws.String(endpoint), UsePathStyle: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: access, SecretAccessKey: secret}, nil
		}),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
}

// Uploads are the keys of uploads in parts that have begun at an S3 server and not ended.
func (s *Server) Uploads(ctx context.Context) ([]string, error) {
	pages := s3.NewListMultipartUploadsPaginator(s.client(), &s3.ListMultipartUploadsInput{Bucket: aws.String(filepath.Base(s.Dir))})
	var keys []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Uploads {
			keys = append(keys, aws.ToString(u.Key))
		}
	}
	return keys, nil
}

// versity starts the gateway with a bucket of that name, and with other arguments of its
// posix back end than those that have it keep attributes in files of their own.
func versity(t testing.TB, bucket string, attributes ...string) *Server {
	t.Helper()
	exe := find(t, "versitygw", "go install github.com/versity/versitygw/cmd/versitygw@v1.8.0")
	root := t.TempDir()
	dir := filepath.Join(root, "data", bucket)
	sidecar := filepath.Join(root, "meta") // not every file system has extended attributes
	for _, d := range []string{dir, sidecar} {
		if err := os.MkdirAll(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if len(attributes) == 0 {
		attributes = []string{"--sidecar", sidecar}
	}
	addr := freePort(t)
	args := append([]string{"--quiet", "--port", addr, "--access", access, "--secret", secret, "posix"}, attributes...)
	start(t, addr, exe, append(args, filepath.Dir(dir))...)
	return &Server{
		URL: "s3://" + bucket + "?region=us-east-1&use_path_style=true&disable_https=true&request_checksum_calculation=when_required&response_checksum_validation=when_required&endpoint=http://" + addr,
		Env: []string{"AWS_ACCESS_KEY_ID=" + access, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true"},
		Dir: dir,
	}
}

// Lock has the bucket keep what is current of the key until that time, whoever deletes it
// (Object Lock, in the mode of compliance).
func (v *Versioned) Lock(t testing.TB, key string, until time.Time) {
	t.Helper()
	client, ctx := v.client(), context.WithoutCancel(t.Context())
	_, err := client.PutObjectLockConfiguration(ctx, &s3.PutObjectLockConfigurationInput{
		Bucket: aws.String(bucket), ObjectLockConfiguration: &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.PutObjectRetention(ctx, &s3.PutObjectRetentionInput{
		Bucket: aws.String(bucket), Key: aws.String(key),
		Retention: &types.ObjectLockRetention{Mode: types.ObjectLockRetentionModeCompliance, RetainUntilDate: aws.Time(until)},
	})
	if err != nil {
		t.Fatal(err)
	}
}
