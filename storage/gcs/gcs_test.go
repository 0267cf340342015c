package gcs_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/gcs"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

func TestDriver(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	drivertest.Run(t, drivertest.Harness{Open: func() *storage.Store { return drivertest.Open(t, srv.URL, gcs.Driver()) }})
}

func TestVersions(t *testing.T) {
	srv := buckettest.GCSVersions(t)
	srv.Setenv(t)
	drivertest.RunVersions(t, drivertest.Versioned{URL: srv.URL, Delete: srv.Delete, Overwrite: srv.Overwrite}, gcs.Driver())
}

func TestUnversioned(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	drivertest.RunUnversioned(t, drivertest.Open(t, srv.URL, gcs.Driver()))
}

func TestEncrypted(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	drivertest.RunEncrypted(t, srv.URL, gcs.Driver())
}

func TestEncryptedVersions(t *testing.T) {
	srv := buckettest.GCSVersions(t)
	srv.Setenv(t)
	drivertest.RunEncryptedVersions(t, drivertest.Versioned{URL: srv.URL, Delete: srv.Delete, Overwrite: srv.Overwrite}, gcs.Driver())
}

func TestRewrap(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	drivertest.RunRewrap(t, srv.URL, gcs.Driver())
}

// The key that the bucket is to encrypt with is asked for with each upload.
func TestEncryptionKey(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	const key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
	drivertest.RunAsked(t, os.Getenv("STORAGE_EMULATOR_HOST"), func(addr string) *storage.Store {
		t.Setenv("STORAGE_EMULATOR_HOST", addr)
		return drivertest.Open(t, srv.URL+"&kms_key_name="+url.QueryEscape(key), gcs.Driver())
	}, map[string]string{"kmsKeyName": key})
}

// A bucket of legs that doesn't exist is away, and not empty.
func TestLegs(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	nowhere := strings.Replace(srv.URL, "://recordings", "://nowhere", 1)
	drivertest.RunLegs(t, drivertest.Open(t, srv.URL, gcs.Driver()), drivertest.Open(t, nowhere, gcs.Driver()))
}

// The server checks no signatures; that they are of version 4 can be seen.
func TestSignedURL(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1") // keeps gocloud from looking for the machine's credentials
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))

	s := drivertest.Open(t, "gs://recordings?access_id=signer@acme.example&private_key_path="+url.QueryEscape(file), gcs.Driver())
	signed, err := s.SignedURL(t.Context(), "acme/call.wav", time.Minute)
	require.NoError(t, err)
	u, err := url.Parse(signed)
	require.NoError(t, err)
	assert.Equal(t, "/recordings/acme/call.wav", u.Path)
	assert.Equal(t, "GOOG4-RSA-SHA256", u.Query().Get("X-Goog-Algorithm"))
	assert.Contains(t, []string{"59", "60"}, u.Query().Get("X-Goog-Expires"))
	assert.NotEmpty(t, u.Query().Get("X-Goog-Signature"))
}

func TestSigningNeedsAKey(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", "127.0.0.1:1")
	_, err := drivertest.Open(t, "gs://recordings?anonymous=true", gcs.Driver()).SignedURL(t.Context(), "acme/call.wav", time.Minute)
	assert.Equal(t, callmodel.CodeUnsupported, callmodel.CodeOf(err), "%v", err)
}

func Example() {
	store, err := storage.Open(context.Background(), "gs://recordings", &storage.Options{Drivers: []storage.Driver{gcs.Driver()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(store.URL("acme/call.wav")) // gs://recordings/acme/call.wav
}

// A bucket that can't be used says why.
func TestAway(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	drivertest.RunAway(t, drivertest.Open(t, strings.Replace(srv.URL, "://recordings", "://nowhere", 1), gcs.Driver()), callmodel.BucketMissing)
}

// A server that stands still is given up.
func TestStalls(t *testing.T) {
	drivertest.RunStalls(t, func(addr string) string {
		t.Setenv("STORAGE_EMULATOR_HOST", addr)
		return "gs://recordings?anonymous=true"
	}, gcs.Driver())
}

// What the bucket holds is compared with what was sent, and not with its metadata.
func TestFlips(t *testing.T) {
	srv := buckettest.GCS(t)
	srv.Setenv(t)
	drivertest.RunFlips(t, os.Getenv("STORAGE_EMULATOR_HOST"), func(addr string) *storage.Store {
		t.Setenv("STORAGE_EMULATOR_HOST", addr)
		return drivertest.Open(t, srv.URL, gcs.Driver())
	})
}
