package console_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/callmodel/reports/reporthttp"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// sums is a store of reports that has one hour of calls.
type sums struct {
	reporthttp.Store

	promise reports.Promise
	hour    time.Time
	asked   *[]reports.Query
}

func (s sums) ReportPromise(_ context.Context, q *reports.Query) (reports.Report[reports.Promise], error) {
	*s.asked = append(*s.asked, *q)
	if err := q.Validate(reports.PromiseDimensions()); err != nil {
		return reports.Report[reports.Promise]{}, err
	}
	var of []string
	for _, d := range q.By {
		switch d {
		case reports.Server:
			of = append(of, "pbx-1")
		case reports.Version:
			of = append(of, "v1.2.3")
		case reports.Reason:
			of = append(of, reports.ReasonNoJob)
		default:
			of = append(of, reports.At(d, reports.HourOf(s.hour)))
		}
	}
	p := s.promise
	p.Sum()
	return reports.Report[reports.Promise]{Rows: []reports.Row[reports.Promise]{{Of: of, Sums: p}}, Waiting: 7}, nil
}

func (s sums) ReportRecordings(context.Context, *reports.Query) (reports.Report[reports.Recordings], error) {
	return reports.Report[reports.Recordings]{Rows: []reports.Row[reports.Recordings]{
		{Sums: reports.Recordings{Recordings: 90, Completed: 80, Degraded: 10, Duration: 2 * time.Hour, Bytes: 5_000_000}},
	}}, nil
}

// fleetPage is the page of a fleet with those sums, and what the API was asked for.
func fleetPage(t *testing.T, p reports.Promise, page string) (body string, asked []reports.Query) {
	t.Helper()
	now := time.Date(2026, 11, 30, 10, 30, 0, 0, time.UTC)
	mux := http.NewServeMux()
	reporthttp.New(sums{promise: p, hour: now, asked: &asked}, nil).Mount(mux)
	mux.Handle("/v1/jobs/", recordinghttp.New(memdb.New(nil), nil))
	s, key := newConsole(t, mux, &hands{now}, "reader")
	b := browser(t)
	logIn(t, b, s.URL, key)
	status, _, body := look(t, b, s.URL+page)
	require.Equal(t, http.StatusOK, status, body)
	return body, asked
}

// TestFleet: what became of the promise is told by time, by how long it took, and by server
// and version, of the time that the address names.
func TestFleet(t *testing.T) {
	t.Parallel()
	p := reports.Promise{Recorded: 90, Absent: 8, Quarantined: 2, After: 90 * 1500 * time.Millisecond, Whole: 45, Drift: 3}
	p.By = [9]int64{10, 30, 60, 80, 81, 90, 90, 90, 90}
	body, asked := fleetPage(t, p, "/fleet")
	assert.NotContains(t, body, `role="alert"`, "nothing is unexplained")
	for _, text := range []string{
		"1.50 s", "90.0 %</meter> 90.0 %</td><td>81</td>", "<th scope=\"row\">0.5 s</th>", "10 s (promised)", "pbx-1</a></th><td>v1.2.3</td>",
		`<td class="num">50.0 %</td>`, "overspent", "7 calls aren’t counted yet", "2 h 0 min", "5.0 MB", "2026-11-30 10:00</th><td class=\"num\">100</td><td class=\"num\">81</td>",
	} {
		assert.Contains(t, body, text)
	}
	assert.NotContains(t, body, "another tenant", "its destinations are nobody else's affair")
	// The highest bar is as high as the picture, its parts one above the other.
	rects := strings.Split(body, "<rect ")[1:]
	require.Len(t, rects, 4)
	assert.Contains(t, rects[0], `class="good"`)
	assert.Contains(t, rects[0], `y="26.60"`)
	assert.Contains(t, rects[0], `height="113.40"`)
	assert.Contains(t, rects[3], `class="bad"`)
	assert.Contains(t, rects[3], `y="0.00"`)

	spans := func(asked []reports.Query) (list []time.Duration) {
		for i := range asked {
			list = append(list, asked[i].Until.Sub(asked[i].Since))
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	const day = 24 * time.Hour
	assert.Equal(t, []time.Duration{day, 28 * day}, spans(asked))
	assert.Equal(t, callmodel.TenantID("acme"), asked[0].TenantID)
	for period, span := range map[string]time.Duration{"1h": time.Hour, "7d": 7 * day, "30d": 30 * day, "odd": day} {
		_, asked = fleetPage(t, p, "/fleet?period="+period)
		assert.Contains(t, spans(asked), span, period)
	}
	body, asked = fleetPage(t, p, "/live/fleet?period=1h")
	assert.Equal(t, []time.Duration{time.Hour}, spans(asked))
	assert.NotContains(t, body, "<html")
}

// TestUnexplained: that there are calls of which nobody knows is said before all else.
func TestUnexplained(t *testing.T) {
	t.Parallel()
	body, _ := fleetPage(t, reports.Promise{Unexplained: 3}, "/fleet")
	assert.Contains(t, body, `<p class="problem loud" role="alert"><strong>3 unexplained</strong>`)
	assert.Contains(t, body, `<rect class="loud"`)
	assert.Contains(t, body, "Nothing records the call.")
	body, _ = fleetPage(t, reports.Promise{}, "/fleet")
	assert.NotContains(t, body, "<svg", "there is nothing to draw")
}
