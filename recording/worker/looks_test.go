package worker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/worker"
)

// However many jobs wait, no second has more looks than there is room for, and no job
// is looked at before its time.
func TestLooksAreSpread(t *testing.T) {
	t.Parallel()
	const most, jobs = 50, 10_000
	book := worker.Diary(most)
	looks := map[int64]int{}
	for i := range jobs {
		at := time.Duration(i) * 100 * time.Microsecond
		d := book(at, 5*time.Second, 24*time.Hour)
		require.GreaterOrEqual(t, d, 5*time.Second)
		looks[int64((at+d)/time.Second)]++
	}
	for s, n := range looks {
		require.LessOrEqual(t, n, most, "second %d", s)
	}
	require.Len(t, looks, jobs/most)
}

func TestLookIsInTime(t *testing.T) {
	t.Parallel()
	book := worker.Diary(1)
	require.Equal(t, 300*time.Millisecond, book(0, 300*time.Millisecond, time.Hour), "the second is free")
	require.Equal(t, time.Second, book(0, 400*time.Millisecond, time.Hour), "it is full")
	require.Equal(t, 700*time.Millisecond, book(0, 500*time.Millisecond, 700*time.Millisecond), "but the wait is over by then")
	require.Equal(t, 2*time.Second, book(0, 600*time.Millisecond, time.Hour))
	require.Equal(t, 300*time.Millisecond, book(500*time.Hour, 300*time.Millisecond, time.Hour), "long after, all is free")
	require.Equal(t, 550*time.Millisecond, book(500*time.Hour+450*time.Millisecond, 400*time.Millisecond, time.Hour), "and full again")
	for range 5000 { // more than there are seconds
		require.LessOrEqual(t, book(1000*time.Hour, time.Second, time.Hour), 1024*time.Second, "nothing is put off for longer than the diary has seconds")
	}
	require.Equal(t, time.Hour, book(1000*time.Hour, time.Hour, 24*time.Hour), "a pause longer than that stays as it is")
}
