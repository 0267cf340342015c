// Package s3 lets a [storage.Store] be a bucket of Amazon S3, or of any store
// that speaks its protocol:
//
//	s3://recordings?region=eu-central-1
//	s3://recordings?endpoint=https://minio.example.com&use_path_style=true
//
// Credentials and what the URL doesn't say are found the way Amazon's SDK finds
// them: in the environment, the shared configuration files, or from the machine.
// gocloud.dev/aws lists the URL's parameters, gocloud.dev/blob/s3blob some more
// (ssetype, kmskeyid, accelerate, use_path_style, disable_https), and prefix
// names a part of a bucket.
//
// What the bucket is to encrypt itself is said by the URL, or by the bucket's own default:
//
//	ssetype=AES256                                      SSE-S3, keys of Amazon's
//	ssetype=aws:kms&kmskeyid=arn:aws:kms:…              SSE-KMS
//	ssetype=aws:kms&kmskeyid=…&bucket_key=true          with a key of the bucket's, which
//	                                                    asks KMS a hundredth as often
//
// Of what KMS encrypts the ETag is no MD5: each object is read back after its upload
// and its SHA-256 compared, for which the credentials need kms:Decrypt beside
// kms:GenerateDataKey.
//
// No checksum is sent behind a body (aws-chunked), which many
// stores that aren't Amazon's refuse, unless the URL says
// request_checksum_calculation=when_supported. Buckets with Object Lock get Content-MD5;
// whether there is one is asked after the first upload, for which s3:GetBucketObjectLockConfiguration
// is needed: without that permission all uploads have it.
//
// The parts of an upload whose process was killed, or whose line was cut, stay in the
// bucket until storage.Store.Sweep, which the worker calls, or a rule of the bucket that
// aborts incomplete multipart uploads takes them away. Sweep needs the permissions
// s3:ListBucketMultipartUploads and s3:AbortMultipartUpload. URLs are
// signed in version 4 for up to seven days, or as long as the credentials are
// valid if that is shorter.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"gocloud.dev/blob"
	"gocloud.dev/blob/s3blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens s3:// URLs.
func Driver() storage.Driver {
	return storage.Driver{Scheme: s3blob.Scheme, OpenHTTP: open, Fault: fault, Sweep: sweep, Versions: versions(), Params: []string{bucketKey}, Uploads: uploads, LeavesParts: true}
}

// bucketKey is the parameter of the URL that has a KMS key's bucket key used (Amazon S3 User
// Guide, "Reducing the cost of SSE-KMS with Amazon S3 Bucket Keys").
const bucketKey = "bucket_key"

// uploads says how the bucket is to encrypt, and which object alone is replaced.
func uploads(params url.Values) (func(as func(any) bool, over *blob.Attributes) error, error) {
	var key *bool
	if v := params.Get(bucketKey); v != "" {
		on, err := strconv.ParseBool(v)
		if err != nil {
			return nil, fmt.Errorf("%s=%s: must be true or false", bucketKey, v)
		}
		key = &on
	}
	return func(as func(any) bool, over *blob.Attributes) error {
		var in *transfermanager.UploadObjectInput
		if !as(&in) {
			return errNoClient
		}
		in.BucketKeyEnabled = key
		if over != nil {
			in.IfMatch = aws.String(over.ETag)
		}
		return nil
	}, nil
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
	o.APIOptions = append(o.APIOptions, abortApart)
	var sums *checksums // nil: the SDK makes them
	if !u.Query().Has("request_checksum_calculation") {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		opener.Options.RequestChecksumCalculation = o.RequestChecksumCalculation
	}
	if o.RequestChecksumCalculation == aws.RequestChecksumCalculationWhenRequired {
		sums = &checksums{bucket: u.Host}
		o.APIOptions = append(o.APIOptions, sums.add)
	}
	o.Retryer = patient{o.Retryer}
	client = s3.New(o)
	if sums != nil {
		sums.client = client
	}
	steady, err := s3blob.OpenBucket(ctx, client, u.Host, &opener.Options)
	return steady, errors.Join(err, b.Close())
}

// abortTimeout is what taking an upload back may take.
const abortTimeout = 20 * time.Second

// abortApart gives the request that takes an upload back a context of its own: the
// upload's may have ended, and nothing must stay of it all the same.
func abortApart(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("abortApart", func(ctx context.Context,
		in middleware.InitializeInput, next middleware.InitializeHandler,
	) (middleware.InitializeOutput, middleware.Metadata, error) {
		if _, ok := in.Parameters.(*s3.AbortMultipartUploadInput); ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
			defer cancel()
		}
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

// sweep aborts multipart uploads that nobody will end.
func sweep(ctx context.Context, b *blob.Bucket, u *url.URL, before time.Time, ours func(key string) bool) (swept int, err error) {
	var client *s3.Client
	if !b.As(&client) {
		return 0, nil
	}
	prefix := u.Query().Get("prefix")
	pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: aws.String(u.Host), Prefix: aws.String(prefix)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return swept, err
		}
		for _, up := range page.Uploads {
			if !ours(strings.TrimPrefix(aws.ToString(up.Key), prefix)) || !aws.ToTime(up.Initiated).Before(before) {
				continue
			}
			_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: aws.String(u.Host), Key: up.Key, UploadId: up.UploadId})
			if gone := (*types.NoSuchUpload)(nil); errors.As(err, &gone) {
				continue // it has ended meanwhile, or another worker was quicker
			}
			if err != nil {
				return swept, err
			}
			swept++
		}
	}
	return swept, nil
}

// patient retries what Amazon's SDK does, but for what waiting a moment doesn't
// mend: whoever asked the Store knows better how to wait.
type patient struct{ aws.Retryer }

func (p patient) IsErrorRetryable(err error) bool {
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return false // it has stood still for storage.Options.Stall
	}
	if _, ok := errors.AsType[*bareError](err); ok {
		return true // with a checksum
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
