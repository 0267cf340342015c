// Package callservice handles calls: it decides where each one goes, stores it,
// follows its events until it ends, and keeps the rules that decide. It knows no
// HTTP: package callhttp is its handler, and any other front can be another.
//
//	Request ─▶ Emergency? ─ no ──▶ lane ─▶ key ─▶ check ─▶ route ─┬▶ store ─▶ Created
//	              │                 └▶ 429                       │ away, and CallsFromMemory
//	              │                                              └▶ Journal ─▶ Created
//	              │                                                    └▶ stored by Run
//	              └ yes ─▶ route in memory ─▶ Journal ─▶ Call
//	                                             └▶ stored beside it, and by Run
//
//	service := callservice.New(db, &callservice.Options{DefaultRegion: "US"})
//	go service.Run(ctx)
//	_, err := service.InstallRules(ctx, "acme", rules, "me", "")
//	created, err := service.Create(ctx, "acme", callservice.Request{From: …, To: …}, "me", nil)
//
// Each tenant's data is its own: another's call looks like none. Errors have the
// codes of callmodel, and name every fault of a request at once.
//
// # The two lanes
//
// Requests take a place in the normal lane. It has between Options.MinInFlight and
// MaxInFlight of them: fewer when creating calls and events takes longer than it did,
// and more again when it doesn't. While no place is free
//
//   - tenants take turns: the next place goes to the one that holds the fewest of those
//     whose requests wait. One at many times its share waits for itself.
//   - of a tenant's own requests events come first, then calls by their priority, then
//     looks at one call, and then lists, explanations, dry runs and rules.
//   - a request waits for Options.QueueWait at most, with Options.MaxQueued others, of which
//     a quarter may be its tenant's. Where there is no room, a tenant's more urgent request
//     takes that of its least urgent one, and a tenant with few that wait that of the one
//     with the most.
//
// What gets no place is refused with CodeOverloaded, or, while the stores don't answer,
// CodeUnavailable, in a callmodel.RetryAfterError, which says when the tenant's turns
// before it will be over. [Service.Lane] says how the lane stands.
//
// A call to an emergency number, or of the type "emergency", takes no place. What
// is wrong in it is left out. It goes to Options.EmergencyDestinations when no
// rule for emergency calls takes it: a default rule takes none away from them, but
// takes what there is where none are configured. A call with neither is taken, too;
// its Cause is calls.EmergencyNoRoute. It is answered whether or not it could be
// stored. An idempotency key is honoured as far as that costs the call nothing: see
// [Service.CreateEmergencyOnce]. An id of the caller's own that is known to be taken
// is replaced.
//
// A number is recognised in every form that package normalize knows, in the region
// where it was dialled, in Options.DefaultRegion and by its country's code.
// Options.Numbering adds and removes numbers, and says what a tenant dials for an
// outside line.
//
// # What is answered and not stored
//
// An emergency call is written to Options.Journal and answered; the insert goes on
// beside the answer, on the connections of Options.EmergencyCalls, and is not ended
// because it is slow. While the stores are away calls wait, and events with them:
// telephone servers tell an event once. [Service.LoadJournal] takes up what an
// earlier process left, and each is stored once, in its order.
//
// Without a journal, or when its disk is full or hangs, calls are answered all the
// same, and wait in memory alone: Backlog.JournalFailures says so. An event that
// can't be written down is refused, unless its call waits in memory too.
//
// # While the stores are away
//
// Calls that are no emergencies are stored before they are answered, and refused with
// CodeUnavailable while that can't be. With Options.CallsFromMemory they are routed then
// as ever, by the rules and users in memory, written to Options.Journal and answered with
// the call as it will be stored, once, by Run. Their events are accepted as those of
// emergency calls are. The first calls wait for the stores for up to two seconds until
// they are known to be away. Lists, explanations and dry runs of unknown tenants fail.
//
// A call is refused, all the same, when its tenant's rules are not known here, when it
// can't be written down, or when half of Options.MaxUnstored wait already: what waits is
// in memory as well, so that it can be found by its id and its key.
//
// Its idempotency key is honoured by this process: asked again while the call waits it
// gives the same answer, also after a new start, and once the call is stored the stores
// know it. A key with which this process has stored a call before is refused with
// CodeUnavailable while the stores are away, because they have the answer. Other
// processes don't know the key until then: asked again there it makes another call.
// Both calls were answered, so both are stored, and the key is that of the first to be.
//
// Whether an id of the caller's own is another call's is known when the call is stored:
// then it gets another one, which is logged.
//
// # Callers
//
// No caller refuses a call. One that withholds its number is calls.AnonymousCaller;
// one that is no number ("asterisk", "") is kept as it was given, with AsGiven. For
// neither does a rule hold that asks for the caller.
//
// # Who decides
//
// With Options.Decider, another service is asked first, and the rules when it
// has no answer; the decision's source and fallback say so. Either way the
// limits of the rule set's destinations hold: a place is reserved with the
// decision, held with the stored call, moved by its events and given back at
// its end. A call for which every destination is full is refused with
// CodeNoCapacity and is not stored, so its idempotency key may be used again.
//
// A tenant, an inbound trunk and a rule may have limits, too (routing.CallLimits,
// routing.Rule): they hold in the same way, and what is over them is refused with
// CodeNoCapacity, too.
//
// Limits and health are this process's own. Where several processes decide,
// Options.Instances says how many there are now, and each enforces its part. Of a limit that
// is less than their number some have one call and the others none: a caller that is refused
// by one of these finds room at another.
// Events may be told to any of them: one that hears nothing of a call looks it up in the stores after half a minute.
//
// # How a call is recorded
//
// Each setting of its recording is said by the first of these that says it:
//
//	its own request ─▶ Options.Settings ─▶ its users ─▶ its tenant ─▶ Options.DefaultOutputs
//
// Users say only whether there is a recording: one who wants none decides for both. The
// settings service goes before what they prefer, but not before a consent that one of them
// refused. It is asked once the call was routed, and, if Options.SettingsAt says so, before the end of the call is
// stored; then what it says goes before what it said at the start. Where it has no answer
// the others say it all, and the call is taken all the same. The call and its recording
// job have the source of each setting in SettingsFrom.
//
// # Rules in service
//
// A version's name is the hash of its content. One is active, and beside it one
// may be the canary, which decides a share of the calls, by 0.01 %: always the
// same calls, by their id, and more of them when the share grows. The decision
// names the version and says whether it was the canary; an explanation is by the
// version that decided. The active version decides emergency calls always, and
// calls without an id in Try.
//
// Every change returns what is in service then. With an expected version it is
// made only if that one is still active, so that nobody undoes another's change
// unseen. A change that is made already changes nothing and succeeds: with an
// expected version every one of them may be sent again after a lost answer. A
// rollback without one may not: each goes further back. Rollbacks are not gone
// back to. Activating another version and rolling back end a canary.
//
// A version that doesn't parse, or doesn't compile, is never put in service: the
// one that is there stays. A reload is one pointer: no call waits for it, and each
// is decided by one version as a whole.
//
// A tenant's first call waits for the stores to say which rules it has; no other
// call waits for them, or for a lock, before it is decided. None waits for a disk.
// Options.Snapshot, which Run writes, keeps what is in service. With
// [Service.LoadSnapshot] a service routes by it at once when its stores can't be
// reached; Run takes up what they have as soon as they answer. Calls that are not
// emergencies are still stored before they are answered, so they fail with
// CodeUnavailable until then, unless Options.CallsFromMemory is set; Try answers.
package callservice
