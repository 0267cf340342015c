package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/switchtape/switchtape/callmodel/reports"
)

// promiseReport is the API's report on the promise.
type promiseReport struct {
	Since     time.Time     `json:"since"`
	Until     time.Time     `json:"until"`
	Rows      []promiseSums `json:"rows"`
	Total     promiseSums   `json:"total"`
	Waiting   int64         `json:"waiting"`
	WithinMS  int64         `json:"within_ms"`
	Objective float64       `json:"objective"`
}

// promiseSums are a row of it.
type promiseSums struct {
	Hour    string `json:"hour"`
	Day     string `json:"day"`
	Server  string `json:"server"`
	Version string `json:"version"`
	Reason  string `json:"reason"`

	Unexplained int64   `json:"unexplained"`
	Calls       int64   `json:"calls"`
	Waiting     int64   `json:"waiting"`
	Explained   int64   `json:"explained"`
	Recorded    int64   `json:"recorded"`
	Absent      int64   `json:"absent"`
	Quarantined int64   `json:"quarantined"`
	Kept        float64 `json:"kept_ratio"`
	BurnRate    float64 `json:"burn_rate"`
	BudgetLeft  float64 `json:"budget_left"`
	MeanURLMS   int64   `json:"mean_url_ms"`
	Whole       int64   `json:"whole"`
	MissingLegs int64   `json:"missing_legs"`
	Silence     int64   `json:"silence"`
	Gaps        int64   `json:"gaps"`
	Drift       int64   `json:"drift"`
	Short       int64   `json:"short"`
	Faults      int64   `json:"faults"`

	// By is how many had their URL within each of reports.PromiseBounds.
	By [9]int64 `json:"-"`
}

// UnmarshalJSON implements json.Unmarshaler: the bounds are in the members' names.
func (s *promiseSums) UnmarshalJSON(b []byte) error {
	type plain promiseSums
	if err := json.Unmarshal(b, (*plain)(s)); err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return err
	}
	for i, d := range reports.PromiseBounds() {
		if raw, ok := members[fmt.Sprintf("within_%d_ms", d.Milliseconds())]; ok {
			if err := json.Unmarshal(raw, &s.By[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// Mean is the mean time from the end of a call to its URL; "–" if nothing is recorded.
func (s promiseSums) Mean() string {
	if s.Recorded == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f s", float64(s.MeanURLMS)/1000)
}

// InTime is how many had their URL within the time that is promised.
func (s promiseSums) InTime() int64 {
	return s.By[slices.Index(reports.PromiseBounds(), reports.PromiseWithin)]
}

// Later is how many are recorded later than promised, or are waited for.
func (s promiseSums) Later() int64 { return s.Recorded - s.InTime() + s.Explained + s.Waiting }

// InTimeShare is the share of InTime among those that are recorded, 0 to 1.
func (s promiseSums) InTimeShare() float64 { return share(s.InTime(), s.Recorded) }

// WholeShare is the share of those without a defect among those that are recorded, 0 to 1.
func (s promiseSums) WholeShare() float64 { return share(s.Whole, s.Recorded) }

func share(n, of int64) float64 {
	if of <= 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// The chart's size, in units of its own: it is as wide as the page.
const (
	chartWidth  = 960
	chartHeight = 140
)

// chart is a picture of calls by time: a bar for each hour or day, in parts that are one
// above the other.
type chart struct {
	Width, Height int
	By            string // "hour" or "day"
	Most          int64  // calls of the highest bar
	Bars          []bar
}

// bar is an hour or a day.
type bar struct {
	promiseSums
	At    string
	Parts []part
}

// part is a rectangle of a bar.
type part struct {
	Class      string
	X, Y, W, H float64
}

// chartOf draws the rows; nil if there are no calls.
func chartOf(p *promiseReport, by reports.Dimension) *chart {
	step := time.Hour
	if by == reports.Day {
		step = 24 * time.Hour
	}
	c := &chart{Width: chartWidth, Height: chartHeight, By: string(by)}
	at := map[string]promiseSums{}
	for _, row := range p.Rows {
		at[row.Hour+row.Day] = row
		c.Most = max(c.Most, row.Calls)
	}
	first := p.Since.Truncate(step)
	n := int(p.Until.Sub(first)+step-1) / int(step)
	if c.Most == 0 || n <= 0 || n > maxBars {
		return nil
	}
	wide, unit := float64(chartWidth)/float64(n), float64(chartHeight)/float64(c.Most)
	for i := range n {
		b := bar{At: reports.At(by, reports.HourOf(first.Add(time.Duration(i)*step)))}
		b.promiseSums = at[b.At]
		y := float64(chartHeight)
		for _, s := range []struct {
			class string
			count int64
		}{{"good", b.InTime()}, {"plain", b.Absent}, {"busy", b.Later()}, {"bad", b.Quarantined}, {"loud", b.Unexplained}} {
			if s.count > 0 {
				h := float64(s.count) * unit
				y -= h
				b.Parts = append(b.Parts, part{Class: s.class, X: float64(i) * wide, Y: y, W: wide * 0.85, H: h})
			}
		}
		c.Bars = append(c.Bars, b)
	}
	return c
}

// maxBars bounds a picture.
const maxBars = 1000
