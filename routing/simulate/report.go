package simulate

import (
	"encoding/json"
	"math"
	"time"
)

// Destination is what one destination gets.
type Destination struct {
	ID         string `json:"destination"`
	Concurrent int    `json:"limit_concurrent,omitempty"` // its limits; 0 for none
	CPS        int    `json:"limit_cps,omitempty"`
	// Demand counts the calls that the rules would send there first without any
	// limits, and Calls those that they do send there.
	Demand int `json:"demand"`
	Calls  int `json:"calls"`
	// Overflow counts calls of the demand that went elsewhere, and Refused those that
	// found no room anywhere. FromOthers counts calls for which others had no room.
	Overflow   int `json:"overflow"`
	Refused    int `json:"refused"`
	FromOthers int `json:"from_others"`
	// FullConcurrent and FullCPS count the calls of the demand for which it had no
	// room, by the limit.
	FullConcurrent int `json:"full_concurrent"`
	FullCPS        int `json:"full_cps"`
	// The peaks are new calls in one second of the clock, and calls at once: of the
	// calls that it gets, and of the demand.
	PeakCPS              int `json:"peak_cps"`
	PeakConcurrent       int `json:"peak_concurrent"`
	DemandPeakCPS        int `json:"demand_peak_cps"`
	DemandPeakConcurrent int `json:"demand_peak_concurrent"`
	// Over is how long the demand was over the limit of calls at once, and
	// SecondsOverCPS counts the seconds of the clock in which it was over the limit of
	// new calls. In JSON, Over is a number of seconds, seconds_over.
	Over           time.Duration `json:"-"`
	SecondsOverCPS int           `json:"seconds_over_cps"`
	Series         *Series       `json:"series,omitempty"`
}

// destinationJSON is a Destination as JSON has it: what follows the fields stands
// for the fields of the same name.
type destinationJSON struct {
	*destinationFields
	Over           float64 `json:"seconds_over"`
	SecondsOverCPS int     `json:"seconds_over_cps"`
	Series         *Series `json:"series,omitempty"`
}

type destinationFields Destination // without methods

// MarshalJSON writes Over as a number of seconds.
func (d Destination) MarshalJSON() ([]byte, error) {
	return json.Marshal(destinationJSON{(*destinationFields)(&d), d.Over.Seconds(), d.SecondsOverCPS, d.Series})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (d *Destination) UnmarshalJSON(b []byte) error {
	var fields destinationFields
	in := destinationJSON{destinationFields: &fields}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*d = Destination(fields)
	d.Over, d.SecondsOverCPS, d.Series = time.Duration(math.Round(in.Over*float64(time.Second))), in.SecondsOverCPS, in.Series
	return nil
}

// Series has one value for each minute, from the report's Start.
type Series struct {
	Calls          []int32 `json:"calls"` // that began in the minute
	PeakCPS        []int32 `json:"peak_cps"`
	PeakConcurrent []int32 `json:"peak_concurrent"`
	NoRoom         []int32 `json:"no_room"` // calls of the demand that it had no room for
}

// Report says what the calls do to the destinations.
type Report struct {
	Calls   int       `json:"calls"`
	Start   time.Time `json:"start,omitzero"` // the minute of the first call
	End     time.Time `json:"end,omitzero"`   // when the last is over
	NoRoute int       `json:"no_route"`       // no rule matches, or none of its destinations has the rate that is required
	Refused int       `json:"refused"`        // a rule matches, and all its destinations are full
	// Overflow counts calls that another destination took than the one of the demand.
	Overflow int `json:"overflow"`
	// Assumed counts calls without a length, which are taken to last AssumedSeconds.
	// That is a number and not a time.Duration, so that a Report may be embedded in
	// another JSON object.
	Assumed        int `json:"assumed"`
	AssumedSeconds int `json:"assumed_seconds"`
	// Destinations lists those that calls went to or that have limits, by id.
	Destinations []Destination `json:"destinations"`
	// SeriesLeftOut says why there are no series, if they were asked for.
	SeriesLeftOut string `json:"series_left_out,omitempty"`
}
