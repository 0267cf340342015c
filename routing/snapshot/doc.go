// Package snapshot keeps the rule sets that are in service in a directory, so
// that a service routes calls right after its start, whether or not its database
// answers.
//
//	DIR/
//	  acme/                       a tenant that has rules of its own
//	    state                     which versions are in service: JSON, its checksum behind it
//	    0f3a….rules               a version: its binary form, and a checksum
//	  _without                    the tenants that have none of their own
//
// Every file is written beside its place, synced, and moved there; then the
// directory is synced. A crash leaves either the old file or the new. The file of a
// version is there before a state names it. Errors name the files that can't be
// read; every other file is used.
//
// A directory belongs to one process.
package snapshot
