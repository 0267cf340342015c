package audio

import goaudio "github.com/go-audio/audio"

// What makes silence that was put in. A recorder that waits for packets puts in one, or some.
const (
	insertedMinSeconds = 0.005
	insertedMaxSeconds = 1
	insertedFewest     = 5
	// insertedQuiet is the least that A-law has (G.711, 8 of 32,768), which is its silence.
	insertedQuiet = 8.0 / 32768
	// insertedMost bounds what is remembered of a file: 4 hours with such silence 60 times
	// a second. One that has more is silent by itself.
	insertedMost = 1 << 20
)

// Inserted is silence that was put into a stream: Length frames of each period of Every
// frames, the first of them at frame First.
type Inserted struct {
	First, Every, Length int64
	Count                int64 // of silences
}

// Frames is how many were put in.
func (i Inserted) Frames() int64 { return i.Count * i.Length }

// InsertedFinder finds silence that was put into a stream: runs of exactly equal samples,
// of no more than A-law's least, all of one length from 5 ms to 1 s. It listens to the
// whole stream.
type InsertedFinder struct {
	channels int
	rate     int
	at       int64 // frames so far
	from     int64 // where the current run began
	value    float32
	runs     []quietRun
	toomany  bool
}

type quietRun struct{ from, frames int64 }

// NewInsertedFinder listens to a stream of that format.
func NewInsertedFinder(f *goaudio.Format) *InsertedFinder {
	return &InsertedFinder{channels: f.NumChannels, rate: f.SampleRate, from: -1}
}

// Listen takes the next frames.
func (f *InsertedFinder) Listen(block []float32) {
	for ; len(block) >= f.channels; block = block[f.channels:] {
		v := block[0]
		quiet := v <= insertedQuiet && v >= -insertedQuiet
		for _, other := range block[1:f.channels] {
			quiet = quiet && other == v
		}
		if f.from >= 0 && (!quiet || v != f.value) {
			f.end()
		}
		if quiet && f.from < 0 {
			f.from, f.value = f.at, v
		}
		f.at++
	}
}

// end ends the current run.
func (f *InsertedFinder) end() {
	run := quietRun{f.from, f.at - f.from}
	f.from = -1
	if float64(run.frames) < insertedMinSeconds*float64(f.rate) {
		return
	}
	if f.toomany = f.toomany || len(f.runs) == insertedMost; !f.toomany {
		f.runs = append(f.runs, run)
	}
}

// Find is the silence that makes a stream excess frames longer than it was, to within
// tolerance or one silence. regular: it is there at a beat, each of the stream's periods
// has it, and leaving it out gives back what was there. Otherwise Every is 0, and so many
// silences of a length explain the excess, of which some may be the stream's own. found
// is false if none do. No more is listened to then.
func (f *InsertedFinder) Find(excess, tolerance int64) (in Inserted, regular, found bool) {
	if f.from >= 0 {
		f.end()
	}
	if f.toomany {
		return Inserted{}, false, false
	}
	in.Length, in.Count = f.usualLength()
	if in.Count < insertedFewest {
		return Inserted{}, false, false
	}
	explains := func(n int64) bool {
		off := n*in.Length - excess
		return max(off, -off) <= max(tolerance, in.Length)
	}
	if beat, ok := f.beat(in.Length); ok && explains(beat.Count) {
		return beat, true, true
	}
	return in, false, explains(in.Count)
}

// usualLength is the length that most of the runs have, and how many have it; of two the
// longer.
func (f *InsertedFinder) usualLength() (length, count int64) {
	counts := map[int64]int64{}
	for _, r := range f.runs {
		if float64(r.frames) <= insertedMaxSeconds*float64(f.rate) {
			counts[r.frames]++
		}
	}
	return mostOf(counts)
}

// mostOf is the key with the highest count; of two the greater.
func mostOf(counts map[int64]int64) (key, count int64) {
	for k, n := range counts {
		if n > count || n == count && k > key {
			key, count = k, n
		}
	}
	return key, count
}

// beat is the beat that runs of that length have, if every period of the stream has its
// silence: alone, or within one that is longer.
func (f *InsertedFinder) beat(length int64) (Inserted, bool) {
	spacings := map[int64]int64{}
	last := int64(-1)
	for _, r := range f.runs {
		if r.frames != length {
			continue
		}
		if last >= 0 {
			spacings[r.from-last]++
		}
		last = r.from
	}
	every, n := mostOf(spacings)
	if n < insertedFewest-1 || every <= length {
		return Inserted{}, false
	}
	phases := map[int64]int64{}
	for _, r := range f.runs {
		if r.frames == length {
			phases[r.from%every]++
		}
	}
	first, _ := mostOf(phases)
	in := Inserted{First: first, Every: every, Length: length}
	k := 0
	for at := first; at+length <= f.at; at += every {
		for k < len(f.runs) && f.runs[k].from+f.runs[k].frames < at+length {
			k++
		}
		if k == len(f.runs) || f.runs[k].from > at {
			return Inserted{}, false
		}
		in.Count++
	}
	return in, true
}

// Omit is src without the silence that was put in.
func Omit(src Source, in Inserted) Source {
	return &omitting{Source: src, in: in, room: make([]float32, omitFrames*src.Format().NumChannels)}
}

const omitFrames = 1024

type omitting struct {
	Source

	in   Inserted
	at   int64     // the next frame of Source
	room []float32 // for what is left out
}

// ReadFrames implements [Source].
func (o *omitting) ReadFrames(dst []float32) (int, error) {
	ch := o.Format().NumChannels
	want := len(dst) / ch
	for n := 0; ; {
		to, left := o.stretch(o.at)
		into := dst[n*ch : want*ch]
		if left {
			into = o.room
		} else if n == want {
			return n, nil
		}
		got, err := o.Source.ReadFrames(into[:min(int64(len(into)), (to-o.at)*int64(ch))])
		o.at += int64(got)
		if !left {
			n += got
		}
		if err != nil {
			if n > 0 {
				return n, nil // it comes again
			}
			return 0, err
		}
	}
}

// stretch is up to which frame the stream is given, or left out, as it is at frame at.
func (o *omitting) stretch(at int64) (to int64, left bool) {
	if at < o.in.First {
		return o.in.First, false
	}
	k, within := (at-o.in.First)/o.in.Every, (at-o.in.First)%o.in.Every
	begin := o.in.First + k*o.in.Every
	switch {
	case k >= o.in.Count:
		return at + omitFrames, false
	case within < o.in.Length:
		return begin + o.in.Length, true
	}
	return begin + o.in.Every, false
}

// Frames implements [Sized].
func (o *omitting) Frames() int64 {
	if n, ok := FramesOf(o.Source); ok {
		return n - o.in.Frames()
	}
	return -1
}
