package s3

import (
	"context"
	"crypto/md5" //nolint:gosec // it is what the protocol has, against faults and not against people
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Buckets with Object Lock refuse an upload that comes without a checksum in its header
// (Amazon S3 User Guide, "Object Lock considerations"). A checksum behind the body, as
// Amazon's SDK would send it, needs an encoding, aws-chunked, that many other servers
// refuse. So uploads have Content-MD5 (RFC 1864), which is in the header and known to all,
// where it is needed: until the bucket has been asked whether it has Object Lock, and from
// then on if it has, doesn't say, or has refused an upload without.
type checksums struct {
	client *s3.Client
	bucket string

	known  atomic.Int32 // one of the states below
	asking sync.Mutex
}

// What is known of a bucket's need of checksums.
const (
	unasked int32 = iota
	needless
	needed
)

// lockTimeout bounds the question whether the bucket has Object Lock.
const lockTimeout = 5 * time.Second

// add puts the checksums among what is done for each attempt at a request, before it is
// signed.
func (c *checksums) add(stack *middleware.Stack) error {
	if _, sent := stack.Finalize.Get("Retry"); !sent {
		return nil // a request that is only signed, for somebody else
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("checksums", c.handle), "Retry", middleware.After)
}

func (c *checksums) handle(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	middleware.FinalizeOutput, middleware.Metadata, error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	op := middleware.GetOperationName(ctx)
	if !ok || op != "PutObject" && op != "UploadPart" {
		return next.HandleFinalize(ctx, in)
	}
	state := c.known.Load()
	if state != needless {
		if err := sum(req); err != nil {
			return middleware.FinalizeOutput{}, middleware.Metadata{}, err
		}
	}
	out, meta, err := next.HandleFinalize(ctx, in)
	switch {
	case err == nil && state == unasked:
		c.ask(ctx)
	case state == needless && refusesBare(err):
		c.known.Store(needed)
		err = &bareError{err}
	}
	return out, meta, err
}

// bareError is the error of an upload without a checksum that may be refused for that: it is
// tried again with one.
type bareError struct{ err error }

func (e *bareError) Error() string { return e.err.Error() }
func (e *bareError) Unwrap() error { return e.err }

// sum gives the request the header Content-MD5.
func sum(req *smithyhttp.Request) error {
	body := req.GetStream()
	if body == nil || !req.IsStreamSeekable() {
		return nil
	}
	h := md5.New() //nolint:gosec // see the import
	if _, err := io.Copy(h, body); err != nil {
		return fmt.Errorf("the checksum of an upload: %w", err)
	}
	if err := req.RewindStream(); err != nil {
		return fmt.Errorf("the checksum of an upload: %w", err)
	}
	req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(h.Sum(nil)))
	return nil
}

// ask asks the bucket whether it has Object Lock. One that doesn't answer is asked again
// after the next upload.
func (c *checksums) ask(ctx context.Context) {
	if !c.asking.TryLock() {
		return
	}
	defer c.asking.Unlock()
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	out, err := c.client.GetObjectLockConfiguration(ctx, &s3.GetObjectLockConfigurationInput{Bucket: aws.String(c.bucket)}, func(o *s3.Options) {
		o.Retryer = aws.NopRetryer{}
	})
	if err == nil {
		locks := out.ObjectLockConfiguration
		if locks != nil && locks.ObjectLockEnabled == types.ObjectLockEnabledEnabled {
			c.known.CompareAndSwap(unasked, needed)
		} else {
			c.known.CompareAndSwap(unasked, needless)
		}
		return
	}
	e, answered := errors.AsType[*awshttp.ResponseError](err)
	switch {
	case !answered:
	case e.HTTPStatusCode() == http.StatusForbidden:
		c.known.CompareAndSwap(unasked, needed) // it may have, and a checksum is never refused
	case e.HTTPStatusCode() == http.StatusNotImplemented || e.HTTPStatusCode() < 500:
		c.known.CompareAndSwap(unasked, needless)
	}
}

// refusesBare reports whether the error may be that of a bucket that wants a checksum.
func refusesBare(err error) bool {
	e, ok := errors.AsType[smithy.APIError](err)
	return ok && (e.ErrorCode() == "InvalidRequest" || e.ErrorCode() == "MissingContentMD5" || e.ErrorCode() == "InvalidDigest")
}
