package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/gcerrors"

	"github.com/switchtape/switchtape/callmodel"
)

// Fault is what an error of a bucket means.
type Fault struct {
	// Reason is "" where the error says nothing beyond gocloud's code.
	Reason callmodel.BucketReason
	// RetryAfter is how long the bucket asks to be left alone; 0 if it doesn't.
	RetryAfter time.Duration
}

// maxRetryAfter bounds what is believed of a bucket that asks to be left alone.
const maxRetryAfter = 5 * time.Minute

// HTTPFault is the meaning of a bucket's answer, for the drivers of buckets that
// are spoken to over HTTP. code is the server's own name of the error, "" for none.
// now is when the answer came, for dates in its header.
func HTTPFault(status int, header http.Header, code string, now time.Time) Fault {
	f := Fault{RetryAfter: retryAfter(header, now)}
	switch {
	case codeIn(code, "NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled", "PermanentRedirect"),
		status == http.StatusMovedPermanently:
		f.Reason = callmodel.BucketMissing
	case codeIn(code, "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage", "StorageFull"),
		status == http.StatusInsufficientStorage:
		f.Reason = callmodel.BucketFull
	case codeIn(code, "ExpiredToken", "InvalidToken", "TokenRefreshRequired"), // some of them come with 400
		status == http.StatusUnauthorized, status == http.StatusForbidden:
		f.Reason = callmodel.BucketForbidden
	case codeIn(code, "SlowDown", "ServerBusy"), status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		f.Reason = callmodel.BucketThrottled
	case status == http.StatusNotFound, status == http.StatusConflict, status == http.StatusPreconditionFailed:
		// About the object; the caller knows.
	case codeIn(code, "RequestTimeout", "OperationTimedOut", "BadDigest"), status == http.StatusRequestTimeout, status >= 500:
		f.Reason = callmodel.BucketUnreachable
	case status >= 400:
		f.Reason = callmodel.BucketRefused
	}
	return f
}

func codeIn(code string, codes ...string) bool {
	for _, c := range codes {
		if strings.EqualFold(code, c) {
			return true
		}
	}
	return false
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0
	}
	var d time.Duration
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		d = time.Duration(min(s, maxRetryAfter.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return max(min(d, maxRetryAfter), 0)
}

// fault explains an error of the bucket and says what becomes of who met it.
func (s *Store) fault(doing, key string, err error) error {
	return s.explain(fmt.Errorf("%s %s in %s: %w", doing, key, s.base, err), err, false)
}

// putFault is fault for an error of an upload. Nothing that an upload needs can be
// missing but the bucket.
func (s *Store) putFault(key string, err error) error {
	return s.explain(fmt.Errorf("storing %s in %s: %w", key, s.base, err), err, true)
}

// explain is fault and putFault: told is err with what was done.
func (s *Store) explain(told, err error, needsNoObject bool) error {
	if e, ok := errors.AsType[*EncryptionError](err); ok {
		return encryptionFault(told, e)
	}
	f := s.meaning(err)
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		if f.Reason == "" && !needsNoObject {
			return callmodel.Errorf(callmodel.CodeNotFound, "%w", errors.Join(told, fs.ErrNotExist))
		}
		f.Reason = cmp.Or(f.Reason, callmodel.BucketMissing)
	case gcerrors.PermissionDenied:
		f.Reason = cmp.Or(f.Reason, callmodel.BucketForbidden)
	case gcerrors.InvalidArgument:
		// An upload may be refused for what happened to it on its way.
		if f.Reason == "" || f.Reason == callmodel.BucketRefused && !needsNoObject {
			return callmodel.Permanent(callmodel.Errorf(callmodel.CodeInvalid, "%w", told))
		}
	case gcerrors.Canceled:
		return told
	case gcerrors.ResourceExhausted:
		f.Reason = cmp.Or(f.Reason, callmodel.BucketThrottled)
	default: // the network, the server, or something nobody foresaw
	}
	if errors.Is(err, context.Canceled) && f.Reason == "" {
		return told
	}
	return s.awayError(f, told)
}

// encryptionFault lets whoever needs a key wait until the program has it. Nothing mends an
// object that was tampered with.
func encryptionFault(told error, e *EncryptionError) error {
	told = callmodel.Errorf(callmodel.CodeOf(e), "%w", told)
	if e.Reason == Tampered {
		return told
	}
	return callmodel.RetryAfter(told, 0)
}

// meaning is what the driver, or the system, knows of the error.
func (s *Store) meaning(err error) Fault {
	var f Fault
	if s.driver.Fault != nil {
		f = s.driver.Fault(err)
	}
	if s.dir != "" {
		f.Reason = cmp.Or(f.Reason, diskFault(err))
	}
	return f
}

// awayError is an error that lets whoever meets it wait for the bucket.
func (s *Store) awayError(f Fault, err error) error {
	reason := cmp.Or(f.Reason, callmodel.BucketUnreachable)
	code := callmodel.CodeUnavailable
	if reason == callmodel.BucketForbidden {
		code = callmodel.CodeForbidden
	}
	return callmodel.RetryAfter(callmodel.Errorf(code, "%w",
		&callmodel.BucketAwayError{Bucket: s.base, Reason: reason, RetryAfter: f.RetryAfter, Err: err}), f.RetryAfter)
}

// spoolError is an error of a spool directory that can't be written: the recording
// can be made again when it can.
func (s *Store) spoolError(err error) error {
	return s.awayError(Fault{Reason: callmodel.BucketSpool}, fmt.Errorf(
		"spooling a recording in %s: %w; free space there or choose another spool directory", cmp.Or(s.opts.SpoolDir, os.TempDir()), err))
}
