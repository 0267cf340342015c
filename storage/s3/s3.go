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
	"errors"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"gocloud.dev/blob/s3blob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage"
)

// Driver opens s3:// URLs.
func Driver() storage.Driver {
	return storage.Driver{Scheme: s3blob.Scheme, Fault: fault, LeavesParts: true}
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
