// Package intake takes jobs in: it is the check at every door, and the loop that takes
// messages from a broker.
//
//	Receive ─▶ whose? ─▶ check ─▶ ledger row ─▶ Ack, confirmed
//	             │         │          └─ away: held and tried again, never given up
//	             └─────────┴─ refused, or tried too often ─▶ dead letter ─▶ Ack
//
// A message's body is what POST /v1/recordings takes, or where the header
// broker.HeaderKind names another kind of job what POST /v1/jobs does. It is checked as it is there, and every fault is in the
// dead letter's reason. A job's row is the commit point: jobs are idempotent by their
// key, so that a message that is delivered again, after a crash between any two steps or
// to another process, is the same row.
//
// # Whose a message is
//
// A message isn't believed about its tenant. The subscription says who is vouched for:
// Tenants.One, whatever a message says, or Tenants.Allowed, those that it may claim in
// its header or its body because whoever may send to that subscription is trusted to say
// so. One of them must be configured; there is no default.
//
// # What can't be taken
//
// A message that is refused would be refused again: it becomes a dead letter with the
// reason, and is acknowledged. A dead letter is listed, read, replayed through the same
// check (Door.Replay) or discarded by a person. A message that is sound and can't be
// taken all the same is tried Options.MaxTries times. Brokers' own counts are not relied
// on: of messages that were delivered before the tries are counted in the database, so
// that one which takes its process along becomes a dead letter, too.
package intake
