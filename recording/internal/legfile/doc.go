// Package legfile opens the files of a recording's legs, reads their audio and
// hashes them.
//
//	Open ─▶ []*Leg ─▶ []*Segment: is the file there, its format, its frames ─▶ Leg.OpenDefects
//	                    │
//	Leg.ReadInOrder     ▼
//	                  Segment.Source ─▶ frames ─▶ mixed by the caller
//	                    │
//	                    ▼
//	Leg.Finish ─▶ Leg.SHA256, Segment.SHA256 ─▶ Leg.ReadDefects
//	Leg.Growing ─▶ is a file still being written?
//
// Each file is read once, however often it is opened: its hash is made of the
// bytes that the decoder takes. Two cases cost a second read. A leg with several
// files whose order in time isn't that of the spec is read again for the hash of
// all of them; and a file that can't tell its length is read first to count its
// frames.
//
// A file may still be written while it is read. The first opening fixes how much
// of it is read, however often it is opened later. If the file holds more once
// all of that was read, the leg isn't ready. Reading is quick and may fall
// between two writes, so the time of the last modification counts too.
package legfile
