package analysis_test

import (
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"slices"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// taps are all taps of a format with two channels or more, with their results.
func taps(t testing.TB, f *goaudio.Format, frames int) map[string]func() (analysis.Tap, func() any) {
	t.Helper()
	return map[string]func() (analysis.Tap, func() any){
		"peaks": func() (analysis.Tap, func() any) {
			p, err := analysis.NewPeaks(f, &analysis.PeaksOptions{MaxPixels: 512})
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
		"peaks writer": func() (analysis.Tap, func() any) {
			p, err := analysis.NewPeaksWriter(io.Discard, f, analysis.PeaksJSON, int64(frames), nil)
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
		"levels": func() (analysis.Tap, func() any) {
			p, err := analysis.NewLevelMeter(f, nil)
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
		"loudness": func() (analysis.Tap, func() any) {
			p, err := analysis.NewLoudnessMeter(f)
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
		"voice": func() (analysis.Tap, func() any) {
			p, err := analysis.NewVoiceDetector(f, nil)
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
		"alignment": func() (analysis.Tap, func() any) {
			p, err := analysis.NewAlignmentCheck(f, 0, 1)
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
		"analyzer": func() (analysis.Tap, func() any) {
			p, err := analysis.NewAnalyzer(f, &analysis.AnalyzerOptions{HasMix: f.NumChannels > 2, Peaks: &analysis.PeaksOptions{Join: true}})
			require.NoError(t, err)
			return p, func() any { return p.Result() }
		},
	}
}

// The results are the same to the bit whatever the blocks were.
func TestBlockSizesChangeNothing(t *testing.T) {
	t.Parallel()
	call := sampleCall(t, samplecall.CustomerOffset)[:2*8000*9+2*333]
	for _, f := range []*goaudio.Format{format(2, 8000), format(2, 11025), format(3, 44100)} {
		samples := call[:len(call)/f.NumChannels*f.NumChannels]
		for name, open := range taps(t, f, len(samples)/f.NumChannels) {
			tap, result := open()
			write(t, tap, f.NumChannels, 1<<20, samples)
			want := result()
			for _, frames := range []int{1, 7, 160, 4096, 0} {
				tap, result := open()
				write(t, tap, f.NumChannels, frames, samples)
				require.Equal(t, want, result(), "%s at %d Hz by blocks of %d frames", name, f.SampleRate, frames)
			}
		}
	}
}

func TestTapContract(t *testing.T) {
	t.Parallel()
	for name, open := range taps(t, format(2, 8000), 0) {
		tap, result := open()
		result() // of nothing
		require.NoError(t, tap.WriteFrames(nil), name)
		require.NoError(t, tap.Finish(), name)
		want := result()
		require.NoError(t, tap.Finish(), "%s: again", name)
		assert.Equal(t, want, result(), name)
		if name != "peaks writer" {
			require.ErrorIs(t, tap.WriteFrames(make([]float32, 2)), analysis.ErrFinished, name)
		}
		tap, _ = open()
		require.ErrorIs(t, tap.WriteFrames(make([]float32, 1)), analysis.ErrPartialFrame, name)
		require.ErrorIs(t, tap.WriteFrames(nil), analysis.ErrPartialFrame, name)
		require.ErrorIs(t, tap.Finish(), analysis.ErrPartialFrame, name)
	}
}

func TestFormatsAreChecked(t *testing.T) {
	t.Parallel()
	for _, f := range []*goaudio.Format{nil, format(0, 8000), format(65, 8000), format(1, 7999), format(1, 768001)} {
		_, err := analysis.NewLevelMeter(f, nil)
		assert.Error(t, err)
		_, err = analysis.NewAnalyzer(f, nil)
		assert.Error(t, err)
	}
	_, err := analysis.NewAnalyzer(format(1, 8000), &analysis.AnalyzerOptions{HasMix: true})
	assert.Error(t, err)
	_, err = analysis.NewAnalyzer(format(2, 8000), &analysis.AnalyzerOptions{AlignmentPairs: [][2]int{{0, 2}}})
	assert.Error(t, err)
	_, err = analysis.NewVoiceDetector(format(2, 8000), &analysis.VoiceOptions{Legs: []string{"a"}})
	assert.Error(t, err)
	_, err = analysis.NewVoiceDetector(format(2, 8000), &analysis.VoiceOptions{MaxSegments: 1})
	assert.Error(t, err)
}

// No tap allocates for a block.
func TestTapsDoNotAllocate(t *testing.T) {
	call := sampleCall(t, samplecall.CustomerOffset)
	const block = 2 * 4096
	for name, open := range taps(t, format(2, 8000), 1<<40) {
		if name == "peaks writer" {
			continue // below, by DAT
		}
		tap, _ := open()
		at := 0
		next := func() {
			if at+block > len(call) {
				at = 0
			}
			if err := tap.WriteFrames(call[at : at+block]); err != nil {
				t.Fatal(err)
			}
			at += block
		}
		for range 200 {
			next()
		}
		assert.Zero(t, testing.AllocsPerRun(200, next), name)
	}
}

// Any samples at all give finite results that fit in JSON.
func FuzzAnalyzer(f *testing.F) {
	f.Add([]byte{}, uint8(0), uint16(8000))
	f.Add([]byte("\x00\x00\xc0\x7f\x00\x00\x80\x7f\x00\x00\x80\xff\xff\xff\x7f\x7f\x01\x00\x00\x00"), uint8(1), uint16(11025))
	f.Add([]byte("some bytes that are odd floats, and a few more of them"), uint8(2), uint16(48000))
	f.Fuzz(func(t *testing.T, data []byte, channels uint8, rate uint16) {
		format := format(int(channels%4)+1, max(int(rate), 8000))
		samples := make([]float32, len(data)/4)
		for i := range samples {
			samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		if len(samples) > 0 { // long enough for every window
			for len(samples) < min(4*format.SampleRate*format.NumChannels, 1<<17) {
				samples = slices.Concat(samples, samples)
			}
		}
		samples = samples[:len(samples)/format.NumChannels*format.NumChannels]
		a, err := analysis.NewAnalyzer(format, &analysis.AnalyzerOptions{Peaks: &analysis.PeaksOptions{Bits: 8}})
		require.NoError(t, err)
		write(t, a, format.NumChannels, 0, samples)
		_, err = json.Marshal(a.Result())
		require.NoError(t, err)
	})
}
