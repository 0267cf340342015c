package callmodel

import "time"

// AuditEvent is one line of the audit log: who did what to which thing.
type AuditEvent struct {
	ID       int64             `json:"id"` // grows; set by the store
	TenantID TenantID          `json:"tenant_id"`
	At       time.Time         `json:"at"` // the database's clock
	Actor    string            `json:"actor"`
	Action   string            `json:"action"`  // "call.created", "ruleset.activated"
	Subject  string            `json:"subject"` // the id of the thing
	Detail   map[string]string `json:"detail,omitempty"`
}

// The audited actions.
const (
	AuditCallCreated      = "call.created"
	AuditCallRejected     = "call.rejected"
	AuditCallEvent        = "call.event"
	AuditCallsForgotten   = "calls.forgotten" // for their age, some at a time
	AuditJobEnqueued      = "job.enqueued"
	AuditJobCompleted     = "job.completed"
	AuditJobPublished     = "job.published"
	AuditJobQuarantined   = "job.quarantined"
	AuditJobRetried       = "job.retried"
	AuditJobMoved         = "job.moved"    // to another queue
	AuditJobRelinked      = "job.relinked" // what its end had to leave beside it was left there again
	AuditRuleSetStored    = "ruleset.stored"
	AuditRuleSetActivated = "ruleset.activated"
	AuditRuleSetRollback  = "ruleset.rolled_back"
	AuditRuleSetCanary    = "ruleset.canary"
	AuditRuleSetPromoted  = "ruleset.promoted"
	AuditRuleSetAborted   = "ruleset.canary_aborted"
	AuditRuleSetForgotten = "ruleset.forgotten" // for its age
	AuditUserStored       = "user.stored"
	AuditUserDeleted      = "user.deleted"
	AuditTenantStored     = "tenant.stored"
	AuditTenantDeleted    = "tenant.deleted"
	AuditAccessDenied     = "access.denied"
	AuditPruned           = "audit.pruned"      // lines were taken out for their age; their seal stays
	AuditWrongKeys        = "access.wrong_keys" // requests with credentials that are none, some seconds' at a time
	AuditListened         = "recording.listened"
	AuditKeyCreated       = "key.created"
	AuditKeyRotated       = "key.rotated"
	AuditKeyRevoked       = "key.revoked"
)

// OutboxEvent is something the platform tells others, exactly once per key: it
// is written in the transaction of what it tells about, and delivered from there.
type OutboxEvent struct {
	ID       int64     `json:"id"`  // grows; set by the store
	Key      string    `json:"key"` // unique: "recording.completed:{job}", for a version before the last "recording.completed:{job}.{token}"
	TenantID TenantID  `json:"tenant_id"`
	Type     string    `json:"type"` // "recording.completed"
	Subject  string    `json:"subject"`
	At       time.Time `json:"at"`
	Body     []byte    `json:"body"` // JSON
}
