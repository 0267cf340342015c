package outbox

// The types of events. This is the one list of them: [Types] describes each.
const (
	RecordingCompleted   = "recording.completed" // degraded ones too: the body tells
	RecordingAbsent      = "recording.absent"
	RecordingQuarantined = "recording.quarantined"
	RecordingDamaged     = "recording.damaged"
	RecordingErased      = "recording.erased"
	RecordingRedacted    = "recording.redacted"

	CallCreated  = "call.created"
	CallRejected = "call.rejected"
	// CallMoved begins the types that are named for what happened to a call: it is
	// followed by a calls.EventType, as in "call.answered".
	CallMoved = "call."

	JobEnqueued    = "job.enqueued"
	JobCompleted   = "job.completed"
	JobQuarantined = "job.quarantined"
	JobRetried     = "job.retried"
	JobMoved       = "job.moved"

	RuleSetStored     = "ruleset.stored"
	RuleSetActivated  = "ruleset.activated"
	RuleSetRolledBack = "ruleset.rolled_back"
	RuleSetCanary     = "ruleset.canary"
	RuleSetPromoted   = "ruleset.promoted"
	RuleSetAborted    = "ruleset.canary_aborted"

	ExportCompleted = "export.completed"

	BucketAway = "bucket.away"
	BucketBack = "bucket.back"
)

// Type is a type of events, for those who choose which to be told of.
type Type struct {
	Name  string
	Tells string // what has happened, as a sentence
	// Always says that the event is written whoever listens. Others are written where an
	// enabled webhook of the tenant asks for them, so that they cost nothing elsewhere.
	Always bool
}

// Types lists every type of event, those of one thing together.
func Types() []Type {
	return []Type{
		{RecordingCompleted, "A recording was made, or another version of it.", true},
		{RecordingAbsent, "There is nothing to record of a call, or not yet.", true},
		{RecordingQuarantined, "A recording was set aside for a person to look at.", true},
		{RecordingDamaged, "A recording in its bucket isn't as it was made.", true},
		{RecordingErased, "A recording was deleted: nothing of it is left.", true},
		{RecordingRedacted, "A part of a recording was redacted, and nothing is left of what it was before.", true},
		{CallCreated, "A call was routed and stored.", false},
		{CallRejected, "A call was stored that no rule takes.", false},
		{CallMoved + "ringing", "A destination alerts.", false},
		{CallMoved + "answered", "The parties talk.", false},
		{CallMoved + "failed", "A destination failed; the call's state says whether another is tried.", false},
		{CallMoved + "ended", "The call was hung up.", false},
		{CallMoved + "recording.paused", "The recording was paused.", false},
		{CallMoved + "recording.resumed", "The recording goes on.", false},
		{CallMoved + "held", "The call was put on hold.", false},
		{CallMoved + "retrieved", "The call was taken off hold.", false},
		{CallMoved + "transferred", "The call was transferred.", false},
		{JobEnqueued, "A job was put in the ledger.", false},
		{JobCompleted, "A job was done.", false},
		{JobQuarantined, "A job was set aside for a person to look at.", false},
		{JobRetried, "A person put a job back.", false},
		{JobMoved, "A person put a job in another queue.", false},
		{RuleSetStored, "A version of the rules was stored.", false},
		{RuleSetActivated, "A version of the rules was put in service.", false},
		{RuleSetRolledBack, "The version before was put in service again.", false},
		{RuleSetCanary, "A version of the rules takes a share of the calls.", false},
		{RuleSetPromoted, "The version that had a share was put in service for all calls.", false},
		{RuleSetAborted, "The version that had a share has none any more.", false},
		{ExportCompleted, "An export of data can be fetched, or there was nothing to export.", true},
		{BucketAway, "A bucket that the tenant's recordings go to can't be used; they wait for it.", false},
		{BucketBack, "A bucket that was away takes recordings again.", false},
	}
}
