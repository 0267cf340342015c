package audio_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// speech is the sample call's two parties, 8 kHz.
func speech() [2][]float32 {
	var out [2][]float32
	for i, file := range [][]byte{samplecall.Agent(), samplecall.Customer()} {
		for at := 44; at+1 < len(file); at += 2 {
			out[i] = append(out[i], float32(int16(binary.LittleEndian.Uint16(file[at:])))/32768)
		}
	}
	return out
}

// dropouts are those found in samples that come by blocks of a size.
func dropouts(samples []float32, block int) []audio.Dropout {
	d := audio.NewDropoutDetector(8000, 1)
	for part := range slices.Chunk(samples, block) {
		d.Listen(part)
	}
	found, _ := d.Found()
	return found
}

// gated is speech as a detector of speech leaves it: digital silence wherever
// 20 ms, and the hang ones before, are below a level.
func gated(samples []float32, dBFS float64, hang int) []float32 {
	out := slices.Clone(samples)
	still := 0
	for at := 0; at+160 <= len(out); at += 160 {
		if level(samples[at:at+160]) >= math.Pow(10, dBFS/20) {
			still = hang
		} else if still--; still < 0 {
			clear(out[at : at+160])
		}
	}
	return out
}

func level(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(x)))
}

// Speech has no dropouts: neither as it is, nor with noise, nor gated at any
// sensible level with any hangover, nor muted by hand now and then.
func TestNoDropoutInSpeech(t *testing.T) {
	t.Parallel()
	for who, clean := range speech() {
		require.Empty(t, dropouts(clean, 1000))
		for seed, noise := range []float64{0, 0.002, 0.03} { // to -35 dBFS
			noisy := slices.Clone(clean)
			for i, x := range recordingtest.Noise(len(noisy), noise*math.Sqrt(3), uint64(seed+1)) {
				noisy[i] += x
			}
			require.Empty(t, dropouts(noisy, 4096))
			for dBFS := -70.0; dBFS <= -30; dBFS += 5 {
				for _, hang := range []int{0, 3, 10} {
					require.Empty(t, dropouts(gated(noisy, dBFS, hang), 4096),
						"leg %d, noise %v, gate at %v dBFS, hangover of %d ms", who, noise, dBFS, 20*hang)
				}
			}
		}
		muted := slices.Clone(clean)
		for at := 30000; at+24000 < len(muted); at += 50000 {
			clear(muted[at : at+24000]) // 3 s, both ends within speech as it happens
		}
		require.Empty(t, dropouts(muted, 160))
	}
	require.Empty(t, dropouts(make([]float32, 80000), 160))
	require.Empty(t, dropouts(slices.Repeat([]float32{0.25}, 80000), 160))
}

// Audio that is lost within loud speech is found more often than not, to the
// sample, and whatever the blocks are.
func TestDropoutsAreFound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	tries, hits := 0, 0
	for _, frames := range []int{160, 320, 480, 800, 4000, 16000} {
		for _, leg := range speech() {
			for range 30 {
				at := 40000 + r.IntN(len(leg)-80000)
				if level(leg[at-200:at]) < 0.03 || level(leg[at+frames:at+frames+200]) < 0.03 {
					continue // nothing is to be heard there anyway
				}
				broken := slices.Clone(leg[at-40000 : at+frames+8000])
				constant := float32(r.IntN(3)-1) * 8 / 32768 // A-law has no zero
				for i := range frames {
					broken[40000+i] = constant
				}
				tries++
				found := dropouts(broken, 1000)
				require.Equal(t, found, dropouts(broken, 77))
				if len(found) == 0 {
					continue
				}
				hits++
				require.Len(t, found, 1)
				require.InDelta(t, 40000, found[0].From, 2, "a sample beside it may have the same value")
				require.InDelta(t, 40000+frames, found[0].To, 2)
			}
		}
	}
	require.Greater(t, tries, 40)
	require.Greater(t, hits*100, tries*50, "%d of %d", hits, tries)
	t.Logf("%d of %d dropouts in speech of -30 dBFS or more were found", hits, tries)
}

// What is too short, too long, faded on a side, or at the noise's level is none.
func TestWhatIsNoDropout(t *testing.T) {
	t.Parallel()
	base := recordingtest.Noise(80000, 0.001, 1) // 2 s of noise, a tone, a silence and a tone, noise
	copy(base[20000:60000], recordingtest.Sine(40000, 8000, 440, 0.3, 1))
	with := func(from, to int, edit func([]float32)) []float32 {
		s := slices.Clone(base)
		clear(s[from:to])
		if edit != nil {
			edit(s)
		}
		return s
	}
	require.Equal(t, []audio.Dropout{{From: 40000, To: 40400}}, dropouts(with(40000, 40400, nil), 999))
	require.Equal(t, []audio.Dropout{{From: 40000, To: 40320}}, dropouts(with(40000, 40320, nil), 999))
	require.Empty(t, dropouts(with(40000, 40144, nil), 999), "18 ms")
	require.Empty(t, dropouts(with(30000, 46100, nil), 999), "more than 2 s")
	require.Empty(t, dropouts(with(40000, 40400, func(s []float32) {
		for i := range 200 {
			g := float32(i) / 200
			s[39999-i] *= g * g * g
		}
	}), 999), "it fades away")
	require.Empty(t, dropouts(with(40000, 40400, func(s []float32) {
		for i := range 200 {
			g := float32(i) / 200
			s[40400+i] *= g * g * g
		}
	}), 999), "it fades in")
	require.Empty(t, dropouts(with(60000, 60400, nil), 999), "noise follows")
	require.Empty(t, dropouts(with(10000, 10400, nil), 999), "within noise")
	require.Empty(t, dropouts(base[40000:], 999), "the leg begins")
}

// The list is bounded and nothing is allocated while listening.
func TestDropoutsAreBounded(t *testing.T) {
	noise := recordingtest.Noise(8000, 0.001, 1)
	word := recordingtest.Sine(800, 8000, 440, 0.3, 0)
	gap := make([]float32, 400)
	d := audio.NewDropoutDetector(8000, 1)
	d.Listen(slices.Repeat(noise, 5))
	for range audio.MaxDropouts + 10 {
		d.Listen(word)
		d.Listen(gap)
		d.Listen(word)
		d.Listen(noise)
	}
	found, more := d.Found()
	require.Len(t, found, audio.MaxDropouts)
	require.Equal(t, 10, more)
	require.Zero(t, testing.AllocsPerRun(20, func() {
		d.Listen(word)
		d.Listen(gap)
		d.Listen(word)
		d.Listen(noise)
	}))
}

func BenchmarkDropouts(b *testing.B) {
	leg := speech()[0]
	d := audio.NewDropoutDetector(8000, 1)
	b.SetBytes(int64(len(leg)))
	b.ReportAllocs()
	for b.Loop() {
		d.Listen(leg)
	}
	b.ReportMetric(float64(b.N)*float64(len(leg))/8000/b.Elapsed().Seconds(), "x-realtime")
}
