// Package spool makes recording jobs of the files that telephone servers leave in a
// directory, without any glue on those servers:
//
//	tree ──▶ Sweep ─▶ Pattern: call, leg, start ─▶ Set ─ quiet, or renamed? ─▶ Ledger.Enqueue
//	  ┊        ▲                                    │                               │
//	  ┊        └── a pause, or the hint that        └ a leg isn't there: a while ◀┐ ▼
//	  └┄ inotify ┄┄ something has changed                                         index of
//	                                                                        what is handed over
//
// The sweep is the truth and the notification a hint: it shortens the pause before
// the next sweep, and nothing is lost where there is none (a network share), where
// its queue overflows, or while the process is down.
//
// # When a call is handed over
//
// The files of a call are a [Set]. It is handed over once none of its files has
// changed its size or its time for Options.Quiet, which is found out by looking
// twice: a file's time is compared with what it was, never with a clock, so that a
// machine whose clock is wrong neither cuts calls short nor waits for ever. A network
// share may show a file for a while as it was: there Quiet is to be longer than the
// client keeps attributes (NFS: acregmax, 60 s). What is handed over too early is no
// loss, as the worker follows files that grow. Where the
// telephone server renames its files when they are whole, Options.Renamed hands them
// over at first sight.
//
// A pattern that says which legs a call has ("{leg:in|out}") has a call whose other
// leg isn't there yet wait for Options.Wait. Then it is handed over with both legs by
// name: the worker publishes what there is, and makes another version when the leg
// comes (worker.Options.FollowGrowing). A leg that no pattern foretells and that comes
// after the hand-over isn't recorded; it is counted ([Stats].Late) and logged.
//
// # Never twice
//
// The id of a recording is made of its tenant and of what its files' names have in
// common, with the place of the spool below that of the legs. It is the key of the
// job: a sweep after a restart, a second process over the same directory and a person
// who adopts it make the same job again, which the ledger knows. The index, a file of
// 33 bytes for each call, only spares the questions: without it every call of the tree
// is asked about after a restart, some thousands a second. It holds for one ledger;
// after an older one was restored it is to be deleted, and all is asked about again.
//
// The ledger forgets jobs where it is told to keep them for a time (--keep-calls).
// Files must not be there for longer than that, unless there is the index.
//
// Files stay where they are: the worker reads them there. A file that takes the place
// of another one under the same name after the hand-over is not another call.
package spool
