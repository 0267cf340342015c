package audio_test

import (
	"slices"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// withSilence puts silence of n frames of that value into s in front of frame first, and
// after every so many of s.
func withSilence(s []float32, first, every, n int, value float32) []float32 {
	var out []float32
	for at, v := range s {
		if at >= first && (at-first)%every == 0 {
			out = append(out, slices.Repeat([]float32{value}, n)...)
		}
		out = append(out, v)
	}
	return out
}

// find listens by odd blocks.
func find(rate int, s []float32, excess int64) (audio.Inserted, bool, bool) {
	f := audio.NewInsertedFinder(recordingtest.Mono(rate))
	for block := range slices.Chunk(s, 777) {
		f.Listen(block)
	}
	return f.Find(excess, int64(rate/10))
}

// What was put in at a beat is found, and left out again, frame for frame: in sound, in
// silence of the stream's own, whatever silence is in the law.
func TestInsertedSilence(t *testing.T) {
	t.Parallel()
	const rate = 8000
	sound := recordingtest.Noise(60*rate, 0.3, 1)
	pauses := slices.Clone(sound)
	clear(pauses[10*rate+77 : 19*rate])
	for name, c := range map[string]struct {
		in              []float32
		first, every, n int
		value           float32
	}{
		"40 ms a second": {sound, 0, rate, 320, 0},
		"later":          {sound, 555, 3 * rate, 160, 0},
		"in pauses":      {pauses, 4000, rate, 320, 0},
		"A-law":          {sound, 100, rate / 2, 160, 8.0 / 32768},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			long := withSilence(c.in, c.first, c.every, c.n, c.value)
			in, regular, found := find(rate, long, int64(len(long)-len(c.in)))
			require.True(t, found)
			require.True(t, regular)
			require.Equal(t, len(long)-len(c.in), int(in.Frames()))
			open := func() audio.Source { return audio.Omit(audio.NewSource(recordingtest.Mono(rate), long), in) }
			require.True(t, slices.Equal(c.in, recordingtest.ReadAll(t, open())))
			recordingtest.SourceContract(t, open)
		})
	}
	stereo := &goaudio.Format{NumChannels: 2, SampleRate: rate}
	f := audio.NewInsertedFinder(stereo)
	for at := range 10 {
		f.Listen(recordingtest.Noise(2*rate, 0.3, uint64(at)))
		one := make([]float32, 2*320) // of one channel alone: that is no silence
		for i := range 320 {
			one[2*i] = 0.1
		}
		f.Listen(one)
	}
	_, _, found := f.Find(3200, 800)
	require.False(t, found)
}

// Silence that doesn't explain the length is the stream's own; without a beat it is only
// suspected.
func TestSilenceOfItsOwn(t *testing.T) {
	t.Parallel()
	const rate = 8000
	sound := recordingtest.Noise(30*rate, 0.3, 1)
	long := withSilence(sound, 0, rate, 320, 0)
	_, _, found := find(rate, long, 4*30*320)
	require.False(t, found, "a quarter of what is too much")
	_, _, found = find(rate, sound, 9600)
	require.False(t, found, "there is none")

	missing := slices.Concat(long[:5*rate], sound[:rate], long[5*rate:]) // a beat is left out, and the others are late then
	in, regular, found := find(rate, missing, 30*320)
	require.True(t, found)
	require.False(t, regular)
	require.Equal(t, 30*320, int(in.Frames()))
}

// A burst of noise at the end is found, and silent where that is wanted; speech isn't.
func TestEndBurst(t *testing.T) {
	t.Parallel()
	const rate = 8000
	speech := recordingtest.Sine(2*rate, rate, 300, 0.1, 1)
	burst := slices.Concat(speech, recordingtest.Noise(160, 0.9, 7))
	for name, c := range map[string]struct {
		in   []float32
		want bool
	}{
		"burst":       {burst, true},
		"none":        {speech, false},
		"a loud tone": {slices.Concat(speech, recordingtest.Sine(160, rate, 300, 0.9, 1)), false},
		"noise":       {recordingtest.Noise(2*rate, 0.5, 3), false},
		"too short":   {slices.Concat(speech[:rate/4], recordingtest.Noise(160, 0.9, 7)), false},
		"nothing":     {nil, false},
		"a frame":     {[]float32{1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, silence := range []bool{false, true} {
				open := func() *audio.EndBurst {
					return audio.FindEndBurst(audio.NewSource(recordingtest.Mono(rate), c.in), int64(len(c.in)), silence)
				}
				b := open()
				got := recordingtest.ReadAll(t, b)
				require.Equal(t, c.want, b.Found())
				want := slices.Clone(c.in)
				if c.want && silence {
					clear(want[len(want)-160:])
				}
				require.True(t, slices.Equal(want, got))
				recordingtest.SourceContract(t, func() audio.Source { return open() })
			}
		})
	}
}

func TestEndBurstAllocatesNothing(t *testing.T) {
	const rate = 8000
	s := recordingtest.Noise(10*rate, 0.3, 1)
	long := audio.FindEndBurst(audio.NewSource(recordingtest.Mono(rate), s), int64(len(s)), true)
	block := make([]float32, 160)
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _ = long.ReadFrames(block) }))
}
