// Package adopt makes the finished recordings in a bucket known, which something else
// has made: they are found, listened to and verified like any, and none is copied.
//
//	List ─▶ Pattern: call, start ─▶ read once: hash, frames ─▶ manifest beside it ─▶ Ledger.Adopt
//	  └▶ left out, with a reason
//
// The bucket is the one that the API serves from then on. The job of an adopted
// recording is done: its leg is the object itself, its output, too, and its manifest lies
// beside it as {object}.manifest.json. Run twice, it makes nothing twice: ids are made of
// the tenant and the object's name, its extension too, and what is adopted is not read again.
//
// Recordings that Switchtape itself has made are adopted where the ledger doesn't know
// them, as after a restore of an older back-up: by their manifests, with the results that
// they had, once every file has the hash that its manifest names.
package adopt
