//go:build !unix

package storage

import "github.com/switchtape/switchtape/callmodel"

// diskFault knows no errors of this system's.
func diskFault(error) callmodel.BucketReason { return "" }
