//go:build linux

package crashtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// report is what a crash test was and came to.
type report struct {
	Seed        uint64             `json:"seed"`
	Troubled    float64            `json:"troubled_seconds"` // how long there were faults
	Drained     float64            `json:"drained_seconds"`  // how long the backlog took then
	Whole       float64            `json:"whole_seconds"`
	Kills       int64              `json:"kills"`
	Faults      map[string]int     `json:"faults"`
	Starts      int                `json:"starts"`  // of our programs
	Refused     int                `json:"refused"` // of them those that ended at once, for want of the database
	Calls       int                `json:"calls"`
	Messages    int                `json:"messages"` // of the calls those that came by NATS
	Kinds       map[string]int     `json:"kinds"`    // of legs
	Jobs        map[string]int     `json:"jobs"`     // by outcome
	Objects     int                `json:"objects"`
	LegsDeleted int                `json:"calls_with_legs_deleted"`
	Retried     int                `json:"deletions_retried"` // that kills had set aside
	Homecomings int                `json:"moved_home_from_backup"`
	EventCopies int                `json:"events_published_again"`
	HangUpToURL map[string]float64 `json:"hangup_to_url_seconds"`
	Unexplained int64              `json:"promise_unexplained"` // while clocks are set
	Checked     map[string]int     `json:"checked"`             // by invariant
	Broken      map[string]int     `json:"broken"`
	Verified    string             `json:"verified"`
}

func newReport(seed uint64) report {
	return report{Seed: seed, Faults: map[string]int{}, Kinds: map[string]int{}, Jobs: map[string]int{}, Checked: map[string]int{}, Broken: map[string]int{}}
}

// String is the report for people.
func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d kills and %d other faults in %.0f s, the backlog done %.0f s after, %.0f s in all\n",
		r.Seed, r.Kills, sum(r.Faults), r.Troubled, r.Drained, r.Whole)
	fmt.Fprintf(&b, "%d starts of programs, %d of which ended at once for want of the database\n", r.Starts, r.Refused)
	fmt.Fprintf(&b, "%d calls, %d of them by NATS; %d objects; %d recordings moved home from the backup; legs of %d calls deleted, of which %d were set aside by kills before; %d events published again\n",
		r.Calls, r.Messages, r.Objects, r.Homecomings, r.LegsDeleted, r.Retried, r.EventCopies)
	for _, part := range []struct {
		name string
		of   map[string]int
	}{{"faults", r.Faults}, {"legs", r.Kinds}, {"outcomes", r.Jobs}, {"checked", r.Checked}, {"BROKEN", r.Broken}} {
		if len(part.of) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s\n", part.name)
		for _, name := range slices.Sorted(maps.Keys(part.of)) {
			fmt.Fprintf(&b, "  %6d  %s\n", part.of[name], name)
		}
	}
	fmt.Fprintf(&b, "hang-up to URL: p50 %.1f s, p99 %.1f s, longest %.1f s\n", r.HangUpToURL["p50"], r.HangUpToURL["p99"], r.HangUpToURL["longest"])
	fmt.Fprintf(&b, "unexplained by the promise, as clocks were set: %d\n", r.Unexplained)
	fmt.Fprintf(&b, "verify: %s", r.Verified)
	return b.String()
}

func sum(m map[string]int) (n int) {
	for _, v := range m {
		n += v
	}
	return n
}

// write prints the report, and puts it in the file of SWITCHTAPE_CRASH_REPORT as JSON.
func (r *report) write(t *testing.T) {
	t.Helper()
	t.Logf("%s", r)
	path := os.Getenv("SWITCHTAPE_CRASH_REPORT")
	if path == "" {
		return
	}
	body, err := json.MarshalIndent(r, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(body, '\n'), 0o600))
}
