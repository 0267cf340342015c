// Package storage puts finished recordings into buckets and finds them again.
//
//	write func ──▶ spool (memory, then an unnamed file) ──▶ SHA-256, size
//	                                                            │
//	   bucket/{tenant}/year=…/{call}/{recording}.v1.wav ◀── create-only upload
//	                       │
//	           exists? same hash: done · other hash: .v2, and an alert
//
// A [Store] is opened by URL: file:// (durable local files, see durablefile),
// mem:// for tests, and s3://, gs:// and azblob:// in a program that links their
// drivers, which are the packages s3, gcs and azure:
//
//	storage.Open(ctx, "s3://recordings", &storage.Options{Drivers: []storage.Driver{s3.Driver()}})
//
// There is one way to write, [Store.Put], and it never leaves a partial object
// and never overwrites one.
//
// What was put, and an object that is there already, is verified by what the bucket has
// and not by the metadata that was sent:
//
//	s3       the ETag: of one request its MD5, of parts that of the parts' MD5s
//	gs       the MD5; Google checks each upload against its CRC32C as well
//	azblob   the Content-MD5 that Azure makes of a single request; an object in blocks,
//	         of more than 5 MiB, has none and is read back
//	file     size and MD5 of what was written, and synced; it isn't read from the disk
//
// Where the bucket has another checksum, as S3 does of what it encrypts with KMS keys,
// the object is read back and its SHA-256 compared. Other bytes are an error; they
// stay, and the next attempt stores the recording as the next version.
//
// With Options.Encryption objects are encrypted before they leave the program, and read
// decrypted, ranges of them too: see package encrypt. Sizes and hashes are those of the
// plaintext all the same, so that a retry meets its own object. What the bucket encrypts
// itself is asked for by its URL, as the drivers' packages say.
//
// An upload that fails is taken back. What couldn't be, as the line stayed cut or the
// process was killed, is never seen: Google and Azure forget it after a week, a
// directory when it is opened, and S3 when [Store.Sweep] is called.
//
// Errors of the bucket are a callmodel.BucketAwayError, with its reason, within a
// callmodel.RetryAfterError, since they are not the recording's fault, and carry a code,
// unavailable or forbidden. So are those of the spool:
//
//	the bucket or container is not there            no_such_bucket
//	401, 403, credentials that have expired         forbidden
//	the disk, the quota or the account is full      full
//	the spool's directory can't be written          spool
//	429, 503, with the Retry-After that came        throttled
//	the network, a time-out, any other 5xx          unreachable
//	any other 4xx of an upload                      refused
//
// A cloud's server that accepts and stands still is unreachable after Options.Stall,
// whatever is asked of it. A transfer that goes on is never cut.
package storage
