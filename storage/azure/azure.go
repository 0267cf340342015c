// Package azure lets a [storage.Store] be a container of Azure Blob Storage:
//
//	azblob://recordings?storage_account=acme
//
// The account may be in AZURE_STORAGE_ACCOUNT instead. Credentials are the
// account's key in AZURE_STORAGE_KEY, a token in AZURE_STORAGE_SAS_TOKEN, a
// connection string in AZURE_STORAGE_CONNECTION_STRING, or else Azure's default
// credentials. gocloud.dev/blob/azureblob lists the URL's parameters (domain,
// protocol, cdn, localemu), and prefix names a part of a container.
//
// Azure encrypts all blobs. encryption_scope=NAME in the URL, or the container's default scope,
// has it use that scope's key, which may be one of yours in a key vault.
//
// The blocks of an upload that was cut can't be seen: Azure drops them after a week, and
// when the object is written.
//
// In an account with blob versioning all versions of a blob are listed, and can be gone back
// to; soft-deleted blobs aren't. The emulators know no versions: what is said of them here is
// tested against a server of the tests' own.
//
// URLs are shared access signatures. Only the account's key, also one in a
// connection string, can make them.
package azure

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azblobblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens azblob:// URLs.
func Driver() storage.Driver {
	return storage.Driver{
		Scheme:    azureblob.Scheme,
		OpenHTTP:  open,
		Fault:     fault,
		SignedURL: sign,
		Versions:  versions(),
		Params:    []string{encryptionScope},
		Uploads:   uploads,
	}
}

// encryptionScope is the parameter of the URL that names the scope whose key encrypts the
// blobs (Azure Storage, "Encryption scopes for Blob storage").
const encryptionScope = "encryption_scope"

// uploads says in which scope the account is to encrypt, and which blob alone is replaced.
func uploads(params url.Values) (func(as func(any) bool, over *blob.Attributes) error, error) {
	scope := params.Get(encryptionScope)
	return func(as func(any) bool, over *blob.Attributes) error {
		var o *azblob.UploadStreamOptions
		if !as(&o) {
			return errNoClient
		}
		if scope != "" {
			o.CPKScopeInfo = &azblobblob.CPKScopeInfo{EncryptionScope: &scope}
		}
		if over != nil {
			etag := azcore.ETag(over.ETag)
			o.AccessConditions = &azblobblob.AccessConditions{ModifiedAccessConditions: &azblobblob.ModifiedAccessConditions{IfMatch: &etag}}
		}
		return nil
	}, nil
}

// open is gocloud's opener, whose client is replaced by one with the same URL and
// credentials whose connections don't hang.
func open(ctx context.Context, u *url.URL, tune func(*http.Transport)) (*blob.Bucket, error) {
	b, err := blob.DefaultURLMux().OpenBucketURL(ctx, u)
	if err != nil {
		return nil, err
	}
	var plain *container.Client
	if !b.As(&plain) {
		return b, nil
	}
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return b, nil // the program has one of its own
	}
	transport = transport.Clone()
	tune(transport)
	o := policy.ClientOptions{
		Transport: &http.Client{Transport: letGo{transport}},
		Retry:     policy.RetryOptions{ShouldRetry: worthARetry},
	}
	client, err := connect(plain.URL(), u.Host, &container.ClientOptions{ClientOptions: o})
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	steady, err := azureblob.OpenBucket(ctx, client, nil)
	return steady, errors.Join(err, b.Close())
}

// connect makes a client with the credentials of the environment, in gocloud's order.
func connect(containerURL, name string, o *container.ClientOptions) (*container.Client, error) {
	account, key := os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY")
	connection := cmp.Or(os.Getenv("AZURE_STORAGE_CONNECTION_STRING"), os.Getenv("AZURE_STORAGEBLOB_CONNECTIONSTRING"))
	switch {
	case account != "" && key != "":
		cred, err := container.NewSharedKeyCredential(account, key)
		if err != nil {
			return nil, err
		}
		return container.NewClientWithSharedKeyCredential(containerURL, cred, o)
	case os.Getenv("AZURE_STORAGE_SAS_TOKEN") != "": // it is in the URL
		return container.NewClientWithNoCredential(containerURL, o)
	case connection != "":
		return container.NewClientFromConnectionString(connection, name, o)
	}
	cred, err := azidentity.NewDefaultAzureCredential(&azidentity.DefaultAzureCredentialOptions{ClientOptions: o.ClientOptions})
	if err != nil {
		return nil, err
	}
	return container.NewClient(containerURL, cred, o)
}

// worthARetry is for what a moment mends: whoever asked the Store knows better how to
// wait for the rest.
func worthARetry(resp *http.Response, err error) bool {
	if err != nil {
		e, ok := errors.AsType[net.Error](err)
		return !ok || !e.Timeout() // else it has stood still for storage.Options.Stall
	}
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return resp.Header.Get("Retry-After") == ""
	}
	return false
}

// sign names the lack of a key: Azure's client has an error of its own for it.
func sign(ctx context.Context, b *blob.Bucket, key string, expiry time.Duration) (string, error) {
	u, err := b.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: expiry})
	if errors.Is(err, bloberror.MissingSharedKeyCredential) {
		err = callmodel.Errorf(callmodel.CodeUnsupported, "%w; set AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY", err)
	}
	return u, err
}

// fault is what the server's answer means.
func fault(err error) storage.Fault {
	if _, ok := errors.AsType[*azidentity.AuthenticationFailedError](err); ok {
		return storage.Fault{Reason: callmodel.BucketForbidden} // no token for these credentials
	}
	e, ok := errors.AsType[*azcore.ResponseError](err)
	if !ok {
		return storage.Fault{}
	}
	var header http.Header
	if e.RawResponse != nil {
		header = e.RawResponse.Header
	}
	return storage.HTTPFault(e.StatusCode, header, e.ErrorCode, time.Now()) //nolint:forbidigo // dates in headers are times of day
}
