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
// Google encrypts all objects. kms_key_name=projects/P/locations/L/keyRings/R/cryptoKeys/K in
// the URL, or the bucket's default key, has it use a key of yours; the project's storage service
// agent must be let encrypt and decrypt with it.
//
// An upload that was cut leaves nothing that can be seen or is paid for: Google forgets
// it after a week.
//
// In a bucket with Object Versioning all generations of an object are listed, and can be
// gone back to; soft-deleted objects aren't.
//
// Google's client brings direct paths for gRPC, which take nearly 150 packages
// and 13 MB of a binary. Only URLs with grpc=true can use them, on machines of
// Google's. The client's build tag disable_grpc_modules leaves them out; gRPC
// goes the usual way then.
package gcs

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	gcstorage "cloud.google.com/go/storage"
	"gocloud.dev/blob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/gcp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens gs:// URLs.
func Driver() storage.Driver {
	return storage.Driver{
		Scheme:    gcsblob.Scheme,
		OpenHTTP:  open,
		Fault:     fault,
		SignedURL: signV4,
		SignApart: true,
		Versions:  versions(),
		Params:    []string{kmsKeyName},
		Uploads:   uploads,
	}
}

// kmsKeyName is the parameter of the URL that names the key that objects are encrypted with
// (Cloud Storage, "Customer-managed encryption keys").
const kmsKeyName = "kms_key_name"

// uploads says by which key the bucket is to encrypt, and which object alone is replaced.
func uploads(params url.Values) (func(as func(any) bool, over *blob.Attributes) error, error) {
	key := params.Get(kmsKeyName)
	return func(as func(any) bool, over *blob.Attributes) error {
		if over != nil {
			var o **gcstorage.ObjectHandle
			var is gcstorage.ObjectAttrs
			if !as(&o) || !over.As(&is) {
				return errNoClient
			}
			*o = (*o).If(gcstorage.Conditions{GenerationMatch: is.Generation})
		}
		var w *gcstorage.Writer
		if !as(&w) {
			return errNoClient
		}
		w.KMSKeyName = key
		return nil
	}, nil
}

// open opens the bucket with a client like that of gocloud's opener whose connections
// don't hang. Buckets that are spoken to over gRPC are gocloud's.
func open(ctx context.Context, u *url.URL, tune func(*http.Transport)) (*blob.Bucket, error) {
	q := u.Query()
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok || isTrue(q.Get("grpc")) || isTrue(q.Get("zonal")) {
		return blob.DefaultURLMux().OpenBucketURL(ctx, u)
	}
	transport = transport.Clone()
	tune(transport)
	client, err := connect(ctx, q, transport)
	if err != nil {
		return nil, err
	}
	// By itself it tries again until the context ends.
	client.SetRetry(gcstorage.WithMaxAttempts(maxAttempts), gcstorage.WithErrorFunc(worthARetry))
	return gcsblob.OpenBucket(ctx, nil, u.Host, &gcsblob.Options{Client: client})
}

// maxAttempts is how often a request is sent at most.
const maxAttempts = 3

func isTrue(s string) bool { b, err := strconv.ParseBool(s); return err == nil && b }

// connect makes a client with Google's application default credentials, or without
// any for an emulator and where the URL says so.
func connect(ctx context.Context, q url.Values, transport http.RoundTripper) (*gcstorage.Client, error) {
	if isTrue(q.Get("anonymous")) || q.Get("access_id") == "-" || os.Getenv("STORAGE_EMULATOR_HOST") != "" {
		return gcstorage.NewClient(ctx, option.WithHTTPClient(&http.Client{Transport: transport}))
	}
	var opts []option.ClientOption
	creds, err := gcp.DefaultCredentialsWithParams(ctx, google.CredentialsParams{UniverseDomain: q.Get("universe_domain")})
	if err != nil {
		return nil, err
	}
	if domain, err := creds.GetUniverseDomain(); err == nil && domain != "" {
		opts = append(opts, option.WithUniverseDomain(domain))
	}
	client, err := gcp.NewHTTPClient(transport, gcp.CredentialsTokenSource(creds))
	if err != nil {
		return nil, err
	}
	return gcstorage.NewClient(ctx, append(opts, option.WithHTTPClient(&client.Client))...)
}

// worthARetry is for what a moment mends: whoever asked the Store knows better how to
// wait for the rest.
func worthARetry(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return false // it has stood still for storage.Options.Stall
	}
	return fault(err).RetryAfter == 0 && gcstorage.ShouldRetry(err)
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
