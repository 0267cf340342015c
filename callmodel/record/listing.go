package record

import (
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Listed is an object, or a version of one, as a bucket lists it.
type Listed struct {
	Key   string
	Bytes int64 // as the bucket has it
	// Decrypted is the size in bytes of what it holds if it is encrypted, which the
	// listing doesn't tell; 0 if nothing that is encrypted has that many bytes.
	Decrypted int64
	ModTime   time.Time
	// Version is the bucket's own name of the version; "" in a bucket without versions.
	Version string
	// Current says that it is what a reader of the key gets. Of a key that was deleted in
	// a bucket with versions no version is.
	Current bool
	// Deleted says that it isn't a version but the mark of a deletion.
	Deleted bool
}

// Has reports whether the object may be one of so many bytes, encrypted or not.
func (l *Listed) Has(bytes int64) bool {
	return l.Bytes == bytes || l.Decrypted == bytes && l.Decrypted > 0
}

// Listing is a page of what is in a bucket, in the byte order of the keys. Of one key the
// newest version comes first.
type Listing struct {
	Objects []Listed
	Next    string // where the next page begins; "" at the end
}

// ParseObjectKey is the key that [ObjectKey.String] has made, whose StartedAt is the
// beginning of the call's hour; false if it is of another form.
func ParseObjectKey(key string) (ObjectKey, bool) {
	var k ObjectKey
	parts := strings.Split(key, "/")
	if len(parts) != 7 {
		return k, false
	}
	start, err := time.Parse("year=2006/month=01/day=02/hour=15", strings.Join(parts[1:5], "/"))
	if err != nil {
		return k, false
	}
	k.TenantID, k.CallID, k.StartedAt = callmodel.TenantID(parts[0]), callmodel.CallID(parts[5]), start
	name := parts[6]
	// Ids may have what looks like a version, and extensions don't: the last one is it.
	at := strings.LastIndex(name, ".v")
	if at < 0 {
		return ObjectKey{}, false
	}
	number, ext, _ := strings.Cut(name[at+len(".v"):], ".")
	k.Version, err = strconv.Atoi(number)
	id, output, _ := strings.Cut(name[:at], "~")
	k.RecordingID, k.Name, k.Ext = callmodel.RecordingID(id), output, ext
	if err != nil || k.Validate() != nil || k.String() != key {
		return ObjectKey{}, false
	}
	return k, true
}
