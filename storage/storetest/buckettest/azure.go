package buckettest

import (
	"net"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

// The account that every emulator of Azure's storage has; it is in its documentation, and no
// secret.
const (
	azureAccountName = "devstoreaccount1"
	azureKey         = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azure starts azurite, which checks signatures.
func Azure(t testing.TB) *Server {
	t.Helper()
	exe := find(t, "azurite-blob", "npm install -g azurite@3.35.0")
	addr := freePort(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	start(t, addr, exe, "--blobHost", host, "--blobPort", port, "--location", t.TempDir(), "--silent", "--skipApiVersionCheck", "--disableTelemetry")
	cred, err := azblob.NewSharedKeyCredential(azureAccountName, azureKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential("http://"+addr+"/"+azureAccountName, cred, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateContainer(t.Context(), bucket, nil); err != nil {
		t.Fatal(err)
	}
	return &Server{
		URL: "azblob://" + bucket + "?protocol=http&localemu=true&domain=" + addr,
		Env: azureEnv(),
	}
}

func azureEnv() []string {
	return []string{"AZURE_STORAGE_ACCOUNT=" + azureAccountName, "AZURE_STORAGE_KEY=" + azureKey}
}
