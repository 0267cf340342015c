package audio_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
)

func TestFromDecibels(t *testing.T) {
	t.Parallel()
	require.Equal(t, float32(1), audio.FromDecibels(0)) //nolint:testifylint // exact
	for db := -120.0; db <= 120; db += 0.37 {
		require.InEpsilon(t, math.Pow(10, db/20), audio.FromDecibels(db), 1e-7, "%v dB", db)
	}
	require.InEpsilon(t, 1e-30, audio.FromDecibels(-600), 1e-6)
}
