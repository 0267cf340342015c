package audio_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/recording/audio"
)

func TestFramesIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		d    time.Duration
		rate int
		want int64
	}{
		{2 * time.Second, 8000, 16000},
		{62500, 8000, 1}, // half a frame rounds away from zero
		{-62500, 8000, -1},
		{24 * time.Hour, 192000, 24 * 3600 * 192000},
	} {
		assert.Equal(t, c.want, audio.FramesIn(c.d, c.rate), "%v at %d", c.d, c.rate)
	}
	assert.Equal(t, 125*time.Microsecond, audio.DurationOf(1, 8000))
}
