package azure_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/azure"
	"github.com/switchtape/switchtape/storage/storetest/buckettest"
	"github.com/switchtape/switchtape/storage/storetest/drivertest"
)

// gocloud reads the account from the environment once in a process, so that
// there is one server for all.
func TestDriver(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	open := func() *storage.Store { return drivertest.Open(t, srv.URL, azure.Driver()) }
	drivertest.Run(t, drivertest.Harness{Open: open})
	t.Run("signed URLs", func(t *testing.T) { drivertest.RunSigned(t, open()) })
}

func TestVersions(t *testing.T) {
	srv := buckettest.AzureVersions(t)
	srv.Setenv(t)
	drivertest.RunVersions(t, drivertest.Versioned{URL: srv.URL, Delete: srv.Delete, Overwrite: srv.Overwrite}, azure.Driver())
}

func TestUnversioned(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	drivertest.RunUnversioned(t, drivertest.Open(t, srv.URL, azure.Driver()))
}

func TestEncrypted(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	drivertest.RunEncrypted(t, srv.URL, azure.Driver())
}

func TestEncryptedVersions(t *testing.T) {
	srv := buckettest.AzureVersions(t)
	srv.Setenv(t)
	drivertest.RunEncryptedVersions(t, drivertest.Versioned{URL: srv.URL, Delete: srv.Delete, Overwrite: srv.Overwrite}, azure.Driver())
}

func TestRewrap(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	drivertest.RunRewrap(t, srv.URL, azure.Driver())
}

// The scope that the account is to encrypt in is asked for with each upload.
func TestEncryptionScope(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	before, addr, _ := strings.Cut(srv.URL, "domain=")
	drivertest.RunAsked(t, addr, func(addr string) *storage.Store {
		return drivertest.Open(t, before+"encryption_scope=recordings&domain="+addr, azure.Driver())
	}, map[string]string{"X-Ms-Encryption-Scope": "recordings"})
}

// A bucket of legs that doesn't exist is away, and not empty.
func TestLegs(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	nowhere := strings.Replace(srv.URL, "://recordings", "://nowhere", 1)
	drivertest.RunLegs(t, drivertest.Open(t, srv.URL, azure.Driver()), drivertest.Open(t, nowhere, azure.Driver()))
}

// A container that can't be used says why.
func TestAway(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	drivertest.RunAway(t, drivertest.Open(t, strings.Replace(srv.URL, "://recordings", "://nowhere", 1), azure.Driver()), callmodel.BucketMissing)
	t.Setenv("AZURE_STORAGE_KEY", "YW55") // "any"
	drivertest.RunAway(t, drivertest.Open(t, srv.URL, azure.Driver()), callmodel.BucketForbidden)
}

// What the container holds is compared with what was sent, and not with its metadata.
func TestFlips(t *testing.T) {
	srv := buckettest.Azure(t)
	srv.Setenv(t)
	before, addr, _ := strings.Cut(srv.URL, "domain=")
	drivertest.RunFlips(t, addr, func(addr string) *storage.Store {
		return drivertest.Open(t, before+"domain="+addr, azure.Driver())
	})
}

// A server that stands still is given up.
func TestStalls(t *testing.T) {
	t.Setenv("AZURE_STORAGE_ACCOUNT", "acme")
	t.Setenv("AZURE_STORAGE_KEY", "YW55") // "any"
	drivertest.RunStalls(t, func(addr string) string {
		return "azblob://recordings?storage_account=acme&protocol=http&localemu=true&domain=" + addr
	}, azure.Driver())
}

func Example() {
	store, err := storage.Open(context.Background(), "azblob://recordings?storage_account=acme", &storage.Options{Drivers: []storage.Driver{azure.Driver()}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	fmt.Println(store.URL("acme/call.wav"))
	// Output: azblob://recordings/acme/call.wav
}
