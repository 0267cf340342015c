package spool

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	"github.com/switchtape/switchtape/callmodel"
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
//	 "legs": {"in": {"name": "customer", "offset_ms": 1200}}}
//
// Members that aren't known are the telephone server's own, and left alone. A tenant is
// none of them: whose the files are is for the spool's mapping to say.
type Notes struct {
	CallID    string              `json:"call_id"`
	StartedAt time.Time           `json:"started_at"`
	EndedAt   time.Time           `json:"ended_at"`
	Span      time.Duration       `json:"-"`
	Legs      map[string]LegNotes `json:"legs"` // by the leg as the pattern spells it
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
	n.Span = milliseconds(v.SpanMS)
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
		n.Legs[leg] = LegNotes{Name: l.Name, Offset: milliseconds(l.OffsetMS)}
	}
	if n.CallID != "" && !callmodel.ValidID(n.CallID) {
		n.CallID = validID(n.CallID)
	}
	return nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

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
	var n Notes
	err = json.Unmarshal(b, &n)
	return n, err
}
