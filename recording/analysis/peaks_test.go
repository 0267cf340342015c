package analysis_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// peaksOracle is audiowaveform's definition, word by word, by whole samples.
func peaksOracle(channels, perPixel int, join bool, samples []float32) []int16 {
	frames := len(samples) / channels
	var data []int16
	for from := 0; from < frames; from += perPixel {
		outputs := channels
		if join {
			outputs = 1
		}
		for c := range outputs {
			lo, hi := math.MaxInt16, math.MinInt16
			for i := from; i < min(from+perPixel, frames); i++ {
				v := 0
				if join {
					for k := range channels {
						v += integer(samples[i*channels+k])
					}
					v /= channels
				} else {
					v = integer(samples[i*channels+c])
				}
				lo, hi = min(lo, v), max(hi, v)
			}
			data = append(data, int16(lo), int16(hi))
		}
	}
	return data
}

func integer(x float32) int {
	v := math.RoundToEven(float64(x) * 32768)
	if v != v {
		return 0
	}
	return int(max(-32768, min(32767, v)))
}

func TestPeaksEqualTheDefinition(t *testing.T) {
	t.Parallel()
	call := sampleCall(t, samplecall.CustomerOffset)
	loud := recordingtest.Noise(30011, 1.3, 5)
	loud[7], loud[99], loud[100] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	for _, c := range []struct {
		channels, perPixel int
		join               bool
		samples            []float32
	}{
		{2, 256, false, call},
		{2, 256, true, call},
		{2, 2, false, call[:2001*2]},
		{1, 1000, false, loud},
		{1, 30011, false, loud},
		{1, 30012, true, loud},
		{3, 77, false, loud[:30009]},
		{5, 800, true, loud[:30010]},
		{1, 256, false, nil},
	} {
		t.Run(fmt.Sprint(c.channels, c.perPixel, c.join, len(c.samples)), func(t *testing.T) {
			t.Parallel()
			want := peaksOracle(c.channels, c.perPixel, c.join, c.samples)
			for _, bits := range []int{8, 16} {
				o := &analysis.PeaksOptions{SamplesPerPixel: c.perPixel, Bits: bits, Join: c.join}
				p, err := analysis.NewPeaks(format(c.channels, 8000), o)
				require.NoError(t, err)
				write(t, p, c.channels, 0, c.samples)
				w := p.Result()
				require.Len(t, w.Data, len(want))
				if len(want) > 0 {
					require.Equal(t, want, w.Data)
				}
				checkPeakFiles(t, c.channels, o, c.samples, w)
			}
		})
	}
}

// checkPeakFiles reads both files of a waveform, and requires that a writer
// makes the same ones.
func checkPeakFiles(t *testing.T, channels int, o *analysis.PeaksOptions, samples []float32, w *analysis.Waveform) {
	t.Helper()
	divisor := int16(1)
	if o.Bits == 8 {
		divisor = 256
	}
	var js, dat bytes.Buffer
	n, err := w.WriteJSON(&js)
	require.NoError(t, err)
	assert.EqualValues(t, js.Len(), n)
	n, err = w.WriteDAT(&dat)
	require.NoError(t, err)
	assert.EqualValues(t, dat.Len(), n)

	var file struct {
		Version, Channels, Bits, Length int
		SampleRate                      int `json:"sample_rate"`
		SamplesPerPixel                 int `json:"samples_per_pixel"`
		Data                            []int16
	}
	require.NoError(t, json.Unmarshal(js.Bytes(), &file))
	assert.Equal(t, []int{2, w.Channels, o.Bits, w.Length(), 8000, o.SamplesPerPixel},
		[]int{file.Version, file.Channels, file.Bits, file.Length, file.SampleRate, file.SamplesPerPixel})
	require.Len(t, file.Data, len(w.Data))
	header := make([]uint32, 6)
	require.NoError(t, binary.Read(&dat, binary.LittleEndian, header))
	assert.Equal(t, []uint32{2, uint32(16-o.Bits) / 8, 8000, uint32(o.SamplesPerPixel), uint32(w.Length()), uint32(w.Channels)}, header)
	for i, want := range w.Data {
		want /= divisor
		var got int16
		if o.Bits == 8 {
			b, err := dat.ReadByte()
			require.NoError(t, err)
			got = int16(int8(b))
		} else {
			require.NoError(t, binary.Read(&dat, binary.LittleEndian, &got))
		}
		if want != got || want != file.Data[i] {
			require.Failf(t, "value", "%d: want %d, .dat has %d, JSON %d", i, want, got, file.Data[i])
		}
	}
	assert.Zero(t, dat.Len())

	for _, form := range []analysis.PeaksFormat{analysis.PeaksJSON, analysis.PeaksDAT} {
		var streamed, whole bytes.Buffer
		p, err := analysis.NewPeaksWriter(&streamed, format(channels, 8000), form, int64(len(samples)/channels), o)
		require.NoError(t, err)
		write(t, p, channels, 0, samples)
		assert.EqualValues(t, streamed.Len(), p.Result())
		if form == analysis.PeaksJSON {
			_, err = w.WriteJSON(&whole)
		} else {
			_, err = w.WriteDAT(&whole)
		}
		require.NoError(t, err)
		require.True(t, bytes.Equal(whole.Bytes(), streamed.Bytes()), "a PeaksWriter makes another file")
	}
}

// Within its bound, Peaks has the waveform of a coarser zoom.
func TestPeaksAreBounded(t *testing.T) {
	t.Parallel()
	samples := recordingtest.Noise(2*10007, 0.9, 8)
	p, err := analysis.NewPeaks(format(2, 8000), &analysis.PeaksOptions{SamplesPerPixel: 10, MaxPixels: 64})
	require.NoError(t, err)
	write(t, p, 2, 0, samples)
	w := p.Result()
	assert.LessOrEqual(t, w.Length(), 64)
	assert.Equal(t, 160, w.SamplesPerPixel, "10, doubled four times")
	assert.Equal(t, peaksOracle(2, w.SamplesPerPixel, false, samples), w.Data)
}

func TestPeaksRefuse(t *testing.T) {
	t.Parallel()
	for _, o := range []analysis.PeaksOptions{{SamplesPerPixel: 1}, {SamplesPerPixel: -5}, {Bits: 12}, {MaxPixels: 3}, {MaxPixels: -2}} {
		_, err := analysis.NewPeaks(format(1, 8000), &o)
		assert.Error(t, err, "%+v", o)
	}
	_, err := analysis.NewPeaksWriter(&bytes.Buffer{}, format(1, 8000), "png", 1, nil)
	assert.Error(t, err)
	_, err = analysis.NewPeaksWriter(&bytes.Buffer{}, format(1, 8000), analysis.PeaksDAT, -1, nil)
	assert.Error(t, err)
	p, err := analysis.NewPeaksWriter(&bytes.Buffer{}, format(1, 8000), analysis.PeaksDAT, 3, nil)
	require.NoError(t, err)
	require.NoError(t, p.WriteFrames(make([]float32, 2)))
	require.ErrorIs(t, p.Finish(), analysis.ErrFrameCount)
	p, err = analysis.NewPeaksWriter(&bytes.Buffer{}, format(1, 8000), analysis.PeaksDAT, 3, nil)
	require.NoError(t, err)
	require.ErrorIs(t, p.WriteFrames(make([]float32, 4)), analysis.ErrFrameCount)
	p, err = analysis.NewPeaksWriter(broken{}, format(1, 8000), analysis.PeaksDAT, 1<<20, nil)
	require.NoError(t, err)
	for err == nil {
		err = p.WriteFrames(make([]float32, 8000))
	}
	require.ErrorIs(t, err, errBroken)
	require.ErrorIs(t, p.Finish(), errBroken)
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
