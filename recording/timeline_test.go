package recording_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// A pulse is where its leg's offset puts it, to a frame, from every rate to every
// rate.
func TestOffsetsAtEveryRate(t *testing.T) {
	t.Parallel()
	rates := []int{8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000}
	for _, in := range rates {
		t.Run(fmt.Sprint(in), func(t *testing.T) {
			t.Parallel()
			const pulse = 0.4 // seconds of the file
			file := make([]float32, in)
			for i := range file {
				d := (float64(i)/float64(in) - pulse) / 0.0005
				file[i] = float32(0.5 * math.Exp(-d*d))
			}
			for _, offset := range []float64{0, 123.4567, 999.99} {
				spec := sampleSpec()
				spec.Legs = spec.Legs[:1]
				spec.Legs[0].Segments[0].Offset = ms(offset)
				spec.Outputs = nil
				for _, out := range rates {
					spec.Outputs = append(spec.Outputs, record.OutputSpec{
						Name: fmt.Sprint(out), Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: out,
					})
				}
				_, made := process(t, memLegs{"agent.wav": pcmFile(t, in, file)}, spec, nil)
				for _, out := range rates {
					weight, sum := 0.0, 0.0
					for i, v := range pcmSamples(made[fmt.Sprint(out)]) {
						if v > 500 {
							weight, sum = weight+float64(v), sum+float64(v)*float64(i)
						}
					}
					require.InDelta(t, (pulse+offset/1000)*float64(out), sum/weight, 1, "%v ms, %d to %d Hz", offset, in, out)
				}
			}
		})
	}
}

// layout is a call drawn at random, and what is in its files.
type layout struct {
	spec  record.Spec
	files memLegs
	pcm   map[string][]int
}

// drawCall makes a call of several legs with segments at random places.
func drawCall(t *testing.T, draw *rapid.T, rates []int) layout {
	t.Helper()
	l := layout{spec: sampleSpec(), files: memLegs{}, pcm: map[string][]int{}}
	l.spec.Legs = nil
	if rapid.Bool().Draw(draw, "span given") {
		l.spec.Span = time.Duration(rapid.IntRange(1000, 3000).Draw(draw, "span")) * ms(1)
		l.spec.CutToSpan = rapid.Bool().Draw(draw, "cut to span")
	}
	for i := range rapid.IntRange(1, 4).Draw(draw, "legs") {
		leg := record.LegSpec{Name: fmt.Sprintf("leg%d", i)}
		for j := range rapid.IntRange(1, 3).Draw(draw, "segments") {
			rate := rapid.SampledFrom(rates).Draw(draw, "rate")
			tenMS := rapid.IntRange(1, 120).Draw(draw, "length")
			n := tenMS * rate / 100
			uri := fmt.Sprintf("%d-%d", i, j)
			l.files[uri] = pcmFile(t, rate, recordingtest.Noise(n, 0.06, uint64(100*i+j+1)))
			l.pcm[uri] = pcmSamples(l.files[uri])
			seg := record.SegmentSpec{URI: uri, Offset: time.Duration(rapid.IntRange(-500_000, 3_500_000).Draw(draw, "offset in µs")) * time.Microsecond}
			if seg.Offset.Abs() < 20*time.Microsecond {
				seg.Offset = 0 // less than a frame is refused: it is a number of milliseconds by mistake
			}
			if len(rates) == 1 && rapid.Bool().Draw(draw, "the events tell its length") {
				seg.Span = time.Duration(tenMS) * ms(10)
			}
			leg.Segments = append(leg.Segments, seg)
		}
		l.spec.Legs = append(l.spec.Legs, leg)
	}
	grid := ms(1)
	if len(rates) > 1 {
		grid = ms(5) // so that no piece is kept that could be too short at one rate and not at another
	}
	at := func(name string) time.Duration {
		return time.Duration(rapid.IntRange(0, int(ms(4000)/grid)).Draw(draw, name)) * grid
	}
	for range rapid.IntRange(0, 3).Draw(draw, "pauses") {
		from := at("pause")
		l.spec.Pauses = append(l.spec.Pauses, record.Pause{From: from, To: from + at("long") + grid})
	}
	l.spec.PauseMode = rapid.SampledFrom([]string{"", record.PauseSilence, record.PauseCut}).Draw(draw, "mode")
	for range rapid.IntRange(0, 2).Draw(draw, "redactions") {
		from := at("redaction")
		r := record.Redaction{From: from, To: from + at("long") + grid, With: rapid.SampledFrom([]string{"", record.RedactWithTone}).Draw(draw, "with")}
		if rapid.Bool().Draw(draw, "one leg") {
			r.Legs = []string{"leg0"}
		}
		l.spec.Redactions = append(l.spec.Redactions, r)
	}
	return l
}

// What a frame of a leg's timeline is.
const (
	frameSum    = iota // of the segments there
	frameFading        // next to a range that is silenced
	frameTone
	frameSilent
)

// truth is the call by the plainest means: slices as long as the timeline.
type truth struct {
	total int
	pcm   [][]int // by leg; of what is not silenced
	kind  [][]int // by leg
	any   [][]int // by leg: how many segments there are
	kept  []int   // the frames that outputs hold
}

// end is the end of the call: that of its span, or of the audio that goes on there.
func (l *layout) end() time.Duration {
	end := l.spec.Span
	for last := time.Duration(-1); end > last && !l.spec.CutToSpan; {
		last = end
		for _, leg := range l.spec.Legs {
			for _, s := range leg.Segments {
				if at := max(s.Offset, 0); at <= end {
					end = max(end, at+l.lasts(s.URI))
				}
			}
		}
	}
	return end
}

func (l *layout) lasts(uri string) time.Duration {
	return audio.DurationOf(int64(len(l.pcm[uri])), int(fileRate(l.files[uri])))
}

func (l *layout) truth(rate int) truth {
	type placed struct{ leg, at, n int }
	var all []placed
	tr := truth{total: int(audio.FramesIn(l.spec.Span, rate))}
	uris := []string{}
	end := l.end()
	for i, leg := range l.spec.Legs {
		for _, s := range leg.Segments {
			offset := max(s.Offset, 0)
			if l.spec.Span > 0 {
				offset = min(offset, end)
			}
			in := int(fileRate(l.files[s.URI]))
			p := placed{i, int(audio.FramesIn(offset, rate)), (len(l.pcm[s.URI])*rate + in/2) / in}
			all, uris = append(all, p), append(uris, s.URI)
			if over := offset + l.lasts(s.URI) - l.spec.Span; l.spec.Span == 0 || !l.spec.CutToSpan && over >= ms(1) {
				tr.total = max(tr.total, p.at+p.n)
			}
		}
	}
	for range l.spec.Legs {
		tr.pcm, tr.kind, tr.any = append(tr.pcm, make([]int, tr.total)), append(tr.kind, make([]int, tr.total)), append(tr.any, make([]int, tr.total))
	}
	for k, p := range all {
		for i := range p.n {
			if f := p.at + i; f < tr.total {
				tr.any[p.leg][f]++
				if p.n == len(l.pcm[uris[k]]) {
					tr.pcm[p.leg][f] += l.pcm[uris[k]][i]
				}
			}
		}
	}
	for i, leg := range l.spec.Legs {
		var redactions, pauses []stretch
		for _, r := range l.spec.Redactions {
			if r.Covers(leg.Name) {
				redactions = append(redactions, stretch{int(audio.FramesIn(r.From, rate)), int(audio.FramesIn(r.To, rate)), r.With == record.RedactWithTone})
			}
		}
		for _, p := range l.spec.Pauses {
			pauses = append(pauses, stretch{int(audio.FramesIn(p.From, rate)), int(audio.FramesIn(p.To, rate)), false})
		}
		silence(tr.kind[i], united(redactions), rate/200+2)
		silence(tr.kind[i], united(pauses), rate/200+2)
	}
	tr.cut(l, rate)
	return tr
}

// stretch is a range of frames that is silenced.
type stretch struct {
	from, to int
	tone     bool
}

// united joins stretches that meet.
func united(all []stretch) []stretch {
	slices.SortFunc(all, func(a, b stretch) int { return a.from - b.from })
	var out []stretch
	for _, s := range all {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to, out[n-1].tone = max(out[n-1].to, s.to), out[n-1].tone || s.tone
			continue
		}
		out = append(out, s)
	}
	return out
}

// silence says what becomes of the frames of a leg in and around the stretches.
func silence(kind []int, all []stretch, fade int) {
	for _, s := range all {
		for f := max(s.from-fade, 0); f < min(s.to+fade, len(kind)); f++ {
			if kind[f] != frameSilent {
				kind[f] = frameFading
			}
		}
	}
	for _, s := range all {
		for f := s.from; f < min(s.to, len(kind)); f++ {
			switch {
			case !s.tone:
				kind[f] = frameSilent
			case f < s.from+fade || f >= s.to-fade:
				kind[f] = frameFading
			default:
				kind[f] = frameTone
			}
		}
	}
}

// cut keeps the frames that aren't in a pause, nor in what is left between two
// if that is less than 1 ms.
func (tr *truth) cut(l *layout, rate int) {
	run := []int{}
	end := func() {
		if len(run)*1000 >= rate || l.spec.PauseMode != record.PauseCut || len(l.spec.Pauses) == 0 {
			tr.kept = append(tr.kept, run...)
		}
		run = run[:0]
	}
	for f := range tr.total {
		paused := slices.ContainsFunc(l.spec.Pauses, func(p record.Pause) bool {
			return f >= int(audio.FramesIn(p.From, rate)) && f < int(audio.FramesIn(p.To, rate))
		})
		if paused && l.spec.PauseMode == record.PauseCut {
			end()
			continue
		}
		run = append(run, f)
	}
	end()
}

// fileRate is the rate in a canonical WAV header.
func fileRate(file []byte) uint32 {
	return uint32(file[24]) | uint32(file[25])<<8 | uint32(file[26])<<16
}

// make processes the call into one channel per leg and a mix, both at rate.
func (l *layout) make(t *rapid.T, rate int) (r record.Result, many, mix []int) {
	l.spec.Outputs = []record.OutputSpec{
		{Name: "many", Codec: record.CodecWAV, Layout: record.LayoutMultichannel, SampleRateHz: rate},
		{Name: "mix", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: rate},
	}
	objects := &memObjects{}
	block := rapid.SampledFrom([]int{0, 97, 1024}).Draw(t, "block")
	r, err := recording.NewProcessor(l.files, objects, &recording.Options{BlockFrames: block}).Process(tContext(), l.spec, nil)
	require.NoError(t, err)
	if len(r.Outputs) == 0 {
		return r, nil, nil
	}
	return r, samplesOf(objects.data[r.Outputs[0].Key]), samplesOf(objects.data[r.Outputs[1].Key])
}

// Whatever the layout, at equal rates every frame is what slices say it is.
func TestRandomLayouts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		const rate = 8000
		l := drawCall(t, rt, []int{rate})
		r, many, mix := l.make(rt, rate)
		tr := l.truth(rate)
		legs := len(l.spec.Legs)
		if len(tr.kept) == 0 {
			require.Equal(rt, record.StatusAbsent, r.Status)
			return
		}
		require.Len(rt, many, len(tr.kept)*legs)
		require.Len(rt, mix, len(tr.kept))
		for i, f := range tr.kept {
			sum, known := 0, true
			for c := range legs {
				got := many[i*legs+c]
				switch tr.kind[c][f] {
				case frameSum:
					require.Equal(rt, tr.pcm[c][f], got, "leg %d, frame %d of the call", c, f)
				case frameSilent:
					require.Zero(rt, got, "leg %d, frame %d of the call is silenced", c, f)
				case frameTone:
					want := 3276.8 * math.Sin(2*math.Pi*float64(f%8)/8)
					require.InDelta(rt, want, got, 0.6, "leg %d, frame %d of the call is redacted", c, f)
					known = false
				case frameFading:
					known = false
				}
				sum += got
			}
			if known {
				require.Equal(rt, sum, mix[i], "the mix, frame %d of the call", f)
			} else {
				require.InDelta(rt, sum, mix[i], float64(legs), "the mix, frame %d of the call", f)
			}
		}
		l.requireTimeline(rt, r, len(tr.kept), rate)
	})
}

// At other rates the frames are as many, silent where nothing is or may be
// heard, and sound where there is a segment.
func TestRandomLayoutsOfOtherRates(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.SampledFrom([]int{8000, 11025, 16000}).Draw(rt, "output's rate")
		l := drawCall(t, rt, []int{8000, 11025, 16000, 44100})
		r, many, _ := l.make(rt, rate)
		tr := l.truth(rate)
		legs := len(l.spec.Legs)
		if len(tr.kept) == 0 {
			return // within a frame of nothing
		}
		require.InDelta(rt, len(tr.kept), len(many)/legs, 2+float64(rate)/1000) // the last millisecond may be too short a piece
		joints := len(l.spec.Pauses)
		for c := range legs {
			quiet, loud := 0, 0 // how long it has been so, in frames of the call
			last, energy := -1, 0.0
			for i, f := range tr.kept[:min(len(tr.kept), len(many)/legs)] {
				if f != last+1 {
					quiet, loud, energy = 0, 0, 0
				}
				last = f
				silent := tr.kind[c][f] == frameSilent || tr.any[c][f] == 0 && tr.kind[c][f] != frameTone && tr.kind[c][f] != frameFading
				if silent {
					quiet, loud, energy = quiet+1, 0, 0
				} else {
					quiet = 0
				}
				got := many[i*legs+c]
				if margin := 2 + joints; quiet > margin && nextSilent(&tr, c, f, margin) {
					require.Zero(rt, got, "leg %d, frame %d of the call", c, f)
				}
				if tr.kind[c][f] == frameSum && tr.any[c][f] == 1 {
					loud++
					energy += float64(got * got)
				} else {
					loud, energy = 0, 0
				}
				if loud == 80 {
					require.Greater(rt, energy/80, 200.0*200, "leg %d, until frame %d of the call", c, f)
					loud, energy = 0, 0
				}
			}
		}
		l.requireTimeline(rt, r, len(many)/legs, rate)
	})
}

// nextSilent reports whether the frames after f are silent too.
func nextSilent(tr *truth, leg, f, n int) bool {
	for i := f; i < min(f+n, tr.total); i++ {
		if tr.kind[leg][i] != frameSilent && (tr.any[leg][i] != 0 || tr.kind[leg][i] != frameSum) {
			return false
		}
	}
	return true
}

// requireTimeline checks that the result's pieces add up to the outputs.
func (l *layout) requireTimeline(t *rapid.T, r record.Result, frames, rate int) {
	if l.spec.PauseMode != record.PauseCut || len(l.spec.Pauses) == 0 {
		require.Empty(t, r.Timeline)
		return
	}
	at := time.Duration(0)
	for _, p := range r.Timeline {
		require.Equal(t, at, p.At)
		require.Less(t, p.CallFrom, p.CallTo)
		at += p.CallTo - p.CallFrom
	}
	require.InDelta(t, frames, audio.FramesIn(at, rate), 1)
	require.InDelta(t, float64(at)/float64(time.Millisecond), r.Duration.Milliseconds(), 1.1)
}
