package dataexport

import (
	"context"
	"io"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// Source is where the data is. *calldb.DB and *memdb.Store are sources: the suites of
// storetest say what the methods promise.
type Source interface {
	Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error)
	Call(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) (calls.Call, error)
	Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error)
	CallEvents(ctx context.Context, t callmodel.TenantID, id callmodel.CallID) ([]calls.Event, error)
	AuditEvents(ctx context.Context, t callmodel.TenantID, after int64, limit int) ([]callmodel.AuditEvent, error)
	Webhooks(ctx context.Context, t callmodel.TenantID, f webhooks.Filter) ([]webhooks.Endpoint, error)
	WebhookDeliveries(ctx context.Context, f webhooks.DeliveryFilter) ([]webhooks.Delivery, error)
	Users(ctx context.Context, f users.Filter) (users.Page[users.User], error)
	Tenant(ctx context.Context, t callmodel.TenantID) (users.Tenant, error)
	RuleSets(ctx context.Context, t callmodel.TenantID) ([]rulesets.Version, error)
	RuleSet(ctx context.Context, t callmodel.TenantID, hash string) (rulesets.Version, error)
	Keys(ctx context.Context, t callmodel.TenantID, f keys.Filter) ([]keys.Key, error)
	Shares(ctx context.Context, t callmodel.TenantID, f shares.Filter) ([]shares.Share, error)
	Letters(ctx context.Context, f deadletter.Filter) ([]deadletter.Letter, error)
	Holds(ctx context.Context, f retention.HoldFilter) ([]retention.Hold, error)
}

// Ledger is where the jobs are that delete exports. *calldb.DB and *memdb.Store are such
// ledgers.
type Ledger interface {
	Enqueue(ctx context.Context, r ledger.Request) (id callmodel.JobID, created bool, err error)
}

// Objects are the recordings' bucket, which is read. *storage.Store is one.
type Objects interface {
	// Open reads an object. The error for a missing one wraps fs.ErrNotExist. Of an encrypted
	// one that isn't as it was stored it and its reader may have a CodeDamaged error, and of
	// one for which there is no key it is a CodeKeyMissing error.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// List calls f for every object below prefix until f returns false.
	List(ctx context.Context, prefix string, f func(key string, bytes int64) bool) error
}

// Place is where an export goes. *storage.Store is one, and so is a [Dir].
type Place interface {
	// Open reads what was stored. The error for what is missing wraps fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// PutNamed stores what write writes, create-only: the same bytes are a success, other
	// bytes under the name a CodeConflict error.
	PutNamed(ctx context.Context, name string, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error)
}

// Remover deletes objects. *storage.Store is one.
type Remover interface {
	// Erase deletes the objects below prefix of the keys that which takes, with their older
	// versions, and says what they were, also with an error. It may be repeated.
	Erase(ctx context.Context, prefix string, which func(key string) bool) ([]retention.Object, error)
}
