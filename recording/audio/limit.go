package audio

import (
	"errors"
	"io"
	"math"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/internal/exactmath"
)

// Times of the limiter.
const (
	limitLookaheadSeconds = 0.005
	limitReleaseSeconds   = 0.060
)

// Limiter is the Source that [Limit] makes.
type Limiter struct {
	src     Source
	format  goaudio.Format
	look    int       // frames of look-ahead
	buf     []float32 // frames read from src and not given yet
	ended   error
	pos     int64   // frames given
	over    int64   // the last frame known to exceed full scale; -1 for none
	release float64 // how much of the way back to 1 the gain goes in a frame

	held    float64   // the gain before smoothing
	window  []float64 // the last look values of held, as a ring
	at      int
	sum     float64 // of window
	settled int     // how many of the newest values of window are 1
	minima  []limitPoint
	limited int64
}

type limitPoint struct {
	frame int
	gain  float64
}

// Limit keeps a sum of legs within what 16 bits can hold, without clipping and
// without delay. It looks 5 ms ahead, lowers the gain of all channels smoothly to
// meet a peak, and raises it again in some 60 ms. While no sample exceeds full
// scale, samples pass bit-exactly.
func Limit(s Source) *Limiter {
	f := *s.Format()
	look := max(int(math.Round(limitLookaheadSeconds*float64(f.SampleRate))), 2)
	l := &Limiter{
		src: s, format: f, look: look, over: -1, held: 1,
		release: exactmath.Decay(1 / (limitReleaseSeconds * float64(f.SampleRate))),
		window:  make([]float64, look), sum: float64(look), settled: look,
		minima: make([]limitPoint, 0, look),
	}
	for i := range l.window {
		l.window[i] = 1
	}
	return l
}

// Format implements [Source].
func (l *Limiter) Format() *goaudio.Format { return &l.format }

// Frames implements [Sized] if the source does; else it is -1.
func (l *Limiter) Frames() int64 { return framesOrUnknown(l.src) }

// LimitedFrames is how many frames given so far were made quieter.
func (l *Limiter) LimitedFrames() int64 { return l.limited }

// ReadFrames implements [Source].
func (l *Limiter) ReadFrames(dst []float32) (int, error) {
	ch := l.format.NumChannels
	n := len(dst) / ch
	if n == 0 {
		return 0, nil
	}
	l.fill(n + l.look - 1)
	have := len(l.buf) / ch
	if l.ended != nil && !errors.Is(l.ended, io.EOF) {
		// The frames after the failure aren't known, so the gain before it isn't
		// either. Those few frames pass as they are.
		n = min(n, have)
	}
	n = min(n, have)
	if n == 0 {
		return 0, l.ended
	}
	if l.over < l.pos && l.settled >= l.look {
		copy(dst, l.buf[:n*ch])
	} else {
		l.apply(dst[:n*ch], have)
	}
	kept := copy(l.buf, l.buf[n*ch:])
	l.buf = l.buf[:kept]
	l.pos += int64(n)
	return n, nil
}

// fill reads until want frames are buffered or the source ends.
func (l *Limiter) fill(want int) {
	ch := l.format.NumChannels
	old := len(l.buf)
	if l.ended != nil || old >= want*ch {
		return
	}
	if cap(l.buf) < want*ch {
		bigger := make([]float32, old, want*ch)
		copy(bigger, l.buf)
		l.buf = bigger
	}
	n, err := ReadFull(l.src, l.buf[old:want*ch])
	l.ended = err
	l.buf = l.buf[:old+n*ch]
	if !exceeds(l.buf[old:]) {
		return
	}
	for i, x := range l.buf[old:] {
		if x > FullScale16 || x < -1 {
			l.over = l.pos + int64((old+i)/ch)
		}
	}
}

// need is the gain that brings frame i of the buffer within full scale.
func (l *Limiter) need(i int) float64 {
	ch := l.format.NumChannels
	gain := 1.0
	for _, x := range l.buf[i*ch : (i+1)*ch] {
		if (x > FullScale16 || x < -1) && !math.IsInf(float64(x), 0) {
			gain = min(gain, FullScale16/math.Abs(float64(x)))
		}
	}
	return gain
}

// apply gives the frames of dst with the gain at work. have is the number of
// buffered frames.
//
// For frame i the smallest gain needed within the next look frames is held,
// and released slowly; its mean over the last look frames is the gain. Every
// one of those held values is at most what frame i needs, so the mean is too.
func (l *Limiter) apply(dst []float32, have int) {
	ch := l.format.NumChannels
	n := len(dst) / ch
	l.minima = l.minima[:0] // rising gains: the first is the smallest of the window
	next := 0
	for i := range n {
		for ; next < have && next < i+l.look; next++ {
			g := l.need(next)
			for len(l.minima) > 0 && l.minima[len(l.minima)-1].gain >= g {
				l.minima = l.minima[:len(l.minima)-1]
			}
			l.minima = append(l.minima, limitPoint{next, g})
		}
		if l.minima[0].frame < i {
			kept := copy(l.minima, l.minima[1:])
			l.minima = l.minima[:kept]
		}
		l.hold(l.minima[0].gain)
		gain := float32(l.sum / float64(l.look))
		if l.settled < l.look {
			l.limited++
		}
		for c := range ch {
			dst[i*ch+c] = l.buf[i*ch+c] * gain
		}
	}
}

// hold puts the next held gain in the window.
func (l *Limiter) hold(smallest float64) {
	l.held += float64((1 - l.held) * l.release) // not fused: the same bytes everywhere
	if l.held > 1-1e-5 {                        // 0.0001 dB
		l.held = 1
	}
	l.held = min(l.held, smallest)
	l.sum += l.held - l.window[l.at]
	l.window[l.at] = l.held
	l.at = (l.at + 1) % l.look
	if l.held == 1 {
		if l.settled++; l.settled >= l.look {
			l.settled, l.sum = l.look, float64(l.look)
		}
	} else {
		l.settled = 0
	}
}
