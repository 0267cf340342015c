// Package dataexport has the kinds of job that hand data out: of one call, of everything
// about one number, and of a tenant, and that delete such an export when it expires.
//
//	payload ─▶ walk ─▶ units: a call, a page of users, some audit lines, …
//	            │  place                     │
//	            │    ▼                       ▼
//	            │  part-0001.json ◀── part-0001.{attempt}.zip ─▶ … ─▶ index.json, index.html
//	            └─ an attempt after a crash, or after some gigabytes, goes on behind the last part
//	               that was noted
//
// An export is zips in the tenant's part of the bucket, below exports/ and the job's key.
// They stand there, and not below a prefix of all tenants, since the beginning of a key is
// what says whose an object is. A part ends with the call that makes it larger than the
// payload's part_bytes; so a part is larger than that by one call at most, and no call is
// torn. Each has an index.json with the size and the SHA-256 of every file, and the same
// for people as index.html, without any script. Audio is stored, as it can't be made
// smaller; JSON is deflated.
//
// # What is in it
//
//	of      call                       number                     tenant
//	        the call                   its calls, of a time       all calls
//	                                   users who have it          all users, the profile, rules,
//	                                                              keys, webhooks, dead letters,
//	                                                              share links
//	                                                              jobs that are about no call
//	        audit lines and webhooks' deliveries about them       all audit lines and deliveries
//
// Of a call there are its record with the decision, its events, its jobs with their
// results, and every object of theirs: all versions of each recording that the bucket
// has, their manifests, peaks, transcripts and other formats. What a bucket that keeps
// versions has of an object that was deleted isn't in it, nor are secrets of any kind, nor
// the legs on telephone servers.
//
// Nothing is left out in silence. What the ledger names and couldn't be had is in
// the index, with the reason: see [Missing]. It doesn't fail the export: its status is
// "completed_degraded" then.
//
// # Of an access request
//
// An export of a number has the calls of the number, which name other parties: their
// numbers, and their voices in the recordings. Whether those may be handed on is for a
// person to decide (GDPR, article 15(4)); the index says so. A party who withheld the
// number can't be found by it, and recordings that belong to no stored call have none.
//
// # Memory
//
// A part is written to a spool before it goes to the bucket, and of the walk one page is
// in memory, of the part the list of its files. Of a number the ids of its calls and their
// jobs are, too, so that there are at most [MaxCalls].
package dataexport
