package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// Sidecar says what becomes of the JSON file that some telephone servers write beside
// a call's legs: {call}.json, in the directory of the first of them.
type Sidecar string

// What becomes of it.
const (
	SidecarOptional Sidecar = "optional" // it is read if it is there when the legs are handed over
	SidecarRequired Sidecar = "required" // the legs wait for it
	SidecarIgnored  Sidecar = "ignored"
)

// Notes is what a sidecar says of a call, in JSON:
//
//	{"call_id": "c-1", "started_at": "2026-11-29T10:00:00Z", "ended_at": "…", "span_ms": 61000,
//	 "host_software": "Asterisk 20.9.1", "legs": {"in": {"name": "customer", "offset_ms": 1200}}}
//
// Times are RFC 3339's and of the years 1970 to 2199, a span and an offset at most
// record.MaxSpan. A file that says what can't be is told of and ignored.
// Members that aren't known are the telephone server's own, and left alone. A tenant is
// none of them: whose the files are is for the spool's mapping to say.
type Notes struct {
	CallID    string              `json:"call_id"`
	StartedAt time.Time           `json:"started_at"`
	EndedAt   time.Time           `json:"ended_at"`
	Span      time.Duration       `json:"-"`
	Legs      map[string]LegNotes `json:"legs"` // by the leg as the pattern spells it
	// HostSoftware is what wrote the legs: see record.Spec.
	HostSoftware string `json:"host_software"`
}

// LegNotes is what a sidecar says of a leg.
type LegNotes struct {
	Name   string        `json:"name"`
	Offset time.Duration `json:"-"` // on the call's timeline
}

const maxSidecar = 1 << 20 // bytes

// UnmarshalJSON implements json.Unmarshaler.
func (n *Notes) UnmarshalJSON(b []byte) error {
	type plain Notes
	v := struct {
		plain

		SpanMS float64                     `json:"span_ms"`
		Legs   map[string]*json.RawMessage `json:"legs"`
	}{}
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*n = Notes(v.plain)
	var err error
	if n.Span, err = milliseconds(v.SpanMS); err != nil {
		return fmt.Errorf("span_ms: %w", err)
	}
	n.Legs = make(map[string]LegNotes, len(v.Legs))
	for leg, raw := range v.Legs {
		var l struct {
			Name     string  `json:"name"`
			OffsetMS float64 `json:"offset_ms"`
		}
		if raw == nil {
			continue
		}
		if err := json.Unmarshal(*raw, &l); err != nil {
			return fmt.Errorf("legs.%s: %w", leg, err)
		}
		offset, err := milliseconds(l.OffsetMS)
		if err != nil {
			return fmt.Errorf("legs.%s.offset_ms: %w", leg, err)
		}
		n.Legs[leg] = LegNotes{Name: l.Name, Offset: offset}
	}
	for name, at := range map[string]time.Time{"started_at": n.StartedAt, "ended_at": n.EndedAt} {
		if !at.IsZero() && (at.UTC().Year() < firstYear || at.UTC().Year() > lastYear) {
			return fmt.Errorf("%s: no call was in the year %d", name, at.UTC().Year())
		}
	}
	if !n.StartedAt.IsZero() && n.EndedAt.Sub(n.StartedAt) > record.MaxSpan {
		return fmt.Errorf("ended_at: the call is longer than %v", record.MaxSpan)
	}
	if n.CallID != "" && !callmodel.ValidID(n.CallID) {
		n.CallID = validID(n.CallID)
	}
	return nil
}

// What a call's times may be: others are those of a clock that isn't set, or stand for
// "never".
const (
	firstYear = 1970
	lastYear  = 2199
)

func milliseconds(ms float64) (time.Duration, error) {
	if math.Abs(ms) > float64(record.MaxSpan.Milliseconds()) {
		return 0, fmt.Errorf("%g ms is longer than any call", ms)
	}
	return time.Duration(ms * float64(time.Millisecond)), nil
}

// isEmpty reports whether nothing is said of the call.
func (n *Notes) isEmpty() bool {
	return n.CallID == "" && n.StartedAt.IsZero() && n.EndedAt.IsZero() && n.Span == 0 && len(n.Legs) == 0 && n.HostSoftware == ""
}

// specWithNotes is Spec of a set with notes. If no recording can be made of it by them, but
// without them, it is that, and ignored says what is wrong with the notes: they are what
// somebody else wrote, and cost no recording.
func (o *Options) specWithNotes(s *Set) (spec record.Spec, ignored, err error) {
	spec, err = o.Spec(s)
	if err == nil || s.Notes.isEmpty() {
		return spec, nil, err
	}
	plain := *s
	plain.Notes = Notes{}
	without, bare := o.Spec(&plain)
	if bare != nil {
		return spec, nil, err
	}
	return without, err, nil
}

// sidecarOf is the path of the JSON file beside a call's legs.
func sidecarOf(f *File) string { return path.Join(path.Dir(f.Path), f.Name.Call+".json") }

// readNotes reads a sidecar. The error wraps fs.ErrNotExist where there is none.
func readNotes(root *os.Root, name string) (Notes, error) {
	f, err := openRegular(root, name)
	if err != nil {
		return Notes{}, err
	}
	defer f.Close() //nolint:errcheck // only read from
	b, err := io.ReadAll(io.LimitReader(f, maxSidecar+1))
	if err != nil {
		return Notes{}, err
	}
	if len(b) > maxSidecar {
		return Notes{}, errors.New("it is larger than 1 MiB")
	}
	if !json.Valid(b) {
		return Notes{}, errors.New("it is no JSON, or not whole")
	}
	var n Notes
	if err := json.Unmarshal(b, &n); err != nil {
		return Notes{}, &impossibleError{err}
	}
	return n, nil
}

// impossibleError is about a sidecar that is whole JSON and says what can't be.
type impossibleError struct{ err error }

func (e *impossibleError) Error() string { return e.err.Error() }

// isWhole reports whether the error is about what a sidecar says: it won't be better later.
func isWhole(err error) bool {
	_, whole := errors.AsType[*impossibleError](err)
	return whole
}
