package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/cmd/internal/capacity"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

type capacityCommand struct {
	CallsPerDay float64       `help:"Calls a day, recorded or not." required:"" placeholder:"N"`
	Recorded    float64       `help:"The share of them that is recorded." default:"1"`
	Mean        time.Duration `help:"Mean length of a recorded call." default:"180s"`
	Peak        float64       `help:"How many times the mean of the day the busiest minutes have." default:"4"`
	Codec       string        `help:"Codec of the recordings." enum:"mp3,wav,mulaw,alaw,flac" default:"mp3"`
	Layout      string        `help:"Layout of the recordings." enum:"mono,stereo" default:"stereo"`
	Bitrate     string        `help:"Bitrate of an MP3, as 48k. Default: the codec's." placeholder:"RATE"`
	Peaks       bool          `help:"Count each recording's waveform, which is made unless --no-record-peaks says otherwise." default:"true" negatable:""`
	Servers     int           `help:"Telephone servers that write the legs. 0: they write to a bucket or a share." default:"0"`

	KeepCalls      time.Duration `help:"How long calls stay in the database." default:"2160h"`
	KeepRecordings time.Duration `help:"How long recordings stay in the bucket." default:"8760h"`
	LegsKeep       time.Duration `help:"How long legs stay where they were written." default:"24h"`

	PriceCore     float64 `help:"Price of a virtual processor for an hour." default:"0.045"`
	PriceBucket   float64 `help:"Price of a GB in the bucket for a month." default:"0.023"`
	PricePuts     float64 `help:"Price of a thousand PUT requests." default:"0.005"`
	PriceReads    float64 `help:"Price of a thousand GET or HEAD requests." default:"0.0004"`
	PriceDatabase float64 `help:"Price of a GB of the database's disk for a month, its standby's included." default:"0.23"`
	PriceDisk     float64 `help:"Price of a GB of the telephone servers' disks for a month." default:"0"`
	Currency      string  `help:"What the prices are in." default:"USD"`

	JSON bool `help:"Print JSON."`
}

func (c *capacityCommand) Run(s cli.Streams) error {
	l := &capacity.Load{
		CallsPerDay: c.CallsPerDay, Recorded: c.Recorded, Mean: c.Mean, Peak: c.Peak, Codec: record.Codec(c.Codec), Layout: record.Layout(c.Layout), Peaks: c.Peaks,
		Servers: c.Servers, KeepRows: c.KeepCalls, KeepObjects: c.KeepRecordings, KeepLegs: c.LegsKeep,
		Prices: capacity.Prices{
			CoreHour: c.PriceCore, BucketGB: c.PriceBucket, PutThousand: c.PricePuts, ReadThousand: c.PriceReads,
			DatabaseGB: c.PriceDatabase, DiskGB: c.PriceDisk, Currency: c.Currency,
		},
	}
	if c.Bitrate != "" {
		if c.Codec != "mp3" {
			return cli.Usagef("--bitrate: %s has none to choose", c.Codec)
		}
		bps, err := parseBitrate(c.Bitrate)
		if err != nil {
			return &cli.UsageError{Err: fmt.Errorf("--bitrate: %w", err)}
		}
		l.BitrateBps = bps
	}
	a, err := capacity.Of(l, capacity.Measured())
	if err != nil {
		return &cli.UsageError{Err: err}
	}
	if c.JSON {
		return s.JSON(a)
	}
	t := tabwriter.NewWriter(s.Out, 0, 0, 2, ' ', 0)
	line := func(what, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", what, fmt.Sprintf(format, args...)) }
	line("Calls", "%.1f/s, %.0f/s at the peak", a.Calls.PerSecond, a.Calls.PerSecondPeak)
	line("Recordings", "%.0f a day, %.1f/s at the peak, of %s of legs a day", a.Calls.RecordedPerDay, a.Calls.RecordingsPeak, decimal(a.Calls.LegsPerDayBytes))
	line("switchtape-api", "%s", machines(&a.API))
	if a.Workers.Processes > 0 {
		line("switchtape-worker", "%s", machines(&a.Workers))
	}
	d := &a.Database
	line("PostgreSQL", "%d CPUs and a standby; busy at the peak: %.1f; %.0f rows and %s a day, %s kept; %d connections at most",
		d.CPUs, d.Busy, d.RowsPerDay, decimal(d.BytesPerDay), decimal(d.BytesKept), d.Connections)
	b := &a.Bucket
	line("Bucket", "%s a recording, %s a day, %s kept; %.0f PUT and %.0f GET or HEAD a day, %.0f PUT/s and %s at the peak",
		decimal(b.RecordingBytes), decimal(b.BytesPerDay), decimal(b.BytesKept), b.PutsPerDay, b.ReadsPerDay, b.PutsPeak, bits(b.BitsPeak))
	where := "where they are written"
	if c.Servers > 0 {
		where = "on each telephone server"
	}
	line("Legs", "%s %s", decimal(a.Disks.BytesPerServer), where)
	m := &a.Month
	line("A month", "%.0f %s: API %.0f, workers %.0f, database %.0f, bucket %.0f, requests %.0f, disks %.0f; %.6f a call",
		m.Total, m.Currency, m.API, m.Workers, m.Database, m.Bucket, m.Requests, m.Disks, m.PerCall)
	return t.Flush()
}

func machines(p *capacity.Part) string {
	return fmt.Sprintf("%d processes of %d CPUs; busy at the peak: %.1f", p.Processes, p.CPUs, p.Busy)
}

// decimal writes bytes in units of 1000.
func decimal(n float64) string {
	i := 0
	for n >= 1000 && i < 5 {
		n, i = n/1000, i+1
	}
	return fmt.Sprintf("%.3g %s", n, [...]string{"B", "kB", "MB", "GB", "TB", "PB"}[i])
}

func bits(n float64) string {
	i := 0
	for n >= 1000 && i < 4 {
		n, i = n/1000, i+1
	}
	return fmt.Sprintf("%.3g %s", n, [...]string{"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"}[i])
}
