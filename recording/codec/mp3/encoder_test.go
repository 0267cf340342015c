package mp3

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
)

// Encoder and New keep the contract of package codec.
var (
	_ codec.Encoder    = (*Encoder)(nil)
	_ codec.NewEncoder = New
)

func TestNewRefusesWhatLayerIIICannotDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		channels, rate int
		o              codec.Options
		m              EncoderOptions
		nearest        string
	}{
		{"rate", 1, 11000, codec.Options{}, EncoderOptions{}, "8000 or 11025 Hz"},
		{"rate above all", 1, 96000, codec.Options{}, EncoderOptions{}, "48000 Hz"},
		{"bitrate at 8 kHz", 1, 8000, codec.Options{BitrateBps: 33000}, EncoderOptions{}, "32000 or 40000 bit/s"},
		{"bitrate of MPEG-1", 1, 44100, codec.Options{BitrateBps: 16000}, EncoderOptions{}, "32000 bit/s"},
		{"bitrate above all", 2, 8000, codec.Options{BitrateBps: 320000}, EncoderOptions{}, "160000 bit/s"},
		{"channels", 3, 8000, codec.Options{}, EncoderOptions{}, "1 or 2 channels"},
		{"frames", 1, 8000, codec.Options{Frames: -2}, EncoderOptions{}, "0 or more, or FramesUnknown"},
		{"quality", 1, 8000, codec.Options{}, EncoderOptions{Mode: VBR, VBRQuality: 10}, "0 to 9"},
		{"mode", 1, 8000, codec.Options{}, EncoderOptions{Mode: 9}, "CBR, ABR or VBR"},
		{"stereo", 2, 8000, codec.Options{}, EncoderOptions{Stereo: -1}, "StereoIndependent or StereoJoint"},
		{"lowpass", 1, 8000, codec.Options{}, EncoderOptions{LowpassHz: -1}, "0 for the default, or a frequency in Hz"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := NewEncoder(io.Discard, format(c.channels, c.rate), c.o, &c.m)
			var u *codec.UnsupportedError
			require.ErrorAs(t, err, &u)
			require.Equal(t, "mp3", u.Codec)
			require.Equal(t, c.nearest, u.Nearest)
			require.Equal(t, err, Validate(format(c.channels, c.rate), c.o, &c.m))
		})
	}
	_, err := New(io.Discard, nil, codec.Options{})
	require.Error(t, err)
	require.NoError(t, Validate(format(1, 8000), codec.Options{}, nil))
	require.Nil(t, ValidBitrates(11000))
	require.Zero(t, DefaultBitrate(8000, 3))
	require.Equal(t, 32000, DefaultBitrate(8000, 1))
	require.Equal(t, 64000, DefaultBitrate(16000, 2))
	require.Equal(t, 128000, DefaultBitrate(44100, 2))
}

func TestOutputDoesNotDependOnBlockSizes(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 44100} {
		const n = 30000
		samples := speech(rate, n, 2)
		want := encodeAll(t, samples, 2, rate, 64000, nil)
		for _, most := range []int{1, 160, 577, 5000} {
			r := rand.New(rand.NewPCG(1, uint64(most)))
			var b bytes.Buffer
			e, err := New(&b, format(2, rate), codec.Options{Frames: n, BitrateBps: 64000})
			require.NoError(t, err)
			for rest := samples; len(rest) > 0; {
				k := min(2*(1+r.IntN(most)), len(rest))
				require.NoError(t, e.WriteFrames(rest[:k]))
				rest = rest[k:]
			}
			require.NoError(t, e.Finish())
			require.True(t, bytes.Equal(want, b.Bytes()), "blocks of up to %d frames at %d Hz", most, rate)
		}
	}
}

func TestFinishChecksTheFrameCount(t *testing.T) {
	t.Parallel()
	e, err := New(io.Discard, format(1, 8000), codec.Options{Frames: 100})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(make([]float32, 99)))
	require.ErrorIs(t, e.Finish(), codec.ErrFrameCount)
	require.ErrorIs(t, e.Finish(), codec.ErrFrameCount)
	require.ErrorIs(t, e.WriteFrames(make([]float32, 1)), codec.ErrFrameCount)

	e, err = New(io.Discard, format(1, 8000), codec.Options{Frames: 100})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(make([]float32, 100)))
	require.NoError(t, e.Finish())
	require.NoError(t, e.Finish())
	require.ErrorIs(t, e.WriteFrames(make([]float32, 1)), codec.ErrFinished)

	e, err = New(io.Discard, format(2, 8000), codec.Options{Frames: 1})
	require.NoError(t, err)
	require.Error(t, e.WriteFrames(make([]float32, 1)), "half a frame")
}

func TestUnknownLengthIsLeftOut(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{CBR, ABR, VBR} {
		var b bytes.Buffer
		e, err := NewEncoder(&b, format(1, 16000), codec.Options{Frames: codec.FramesUnknown}, &EncoderOptions{Mode: mode})
		require.NoError(t, err)
		require.NoError(t, e.WriteFrames(speech(16000, 5000, 1)))
		require.NoError(t, e.Finish())
		info, err := Walk(&b)
		require.NoError(t, err)
		require.False(t, info.Gapless)
		require.NotEmpty(t, info.InfoFrame)
		require.GreaterOrEqual(t, info.Frames, int64(5000))
	}
}

// failingWriter takes so many bytes and then fails.
type failingWriter struct {
	left   int
	writes int // after the error
	failed bool
}

var errDisk = errors.New("disk full")

func (w *failingWriter) Write(b []byte) (int, error) {
	if w.failed {
		w.writes++
	}
	if len(b) > w.left {
		w.failed = true
		return w.left, errDisk
	}
	w.left -= len(b)
	return len(b), nil
}

func TestWriterErrorIsSticky(t *testing.T) {
	t.Parallel()
	samples := speech(8000, 80000, 1)
	for _, left := range []int{0, 1, 400, 10000, 39000} {
		w := &failingWriter{left: left}
		e, err := New(w, format(1, 8000), codec.Options{Frames: 80000})
		for i := 0; i < len(samples) && err == nil; i += 800 {
			err = e.WriteFrames(samples[i : i+800])
		}
		if err == nil {
			err = e.Finish()
		}
		require.ErrorIs(t, err, errDisk)
		if e != nil {
			require.ErrorIs(t, e.WriteFrames(samples), errDisk)
			require.ErrorIs(t, e.Finish(), errDisk)
		}
		require.Zero(t, w.writes, "written after the error")
	}
}

func TestNonFiniteSamplesAreSilence(t *testing.T) {
	t.Parallel()
	samples := speech(8000, 8000, 1)
	clean := append([]float32(nil), samples...)
	inf := float32(math.Inf(1))
	for i, v := range []float32{float32(math.NaN()), inf, -inf} {
		samples[1000*(i+1)] = v
		clean[1000*(i+1)] = 0
	}
	samples[5000], clean[5000] = 7, 1
	samples[6000], clean[6000] = -1.01, -1
	var b bytes.Buffer
	e, err := NewEncoder(&b, format(1, 8000), codec.Options{Frames: 8000}, nil)
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(samples))
	require.NoError(t, e.Finish())
	require.Equal(t, int64(3), e.NonFinite())
	require.Equal(t, encodeAll(t, clean, 1, 8000, 0, nil), b.Bytes())
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	for _, m := range []EncoderOptions{{}, {Stereo: StereoJoint, CRC: true}, {Mode: ABR}, {Mode: VBR, VBRQuality: 4}} {
		for _, rate := range []int{8000, 44100} {
			block := speech(rate, rate, 2)
			e, err := NewEncoder(io.Discard, format(2, rate), codec.Options{Frames: codec.FramesUnknown}, &m)
			require.NoError(t, err)
			require.NoError(t, e.WriteFrames(block))
			require.Zero(t, testing.AllocsPerRun(5, func() {
				if err := e.WriteFrames(block); err != nil {
					t.Error(err)
				}
			}), "%+v at %d Hz", m, rate)
		}
	}
}

// countingWriter counts bytes.
type countingWriter struct{ n int64 }

func (w *countingWriter) Write(b []byte) (int, error) {
	w.n += int64(len(b))
	return len(b), nil
}

// TestLongRun encodes hours without growing: 1 h, or as many as
// SWITCHTAPE_MP3_HOURS says.
func TestLongRun(t *testing.T) {
	hours := int64(1)
	if testing.Short() || raceEnabled {
		t.Skip("an hour of audio: not with -short or -race")
	}
	if v, err := strconv.ParseInt(os.Getenv("SWITCHTAPE_MP3_HOURS"), 10, 64); err == nil {
		hours = v
	}
	const rate = 11025 // frames of 261.2 bytes: the padding must not drift
	minute := speech(rate, 60*rate+1, 1)
	// A stretch of silence of an odd length makes every minute's framing another.
	clear(minute[20*rate : 30*rate])
	total := hours * 60 * int64(len(minute))
	var out countingWriter
	r, w := io.Pipe()
	walked := make(chan error, 1)
	var info StreamInfo
	go func() {
		var err error
		info, err = Walk(io.TeeReader(r, &out))
		r.CloseWithError(err)
		walked <- err
	}()
	e, err := New(w, format(1, rate), codec.Options{Frames: total, BitrateBps: 40000})
	require.NoError(t, err)
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	require.NoError(t, e.WriteFrames(minute))
	before := heap()
	for range hours*60 - 1 {
		require.NoError(t, e.WriteFrames(minute))
	}
	after := heap()
	require.NoError(t, e.Finish())
	require.NoError(t, w.Close())
	require.NoError(t, <-walked)
	require.Less(t, after, before+1<<20, "the heap grew")
	require.Equal(t, total, info.Frames)
	require.Equal(t, out.n, info.Bytes)
	require.InEpsilon(t, 5000*total/rate, out.n, 0.001)
}
