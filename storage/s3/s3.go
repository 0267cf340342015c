// Package s3 lets a [storage.Store] be a bucket of Amazon S3, or of any store
// that speaks its protocol:
//
//	s3://recordings?region=eu-central-1
//	s3://recordings?endpoint=https://minio.example.com&use_path_style=true&request_checksum_calculation=when_required
//
// Credentials and what the URL doesn't say are found the way Amazon's SDK finds
// them: in the environment, the shared configuration files, or from the machine.
// gocloud.dev/aws lists the URL's parameters, gocloud.dev/blob/s3blob some more
// (ssetype, kmskeyid, accelerate, use_path_style, disable_https), and prefix
// names a part of a bucket. Stores that aren't Amazon's need
// request_checksum_calculation=when_required.
//
// Every bucket should have a rule that aborts incomplete multipart uploads: the
// parts of an upload whose process was killed stay there otherwise. URLs are
// signed in version 4 for up to seven days, or as long as the credentials are
// valid if that is shorter.
package s3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens s3:// URLs.
func Driver() storage.Driver {
	return storage.Driver{Scheme: s3blob.Scheme, OpenHTTP: open, Fault: fault, LeavesParts: true}
}

// open is gocloud's opener, whose client is replaced by one like it whose
// connections don't hang.
func open(ctx context.Context, u *url.URL, tune func(*http.Transport)) (*blob.Bucket, error) {
	var opener s3blob.URLOpener
	b, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, err
	}
	var client *s3.Client
	if !b.As(&client) {
		return b, nil
	}
	o := client.Options()
	if own, ok := o.HTTPClient.(*awshttp.BuildableClient); ok { // with the certificates of the environment
		o.HTTPClient = own.WithTransportOptions(tune)
	}
	o.Retryer = patient{o.Retryer}
	steady, err := s3blob.OpenBucket(ctx, s3.New(o), u.Host, &opener.Options)
	return steady, errors.Join(err, b.Close())
}

// patient retries what Amazon's SDK does, but for what waiting a moment doesn't
// mend: whoever asked the Store knows better how to wait.
type patient struct{ aws.Retryer }

func (p patient) IsErrorRetryable(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return false // it has stood still for storage.Options.Stall
	}
	return fault(err).RetryAfter == 0 && p.Retryer.IsErrorRetryable(err)
}

// fault is what the server's answer means.
func fault(err error) storage.Fault {
	var code string
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		code = e.ErrorCode()
	}
	e, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || e.Response == nil {
		if code == "NoSuchBucket" {
			return storage.Fault{Reason: callmodel.BucketMissing}
		}
		return storage.Fault{}
	}
	return storage.HTTPFault(e.HTTPStatusCode(), e.Response.Header, code, time.Now()) //nolint:forbidigo // dates in headers are times of day
}
