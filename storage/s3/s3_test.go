package s3_test

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
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

func TestDriver(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	drivertest.Run(t, drivertest.Harness{
		Open:      func() *storage.Store { return drivertest.Open(t, srv.URL, s3.Driver()) },
		Leftovers: func() []string { return unfinished(t, srv.Dir) },
	})
}

func TestEncrypted(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	drivertest.RunEncrypted(t, srv.URL, s3.Driver())
}

func TestEncryptedVersions(t *testing.T) {
	srv := buckettest.S3Versions(t)
	srv.Setenv(t)
	drivertest.RunEncryptedVersions(t, drivertest.Versioned{URL: srv.URL, Delete: srv.Delete, Overwrite: srv.Overwrite}, s3.Driver())
}

func TestRewrap(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	drivertest.RunRewrap(t, srv.URL, s3.Driver())
}

// What the bucket is to encrypt itself is asked for with each upload.
func TestServerSideEncryption(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	before, addr, _ := strings.Cut(srv.URL, "endpoint=http://")
	for params, want := range map[string]map[string]string{
		"ssetype=AES256": {"X-Amz-Server-Side-Encryption": "AES256"},
		"ssetype=aws:kms&kmskeyid=arn:aws:kms:eu-central-1:1:key/k&bucket_key=true": {
			"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id": "arn:aws:kms:eu-central-1:1:key/k",
			"X-Amz-Server-Side-Encryption-Bucket-Key-Enabled": "true",
		},
	} {
		drivertest.RunAsked(t, addr, func(addr string) *storage.Store {
			return drivertest.Open(t, before+params+"&endpoint=http://"+addr, s3.Driver())
		}, want)
	}
	_, err := storage.Open(t.Context(), srv.URL+"&bucket_key=often", &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
	require.ErrorContains(t, err, "must be true or false")
}

// A bucket of legs that doesn't exist is away, and not empty.
func TestLegs(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	nowhere := strings.Replace(srv.URL, "://recordings", "://nowhere", 1)
	drivertest.RunLegs(t, drivertest.Open(t, srv.URL, s3.Driver()), drivertest.Open(t, nowhere, s3.Driver()))
}

// unfinished finds the parts that the server keeps of uploads that were neither
// completed nor aborted.
func unfinished(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	require.NoError(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(p, "sgwtmp") {
			list = append(list, p)
		}
		return err
	}))
	return list
}

// The server checks signatures, so that what it serves was signed rightly.
func TestSignedURL(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	drivertest.RunSigned(t, drivertest.Open(t, srv.URL, s3.Driver()))
}

func TestPartOfABucket(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	part := drivertest.Open(t, srv.URL+"&prefix=legs/", s3.Driver())
	info, err := part.PutNamed(t.Context(), "a.wav", record.ObjectMeta{}, func(w io.Writer) error {
		_, err := io.WriteString(w, "leg")
		return err
	})
	require.NoError(t, err)
	assert.Equal(t, "s3://recordings/legs/a.wav", info.URL)
	_, err = drivertest.Open(t, srv.URL, s3.Driver()).Stat(t.Context(), "legs/a.wav")
	require.NoError(t, err)
}

func TestWrongURLs(t *testing.T) {
	t.Parallel()
	_, err := storage.Open(t.Context(), "s3://recordings?regoin=eu-central-1", &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
	require.ErrorContains(t, err, "regoin")
	_, err = storage.Open(t.Context(), "s3://recordings/legs/?region=eu-central-1", &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
	require.ErrorContains(t, err, "s3://recordings?prefix=legs%2F")
}

func Example() {
	store, err := storage.Open(context.Background(), "s3://recordings?region=eu-central-1", &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(store.URL("acme/call.wav"))
	// Output: s3://recordings/acme/call.wav
}

// A bucket that can't be used says why.
func TestAway(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	drivertest.RunAway(t, drivertest.Open(t, strings.Replace(srv.URL, "://recordings", "://nowhere", 1), s3.Driver()), callmodel.BucketMissing)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	drivertest.RunAway(t, drivertest.Open(t, srv.URL, s3.Driver()), callmodel.BucketForbidden)
}

// A server that stands still is given up.
func TestStalls(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	drivertest.RunStalls(t, func(addr string) string {
		return "s3://recordings?region=us-east-1&use_path_style=true&request_checksum_calculation=when_required&endpoint=http://" + addr
	}, s3.Driver())
}

// What the bucket holds is compared with what was sent, and not with its metadata.
func TestFlips(t *testing.T) {
	srv := buckettest.S3(t)
	srv.Setenv(t)
	before, addr, _ := strings.Cut(srv.URL, "endpoint=http://")
	drivertest.RunFlips(t, addr, func(addr string) *storage.Store {
		return drivertest.Open(t, before+"endpoint=http://"+addr, s3.Driver())
	})
}
