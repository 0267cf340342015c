package recording_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// The sample call: the agent on the left sample for sample, the customer on the
// right, two seconds late.
func TestSampleCallMerge(t *testing.T) {
	t.Parallel()
	objects := &memObjects{}
	p := recording.NewProcessor(sampleLegs(), objects, nil)
	r, err := p.Process(t.Context(), sampleSpec(), nil)
	require.NoError(t, err)
	require.Equal(t, record.StatusCompleted, r.Status)
	require.Empty(t, r.Defects)
	require.Equal(t, int64(49339), r.Duration.Milliseconds())
	require.Len(t, r.Outputs, 1)
	out := r.Outputs[0]
	got := objects.data[out.Key]
	sum := sha256.Sum256(got)
	require.Equal(t, hex.EncodeToString(sum[:]), out.SHA256)
	require.Equal(t, int64(len(got)), out.Bytes)
	require.Equal(t, int64(samplecall.AgentFrames), out.Frames)
	require.Equal(t, "acme/year=2026/month=11/day=21/hour=10/c1/r1.v1.wav", out.Key)
	require.Equal(t, 256000, out.Bitrate)
	meta := objects.meta[out.Key]
	require.Equal(t, "audio/wav", meta.ContentType)
	require.Equal(t, "0=agent,1=customer", meta.Metadata["channel_map"])
	require.Equal(t, "394709", meta.Metadata["frames"])

	agent, customer := samplecall.Agent()[44:], samplecall.Customer()[44:]
	want := make([]byte, 4*samplecall.AgentFrames)
	for i := range samplecall.AgentFrames {
		copy(want[4*i:], agent[2*i:2*i+2])
		if j := i - 16000; j >= 0 {
			copy(want[4*i+2:], customer[2*j:2*j+2])
		}
	}
	require.True(t, bytes.Equal(want, got[44:]))

	for i, file := range [][]byte{samplecall.Agent(), samplecall.Customer()} {
		sum := sha256.Sum256(file)
		require.Equal(t, hex.EncodeToString(sum[:]), r.Legs[i].SHA256)
		require.Equal(t, i, r.Legs[i].Channel)
		require.Equal(t, 8000, r.Legs[i].Rate)
	}
	require.Equal(t, int64(samplecall.CustomerFrames), r.Legs[1].Frames)
}

// The bytes don't depend on the block size, on what else is made, or on how
// the leg can be read; and one read of each leg is enough for all outputs.
func TestSameBytesWhateverElse(t *testing.T) {
	t.Parallel()
	outputs := []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 8000},
		{Name: "law", Codec: record.CodecMulaw, Layout: record.LayoutMono},
		{Name: "wide", Codec: record.CodecWAV, Layout: record.LayoutMultichannel, SampleRateHz: 16000, BitDepth: 24},
		{Name: "odd", Codec: record.CodecAlaw, Layout: record.LayoutMono, SampleRateHz: 11025},
		{Codec: record.CodecPeaksJSON, Layout: record.LayoutMono},
		{Codec: record.CodecPeaksDAT, Layout: record.LayoutStereo, SamplesPerPixel: 512, BitDepth: 8},
		{Codec: record.CodecAnalysis},
	}
	all := sampleSpec()
	all.Outputs = outputs
	produce := func(legs recording.LegOpener, spec record.Spec, block int) map[string][]byte {
		objects := &memObjects{}
		r, err := recording.NewProcessor(legs, objects, &recording.Options{BlockFrames: block}).Process(t.Context(), spec, nil)
		require.NoError(t, err)
		require.Equal(t, record.StatusCompleted, r.Status)
		require.Len(t, r.Outputs, len(spec.Outputs))
		for _, o := range r.Outputs {
			require.Equal(t, o.Frames, audio.ResampledFrames(samplecall.AgentFrames, 8000, o.Rate))
		}
		return objects.data
	}
	legs := &countingLegs{memLegs: sampleLegs()}
	want := produce(legs, all, 0)
	require.Len(t, want, len(outputs)+1, "and the manifest")
	require.Equal(t, map[string]int64{
		"agent.wav": int64(len(samplecall.Agent())), "customer.wav": int64(len(samplecall.Customer())),
	}, legs.bytes, "every leg is read once")
	require.Equal(t, want, produce(sampleLegs(), all, 777))
	require.Equal(t, want, produce(streamLegs{sampleLegs()}, all, 65536), "a stream of unknown length is counted first")
	for _, o := range outputs {
		alone := sampleSpec()
		alone.Outputs = []record.OutputSpec{o}
		for key, b := range produce(sampleLegs(), alone, 0) {
			if strings.HasSuffix(key, ".manifest.json") {
				continue // it is about the other outputs, too
			}
			require.True(t, bytes.Equal(want[key], b), key)
		}
	}
}

// countingLegs counts the bytes read in sequence.
type countingLegs struct {
	memLegs

	bytes map[string]int64
}

func (c *countingLegs) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	r, err := c.memLegs.OpenLeg(ctx, uri)
	if c.bytes == nil {
		c.bytes = map[string]int64{}
	}
	f, _ := r.(memFile)
	return &countingFile{memFile: f, legs: c, uri: uri}, err
}

type countingFile struct {
	memFile

	legs *countingLegs
	uri  string
}

func (c *countingFile) Read(p []byte) (int, error) {
	n, err := c.memFile.Read(p)
	c.legs.bytes[c.uri] += int64(n)
	return n, err
}

// streamLegs gives legs that can do nothing but Read.
type streamLegs struct{ memLegs }

func (s streamLegs) OpenLeg(ctx context.Context, uri string) (io.ReadCloser, error) {
	r, err := s.memLegs.OpenLeg(ctx, uri)
	return struct {
		io.Reader
		io.Closer
	}{r, r}, err
}

// Every file of the corpus, beside a good leg: the good leg's channel is
// untouched, the other has the file's samples or silence, and the defect is named.
func TestCorpusBesideAGoodLeg(t *testing.T) {
	t.Parallel()
	for _, c := range recordingtest.WAVCorpus(1) {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			const frames = 9000
			good := append(wavHeader(t, frames), samplecall.Agent()[44:44+2*frames]...)
			legs := memLegs{"agent.wav": good, "customer.wav": c.File}
			objects := &memObjects{}
			spec := sampleSpec()
			spec.Legs[1].Segments[0].Offset = 0
			spec.Outputs = []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutStereo, SampleRateHz: 8000, BitDepth: 24}}
			r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
			require.NoError(t, err)
			var codes []record.DefectCode
			for _, d := range r.Defects {
				require.Equal(t, "customer", d.Leg)
				codes = append(codes, d.Code)
			}
			require.Equal(t, c.Defects, codes)
			require.Equal(t, len(c.Defects) > 0, r.Status == record.StatusCompletedDegraded, r.Status)
			left, right := channels(t, objects.data[r.Outputs[0].Key])
			agent, _ := channels(t, good)
			require.True(t, recordingtest.Near(agent, left, 0))
			if c.Format.SampleRate == 8000 && c.Format.NumChannels == 1 {
				want := make([]float32, len(agent))
				copy(want, c.Want)
				require.True(t, recordingtest.Near(want, right, 1e-6))
			}
			if c.Want != nil {
				require.Equal(t, int64(len(c.Want)/c.Format.NumChannels), r.Legs[1].Frames)
			}
			sum := sha256.Sum256(c.File)
			require.Equal(t, hex.EncodeToString(sum[:]), r.Legs[1].SHA256, "the hash of unreadable files too")
		})
	}
}

// channels decodes a WAV file to its first and, if there is one, last channel.
func channels(t *testing.T, file []byte) (first, last []float32) {
	t.Helper()
	s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file))})
	require.NoError(t, err)
	all, ch := recordingtest.ReadAll(t, s), s.Format().NumChannels
	for i := 0; i < len(all); i += ch {
		first, last = append(first, all[i]), append(last, all[i+ch-1])
	}
	return first, last
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	var unsupported []byte
	for _, c := range recordingtest.WAVCorpus(1) {
		if c.Name == "format tag 22" {
			unsupported = c.File
		}
	}
	require.NotEmpty(t, unsupported)
	cases := []struct {
		name   string
		change func(*record.Spec, memLegs)
		status record.Status
		reason string
		codes  []record.DefectCode
		frames int64
	}{
		{
			name: "a leg is missing", change: func(_ *record.Spec, l memLegs) { delete(l, "agent.wav") },
			status: record.StatusCompletedDegraded, codes: []record.DefectCode{record.DefectLegMissing}, frames: 394709,
		},
		{
			name: "all legs are missing", change: func(_ *record.Spec, l memLegs) { clear(l) },
			status: record.StatusAbsent, reason: record.ReasonNoMedia,
			codes: []record.DefectCode{record.DefectLegMissing, record.DefectLegMissing},
		},
		{
			name: "one missing, one empty", change: func(_ *record.Spec, l memLegs) { clear(l); l["agent.wav"] = nil },
			status: record.StatusAbsent, reason: record.ReasonNoMedia,
			codes: []record.DefectCode{record.DefectLegEmpty, record.DefectLegMissing},
		},
		{
			name: "nothing can be read", change: func(_ *record.Spec, l memLegs) {
				l["agent.wav"], l["customer.wav"] = unsupported, []byte("no audio")
			},
			status: record.StatusQuarantined, reason: "unsupported_codec: leg agent: WAV format tag 0x0022 (DSP Group TrueSpeech)",
			codes: []record.DefectCode{record.DefectUnsupportedCodec, record.DefectUnreadableLeg},
		},
		{
			name: "a call of 0 s", change: func(s *record.Spec, _ memLegs) { s.EndedAt = s.StartedAt },
			status: record.StatusAbsent, reason: record.ReasonTooShort,
		},
		{
			name: "a span cuts and pads", change: func(s *record.Spec, _ memLegs) { s.Span, s.CutToSpan = 30*time.Second, true },
			status: record.StatusCompleted, frames: 240000,
			codes: []record.DefectCode{record.DefectBeyondSpan, record.DefectBeyondSpan},
		},
		{
			name: "a span that is too short", change: func(s *record.Spec, _ memLegs) { s.Span = 30 * time.Second },
			status: record.StatusCompleted, frames: 394709,
			codes: []record.DefectCode{record.DefectBeyondSpan, record.DefectBeyondSpan},
		},
		{
			name: "a longer span", change: func(s *record.Spec, _ memLegs) { s.Span = 60 * time.Second },
			status: record.StatusCompleted, frames: 480000,
		},
		{
			name: "offsets out of the call", change: func(s *record.Spec, _ memLegs) {
				s.Span, s.CutToSpan = 30*time.Second, true
				s.Legs[0].Segments[0].Offset = -time.Second
				s.Legs[1].Segments[0].Offset = time.Hour
			},
			status: record.StatusCompletedDegraded, frames: 240000,
			codes: []record.DefectCode{record.DefectOffsetClamped, record.DefectBeyondSpan, record.DefectOffsetClamped, record.DefectBeyondSpan},
		},
		{
			name: "the header's rate is half of the truth", change: func(s *record.Spec, _ memLegs) {
				s.Span, s.CutToSpan = 24670*time.Millisecond, true
				s.Legs = s.Legs[:1]
			},
			status: record.StatusCompletedDegraded, frames: 197360,
			codes: []record.DefectCode{record.DefectWrongRateSuspected, record.DefectBeyondSpan},
		},
		{
			name: "a file without a header, with a hint", change: func(s *record.Spec, l memLegs) {
				l["agent.wav"] = samplecall.Agent()[44:]
				s.Legs[0].Segments[0].Raw = &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}
			},
			status: record.StatusCompleted, frames: 394709,
		},
		{
			name: "one leg in stereo", change: func(s *record.Spec, _ memLegs) { s.Legs = s.Legs[:1] },
			status: record.StatusCompleted, frames: 394709,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			spec, legs, objects := sampleSpec(), sampleLegs(), &memObjects{}
			c.change(&spec, legs)
			r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
			require.NoError(t, err)
			require.Equal(t, c.status, r.Status)
			require.Equal(t, c.reason, r.Reason)
			var codes []record.DefectCode
			for _, d := range r.Defects {
				codes = append(codes, d.Code)
			}
			require.Equal(t, c.codes, codes, "%+v", r.Defects)
			if c.frames == 0 {
				require.Empty(t, objects.data, "no object")
				require.Empty(t, r.Outputs)
				return
			}
			require.Equal(t, c.frames, r.Outputs[0].Frames)
			require.Equal(t, 2, r.Outputs[0].Channels)
			require.Len(t, objects.data[r.Outputs[0].Key], int(44+4*c.frames))
		})
	}
}

// A missing leg is silence on its own channel; channels are never swapped.
func TestMissingLegKeepsItsChannel(t *testing.T) {
	t.Parallel()
	legs, objects := sampleLegs(), &memObjects{}
	delete(legs, "agent.wav")
	p := recording.NewProcessor(legs, objects, nil)
	_, err := p.Process(t.Context(), sampleSpec(), nil)
	var wait *recording.LegsNotReadyError
	require.ErrorAs(t, err, &wait)
	require.Equal(t, []string{"agent"}, wait.Legs)
	require.Empty(t, objects.data)
	r, err := p.Process(t.Context(), sampleSpec(), &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
	require.NoError(t, err)
	left, right := channels(t, objects.data[r.Outputs[0].Key])
	require.True(t, recordingtest.Near(make([]float32, len(left)), left, 0))
	customer, _ := channels(t, samplecall.Customer())
	require.True(t, recordingtest.Near(customer, right[16000:], 0))
}

func TestSegments(t *testing.T) {
	t.Parallel()
	part := func(from, to int) []byte {
		return append(append([]byte{}, wavHeader(t, to-from)...), samplecall.Agent()[44+2*from:44+2*to]...)
	}
	legs := memLegs{"1": part(0, 100000), "2": part(100000, 250000), "3": part(250000, 394709), "customer.wav": samplecall.Customer()}
	at := func(frames int64) time.Duration { return audio.DurationOf(frames, 8000) }
	spec := sampleSpec()
	order := [][]record.SegmentSpec{
		{{URI: "1"}, {URI: "2", Offset: at(100000)}, {URI: "3", Offset: at(250000)}},
		{{URI: "3", Offset: at(250000)}, {URI: "1"}, {URI: "2", Offset: at(100000)}},
	}
	for _, segments := range order {
		spec.Legs[0].Segments = segments
		objects := &memObjects{}
		spec.Outputs = []record.OutputSpec{
			{Codec: record.CodecWAV, Layout: record.LayoutStereo},
			{Name: "b", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 16000},
		}
		r, err := recording.NewProcessor(legs, objects, nil).Process(t.Context(), spec, nil)
		require.NoError(t, err)
		require.Empty(t, r.Defects)
		left, _ := channels(t, objects.data[r.Outputs[0].Key])
		agent, _ := channels(t, samplecall.Agent())
		require.True(t, recordingtest.Near(agent, left, 0))
		h := sha256.New()
		for _, s := range segments {
			h.Write(legs[s.URI])
		}
		require.Equal(t, hex.EncodeToString(h.Sum(nil)), r.Legs[0].SHA256)
		require.Equal(t, int64(394709), r.Legs[0].Frames)
	}
	spec.Legs[0].Segments = []record.SegmentSpec{{URI: "1"}, {URI: "2", Offset: at(99000)}, {URI: "gone", Offset: at(250000)}}
	r, err := recording.NewProcessor(legs, &memObjects{}, nil).Process(t.Context(), spec, &recording.ProcessOptions{AcceptMissing: true, AcceptGrowing: true})
	require.NoError(t, err)
	require.Len(t, r.Defects, 2)
	require.Equal(t, record.DefectLegMissing, r.Defects[0].Code)
	require.Contains(t, r.Defects[0].Detail, `segment "gone"`)
	require.Equal(t, record.DefectOverlap, r.Defects[1].Code)
	require.Equal(t, int64(1000), r.Defects[1].Count)
}

func wavHeader(t *testing.T, frames int) []byte {
	t.Helper()
	var b bytes.Buffer
	_, err := wav.NewPCM(&b, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{Frames: int64(frames)})
	require.NoError(t, err)
	return b.Bytes()
}

func TestCheck(t *testing.T) {
	t.Parallel()
	p := recording.NewProcessor(sampleLegs(), &memObjects{}, nil)
	require.NoError(t, p.Check(sampleSpec()))
	bad := sampleSpec()
	bad.Outputs = []record.OutputSpec{{Codec: "aiff", Layout: record.LayoutMono}}
	require.ErrorContains(t, p.Check(bad), "outputs[0].codec")
	_, err := p.Process(t.Context(), bad, nil)
	var permanent *callmodel.PermanentError
	require.ErrorAs(t, err, &permanent)
	require.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err))
	p = recording.NewProcessor(sampleLegs(), &memObjects{}, &recording.Options{Codecs: &codec.Registry{
		Outputs: map[record.Codec]codec.OutputFormat{record.CodecWAV: {New: wav.NewPCM}},
	}})
	bad.Outputs[0].Codec = record.CodecMulaw
	require.ErrorContains(t, p.Check(bad), "outputs[0].codec: mulaw: unsupported codec in this build; the nearest valid: wav")
}

// The package pulls in no database, no cloud SDK and no HTTP.
func TestDependencies(t *testing.T) {
	t.Parallel()
	goTool, err := exec.LookPath("go")
	require.NoError(t, err, "tests of Go code have the go command")
	out, err := exec.CommandContext(t.Context(), goTool, "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dep := range strings.FieldsSeq(string(out)) {
		for _, banned := range []string{
			"database/sql", "net/http", "gocloud.dev", "modernc.org", "jackc", "aws", "azure", "testing",
			"switchtape/routing", "switchtape/storage", "switchtape/cmd",
		} {
			require.NotContains(t, dep, banned)
		}
	}
}

// Memory does not grow with the length of the call.
func TestMemoryIsFlat(t *testing.T) {
	grown := func(copies int) uint64 {
		legs := memLegs{}
		body := bytes.Repeat(samplecall.Agent()[44:], copies)
		legs["agent.wav"] = append(wavHeader(t, len(body)/2), body...)
		spec := sampleSpec()
		spec.Legs = spec.Legs[:1]
		spec.Outputs = []record.OutputSpec{{Codec: record.CodecMulaw, Layout: record.LayoutMono, SampleRateHz: 11025}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := recording.NewProcessor(legs, discard{}, nil).Process(t.Context(), spec, nil)
		require.NoError(t, err)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	short, long := grown(1), grown(10)
	require.Less(t, long, short+(1<<18), "bytes allocated in all")
	require.Less(t, long, uint64(4<<20))
}

type discard struct{}

func (discard) Put(_ context.Context, k record.ObjectKey, _ record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	return record.ObjectInfo{Key: k}, write(io.Discard)
}

// A store that has the object already, and doesn't take a byte, is fine.
func TestExistingObject(t *testing.T) {
	t.Parallel()
	spec := sampleSpec()
	spec.Outputs = append(spec.Outputs, record.OutputSpec{Name: "b", Codec: record.CodecWAV, Layout: record.LayoutStereo})
	_, err := recording.NewProcessor(sampleLegs(), existing{&memObjects{}}, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
}

type existing struct{ *memObjects }

func (e existing) Put(ctx context.Context, k record.ObjectKey, m record.ObjectMeta, write func(io.Writer) error) (record.ObjectInfo, error) {
	if k.Name == "b" {
		return record.ObjectInfo{Key: k, Existed: true}, nil
	}
	return e.memObjects.Put(ctx, k, m, write)
}
