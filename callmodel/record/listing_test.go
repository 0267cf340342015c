package record_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

func TestParseObjectKey(t *testing.T) {
	t.Parallel()
	hour := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	for _, id := range []string{"call-1", "a.v2.mp3", "x.v1", "1.2.3"} {
		for _, ext := range []string{"mp3", "wav", "manifest.json", "peaks.json", "own-codec"} {
			for _, name := range []string{"", "archive", "n.v3"} {
				k := record.ObjectKey{
					TenantID: "acme", CallID: callmodel.CallID(id), RecordingID: callmodel.RecordingID(id),
					StartedAt: hour.Add(59 * time.Minute), Name: name, Version: 12, Ext: ext,
				}
				got, ok := record.ParseObjectKey(k.String())
				require.True(t, ok, k.String())
				assert.Equal(t, k.String(), got.String())
				assert.Equal(t, hour, got.StartedAt)
			}
		}
	}
	for _, other := range []string{
		"", "acme", "acme/2026/call.wav", "acme/year=2026/month=13/day=01/hour=00/c/r.v1.mp3", "acme/year=2026/month=03/day=01/hour=09/c/r.mp3",
		"acme/year=2026/month=03/day=01/hour=09/c/r.v0.mp3", "acme/year=2026/month=03/day=01/hour=09/c/r.v1.", "acme/year=2026/month=03/day=01/hour=09/c/d/r.v1.mp3",
		"acme/year=2026/month=03/day=01/hour=09/c/r.v01.mp3", "/year=2026/month=03/day=01/hour=09/c/r.v1.mp3",
	} {
		_, ok := record.ParseObjectKey(other)
		assert.False(t, ok, other)
	}
}

func FuzzParseObjectKey(f *testing.F) {
	f.Add("acme/year=2026/month=03/day=01/hour=09/c/r~n.v1.mp3")
	f.Add("acme/year=2026/month=03/day=01/hour=09/c/r.v1.v2.manifest.json")
	f.Fuzz(func(t *testing.T, s string) {
		if k, ok := record.ParseObjectKey(s); ok {
			require.NoError(t, k.Validate())
			require.Equal(t, s, k.String())
		}
	})
}
