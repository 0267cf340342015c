package reports_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/reports"
)

func TestHours(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339Nano, s)
		require.NoError(t, err)
		return when
	}
	for name, c := range map[string]struct {
		since, until string
		from, to     int64
	}{
		"whole hours":           {"1970-01-01T02:00:00Z", "1970-01-01T05:00:00Z", 2, 5},
		"parts of them":         {"1970-01-01T02:59:59.9Z", "1970-01-01T05:00:00.000000001Z", 2, 6},
		"within one":            {"1970-01-01T02:10:00Z", "1970-01-01T02:20:00Z", 2, 3},
		"another zone":          {"1970-01-01T02:30:00+05:30", "1970-01-01T05:30:00+05:30", -3, 0},
		"before 1970":           {"1969-12-31T22:30:00Z", "1969-12-31T23:30:00Z", -2, 0},
		"across the hour of it": {"1969-12-31T23:30:00Z", "1970-01-01T00:30:00Z", -1, 1},
	} {
		q := &reports.Query{Since: at(c.since), Until: at(c.until)}
		from, to := q.Hours()
		require.Equal(t, [2]int64{c.from, c.to}, [2]int64{from, to}, name)
		require.Equal(t, c.from, reports.HourOf(q.Since), name)
	}
	require.Equal(t, "2026-11-29T13:00:00Z", reports.At(reports.Hour, reports.HourOf(at("2026-11-29T13:59:59Z"))))
	require.Equal(t, "2026-11-29", reports.At(reports.Day, reports.HourOf(at("2026-11-29T13:59:59Z"))))
}
