package reconcile

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Ledger is where calls, jobs and the outbox are. *calldb.DB implements it.
type Ledger interface {
	// Now is the ledger's clock.
	Now(ctx context.Context) (time.Time, error)
	// Unrecorded looks at the calls behind a place, those of the page at most.
	Unrecorded(ctx context.Context, after ledger.CallPlace) (ledger.UnrecordedPage, error)
	// Linked are the jobs of any kind behind one, "" for the first, in the order in which
	// they were enqueued: at most limit, none at the end, and fewer at any time.
	Linked(ctx context.Context, after callmodel.JobID, limit int) ([]ledger.Linked, error)
	// LinkedJob is one of them; CodeNotFound if it isn't there any more.
	LinkedJob(ctx context.Context, id callmodel.JobID) (ledger.Linked, error)
	// LinkedOf are the job of the tenant's recording, and those about its call.
	LinkedOf(ctx context.Context, tenant callmodel.TenantID, call callmodel.CallID, id callmodel.RecordingID) ([]ledger.Linked, error)
	// Relink leaves again what the job's end had to leave beside it. False: it is there.
	Relink(ctx context.Context, id callmodel.JobID, actor string) (bool, error)
	// Rerecord enqueues again the job of a call that has ended. False: it has one.
	Rerecord(ctx context.Context, tenant callmodel.TenantID, id callmodel.CallID, actor string, defaults []record.OutputSpec) (bool, error)
}

// Bucket is where the recordings are. *storage.Store implements it; one that has a backup
// to read from is compared as storage.Store.Alone.
type Bucket interface {
	// URL is where the object of key is.
	URL(key string) string
	// ListPage is the page of the listing that begins at token, "" for the first.
	ListPage(ctx context.Context, token string) (record.Listing, error)
	// Size is that of the object in bytes. One that isn't there is an error that wraps
	// fs.ErrNotExist, as of SHA256.
	Size(ctx context.Context, key string) (int64, error)
	// SHA256 reads the object for it; it is in hex. Of one that isn't as it was stored, by
	// what is in it, as of an encrypted one, it may be a CodeDamaged error, and
	// of one for which there is no key a CodeKeyMissing error.
	SHA256(ctx context.Context, key string) (string, error)
	// Restore makes a version the newest one, if its SHA-256 is that one.
	Restore(ctx context.Context, key, version, sha256 string) (bool, error)
}

// Backup is the bucket that recordings are in while their own is away.
type Backup interface {
	Bucket
	// BringHome copies the object to the recordings' own bucket under the same key,
	// create-only, if it has that SHA-256, and verifies it. Other bytes under the key stay,
	// and are a CodeConflict error. The copy in the backup stays, too.
	BringHome(ctx context.Context, key, sha256 string) (url string, err error)
}

// Leg is what is at a path in the directory of the legs.
type Leg struct {
	Path    string // as URIs name it, below the directory, with slashes
	ModTime time.Time
	// Other says that it is no file but a directory, a link or a device: nobody's recording
	// is lost by it, and a job that names it has it for what it is.
	Other bool
}

// Legs is a directory of legs. They come in the order of their paths, name by name, as
// fs.WalkDir has it. A directory that can't be read is an error: none of its files may be
// taken for gone.
type Legs interface {
	// Walk calls f for everything behind after, "" for all, until it returns an error.
	Walk(ctx context.Context, after string, f func(Leg) error) error
}
