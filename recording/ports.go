package recording

import (
	"context"
	"io"
	"strings"

	"github.com/switchtape/switchtape/callmodel/record"
)

// LegOpener opens the files of legs.
//
// The error for a file that isn't there wraps fs.ErrNotExist. Any other error
// ends the attempt: the job is tried again later.
//
// A reader that can tell its length, by Size() int64 or by Stat as *os.File
// does, and that is an io.ReaderAt besides, lets the length of the recording be
// known from the files' headers. Of others the audio is read once more, before
// the recording, to count its frames: OpenLeg must be able to open a leg again.
type LegOpener interface {
	OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error)
}

// Objects is where outputs go. storage.Store is one.
//
// Put creates the object, with what write writes to its writer, under key or,
// if other bytes are there already, under a later version of it. It calls write
// at most once, and nothing is visible if write fails. It must return soon
// after ctx ends. A recording with several outputs puts them at the same time,
// each from a goroutine of its own; with one, it is made within write.
type Objects interface {
	Put(ctx context.Context, key record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error)
}

// LegsNotReadyError says that legs have no audio yet, as their file is missing or
// empty, or are still being written. Nothing was put.
type LegsNotReadyError struct {
	Legs    []string // names of those without audio, in the spec's order
	Growing []string // and of those with a file that has grown while it was read, or was written to too lately, by ProcessOptions
}

func (e *LegsNotReadyError) Error() string {
	var why []string
	if len(e.Legs) > 0 {
		why = append(why, "no audio yet of leg "+strings.Join(e.Legs, ", "))
	}
	if len(e.Growing) > 0 {
		why = append(why, stillGrowing+strings.Join(e.Growing, ", "))
	}
	return "recording: " + strings.Join(why, "; ")
}

const stillGrowing = "still growing: the file of leg "

// SawGrowing reports whether cause is what a [*LegsNotReadyError] says of legs
// that were growing. A ledger keeps no more of an attempt's error than its words.
func SawGrowing(cause string) bool { return strings.Contains(cause, stillGrowing) }
