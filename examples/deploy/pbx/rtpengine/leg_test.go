package main

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/g711"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// frame is how long a packet is.
const frame = 20 * time.Millisecond

// spoken is packet n of somebody who says a ramp: every sample tells where it belongs.
func spoken(n int) rtpPacket {
	p := rtpPacket{sequence: uint16(n), timestamp: uint32(n) * 160, ssrc: 1, payload: make([]byte, 160)}
	for i := range p.payload {
		p.payload[i] = g711.MulawFromInt16(ramp(n*160 + i))
	}
	return p
}

func ramp(i int) int16 { return int16(i%6000)*5 + 200 }

// legs converts what is captured to the samples of both legs, and says what became of it.
func legs(t *testing.T, c *capture) (callers, callees []float32, rate int, r *result) {
	t.Helper()
	dir := t.TempDir()
	r, err := convert(t.Context(), &c.Buffer, testMetadata(t), dir)
	require.NoError(t, err)
	callers, rate = samples(t, filepath.Join(dir, "caller.wav"))
	callees, _ = samples(t, filepath.Join(dir, "callee.wav"))
	return callers, callees, rate, r
}

func samples(t *testing.T, path string) ([]float32, int) {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	source, defects, err := wav.Decode(f, codec.Hint{Size: info.Size()})
	require.NoError(t, err)
	require.Empty(t, defects)
	all := make([]float32, info.Size())
	n, _ := audio.ReadFull(source, all)
	return all[:n], source.Format().SampleRate
}

// says asserts that the samples from a frame on are those of the ramp from another on.
func says(t *testing.T, got []float32, from, said, frames int) {
	t.Helper()
	require.GreaterOrEqual(t, len(got), from+frames)
	for i := range frames {
		want := float32(g711.MulawToInt16(g711.MulawFromInt16(ramp(said+i)))) / 32768
		require.InDelta(t, want, got[from+i], 0, "frame %d", from+i)
	}
}

func silent(t *testing.T, got []float32) {
	t.Helper()
	for i, v := range got {
		require.Zero(t, v, "frame %d", i)
	}
}

func TestLossAndOrder(t *testing.T) {
	c := newCapture()
	for n := range 100 {
		at := time.Duration(n) * frame
		switch n {
		case 10, 11, 12: // lost
		case 20: // overtaken by the next
		case 21:
			c.rtp(at, toCallee, spoken(21))
			c.rtp(at, toCallee, spoken(20))
		case 30: // twice
			c.rtp(at, toCallee, spoken(30))
			c.rtp(at, toCallee, spoken(30))
		case 40: // long after its time
		case 90:
			c.rtp(at, toCallee, spoken(90))
			c.rtp(at, toCallee, spoken(40))
		default:
			c.rtp(at, toCallee, spoken(n))
		}
	}
	c.rtp(time.Second, toCaller, spoken(0))
	callers, callees, rate, r := legs(t, c)
	assert.Equal(t, 8000, rate)
	require.Len(t, callers, 16000)
	says(t, callers, 0, 0, 1600)
	silent(t, callers[1600:2080])
	says(t, callers, 2080, 2080, 16000-2080)
	require.Len(t, callees, 16000, "both legs are equally long")
	silent(t, callees[:8000])
	says(t, callees, 8000, 0, 160)
	silent(t, callees[8160:])
	assert.Equal(t, 4, r.caller.Lost, "by what was there in time")
	assert.Equal(t, 2, r.caller.Late)
	assert.Empty(t, r.incomplete)
}

func TestCountersWrap(t *testing.T) {
	c := newCapture()
	for n := range 200 {
		p := spoken(n)
		p.sequence += 65_500
		p.timestamp -= 5000
		if n != 36 { // the very sequence number 0 is lost
			c.rtp(time.Duration(n)*frame, toCallee, p)
		}
	}
	callers, _, _, r := legs(t, c)
	require.Len(t, callers, 32000)
	says(t, callers, 0, 0, 36*160)
	silent(t, callers[36*160:37*160])
	says(t, callers, 37*160, 37*160, 32000-37*160)
	assert.Equal(t, 1, r.caller.Lost)
	assert.Zero(t, r.caller.Restarts)
}

func TestAnotherSSRC(t *testing.T) {
	c := newCapture()
	for n := range 100 {
		p := spoken(n)
		if n >= 50 { // after a re-INVITE, with counters of its own, 3 s later
			p.ssrc, p.sequence, p.timestamp = 2, uint16(n)+9000, p.timestamp+77_777_777
			c.rtp(time.Duration(n)*frame+3*time.Second, toCallee, p)
			continue
		}
		c.rtp(time.Duration(n)*frame, toCallee, p)
	}
	callers, _, _, r := legs(t, c)
	require.Len(t, callers, 40000)
	says(t, callers, 0, 0, 8000)
	silent(t, callers[8000:32000])
	says(t, callers, 32000, 8000, 8000)
	assert.Equal(t, 2, r.caller.Streams)
	assert.Zero(t, r.caller.Lost)
}

// TestPauses: with silence suppression the timestamps go on while nothing is sent, and
// are believed whenever packets come; where they stood still the time of arrival counts.
func TestPauses(t *testing.T) {
	t.Run("comfort noise", func(t *testing.T) {
		c := newCapture()
		for n := range 10 {
			c.rtp(time.Duration(n)*frame, toCallee, spoken(n))
		}
		c.rtp(10*frame, toCallee, rtpPacket{payloadType: 13, sequence: 10, timestamp: 1600, ssrc: 1, payload: []byte{40}})
		for n := 200; n < 210; n++ { // 60 ms late
			p := spoken(n)
			p.sequence = uint16(n - 189)
			c.rtp(time.Duration(n)*frame+60*time.Millisecond, toCallee, p)
		}
		callers, _, _, r := legs(t, c)
		require.Len(t, callers, 210*160)
		silent(t, callers[1600:32000])
		says(t, callers, 32000, 32000, 1600)
		assert.Zero(t, r.caller.Lost)
		assert.Zero(t, r.caller.Restarts)
		assert.Empty(t, r.incomplete)
	})
	t.Run("timestamps that stood still", func(t *testing.T) {
		c := newCapture()
		for n := range 20 {
			at := time.Duration(n) * frame
			if n >= 10 {
				at += 5 * time.Second
			}
			c.rtp(at, toCallee, spoken(n))
		}
		callers, _, _, r := legs(t, c)
		require.Len(t, callers, 40000+3200)
		silent(t, callers[1600:41600])
		says(t, callers, 41600, 1600, 1600)
		assert.Equal(t, 1, r.caller.Restarts)
	})
	t.Run("a telephone's keys", func(t *testing.T) {
		c := newCapture()
		for n := range 20 {
			p := spoken(n)
			if n >= 5 && n < 10 {
				p.payloadType, p.timestamp, p.payload = 101, 800, []byte{1, 10, 0, 160}
			}
			c.rtp(time.Duration(n)*frame, toCallee, p)
		}
		callers, _, _, r := legs(t, c)
		says(t, callers, 0, 0, 800)
		silent(t, callers[800:1600])
		says(t, callers, 1600, 1600, 1600)
		assert.Empty(t, r.incomplete)
		assert.Zero(t, r.caller.Lost)
	})
}

// TestFirstPacketLate: both legs stay in time although the very first packet of the call
// was on its way for 300 ms more than those behind it, and was overtaken.
func TestFirstPacketLate(t *testing.T) {
	c := newCapture()
	c.rtp(310*time.Millisecond, toCaller, spoken(1))
	for n := range 100 {
		at := 300*time.Millisecond + max(0, time.Duration(n)*frame-300*time.Millisecond)
		c.rtp(at, toCallee, spoken(n)) // the first 15 at once
		if n == 15 {
			c.rtp(at, toCaller, spoken(0))
		}
		if n > 15 {
			c.rtp(at, toCaller, spoken(n-14))
		}
	}
	callers, callees, _, r := legs(t, c)
	require.Len(t, callers, 16000)
	says(t, callers, 0, 0, 16000)
	silent(t, callees[:14*160])
	says(t, callees, 14*160, 0, 86*160)
	assert.Zero(t, r.caller.Lost+r.callee.Lost+r.callee.Late)
}

// TestWideband: G.722 has twice the samples that its timestamps count, and with a
// narrow codec in the same leg the file is wide.
func TestWideband(t *testing.T) {
	raw := filepath.Join(t.TempDir(), "tone.g722")
	out, err := exec.CommandContext(t.Context(), recordingtest.Tool(t, "ffmpeg", "ffmpeg"), "-v", "error", "-f", "lavfi",
		"-i", "sine=frequency=5000:sample_rate=16000:duration=1", "-c:a", "g722", "-f", "g722", raw).CombinedOutput()
	require.NoError(t, err, "%s", out)
	tone, err := os.ReadFile(raw)
	require.NoError(t, err)
	tone = tone[:8000]
	c := newCapture()
	for n := range 50 {
		c.rtp(time.Duration(n)*frame, toCallee, spoken(n))
		wide := rtpPacket{payloadType: 9, sequence: uint16(n), timestamp: uint32(n) * 160, ssrc: 5, payload: tone[n*160 : (n+1)*160]}
		c.rtp(time.Duration(n)*frame, toCaller, wide)
		wide.sequence, wide.timestamp, wide.ssrc = uint16(50+n), uint32(50+n)*160, 1
		c.rtp(time.Second+time.Duration(n)*frame, toCallee, wide)
	}
	callers, callees, rate, r := legs(t, c)
	assert.Empty(t, r.incomplete)
	assert.Equal(t, 16000, rate)
	require.Len(t, callers, 32000)
	require.Len(t, callees, 32000)
	assert.Greater(t, power(callees[1600:16000], 5000, 16000), 100*power(callees[1600:16000], 1000, 16000))
	assert.Greater(t, power(callers[17600:32000], 5000, 16000), 100*power(callers[17600:32000], 1000, 16000))
	silent(t, callees[16000:])
	for _, i := range []int{1000, 5000} { // the narrow half keeps its time
		assert.InDelta(t, float32(ramp(i))/32768, callers[2*i], 0.01)
	}
}

// power is how much of a frequency there is (Goertzel).
func power(x []float32, hz, rate float64) float64 {
	coefficient := 2 * math.Cos(2*math.Pi*hz/rate)
	var a, b float64
	for _, v := range x {
		a, b = float64(v)+coefficient*a-b, a
	}
	return a*a + b*b - coefficient*a*b
}

func TestWhatIsNotDecoded(t *testing.T) {
	c := newCapture()
	for n := range 10 {
		c.rtp(time.Duration(n)*frame, toCaller, spoken(n))
		p := spoken(n)
		p.payloadType = 96
		c.rtp(time.Duration(n)*frame, toCallee, p)
	}
	dir := t.TempDir()
	r, err := convert(t.Context(), &c.Buffer, testMetadata(t), dir)
	require.NoError(t, err)
	assert.Contains(t, r.incomplete, "10 packets of the caller are of the codec OPUS")
	assert.NoFileExists(t, filepath.Join(dir, "caller.wav"))
	callees, _ := samples(t, filepath.Join(dir, "callee.wav"))
	says(t, callees, 0, 0, 1600)
}

// TestHostileTimes: timestamps and times of arrival that make no sense don't make a
// file that is longer than a call can be.
func TestHostileTimes(t *testing.T) {
	c := newCapture()
	for n := range 100 {
		p := spoken(n)
		p.timestamp = uint32(n) * 0x3fff_ffff
		c.rtp(time.Duration(n*n*n)*time.Minute, toCallee, p)
		c.rtp(-time.Duration(n)*time.Hour, toCaller, p)
	}
	dir := t.TempDir()
	l := newLeg(caller, dir)
	defer l.close()
	l2 := newLeg(callee, dir)
	defer l2.close()
	_, err := place(t.Context(), &c.Buffer, testMetadata(t), map[string]*leg{caller: l, callee: l2})
	require.NoError(t, err)
	require.NoError(t, l.end())
	assert.LessOrEqual(t, l.frames, int64(maxCall+160))
	assert.Positive(t, l.said.Misplaced)
	assert.Positive(t, l2.said.Misplaced)
}

// TestPacketsAllocateNothing: a long call takes no more memory than a short one.
func TestPacketsAllocateNothing(t *testing.T) {
	l := newLeg(caller, t.TempDir())
	defer l.close()
	p := spoken(0)
	n := 0
	for ; n < 2*maxHeld; n++ {
		p.sequence, p.timestamp = uint16(n), uint32(n)*160
		require.NoError(t, l.take(time.Duration(n)*frame, pcmu, p))
	}
	n--
	assert.Zero(t, testing.AllocsPerRun(1000, func() {
		n++
		p.sequence, p.timestamp = uint16(n), uint32(n)*160
		if err := l.take(time.Duration(n)*frame, pcmu, p); err != nil {
			t.Fatal(err)
		}
	}))
}

func TestStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := convert(ctx, &newCapture().Buffer, testMetadata(t), t.TempDir())
	assert.ErrorIs(t, err, context.Canceled)
}
