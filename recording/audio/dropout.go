package audio

import (
	"math"
	"slices"
)

// What makes a dropout. A recorder that loses packets of telephony loses 20 ms
// or a multiple, of which the resampler of a rate that isn't a multiple may take a little.
const (
	dropoutMinSeconds  = 0.019
	dropoutMaxSeconds  = 2.0   // longer is a party that is muted or on hold
	dropoutEdgeSeconds = 0.005 // the sound must still be there this near to an edge
	dropoutNearSeconds = 0.025 // and must not have faded in comparison with this much of it
	dropoutFaded       = 0.25  // -12 dB
	dropoutAboveFloor  = 5.6   // 15 dB
	dropoutLeast       = 0.0056
	windowSeconds      = dropoutMinSeconds / 2
	floorParts         = 2   // windows that are measured as one
	floorWindows       = 250 // 5 s
	floorFewest        = 25
	floorStride        = 8 // two of so many samples of a window are measured
	runStride          = 8
	// MaxDropouts is how many dropouts a detector lists.
	MaxDropouts = 1000
)

// Dropout is a range of frames, from From up to, and without, To.
type Dropout struct{ From, To int64 }

// DropoutDetector finds where a recorder lost audio: sound breaks off into samples
// that are exactly equal, for 19 ms to 2 s, and comes back as abruptly. It ignores
// the silence of a gate, of a detector of speech or of a mute button, which begins
// or ends at the level of the noise. So both edges must be 15 dB above the noise
// floor, which is the 10th percentile of the last 5 s outside such silences. And
// the 5 ms at an edge may not be 12 dB below the 25 ms there.
//
// It is for one channel, and allocates nothing while it listens.
type DropoutDetector struct {
	least      float64 // RMS at an edge
	shortest   int     // frames of a run
	longest    int64
	edge, near int

	buf   []float32 // the last frames, with at most near of those that are decided
	at    int64     // of buf[0] in the stream
	look  int       // buf is decided up to there
	run   int64     // where the run began that is at the end of buf; -1 if none is
	value float32   // of the run
	sharp bool      // it began abruptly
	level float64   // RMS at its beginning

	floor  []float32 // a ring of sums of squares
	floors int
	part   float32 // the sum of a window that isn't in floor yet
	parts  int     // windows in part
	window int
	sorted []float32

	found []Dropout
	more  int
}

// NewDropoutDetector listens at rate (Hz), 1000 or more. gain is what the
// samples were multiplied by since they were recorded: a level below -45 dBFS in
// the recording isn't sound.
func NewDropoutDetector(rate int, gain float32) *DropoutDetector {
	frames := func(seconds float64) int { return max(int(math.Round(seconds*float64(rate))), 4) }
	d := &DropoutDetector{
		least: dropoutLeast * float64(gain), shortest: frames(dropoutMinSeconds), longest: int64(frames(dropoutMaxSeconds)),
		edge: frames(dropoutEdgeSeconds), near: frames(dropoutNearSeconds), run: -1,
		floor: make([]float32, floorWindows), window: frames(windowSeconds), sorted: make([]float32, 0, floorWindows),
	}
	d.buf = make([]float32, 0, 100*d.window)
	return d
}

// Found lists the dropouts so far, at most MaxDropouts, and says how many more
// there are.
func (d *DropoutDetector) Found() (found []Dropout, more int) { return d.found, d.more }

// Listen takes the next frames.
func (d *DropoutDetector) Listen(block []float32) {
	for len(block) > 0 {
		n := copy(d.buf[len(d.buf):cap(d.buf)], block)
		d.buf = d.buf[:len(d.buf)+n]
		block = block[n:]
		if len(d.buf) == cap(d.buf) {
			d.decide()
		}
	}
}

// decide goes through the buffer by windows as long as it has the frames after
// them, and drops the frames that aren't needed any more.
func (d *DropoutDetector) decide() {
	for d.look+d.window+d.near <= len(d.buf) {
		end := d.look + d.window
		if d.run < 0 {
			d.search(end)
		} else {
			d.follow(end)
		}
		d.look = end
	}
	drop := max(d.look-d.near-d.window, 0)
	kept := copy(d.buf, d.buf[drop:])
	d.buf, d.look, d.at = d.buf[:kept], d.look-drop, d.at+int64(drop)
}

// search looks for the beginning of a run in the window that ends at end. The
// shortest run is two windows long, so it covers the end of one.
func (d *DropoutDetector) search(end int) {
	v := d.buf[end-1]
	from := end - 1
	for from > 0 && d.buf[from-1] == v {
		from--
	}
	if end-from < 4 {
		d.measure(d.buf[d.look:end])
		return
	}
	d.run, d.value = d.at+int64(from), v
	d.level, d.sharp = d.edgeLevel(d.buf[max(from-d.near, 0):from], true)
	if from == 0 {
		d.sharp = false // it is the beginning of the stream
	}
}

// follow looks for the end of the run.
func (d *DropoutDetector) follow(end int) {
	i := d.runEnd(end)
	if i == end {
		return
	}
	from, to := d.run, d.at+int64(i)
	d.run = -1
	if n := to - from; n < int64(d.shortest) || n > d.longest || !d.sharp {
		return
	}
	level, sharp := d.edgeLevel(d.buf[i:i+d.near], false)
	if need := d.need(); !sharp || level < need || d.level < need {
		return
	}
	if len(d.found) == MaxDropouts {
		d.more++
		return
	}
	d.found = append(d.found, Dropout{from, to})
}

// runEnd is where the run ends before end; end if it goes on. It looks at every
// eighth frame: if those are all equal, there is no sound between them.
func (d *DropoutDetector) runEnd(end int) int {
	for i := d.look; i < end; i += runStride {
		if d.buf[i] == d.value {
			continue
		}
		for i > d.look && d.buf[i-1] != d.value {
			i--
		}
		return i
	}
	return end
}

// edgeLevel is the RMS of the frames of near at a run's edge, and whether they
// are of the level of all of them.
func (d *DropoutDetector) edgeLevel(near []float32, before bool) (level float64, sharp bool) {
	if len(near) < d.near {
		return 0, false
	}
	edge := near[:d.edge]
	if before {
		edge = near[len(near)-d.edge:]
	}
	level = rms(edge)
	return level, level >= dropoutFaded*rms(near)
}

func rms(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(float64(v) * float64(v))
	}
	return math.Sqrt(sum / float64(max(len(x), 1)))
}

// measure adds a window to the noise floor.
func (d *DropoutDetector) measure(window []float32) {
	var a, b float32 // apart from each other, for speed
	for len(window) > floorStride {
		a += float32(window[0] * window[0])
		b += float32(window[floorStride/2] * window[floorStride/2])
		window = window[floorStride:]
	}
	d.part += a + b
	if d.parts++; d.parts < floorParts {
		return
	}
	d.floor[d.floors%floorWindows] = d.part
	d.floors++
	d.part, d.parts = 0, 0
}

// need is how loud an edge must be.
func (d *DropoutDetector) need() float64 {
	n := min(d.floors, floorWindows)
	if n < floorFewest {
		return math.Inf(1)
	}
	d.sorted = append(d.sorted[:0], d.floor[:n]...)
	slices.Sort(d.sorted)
	summed := floorParts * 2 * ((d.window - 1) / floorStride)
	return max(math.Sqrt(float64(d.sorted[n/10])/float64(max(summed, 1)))*dropoutAboveFloor, d.least)
}
