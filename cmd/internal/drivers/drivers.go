// Package drivers links the clouds' bucket drivers, and the time zones, into the binaries. It is
// the only place that does, so that a program which imports the library gets
// no cloud SDK with it.
package drivers

import (
	_ "time/tzdata" // time zones, for machines that have none installed

	gcs "cloud.google.com/go/storage"
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)

// BeforeSign makes Google's driver sign URLs in version 4; its default, version
// 2, is deprecated. It is storage.Options.BeforeSign.
func BeforeSign(asFunc func(any) bool) error {
	var o *gcs.SignedURLOptions
	if asFunc(&o) {
		o.Scheme = gcs.SigningSchemeV4
	}
	return nil
}
