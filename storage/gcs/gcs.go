// Package gcs lets a [storage.Store] be a bucket of Google Cloud Storage:
//
//	gs://recordings
//
// Credentials are Google's application default credentials.
// gocloud.dev/blob/gcsblob lists the URL's parameters (access_id,
// private_key_path, anonymous, grpc and others), and prefix names a part of a
// bucket. URLs are signed in version 4 for up to seven days, with the private
// key of the credentials or of private_key_path; on machines of Google's, which
// have no key, each costs a call of the IAM Credentials API.
//
// Google's client brings direct paths for gRPC, which take nearly 150 packages
// and 13 MB of a binary. Only URLs with grpc=true can use them, on machines of
// Google's. The client's build tag disable_grpc_modules leaves them out; gRPC
// goes the usual way then.
package gcs

import (
	"context"
	"errors"
	"time"

	gcstorage "cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens gs:// URLs.
func Driver() storage.Driver {
	return storage.Driver{
		Scheme:    gcsblob.Scheme,
		Fault:     fault,
		SignedURL: signV4,
	}
}

// signV4 makes Google's client sign in version 4; its default, version 2, is
// deprecated.
func signV4(ctx context.Context, b *blob.Bucket, key string, expiry time.Duration) (string, error) {
	return b.SignedURL(ctx, key, &blob.SignedURLOptions{Expiry: expiry, BeforeSign: func(asFunc func(any) bool) error {
		var o *gcstorage.SignedURLOptions
		if asFunc(&o) {
			o.Scheme = gcstorage.SigningSchemeV4
		}
		return nil
	}})
}

// fault is what the server's answer means.
func fault(err error) storage.Fault {
	if _, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return storage.Fault{Reason: callmodel.BucketForbidden} // no token for these credentials
	}
	if errors.Is(err, gcstorage.ErrBucketNotExist) {
		return storage.Fault{Reason: callmodel.BucketMissing}
	}
	e, ok := errors.AsType[*googleapi.Error](err)
	if !ok {
		return storage.Fault{}
	}
	var code string
	if len(e.Errors) > 0 {
		code = e.Errors[0].Reason
	}
	return storage.HTTPFault(e.Code, e.Header, code, time.Now()) //nolint:forbidigo // dates in headers are times of day
}
