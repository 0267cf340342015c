package reconcile

import "fmt"

// Kind is a kind of mismatch.
type Kind string

// The kinds.
const (
	CallNotRecorded   Kind = "call_not_recorded"
	CallUnreadable    Kind = "call_unreadable"
	ResultUnreadable  Kind = "result_unreadable"
	EntryMissing      Kind = "entry_missing"
	EntryDiffers      Kind = "entry_differs"
	EventMissing      Kind = "event_missing"
	JobOverdue        Kind = "job_overdue"
	ObjectMissing     Kind = "object_missing"
	ObjectDeleted     Kind = "object_deleted"
	ObjectDiffers     Kind = "object_differs"
	ObjectOverwritten Kind = "object_overwritten"
	ObjectUnknown     Kind = "object_unknown"
	ObjectUnlinked    Kind = "object_unlinked"
	ObjectInBackup    Kind = "object_in_backup"
	ObjectMovedHome   Kind = "object_moved_home"
	BackupOverdue     Kind = "backup_overdue"
	BackupLeft        Kind = "backup_left"
	LegUnclaimed      Kind = "leg_unclaimed"
	LegGone           Kind = "leg_gone"
)

// KindInfo says what a kind is and what to do about it.
type KindInfo struct {
	Kind    Kind   `json:"kind"`
	Meaning string `json:"meaning"`
	Remedy  string `json:"remedy"`
	// Repaired says that a run with Options.Repair mends it, where it can be.
	Repaired bool `json:"repaired"`
}

// Kinds lists every kind.
func Kinds() []KindInfo {
	return []KindInfo{
		{CallNotRecorded, "The call was to be recorded, was answered and has ended, and there is neither a recording of it nor a job that makes one.", "The job is enqueued again, from the event that ended the call, which names the legs. Without that event: adopt the legs.", true},
		{CallUnreadable, "The call's row can't be read, so that it isn't known whether a recording is due.", "Restore the row from a backup of the database.", false},
		{ResultUnreadable, "The job is done, and what it came to can't be read from its row.", "Restore the row from a backup of the database; the object is in the bucket, under the call's key.", false},
		{EntryMissing, "The job is at its end, and its call doesn't show the recording, nor its URL.", "The entry is made again from the job's result.", true},
		{EntryDiffers, "The call shows another recording, or another URL, than the job has made.", "The entry is made again from the job's result.", true},
		{EventMissing, "The outbox has no event of the job's end, though it still has others of that time: nobody was told.", "The event is put in the outbox, with the key that it would have had.", true},
		{JobOverdue, "The job has waited, or run, for longer than it may.", "The job's reason says for what: bring its bucket or legs back, or start a worker for its queue (switchtape jobs queues).", false},
		{ObjectMissing, "The ledger names an object that isn't in its bucket, and no version of it is known.", "Restore it from the bucket's replica or backup, under the same key. If the legs are still there, hand them in as a recording of another id.", false},
		{ObjectDeleted, "The object was deleted, and the bucket has kept it as a version.", "The version is made the newest one again, if it is that of the ledger by its SHA-256.", true},
		{ObjectDiffers, "The object has another size than the ledger says, or, where that is read, another SHA-256.", "Restore it from the bucket's replica or backup; find out what writes to the bucket.", false},
		{ObjectOverwritten, "Other bytes were put over the object, and the bucket has kept it as a version.", "The version is made the newest one again, if it is that of the ledger by its SHA-256; the other bytes stay as a version.", true},
		{ObjectUnknown, "The object has the key of a recording of which the ledger knows nothing.", "Adopt it (switchtape adopt URL), or delete it by hand if it is known to be nobody's.", false},
		{ObjectUnlinked, "The recording is known, and this object isn't one of those that it names, nor an earlier version.", "It may be of a worker that was killed or has lost its lease. Listen to it (switchtape verify-recording); it may be deleted by hand once the linked one is whole.", false},
		{ObjectInBackup, "The ledger names an object of the recordings' bucket that isn't there, and the backup bucket has it.", "It is copied home and verified. The backup's copy stays until a worker removes it.", true},
		{ObjectMovedHome, "The ledger says that the object is in the backup bucket, and it is in the recordings' own: its call's URL leads nowhere.", "A worker with --backup-bucket puts the URL right when it looks at the job again. A job that was set aside is looked at again by switchtape jobs retry.", false},
		{BackupOverdue, "The object has been in the backup bucket for longer than it may, and its own bucket answers.", "The job's reason says why it wasn't moved. Start a worker with --backup-bucket for its queue (switchtape jobs queues), or, if the job was set aside, switchtape jobs retry.", false},
		{BackupLeft, "The recording was moved home, and the backup bucket has had a copy of the object for longer than it may.", "A worker with --backup-bucket removes copies that are two days old. If there is none any more, delete it by hand.", false},
		{LegUnclaimed, "A file is where the legs are, and no job names it.", "Adopt it (switchtape adopt DIR), or see that the telephone server names it when the call ends.", false},
		{LegGone, "A leg isn't where its job says, and the job waits or was set aside: its inputs should be there.", "Restore the file. If the leg is on another host, see the job's queue (switchtape jobs move).", false},
	}
}

// InfoOf is that of a kind.
func InfoOf(k Kind) (KindInfo, error) {
	for _, i := range Kinds() {
		if i.Kind == k {
			return i, nil
		}
	}
	return KindInfo{}, fmt.Errorf("%q is no kind of mismatch", k)
}
