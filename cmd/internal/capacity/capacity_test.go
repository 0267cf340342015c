package capacity_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/capacity"
)

// figures are round ones, so that what comes of them can be counted by hand.
func figures() *capacity.Figures {
	return &capacity.Figures{
		Call:      capacity.Each{API: 1e-3, Database: 2e-3, Rows: 8, RowBytes: 4000},
		Recording: capacity.Each{API: 1e-3, Database: 3e-3, Rows: 4, RowBytes: 6000, Puts: 2, Reads: 3, ManifestBytes: 2000},
		Encoded: map[capacity.Form]capacity.Encoding{
			{record.CodecMP3, record.LayoutMono}: {Fixed: 10e-3, PerMinute: 20e-3, BytesPerMinute: 240_000},
		},
		Waveform: capacity.Waveform{Puts: 1, Reads: 2, BytesPerMinute: 5000},
	}
}

func load() *capacity.Load {
	return &capacity.Load{
		CallsPerDay: 8_640_000, Recorded: 0.5, Mean: 2 * time.Minute, Peak: 4, Codec: record.CodecMP3, Layout: record.LayoutMono, Servers: 100,
		KeepRows: 240 * time.Hour, KeepObjects: 2400 * time.Hour, KeepLegs: 12 * time.Hour,
		Prices: capacity.Prices{CoreHour: 1, BucketGB: 2, PutThousand: 3, ReadThousand: 4, DatabaseGB: 5, DiskGB: 6, Currency: "X"},
	}
}

// TestCountedByHand: 100 calls a second, half of them recorded.
func TestCountedByHand(t *testing.T) {
	t.Parallel()
	a, err := capacity.Of(load(), figures())
	require.NoError(t, err)
	near := func(want, got float64, what string) { assert.InEpsilon(t, want, got, 1e-9, what) }
	near(100, a.Calls.PerSecond, "calls")
	near(400, a.Calls.PerSecondPeak, "at the peak")
	near(200, a.Calls.RecordingsPeak, "recordings")
	near(4_320_000*120*32_000, a.Calls.LegsPerDayBytes, "two legs of 16 kB a second")

	near(400*1e-3+200*1e-3, a.API.Busy, "processors of the API")
	assert.Equal(t, 3, a.API.Processes, "never less than one a zone")
	near(200*(10e-3+2*20e-3), a.Workers.Busy, "processors of the workers")
	assert.Equal(t, 7, a.Workers.Processes, "10 of 12.75: seven of two, busy to three quarters")
	near(400*2e-3+200*3e-3, a.Database.Busy, "processors of the database")
	assert.Equal(t, 4, a.Database.CPUs, "1.4, busy to a half, in pairs")
	assert.Equal(t, 2, a.Database.Processes, "and a standby")
	near(8_640_000*8+4_320_000*4, a.Database.RowsPerDay, "rows")
	near((8_640_000*4000+4_320_000*6000)*10, a.Database.BytesKept, "ten days of rows")
	assert.Equal(t, 3*11+100*4, a.Database.Connections, "a worker on each telephone server")

	near(482_000, a.Bucket.RecordingBytes, "two minutes and a manifest")
	near(482_000*4_320_000*100, a.Bucket.BytesKept, "a hundred days")
	near(400, a.Bucket.PutsPeak, "two each")
	near(482_000*8*200, a.Bucket.BitsPeak, "bits")
	near(4_320_000*120*32_000/2/100, a.Disks.BytesPerServer, "half a day of legs on one of a hundred")

	drawn := load()
	drawn.Peaks = true
	b, err := capacity.Of(drawn, figures())
	require.NoError(t, err)
	near(492_000, b.Bucket.RecordingBytes, "and the waveform of one channel")
	near(4_320_000*3, b.Bucket.PutsPerDay, "three each")
	near(4_320_000*5, b.Bucket.ReadsPerDay, "five each")

	m := a.Month
	near(3*2*730, m.API, "API")
	near(7*2*730, m.Workers, "workers")
	near(4*2*730+(8_640_000*4000+4_320_000*6000)*10/1e9*5, m.Database, "database")
	near(482_000*4_320_000*100/1e9*2, m.Bucket, "bucket")
	near(730.0/24*4_320_000*(2*3+3*4)/1000, m.Requests, "requests")
	near(4_320_000*120*32_000/2/1e9*6, m.Disks, "disks")
	near(m.API+m.Workers+m.Database+m.Bucket+m.Requests+m.Disks, m.Total, "all")
	near(m.Total/(8_640_000*730.0/24), m.PerCall, "a call")
}

// TestMore: more of anything never takes less.
func TestMore(t *testing.T) {
	t.Parallel()
	least, err := capacity.Of(load(), capacity.Measured())
	require.NoError(t, err)
	for name, more := range map[string]func(*capacity.Load){
		"calls":      func(l *capacity.Load) { l.CallsPerDay *= 2 },
		"recorded":   func(l *capacity.Load) { l.Recorded = 1 },
		"length":     func(l *capacity.Load) { l.Mean *= 3 },
		"peak":       func(l *capacity.Load) { l.Peak *= 2 },
		"channels":   func(l *capacity.Load) { l.Layout = record.LayoutStereo },
		"bitrate":    func(l *capacity.Load) { l.BitrateBps = 64_000 },
		"recordings": func(l *capacity.Load) { l.KeepObjects *= 2 },
		"peaks":      func(l *capacity.Load) { l.Peaks = true },
		"rows":       func(l *capacity.Load) { l.KeepRows *= 2 },
		"legs":       func(l *capacity.Load) { l.KeepLegs *= 2 },
	} {
		l := load()
		more(l)
		a, err := capacity.Of(l, capacity.Measured())
		require.NoError(t, err, name)
		assert.Greater(t, a.Month.Total, least.Month.Total, name)
	}
}

// TestMeasured: there is a figure for all that can be asked for.
func TestMeasured(t *testing.T) {
	t.Parallel()
	f := capacity.Measured()
	for _, codec := range []record.Codec{record.CodecMP3, record.CodecWAV, record.CodecMulaw, record.CodecAlaw, record.CodecFLAC} {
		for _, layout := range []record.Layout{record.LayoutMono, record.LayoutStereo} {
			e, ok := f.Encoded[capacity.Form{Codec: codec, Layout: layout}]
			require.True(t, ok, "%s %s", codec, layout)
			assert.Positive(t, e.Fixed)
			assert.Positive(t, e.PerMinute)
			assert.Positive(t, e.BytesPerMinute)
		}
	}
	for _, x := range []float64{f.Call.API, f.Call.Database, f.Call.Rows, f.Call.RowBytes, f.Recording.API, f.Recording.Database, f.Recording.Rows, f.Recording.RowBytes, f.Recording.Puts, f.Recording.Reads, f.Recording.ManifestBytes} {
		assert.Positive(t, x)
	}
}

// TestLoadsThatCantBe are refused, all faults at once.
func TestLoadsThatCantBe(t *testing.T) {
	t.Parallel()
	_, err := capacity.Of(&capacity.Load{CallsPerDay: math.NaN(), Recorded: 2, Peak: 0.5, Mean: -1, BitrateBps: -1, KeepLegs: -1}, figures())
	require.Error(t, err)
	for _, part := range []string{"calls a day", "share that is recorded", "the peak", "legs can't be kept", "mean length", "bitrate"} {
		assert.ErrorContains(t, err, part)
	}
	l := load()
	l.Codec = record.CodecOpus
	_, err = capacity.Of(l, figures())
	require.ErrorContains(t, err, "no figures for opus in mono")
	l = load()
	l.Recorded = 0
	a, err := capacity.Of(l, figures())
	require.NoError(t, err)
	assert.Zero(t, a.Workers.Processes)
	assert.Zero(t, a.Bucket.BytesPerDay)
}
