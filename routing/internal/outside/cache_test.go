package outside

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCache(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	c := NewCache[string, int](2, time.Minute)
	c.Put("a", 1, now)
	c.Put("b", 2, now)
	_, ok := c.Get("a", now)
	require.True(t, ok)
	c.Put("c", 3, now)
	_, ok = c.Get("b", now)
	assert.False(t, ok, "b was used least recently")
	v, ok := c.Get("a", now.Add(time.Minute))
	assert.True(t, ok)
	assert.Equal(t, 1, v)
	_, ok = c.Get("a", now.Add(time.Minute+1))
	assert.False(t, ok)
	assert.Equal(t, 1, c.Len(), "what is too old is dropped")
	c.Put("c", 4, now.Add(time.Minute))
	v, ok = c.Get("c", now.Add(2*time.Minute))
	assert.True(t, ok, "an answer that is put again is as new as that")
	assert.Equal(t, 4, v)
	none := NewCache[string, int](-1, time.Minute)
	none.Put("a", 1, now)
	_, ok = none.Get("a", now)
	assert.False(t, ok)
	assert.Zero(t, none.Len())
}
