package ledger

import (
	"encoding/json"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Outcome is what an attempt came to, to be committed by Complete, which ends the
// job, or by Publish, after which it goes on. The zero value is that of a job that
// was done and leaves nothing to keep.
type Outcome struct {
	// Result is kept in Job.Result. Nil for none. Kinds say how it went in the words of
	// recordings, so that jobs of all kinds are found by them: its "status", its "reason",
	// and the "code" of its "defects" are what Filter.Status and Filter.Code select.
	Result json.RawMessage
	// Retriable says that more can come of the job although it is done, so that a person
	// may put it back. Result stays then until a later one takes its place. Of which
	// recordings more can come their results say themselves.
	Retriable bool
	// Empty says that nothing was made. Where an earlier attempt has published a
	// result, that one stays then.
	Empty bool
	// Quarantine sets the job aside, with Result, for the cause Reason.
	Quarantine bool
	Reason     string
	// Effects makes what else is committed in the same transaction, once the ledger
	// knows what only it can know. Nil for nothing. It may be called more than once.
	Effects func(Commit) (Effects, error)
}

// Commit is what the ledger knows of the transaction that Outcome.Effects is for.
type Commit struct {
	JobID    callmodel.JobID
	TenantID callmodel.TenantID
	CallID   callmodel.CallID
	Key      string
	At       time.Time // the database's clock
	Retries  int64     // how often a person put the job back
	// Token is that of the lease under which a result is published, of a job that
	// goes on; 0 at a job's end.
	Token int64
}

// Effects is what a commit leaves behind outside of the job's row.
type Effects struct {
	// Recording is the entry of the job's call under the job's key, as JSON: it
	// takes the place of an earlier one. Nil for none.
	Recording json.RawMessage
	// Event goes to the outbox, unless one with its key is there. Nil for none. The
	// ledger sets its ID and At.
	Event *callmodel.OutboxEvent
	// Detail is that of the audit line. Nil: the job's kind, key and call.
	Detail map[string]string
}
