package audio_test

import (
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func source(rate, channels, frames int, seed uint64) audio.Source {
	return audio.NewSource(&goaudio.Format{NumChannels: channels, SampleRate: rate},
		recordingtest.Noise(frames*channels, 0.9, seed))
}

func broken(rate, channels, frames int) audio.Source {
	return recordingtest.Failing(&goaudio.Format{NumChannels: channels, SampleRate: rate},
		recordingtest.Noise(frames*channels, 0.9, 9))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func resample(in, out int, s audio.Source) audio.Source {
	return must(audio.Resample(s, must(audio.NewResampleFilter(in, out))))
}

// Every stage passes the contract suite, over good sources and over one that fails.
func TestStagesKeepTheContract(t *testing.T) {
	t.Parallel()
	mono := recordingtest.Mono(8000)
	stages := map[string]func() audio.Source{
		"memory":        func() audio.Source { return source(8000, 2, 5000, 1) },
		"memory, empty": func() audio.Source { return source(8000, 1, 0, 1) },
		"place": func() audio.Source {
			return must(audio.Place(mono, 9000, []audio.Segment{
				{Source: source(8000, 1, 3000, 1), OffsetFrames: 100},
				{Source: source(8000, 1, 3000, 2), OffsetFrames: 2500},
				{Source: source(8000, 1, 3000, 3), OffsetFrames: 8000},
				{Source: source(8000, 1, 3000, 4), OffsetFrames: -700},
			}))
		},
		"place, stereo": func() audio.Source {
			return must(audio.Place(&goaudio.Format{NumChannels: 2, SampleRate: 8000}, 4321, []audio.Segment{
				{Source: source(8000, 2, 1000, 1), OffsetFrames: 10}, {Source: source(8000, 2, 1000, 1), OffsetFrames: 500},
			}))
		},
		"place, failing": func() audio.Source {
			return must(audio.Place(mono, 9000, []audio.Segment{{Source: broken(8000, 1, 3000), OffsetFrames: 100}}))
		},
		"place, one of two failing": func() audio.Source {
			return must(audio.Place(mono, 9000, []audio.Segment{
				{Source: source(8000, 1, 8000, 1)}, {Source: broken(8000, 1, 3000), OffsetFrames: 100},
			}))
		},
		"place, nothing":   func() audio.Source { return must(audio.Place(mono, 1000, nil)) },
		"place, no length": func() audio.Source { return must(audio.Place(mono, 0, nil)) },
		"mix": func() audio.Source {
			return must(audio.Mix(source(8000, 1, 3000, 1), source(8000, 1, 5000, 2), source(8000, 1, 10, 3)))
		},
		"mix, failing": func() audio.Source { return must(audio.Mix(source(8000, 1, 5000, 1), broken(8000, 1, 3000))) },
		"merge": func() audio.Source {
			return must(audio.Merge(source(8000, 1, 3000, 1), source(8000, 1, 5000, 2)))
		},
		"merge, several channels": func() audio.Source {
			return must(audio.Merge(source(8000, 2, 3000, 1), source(8000, 1, 5000, 2)))
		},
		"merge, failing": func() audio.Source { return must(audio.Merge(source(8000, 1, 5000, 1), broken(8000, 1, 3000))) },
		"downmix":        func() audio.Source { return audio.Downmix(source(8000, 3, 5000, 1)) },
		"gain":           func() audio.Source { return audio.Gain(source(8000, 2, 5000, 1), 0.5) },
		"limit, idle":    func() audio.Source { return audio.Limit(source(8000, 2, 5000, 1)) },
		"limit, at work": func() audio.Source { return audio.Limit(audio.Gain(source(8000, 2, 5000, 1), 3)) },
		"limit, short":   func() audio.Source { return audio.Limit(audio.Gain(source(8000, 1, 7, 1), 3)) },
		"resample up":    func() audio.Source { return resample(8000, 16000, source(8000, 1, 5000, 1)) },
		"resample down":  func() audio.Source { return resample(44100, 8000, source(44100, 2, 20000, 1)) },
		"resample, interpolated": func() audio.Source {
			return resample(44101, 8000, source(44101, 1, 20000, 1))
		},
		"resample, short":   func() audio.Source { return resample(11025, 8000, source(11025, 1, 3, 1)) },
		"resample, failing": func() audio.Source { return resample(8000, 11025, broken(8000, 1, 3000)) },
	}
	for name, open := range stages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			recordingtest.TestSource(t, open)
		})
	}
}

func TestTeeKeepsTheContract(t *testing.T) {
	t.Parallel()
	recordingtest.TestSource(t, func() audio.Source {
		return audio.Tee(source(8000, 2, 5000, 1), 2, 1<<20)[1]
	})
	branches := audio.Tee(source(8000, 1, 5000, 1), 3, 600)
	want := recordingtest.ReadAll(t, source(8000, 1, 5000, 1))
	got := make([][]float32, 3)
	for i := 0; len(got[2]) < len(want); i++ {
		for j, b := range branches {
			block := make([]float32, 100+200*((i+j)%2))
			n, _ := b.ReadFrames(block)
			got[j] = append(got[j], block[:n]...)
		}
	}
	require.Equal(t, want, got[2])
	require.Equal(t, want[:len(got[0])], got[0])

	ahead := audio.Tee(source(8000, 1, 5000, 1), 2, 600)[0]
	_, err := audio.ReadFull(ahead, make([]float32, 600))
	require.NoError(t, err)
	_, err = ahead.ReadFrames(make([]float32, 1))
	require.ErrorIs(t, err, audio.ErrTeeSkew)
}

// No stage allocates for a block, once it has seen one of that size.
func TestNoAllocations(t *testing.T) {
	mono := recordingtest.Mono(8000)
	long := func(seed uint64) audio.Source { return source(8000, 1, 1<<20, seed) }
	stages := map[string]audio.Source{
		"place":    must(audio.Place(mono, 1<<20, []audio.Segment{{Source: long(1), OffsetFrames: 5}, {Source: long(2), OffsetFrames: 50}})),
		"mix":      must(audio.Mix(long(1), long(2), long(3))),
		"merge":    must(audio.Merge(long(1), long(2))),
		"downmix":  audio.Downmix(source(8000, 2, 1<<20, 1)),
		"limit":    audio.Limit(audio.Gain(long(1), 2)),
		"resample": resample(8000, 16000, long(1)),
		"downrate": resample(44100, 8000, source(44100, 1, 1<<22, 1)),
		"odd rate": resample(8000, 44101, long(1)),
	}
	for name, s := range stages {
		block := make([]float32, 2048)
		read := func() {
			_, err := s.ReadFrames(block)
			require.NoError(t, err)
		}
		for range 4 {
			read()
		}
		require.Zero(t, testing.AllocsPerRun(50, read), name)
	}
	dst := make([]byte, 4096)
	src := recordingtest.Noise(1024, 1.5, 1)
	require.Zero(t, testing.AllocsPerRun(10, func() { audio.PutPCM16(dst, src); audio.PutPCM24(dst, src) }))
}

func TestStagesRefuseWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	_, err := audio.Mix()
	require.Error(t, err)
	_, err = audio.Merge()
	require.Error(t, err)
	_, err = audio.Mix(source(8000, 1, 1, 1), source(16000, 1, 1, 1))
	require.ErrorContains(t, err, "differ in format")
	_, err = audio.Merge(source(8000, 1, 1, 1), source(16000, 1, 1, 1))
	require.ErrorContains(t, err, "16000 Hz")
	_, err = audio.Place(recordingtest.Mono(8000), 1, []audio.Segment{{Source: source(8000, 2, 1, 1)}})
	require.ErrorContains(t, err, "differ in format")
	_, err = audio.NewResampleFilter(0, 8000)
	require.ErrorContains(t, err, "rates must be")
	_, err = audio.Resample(source(8000, 1, 1, 1), must(audio.NewResampleFilter(16000, 8000)))
	require.ErrorContains(t, err, "8000 Hz")
}
