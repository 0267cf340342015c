// Package local reads legs from, and writes recordings to, the files of this
// machine, for programs that need neither a bucket nor a worker:
//
//	Files      opens legs by any path                 ─┐
//	Dir        opens legs below one directory only    ─┼▶ recording.Processor ─┬▶ Target: one recording, where you say
//	(a bucket: storage.Store)                         ─┘                       └▶ Directory: any number, by their keys
//
// Whatever is written appears whole or not at all: in a temporary file beside its
// place, on the disk, then under its name. A file that is there already is never
// replaced unless Options.Overwrite says so.
package local
