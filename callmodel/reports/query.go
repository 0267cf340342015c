package reports

import (
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Dimension is what a report is broken down by.
type Dimension string

// The dimensions. Hours and days are those of UTC, as they begin ("2026-11-29T13:00:00Z",
// "2026-11-29").
const (
	Hour   Dimension = "hour"
	Day    Dimension = "day"
	Tenant Dimension = "tenant"

	// Of calls.
	Trunk       Dimension = "trunk"       // that the call came in by; "" if it isn't known
	Destination Dimension = "destination" // the id of the last one that was tried; "" for none
	Direction   Dimension = "direction"
	Type        Dimension = "type"
	// Cause is why a call was not answered: "sip:486", "q850:17", or a text of
	// Switchtape's own. "" of calls that were.
	Cause Dimension = "cause"

	// Of recordings.
	Status Dimension = "status" // completed, completed_degraded, absent, quarantined
	Reason Dimension = "reason" // of those that are absent
)

// CallDimensions are those of reports on calls.
func CallDimensions() []Dimension {
	return []Dimension{Hour, Day, Tenant, Trunk, Destination, Direction, Type, Cause}
}

// RecordingDimensions are those of reports on recordings.
func RecordingDimensions() []Dimension { return []Dimension{Hour, Day, Tenant, Status, Reason} }

// Bounds of a report.
const (
	// MaxRows is how many rows a report has at most.
	MaxRows = 10_000
	// MaxSpan is the longest time of a report.
	MaxSpan = 400 * 24 * time.Hour
	// MaxValueLen bounds a value of a dimension in bytes; longer ones are clipped.
	MaxValueLen = 128
)

// Query asks for a report.
type Query struct {
	// TenantID is whose calls or recordings; "" for everybody's.
	TenantID callmodel.TenantID
	// Since and Until are the hours: from that in which Since is, up to but without
	// that in which Until is, unless that begins before Until: then with it.
	Since, Until time.Time
	// By are the dimensions of the rows, in order. None: there is one row.
	By []Dimension
	// Where are the values that dimensions other than time must have.
	Where map[Dimension]string
}

// Validate checks the query of a report with the dimensions, all faults at once, as
// FieldErrors.
func (q *Query) Validate(dimensions []Dimension) error {
	var faults callmodel.FieldErrors
	if q.TenantID != "" {
		faults.CheckID("tenant", string(q.TenantID))
	}
	switch {
	case q.Since.IsZero():
		faults.Add("since", "is missing")
	case q.Until.IsZero():
		faults.Add("until", "is missing")
	case !q.Since.Before(q.Until):
		faults.Add("until", "is not behind since")
	case q.Until.Sub(q.Since) > MaxSpan:
		faults.Add("since", "is more than %d days before until", MaxSpan/(24*time.Hour))
	}
	for i, d := range q.By {
		switch {
		case !slices.Contains(dimensions, d):
			faults.Add("by", "%.40q is not one of %s", string(d), list(dimensions))
		case slices.Contains(q.By[:i], d):
			faults.Add("by", "%s is there twice", d)
		}
	}
	for d, v := range q.Where {
		switch {
		case !slices.Contains(dimensions, d) || d == Hour || d == Day || d == Tenant:
			faults.Add(string(d), "is no dimension to choose by")
		case len(v) > MaxValueLen:
			faults.Add(string(d), "is longer than %d bytes", MaxValueLen)
		}
	}
	return faults.Err()
}

// Hours are the hours of the query since 1970: from the first, up to but without the last.
func (q *Query) Hours() (from, to int64) {
	const hour = int64(time.Hour / time.Second)
	from, to = floor(q.Since.Unix(), hour), floor(q.Until.Unix(), hour)
	if q.Until.After(time.Unix(to*hour, 0)) {
		to++
	}
	return from, to
}

// HourOf is the hour since 1970 in which t is.
func HourOf(t time.Time) int64 { return floor(t.Unix(), int64(time.Hour/time.Second)) }

// floor is the quotient, towards the past.
func floor(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// At is the value of the dimension Hour or Day for an hour since 1970.
func At(d Dimension, hour int64) string {
	t := time.Unix(hour*3600, 0).UTC()
	if d == Day {
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

func list(dimensions []Dimension) string {
	names := make([]string, len(dimensions))
	for i, d := range dimensions {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}
