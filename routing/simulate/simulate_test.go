package simulate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/simulate"
)

func router(t *testing.T, set string) *routing.Router {
	t.Helper()
	rs, err := routing.Parse([]byte(set))
	require.NoError(t, err)
	r, err := routing.Compile(rs)
	require.NoError(t, err)
	return r
}

const tiers = `destinations:
  a: {uri: "sip:a", limits: {concurrent: 2}}
  b: {uri: "sip:b", limits: {cps: 1}}
  idle: {uri: "sip:c"}
rules:
  - {id: r, match: {to: {prefix: "+49"}}, route: [[{to: a}], [{to: b}]]}
`

func call(line int, to string, after, seconds float64) callfile.Call {
	at := time.Date(2026, 3, 2, 12, 0, 30, 0, time.UTC).Add(time.Duration(after * float64(time.Second)))
	return callfile.Call{Line: line, Length: time.Duration(seconds * float64(time.Second)), Request: calls.Request{
		TenantID: "t", CallID: "c", To: to, From: "+44", Type: calls.TypeVoice, At: at,
	}}
}

// TestOverflow fills the first destination, then the second.
func TestOverflow(t *testing.T) {
	t.Parallel()
	calls := []callfile.Call{
		call(6, "+4930123", 200, 1), // not in order
		call(1, "+4930123", 0, 100),
		call(2, "+4930123", 1, 100),
		call(3, "+4930123", 10, 60),                               // a is full: b
		call(4, "+4930123", 10.2, float64(callfile.NoLength)/1e9), // b was given one this second
		call(5, "+3312345678", 11, 60),                            // no rule
	}
	r, err := simulate.Run(t.Context(), router(t, tiers), calls, &simulate.Options{Series: true})
	require.NoError(t, err)
	assert.Equal(t, 6, r.Calls)
	assert.Equal(t, 1, r.NoRoute)
	assert.Equal(t, 1, r.Refused)
	assert.Equal(t, 1, r.Overflow)
	assert.Equal(t, 1, r.Assumed)
	assert.Equal(t, "2026-03-02T12:00:00Z", r.Start.Format(time.RFC3339))
	assert.Equal(t, "2026-03-02T12:03:51Z", r.End.Format(time.RFC3339))
	require.Len(t, r.Destinations, 2, "the idle one has neither calls nor limits")
	a, b := r.Destinations[0], r.Destinations[1]
	series := *a.Series
	a.Series, b.Series = nil, nil
	assert.Equal(t, simulate.Destination{
		ID: "a", Concurrent: 2, Demand: 5, Calls: 3, Overflow: 1, Refused: 1, FullConcurrent: 2,
		PeakCPS: 1, PeakConcurrent: 2, DemandPeakCPS: 2, DemandPeakConcurrent: 4,
		Over: 90 * time.Second, // from the third call until only two of the four are left
	}, a)
	assert.Equal(t, simulate.Destination{ID: "b", CPS: 1, Calls: 1, FromOthers: 1, PeakCPS: 1, PeakConcurrent: 1}, b)
	assert.Equal(t, simulate.Series{
		Calls: []int32{2, 0, 0, 1}, PeakCPS: []int32{1, 0, 0, 1}, PeakConcurrent: []int32{2, 2, 2, 1},
		NoRoom: []int32{2, 0, 0, 0},
	}, series)
}

// TestAgainstCounting holds the counts against the plainest way to get them.
func TestAgainstCounting(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	var calls []callfile.Call
	for i := range 3000 {
		calls = append(calls, call(i, "+4930123", float64(rng.IntN(20_000))/10, float64(rng.IntN(30))))
	}
	r, err := simulate.Run(t.Context(), router(t, `destinations: {a: {uri: "sip:a", limits: {concurrent: 20}}}
rules: [{id: r, default: true, route: [[{to: a}]]}]`), calls, nil)
	require.NoError(t, err)
	slices.SortStableFunc(calls, func(a, b callfile.Call) int { return a.At.Compare(b.At) })
	var ends []time.Time
	carried, refused, peak := 0, 0, 0
	for _, c := range calls {
		ends = slices.DeleteFunc(ends, func(e time.Time) bool { return !e.After(c.At) })
		if len(ends) == 20 {
			refused++
			continue
		}
		ends = append(ends, c.At.Add(c.Length))
		carried++
		peak = max(peak, len(ends))
	}
	d := r.Destinations[0]
	assert.Equal(t, carried, d.Calls)
	assert.Equal(t, refused, d.Refused)
	assert.Equal(t, peak, d.PeakConcurrent)
	assert.Equal(t, len(calls), d.Demand)
	assert.Positive(t, refused)
	assert.Nil(t, d.Series)
}

func TestLongRecordsHaveNoSeries(t *testing.T) {
	t.Parallel()
	calls := []callfile.Call{call(1, "+4930123", 0, 60), call(2, "+4930123", 8*24*3600, 60)}
	r, err := simulate.Run(t.Context(), router(t, tiers), calls, &simulate.Options{Series: true})
	require.NoError(t, err)
	assert.NotEmpty(t, r.SeriesLeftOut)
	assert.Nil(t, r.Destinations[0].Series)
}

func TestShare(t *testing.T) {
	t.Parallel()
	var calls []callfile.Call
	for i := range 4 {
		calls = append(calls, call(i, "+4930123", 0, 60))
	}
	r, err := simulate.Run(t.Context(), router(t, tiers), calls, &simulate.Options{Share: 2})
	require.NoError(t, err)
	assert.Equal(t, 1, r.Destinations[0].Concurrent)
	assert.Equal(t, 1, r.Destinations[0].Calls)
}

func TestNothingAndNoTime(t *testing.T) {
	t.Parallel()
	r, err := simulate.Run(t.Context(), router(t, tiers), nil, &simulate.Options{Series: true})
	require.NoError(t, err)
	require.Zero(t, r.Calls)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	_, err = simulate.Run(ctx, router(t, tiers), []callfile.Call{call(1, "+4930123", 0, 60)}, nil)
	require.ErrorContains(t, err, "enough")
}

func BenchmarkRun(b *testing.B) {
	rs, err := routing.Parse([]byte(tiers))
	require.NoError(b, err)
	r, err := routing.Compile(rs)
	require.NoError(b, err)
	var calls []callfile.Call
	for i := range 100_000 {
		calls = append(calls, call(i, fmt.Sprintf("+4930%06d", i), float64(i)*0.8, float64(i%300)))
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := simulate.Run(b.Context(), r, calls, nil)
		require.NoError(b, err)
	}
}

// TestCallWithoutTime: the calls' times are the clock, so each must have one.
func TestCallWithoutTime(t *testing.T) {
	t.Parallel()
	timeless := call(7, "+4930123", 0, 60)
	timeless.At = time.Time{}
	_, err := simulate.Run(context.Background(), router(t, tiers), []callfile.Call{call(6, "+4930123", 0, 60), timeless}, nil)
	require.ErrorContains(t, err, "line 7: calls[1].at: is missing")
	assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
}

// TestReportAsJSON: the time over a limit is a number of seconds, there and back.
func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	d := simulate.Destination{ID: "a", Over: 1500 * time.Millisecond, SecondsOverCPS: 2, Series: &simulate.Series{Calls: []int32{1}}}
	b, err := json.Marshal(d)
	require.NoError(t, err)
	assert.Contains(t, string(b), `"seconds_over":1.5,"seconds_over_cps":2,"series":{"calls":[1]`)
	var back simulate.Destination
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, d, back)
}

// TestProgress: how far it is is told on the way, in order, and that it is done.
func TestProgress(t *testing.T) {
	t.Parallel()
	list := make([]callfile.Call, 10_000)
	for i := range list {
		list[i] = call(i+1, "+4930123", float64(i), 1)
	}
	var told []int64
	_, err := simulate.Run(t.Context(), router(t, tiers), list, &simulate.Options{Progress: func(done, total int64) {
		assert.EqualValues(t, len(list), total)
		told = append(told, done)
	}})
	require.NoError(t, err)
	assert.Greater(t, len(told), 2)
	assert.True(t, slices.IsSorted(told))
	assert.EqualValues(t, len(list), told[len(told)-1])
}
