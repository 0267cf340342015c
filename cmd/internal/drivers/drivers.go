// Package drivers links the clouds' bucket drivers, and the time zones, into the binaries. It is
// the only place that does, so that a program which imports the library gets
// no cloud SDK with it.
package drivers

import (
	_ "time/tzdata" // time zones, for machines that have none installed

	_ "gocloud.dev/blob/azureblob" // azblob://
	_ "gocloud.dev/blob/gcsblob"   // gs://
	_ "gocloud.dev/blob/s3blob"    // s3://
)
