// Package capacity turns a platform's calls into what they take: processors, machines,
// rows, bytes, requests and money. It multiplies measured figures, and says which:
//
//	calls a second      = calls a day / 86,400, times the peak's factor
//	processors of a part = its time for one × how many a second at the peak ÷ how busy it may be
//	time of a recording  = a part that is the same for each + a part for each minute
//
// The figures are of benchmarks/capacity, on virtual processors of 2026 that do nothing else;
// on other machines that benchmark gives others, and Figures takes them.
package capacity

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

// Load is what a platform has to do.
type Load struct {
	CallsPerDay float64       // all of them, recorded or not
	Recorded    float64       // the share that is, 0 to 1
	Mean        time.Duration // mean length of a recorded call
	Peak        float64       // how many times the mean the busiest minutes have, 1 or more
	Codec       record.Codec  // mp3, wav, mulaw, alaw or flac
	Layout      record.Layout // mono or stereo
	BitrateBps  int           // of an mp3; 0: 32,000 for each channel
	Peaks       bool          // whether the waveform is made, too
	Servers     int           // telephone servers that write the legs
	KeepRows    time.Duration // how long calls stay in the database
	KeepObjects time.Duration // how long recordings stay in the bucket
	KeepLegs    time.Duration // how long legs stay on the telephone servers' disks
	Prices      Prices
}

// Prices are those of a month of 730 hours, in any currency.
type Prices struct {
	CoreHour     float64 `json:"core_hour"`     // one virtual processor for an hour
	BucketGB     float64 `json:"bucket_gb"`     // a GB (10⁹ bytes) stored for a month
	PutThousand  float64 `json:"put_thousand"`  // a thousand PUT requests
	ReadThousand float64 `json:"read_thousand"` // a thousand GET and HEAD requests
	DatabaseGB   float64 `json:"database_gb"`   // a GB of a database's disk for a month, its standby's included
	DiskGB       float64 `json:"local_disk_gb"` // a GB of a telephone server's disk for a month
	Currency     string  `json:"currency"`      // what they are in
}

// Answer is what it takes. Processors are virtual ones: two of them are one core of x86.
type Answer struct {
	Calls struct {
		PerSecond       float64 `json:"per_second"`
		PerSecondPeak   float64 `json:"per_second_at_peak"`
		RecordedPerDay  float64 `json:"recorded_per_day"`
		RecordingsPeak  float64 `json:"recordings_per_second_at_peak"`
		LegsPerDayBytes float64 `json:"legs_bytes_per_day"`
	} `json:"calls"`
	API      Part `json:"api"`
	Workers  Part `json:"workers"`
	Database struct {
		Part

		RowsPerDay  float64 `json:"rows_per_day"`
		BytesPerDay float64 `json:"bytes_per_day"`
		BytesKept   float64 `json:"bytes_kept"`
		Connections int     `json:"connections"`
	} `json:"database"`
	Bucket struct {
		RecordingBytes float64 `json:"bytes_per_recording"` // with its manifest
		BytesPerDay    float64 `json:"bytes_per_day"`
		BytesKept      float64 `json:"bytes_kept"`
		PutsPerDay     float64 `json:"puts_per_day"`
		ReadsPerDay    float64 `json:"reads_per_day"`
		PutsPeak       float64 `json:"puts_per_second_at_peak"`
		BitsPeak       float64 `json:"bits_per_second_at_peak"`
	} `json:"bucket"`
	Disks struct {
		BytesPerServer float64 `json:"legs_bytes_per_server"`
		BytesAll       float64 `json:"legs_bytes"`
	} `json:"disks"`
	Month struct {
		Currency string  `json:"currency"`
		API      float64 `json:"api"`
		Workers  float64 `json:"workers"`
		Database float64 `json:"database"` // its processors, twice for the standby, and its disk
		Bucket   float64 `json:"bucket"`   // once what is kept is full
		Requests float64 `json:"requests"`
		Disks    float64 `json:"disks"`
		Total    float64 `json:"total"`
		PerCall  float64 `json:"per_call"`
	} `json:"month"`
}

// Part is what one part of the platform takes.
type Part struct {
	CPUSeconds float64 `json:"cpu_seconds_per_day"`
	Busy       float64 `json:"cpus_at_peak"` // that are busy all the time then
	Processes  int     `json:"processes"`    // of so many processors:
	CPUs       int     `json:"cpus_per_process"`
}

const (
	// perProcess is how many virtual processors a process has: two, as was measured.
	perProcess = 2
	// How busy a part may be at its peak: calls wait for the API and for the database, and
	// a recording can wait a moment.
	busyAPI, busyDatabase, busyWorkers = 0.5, 0.5, 0.75
	// leastAPIs is for three zones, of which one may be away.
	leastAPIs, leastWorkers = 3, 2
	// legBytes is a leg's second: 8 kHz in 16 bits. A call has two.
	legBytes, legs = 16000, 2
	day, month     = 24 * time.Hour, 730 * time.Hour
	// apiConns and workerConns are the connections to the database that a process has at most.
	apiConns, workerConns = 11, 4
)

// Of counts what the load takes, by the figures.
func Of(l *Load, f *Figures) (*Answer, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	encoded, ok := f.Encoded[Form{l.Codec, l.Layout}]
	if !ok {
		return nil, fmt.Errorf("there are no figures for %s in %s: mp3, wav, mulaw, alaw and flac in mono and stereo are known", l.Codec, l.Layout)
	}
	if l.Codec == record.CodecMP3 && l.BitrateBps > 0 {
		encoded.BytesPerMinute = float64(l.BitrateBps) / 8 * 60
	}
	a := &Answer{}
	minutes := l.Mean.Minutes()
	recorded := l.CallsPerDay * l.Recorded
	a.Calls.PerSecond = l.CallsPerDay / day.Seconds()
	a.Calls.PerSecondPeak = a.Calls.PerSecond * l.Peak
	a.Calls.RecordedPerDay = recorded
	a.Calls.RecordingsPeak = a.Calls.PerSecondPeak * l.Recorded
	a.Calls.LegsPerDayBytes = recorded * l.Mean.Seconds() * legBytes * legs

	peak := l.Peak / day.Seconds() // of a thing that is done so often a day
	a.API = part(l.CallsPerDay*f.Call.API+recorded*f.Recording.API, peak, busyAPI, leastAPIs)
	a.Workers = part(recorded*(encoded.Fixed+encoded.PerMinute*minutes), peak, busyWorkers, leastWorkers)
	if l.Recorded == 0 {
		a.Workers.Processes = 0
	}
	a.Database.Part = part(l.CallsPerDay*f.Call.Database+recorded*f.Recording.Database, peak, busyDatabase, 1)
	a.Database.CPUs, a.Database.Processes = a.Database.CPUs*a.Database.Processes, 2 // one machine, and its standby
	a.Database.RowsPerDay = l.CallsPerDay*f.Call.Rows + recorded*f.Recording.Rows
	a.Database.BytesPerDay = l.CallsPerDay*f.Call.RowBytes + recorded*f.Recording.RowBytes
	a.Database.BytesKept = a.Database.BytesPerDay * days(l.KeepRows)
	a.Database.Connections = a.API.Processes*apiConns + max(a.Workers.Processes, l.Servers)*workerConns

	puts, reads := f.Recording.Puts, f.Recording.Reads
	a.Bucket.RecordingBytes = encoded.BytesPerMinute*minutes + f.Recording.ManifestBytes
	if l.Peaks {
		puts, reads = puts+f.Waveform.Puts, reads+f.Waveform.Reads
		a.Bucket.RecordingBytes += f.Waveform.BytesPerMinute * minutes * float64(record.OutputSpec{Layout: l.Layout}.Channels(legs))
	}
	a.Bucket.BytesPerDay = recorded * a.Bucket.RecordingBytes
	a.Bucket.BytesKept = a.Bucket.BytesPerDay * days(l.KeepObjects)
	a.Bucket.PutsPerDay, a.Bucket.ReadsPerDay = recorded*puts, recorded*reads
	a.Bucket.PutsPeak = a.Bucket.PutsPerDay * peak
	a.Bucket.BitsPeak = a.Bucket.BytesPerDay * 8 * peak

	a.Disks.BytesAll = a.Calls.LegsPerDayBytes * days(l.KeepLegs)
	a.Disks.BytesPerServer = a.Disks.BytesAll / float64(max(l.Servers, 1))
	a.money(l)
	return a, nil
}

func (a *Answer) money(l *Load) {
	const gb = 1e9
	p, m := l.Prices, &a.Month
	hours := month.Hours()
	m.Currency = p.Currency
	m.API = float64(a.API.Processes*a.API.CPUs) * hours * p.CoreHour
	m.Workers = float64(a.Workers.Processes*a.Workers.CPUs) * hours * p.CoreHour
	m.Database = float64(a.Database.Processes*a.Database.CPUs)*hours*p.CoreHour + a.Database.BytesKept/gb*p.DatabaseGB
	m.Bucket = a.Bucket.BytesKept / gb * p.BucketGB
	m.Requests = days(month) * (a.Bucket.PutsPerDay*p.PutThousand + a.Bucket.ReadsPerDay*p.ReadThousand) / 1000
	m.Disks = a.Disks.BytesAll / gb * p.DiskGB
	m.Total = m.API + m.Workers + m.Database + m.Bucket + m.Requests + m.Disks
	m.PerCall = m.Total / (l.CallsPerDay * days(month))
}

// part is what takes so many processor seconds a day, of which the peak has its share.
func part(seconds, peak, busy float64, least int) Part {
	p := Part{CPUSeconds: seconds, Busy: seconds * peak, CPUs: perProcess}
	p.Processes = max(least, int(math.Ceil(p.Busy/busy/perProcess)))
	return p
}

func days(d time.Duration) float64 { return d.Hours() / 24 }

func (l *Load) check() error {
	var faults []error
	if !(l.CallsPerDay > 0) || math.IsInf(l.CallsPerDay, 0) {
		faults = append(faults, errors.New("calls a day must be more than 0"))
	}
	if !(l.Recorded >= 0 && l.Recorded <= 1) {
		faults = append(faults, errors.New("the share that is recorded must be between 0 and 1, as 0.35"))
	}
	if !(l.Peak >= 1) || math.IsInf(l.Peak, 0) {
		faults = append(faults, errors.New("the peak must be 1 or more: 4 is four times the mean"))
	}
	for name, d := range map[string]time.Duration{"rows": l.KeepRows, "recordings": l.KeepObjects, "legs": l.KeepLegs} {
		if d < 0 {
			faults = append(faults, fmt.Errorf("%s can't be kept for less than no time", name))
		}
	}
	if l.Mean <= 0 || l.Mean > 24*time.Hour {
		faults = append(faults, errors.New("the mean length must be more than 0, and a day at most"))
	}
	if l.BitrateBps < 0 || l.Servers < 0 {
		faults = append(faults, errors.New("the bitrate and the number of servers can't be less than 0"))
	}
	return errors.Join(faults...)
}
