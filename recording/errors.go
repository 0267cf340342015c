package recording

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/recording/internal/legfile"
)

// LegsNotReadyError says that legs have no audio yet, as a file of theirs is
// missing or empty, or that they are still being written. Nothing was put.
//
// errors.Is with fs.ErrNotExist holds if a file is missing. It doesn't hold if
// legs are only empty or still being written.
type LegsNotReadyError struct {
	// Legs are the names of legs without audio, in the spec's order.
	Legs []string
	// Files are the files of Legs that are missing or empty.
	Files []LegFile
	// Growing are the names of legs of which a file has grown while it was read, or
	// was written to too lately, by ProcessOptions.
	Growing []string
}

// LegsAwayError says that the place where legs are couldn't be looked into: its
// bucket or share is away, or refuses a file that is there. Nobody knows then what
// the leg holds, so that it isn't missing. Nothing is wrong with the recording: it
// is to be made when the place is back.
type LegsAwayError struct {
	Leg string // the name of the leg that was to be read
	URI string // of its file
	Err error  // the LegOpener's, or that of a read
}

func (e *LegsAwayError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *LegsAwayError) Unwrap() error { return e.Err }

// placeAway is err with the package's own error of a place that is away. What
// happens once ctx has ended says nothing about the place.
func placeAway(ctx context.Context, err error) error {
	if away, ok := errors.AsType[*legfile.AwayError](err); ok && ctx.Err() == nil {
		return &LegsAwayError{Leg: away.Leg, URI: away.URI, Err: err}
	}
	return err
}

// LegFile is a file that has no audio yet.
type LegFile struct {
	Leg string // its name
	URI string
	// Err is the LegOpener's error for a file that is missing, which wraps
	// fs.ErrNotExist; nil for one that is empty.
	Err error
}

// The bounds of the error's text.
const (
	maxFilesTold = 3   // of a leg
	maxURITold   = 200 // bytes, the last ones
)

// Error names the legs and their files.
func (e *LegsNotReadyError) Error() string {
	var why []string
	if len(e.Legs) > 0 {
		legs := make([]string, len(e.Legs))
		for i, name := range e.Legs {
			legs[i] = name + e.filesOf(name)
		}
		why = append(why, "no audio yet of leg "+strings.Join(legs, ", "))
	}
	if len(e.Growing) > 0 {
		why = append(why, "still growing: the file of leg "+strings.Join(e.Growing, ", "))
	}
	return "recording: " + strings.Join(why, "; ")
}

// filesOf tells of the leg's files, in brackets; "" if none is known.
func (e *LegsNotReadyError) filesOf(leg string) string {
	var told []string
	more := 0
	for _, f := range e.Files {
		switch {
		case f.Leg != leg:
		case len(told) == maxFilesTold:
			more++
		case f.Err != nil:
			told = append(told, "no file "+quoteEnd(f.URI))
		default:
			told = append(told, "file "+quoteEnd(f.URI)+" is empty")
		}
	}
	if more > 0 {
		told = append(told, fmt.Sprintf("and %d more", more))
	}
	if len(told) == 0 {
		return ""
	}
	return " (" + strings.Join(told, ", ") + ")"
}

// quoteEnd quotes the URI, or its end if it is long.
func quoteEnd(uri string) string {
	if n := len(uri); n > maxURITold {
		return "…" + strconv.Quote(uri[n-maxURITold:])
	}
	return strconv.Quote(uri)
}

// Unwrap returns the errors of the files that are missing.
func (e *LegsNotReadyError) Unwrap() []error {
	var list []error
	for _, f := range e.Files {
		if f.Err != nil {
			list = append(list, f.Err)
		}
	}
	return list
}
