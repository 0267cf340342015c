// Package durablefile is a gocloud.dev/blob driver for local disks that keeps
// its promises through power cuts, kill -9 and races: an object is either
// wholly there, on the disk, with its attributes, or not there at all, and a
// create-only write has exactly one winner.
//
//	write ──▶ unnamed file in the object's directory (O_TMPFILE) ──▶ fsync
//	                                                                   │ Close
//	     ┌──── under the bucket's lock ────────────────────────────────┘
//	     ├ link the attributes  (.NAME.attrs)
//	     └ link the object      (NAME): fails if it exists ──▶ fsync the directory
//
// A file without a name can't be left behind by a crash. Where the file system
// has none (or the system isn't Linux), a temporary name is used, locked by its
// writer; what a dead writer left is removed when the bucket is next opened.
//
// Objects are plain files at their key's path, so that every tool can read
// them. Bytes that are awkward in file names are written as %XX; names that
// start with a dot are the driver's own. As with any directory tree, "a" and
// "a/b" can't both be objects.
package durablefile
