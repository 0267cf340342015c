package outside

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestBreakerDoubles up to 32 times, and begins anew after a success.
func TestBreakerDoubles(t *testing.T) {
	t.Parallel()
	b, now := newBreaker(2, time.Second), time.Unix(1e9, 0)
	for range 2 {
		for _, seconds := range []int{1, 2, 4, 8, 16, 32, 32, 32} {
			wait := time.Duration(seconds) * time.Second
			for !b.open() {
				require.True(t, b.allow(now))
				b.failed(now)
			}
			now = now.Add(wait - 1)
			require.False(t, b.allow(now), "open for %v", wait)
			now = now.Add(1)
			require.True(t, b.allow(now), "open for %v", wait)
			require.False(t, b.allow(now), "one finds out")
			require.True(t, b.open())
			b.failed(now)
		}
		now = now.Add(32 * time.Second)
		require.True(t, b.allow(now))
		b.succeeded()
		require.False(t, b.open())
	}
}

func TestBreakerCountsInARow(t *testing.T) {
	t.Parallel()
	b, now := newBreaker(3, time.Second), time.Unix(1e9, 0)
	for range 10 {
		for range 2 {
			require.True(t, b.allow(now))
			b.failed(now)
		}
		require.True(t, b.allow(now))
		b.succeeded()
	}
	assert.False(t, b.open())
	for range 3 {
		b.failed(now)
	}
	assert.True(t, b.open())
}

// TestBreakerAndWhoGaveUp: a trial whose caller gave up leaves its place to the next.
func TestBreakerAndWhoGaveUp(t *testing.T) {
	t.Parallel()
	b, now := newBreaker(1, time.Second), time.Unix(1e9, 0)
	for range 5 {
		require.True(t, b.allow(now))
		b.unknown()
		require.False(t, b.open(), "it says nothing")
	}
	require.True(t, b.allow(now))
	b.failed(now)
	b.failed(now) // sent before it opened
	require.True(t, b.open())
	now = now.Add(time.Second)
	for range 5 {
		require.True(t, b.allow(now))
		require.False(t, b.allow(now))
		b.unknown()
		require.True(t, b.open())
	}
	require.True(t, b.allow(now))
	b.succeeded()
	assert.False(t, b.open())
	b.failed(now)
	now = now.Add(time.Second)
	assert.True(t, b.allow(now), "one second again")
}

// TestBreakerAllocatesNothing: every call passes it.
func TestBreakerAllocatesNothing(t *testing.T) {
	b, now := newBreaker(5, time.Second), time.Unix(1e9, 0)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if b.allow(now) {
			b.failed(now)
		}
		if b.allow(now) {
			b.succeeded()
		}
	}))
}
