package recordingtest

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec/g711"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// Call is a call of real speech: the files that a telephone server left of it, and
// what its events say. It may have a fault.
type Call struct {
	Spec  record.Spec
	Files map[string][]byte // by URI
	// Want is the fault that was put in: its defect and its leg. Zero for none.
	Want record.Defect
}

// CallFaults lists the faults that [NewCall] can put into a call.
func CallFaults() []record.DefectCode {
	return []record.DefectCode{
		record.DefectLegMissing, record.DefectLegEmpty, record.DefectTruncated, record.DefectHeaderRepaired,
		record.DefectUnsupportedCodec, record.DefectUnreadableLeg, record.DefectWrongRateSuspected,
		record.DefectDriftCorrected, record.DefectGapSuspected, record.DefectDropoutSuspected,
		record.DefectOffsetClamped, record.DefectClipped, record.DefectNonFinite, record.DefectOverlap,
		record.DefectOneWayAudio, record.DefectAudioLost, record.DefectMisaligned,
	}
}

// NewCall makes a call of 20 to 45 s, or of up to 180 s for faults that take as
// long to show, the same for the same seed: a stretch of the sample call, at a level
// of its own, in one of many encodings and rates, with a customer who joins
// some time after the agent. fault is one of [CallFaults], "" for none.
func NewCall(t testing.TB, seed uint64, fault record.DefectCode) Call {
	t.Helper()
	g := callMaker{t: t, rng: rand.New(rand.NewPCG(seed, 0xca11)), fault: fault, faulty: -1}
	if fault != "" {
		g.faulty = g.rng.IntN(2)
	}
	return g.make()
}

const callRate = samplecall.SampleRateHz

// callMaker makes one call.
type callMaker struct {
	t      testing.TB
	rng    *rand.Rand
	fault  record.DefectCode
	faulty int // the leg that has it
	span   time.Duration
	call   Call
}

func (g *callMaker) make() Call {
	g.span = time.Duration(20_000+g.rng.IntN(25_000)) * time.Millisecond
	switch g.fault {
	case record.DefectMisaligned, record.DefectOneWayAudio:
		g.span = 75 * time.Second
	case record.DefectAudioLost:
		g.span = 180 * time.Second
	default:
	}
	started := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	g.call = Call{Files: map[string][]byte{}, Spec: record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "r1", StartedAt: started, EndedAt: started.Add(g.span),
		Span: g.span, LegsSpanCall: true,
		Outputs: []record.OutputSpec{{Codec: record.CodecAnalysis}}, NoManifest: true,
	}}
	speech := g.speech()
	offsets := [2]time.Duration{0, time.Duration(g.rng.IntN(4000)) * time.Millisecond}
	for i, name := range []string{"agent", "customer"} {
		leg := record.LegSpec{Name: name, Segments: []record.SegmentSpec{{URI: name + ".wav", Offset: offsets[i]}}}
		from := int(offsets[i] * callRate / time.Second)
		g.leave(i, &leg, speech[i][from:])
		g.call.Spec.Legs = append(g.call.Spec.Legs, leg)
	}
	if g.faulty >= 0 {
		g.call.Want = record.Defect{Code: g.fault, Leg: g.call.Spec.Legs[g.faulty].Name}
		if g.fault == record.DefectMisaligned {
			g.call.Want.Leg = g.call.Spec.Legs[1].Name // nobody can tell which of the two is off; the defect names this one
		}
	}
	return g.call
}

// speech is what both parties say, over the whole call.
func (g *callMaker) speech() [2][]float32 {
	frames := int(g.span * callRate / time.Second)
	whole := sampleSpeech()
	start := g.rng.IntN(samplecall.AgentFrames)
	var out [2][]float32
	for i := range whole {
		level := audio.FromDecibels(-12 * g.rng.Float64()) // never louder: the sample call is at full scale
		out[i] = make([]float32, frames)
		for j := range out[i] {
			out[i][j] = level * whole[i][(start+j)%len(whole[i])]
		}
	}
	if g.fault == record.DefectMisaligned {
		echo(&out)
	}
	return out
}

// sampleSpeech is the sample call, both parties from the call's start.
var sampleSpeech = sync.OnceValue(func() [2][]float32 {
	return [2][]float32{
		pcm(samplecall.Agent()),
		append(make([]float32, int(samplecall.CustomerOffset.Seconds()*callRate)), pcm(samplecall.Customer())...),
	}
})

// echo puts a trace of each party into the other's leg, 40 ms late.
func echo(legs *[2][]float32) {
	const delay, level = callRate * 40 / 1000, 0.1
	said := [2][]float32{slices.Clone(legs[0]), slices.Clone(legs[1])}
	for i := range legs {
		for j := delay; j < len(legs[i]); j++ {
			legs[i][j] += level * said[1-i][j-delay]
		}
	}
}

// pcm is the samples of a WAV file of 16 bits with the plainest header.
func pcm(file []byte) []float32 {
	const header = 44
	s := make([]float32, (len(file)-header)/2)
	for i := range s {
		s[i] = float32(int16(binary.LittleEndian.Uint16(file[header+2*i:]))) / 32768
	}
	return s
}

// leave writes a leg's files.
func (g *callMaker) leave(i int, leg *record.LegSpec, s []float32) {
	uri := leg.Segments[0].URI
	encoding, rate := g.rng.IntN(len(encodings)), []int{8000, 8000, 16000, 11025}[g.rng.IntN(4)]
	if i != g.faulty {
		g.call.Files[uri] = encodings[encoding](g.resampled(s, rate), rate)
		return
	}
	switch g.fault {
	case record.DefectLegMissing:
		return
	case record.DefectNonFinite:
		encoding = floatEncoding
	case record.DefectClipped, record.DefectDropoutSuspected, record.DefectOneWayAudio, record.DefectAudioLost:
		s = g.harm(s)
		if g.fault == record.DefectClipped || g.fault == record.DefectDropoutSuspected {
			encoding, rate = 0, callRate // resampling would round what was cut off
		}
	case record.DefectDriftCorrected:
		ppm := 80 + 1800*g.rng.Float64()
		if g.rng.IntN(2) == 0 {
			ppm = -ppm
		}
		s = g.stretched(s, int(math.Round(float64(len(s))*(1+ppm/1e6))))
	case record.DefectGapSuspected:
		at, n := len(s)/4+g.rng.IntN(len(s)/2), callRate/10+g.rng.IntN(3*callRate)+len(s)/400
		s = slices.Delete(slices.Clone(s), at, at+n)
	case record.DefectMisaligned:
		// Its offset says that it began up to a second earlier or later than it did.
		off := time.Duration(100+g.rng.IntN(800)) * time.Millisecond
		g.call.Spec.LegsSpanCall = false
		s = s[off*callRate/time.Second:]
	case record.DefectOffsetClamped:
		leg.Segments[0].Offset = -time.Duration(1+g.rng.IntN(9000)) * time.Millisecond
		g.call.Spec.LegsSpanCall = false
	case record.DefectOverlap:
		g.call.Spec.LegsSpanCall = false
		cut := len(s)/4 + g.rng.IntN(len(s)/2)
		leg.Segments = append(leg.Segments, record.SegmentSpec{
			URI: "second.wav", Offset: leg.Segments[0].Offset + audio.DurationOf(int64(cut), callRate) - time.Duration(20+g.rng.IntN(2000))*time.Millisecond,
		})
		g.call.Files["second.wav"] = encodings[encoding](g.resampled(s[cut:], rate), rate)
		s = s[:cut]
	default:
	}
	g.call.Files[uri] = g.damage(encodings[encoding](g.resampled(s, rate), rate), rate)
}

// harm damages samples.
func (g *callMaker) harm(s []float32) []float32 {
	s = slices.Clone(s)
	switch g.fault {
	case record.DefectClipped:
		peak := slices.Max(s)
		gain := float32(2+2*g.rng.Float64()) / peak
		for i, x := range s {
			s[i] = min(max(x*gain, -1), 32767.0/32768)
		}
	case record.DefectDropoutSuspected:
		n := callRate * (60 + g.rng.IntN(400)) / 1000
		at := amidSpeech(s, n, callRate/50)
		clear(s[at : at+n])
	case record.DefectOneWayAudio:
		clear(s)
		for i := range s {
			s[i] = float32(g.rng.NormFloat64() * 1e-4) // an open line
		}
	case record.DefectAudioLost:
		clear(s[len(s)/5:])
	default:
	}
	return s
}

// amidSpeech is where n samples can be taken out so that it is loud both before
// and after, over an edge of samples.
func amidSpeech(s []float32, n, edge int) int {
	power := func(s []float32) (sum float32) {
		for _, x := range s {
			sum += x * x
		}
		return sum
	}
	best, at := float32(-1), 0
	for i := edge; i+n+edge <= len(s); i += edge {
		if p := min(power(s[i-edge:i]), power(s[i+n:i+n+edge])); p > best {
			best, at = p, i
		}
	}
	return at
}

// damage damages a file.
func (g *callMaker) damage(file []byte, rate int) []byte {
	le := binary.LittleEndian
	dataAt := dataOf(file)
	switch g.fault {
	case record.DefectLegEmpty:
		return file[:[]int{0, dataAt}[g.rng.IntN(2)]]
	case record.DefectTruncated:
		g.call.Spec.LegsSpanCall = false // the machine went down, so nobody knows when it ended
		return file[:dataAt+g.rng.IntN(len(file)-dataAt-2)+1]
	case record.DefectHeaderRepaired:
		file = file[:dataAt+int(le.Uint32(file[dataAt-4:]))] // nobody wrote a pad byte
		le.PutUint32(file[dataAt-4:], []uint32{0, 0xFFFFFFFF, uint32(len(file) + 99999)}[g.rng.IntN(3)])
	case record.DefectUnsupportedCodec:
		le.PutUint16(file[20:], []uint16{0x0040, 0x0160, 0x0045}[g.rng.IntN(3)]) // G.721, WMA, G.726
	case record.DefectUnreadableLeg:
		for i := range file[:min(len(file), 4096)] {
			file[i] = byte(g.rng.Uint32()) | 0x80 // nobody's magic number
		}
	case record.DefectWrongRateSuspected:
		le.PutUint32(file[24:], []uint32{2 * uint32(rate), uint32(rate) / 2}[g.rng.IntN(2)])
	case record.DefectNonFinite:
		for range 1 + g.rng.IntN(50) {
			le.PutUint32(file[dataAt+4*g.rng.IntN((len(file)-dataAt)/4):], []uint32{0x7FC00000, 0x7F800000, 0xFF800000}[g.rng.IntN(3)])
		}
	default:
	}
	return file
}

// dataOf is where the samples of a file begin.
func dataOf(file []byte) int {
	at := 12
	for string(file[at:at+4]) != "data" {
		at += 8 + int(binary.LittleEndian.Uint32(file[at+4:]))
	}
	return at + 8
}

// floatEncoding is the one that can hold NaN.
const floatEncoding = 2

// encodings write a WAV file.
var encodings = []func(s []float32, rate int) []byte{
	func(s []float32, rate int) []byte {
		b := make([]byte, 2*len(s))
		audio.PutPCM16(b, s)
		return wavFile(1, 16, rate, b)
	},
	func(s []float32, rate int) []byte {
		b := make([]byte, 3*len(s))
		audio.PutPCM24(b, s)
		return wavFile(1, 24, rate, b)
	},
	floatFile,
	func(s []float32, rate int) []byte { return lawFile(g711.Mulaw, 7, s, rate) },
	func(s []float32, rate int) []byte { return lawFile(g711.Alaw, 6, s, rate) },
}

func floatFile(s []float32, rate int) []byte {
	b := make([]byte, 0, 4*len(s))
	for _, x := range s {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return wavFile(3, 32, rate, b)
}

func lawFile(law g711.Law, tag int, s []float32, rate int) []byte {
	b := make([]byte, len(s))
	law.EncodeTable().Encode(b, s)
	return wavFile(tag, 8, rate, b)
}

func wavFile(tag, bits, rate int, data []byte) []byte {
	return riff(chunk("fmt ", fmtBody(tag, 1, rate, bits), true), chunk("data", data, true))
}

// resampled is s at rate out.
func (g *callMaker) resampled(s []float32, out int) []float32 {
	if out == callRate {
		return s
	}
	f, err := audio.NewResampleFilter(callRate, out)
	return g.filtered(s, f, err)
}

// stretched is s as frames frames of the same rate.
func (g *callMaker) stretched(s []float32, frames int) []float32 {
	f, err := audio.NewStretchFilter(callRate, callRate, int64(len(s)), int64(frames))
	return g.filtered(s, f, err)
}

func (g *callMaker) filtered(s []float32, f *audio.ResampleFilter, err error) []float32 {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
	src, err := audio.Resample(audio.NewSource(Mono(callRate), s), f)
	if err != nil {
		g.t.Fatal(err)
	}
	return ReadAll(g.t, src)
}
