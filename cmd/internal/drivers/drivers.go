// Package drivers links the clouds' bucket drivers into the binaries. It is
// the only place that does, so that a program which imports the library gets
// no cloud SDK with it.
package drivers

import (
	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)
