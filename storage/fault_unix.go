//go:build unix

package storage

import (
	"errors"
	"syscall"

	"github.com/switchtape/switchtape/callmodel"
)

// diskFault is what an error of a directory means; "" for any other.
func diskFault(err error) callmodel.BucketReason {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return callmodel.BucketFull
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return callmodel.BucketForbidden
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE):
		return callmodel.BucketUnreachable
	}
	return ""
}
