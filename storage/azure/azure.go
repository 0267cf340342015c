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
// URLs are shared access signatures. Only the account's key, also one in a
// connection string, can make them.
package azure

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens azblob:// URLs.
func Driver() storage.Driver {
	return storage.Driver{
		Scheme:    azureblob.Scheme,
		Fault:     fault,
		SignedURL: sign,
	}
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
