package recording_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/analysis"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

var update = flag.Bool("update", false, "write "+sameBytesFile+" anew")

// sameBytesFile holds a line for every case: the SHA-256 of its bytes, and its
// name.
const sameBytesFile = "testdata/samebytes.txt"

// sameBytesSeconds is how much of the sample call the cases take: it is also run
// on emulated processors, which are slow.
const sameBytesSeconds = 6

// Every stage, every codec and whole jobs give the same bytes on every machine:
// a retry of a recording may run on another one. .ci/run has this test run for
// each kind of processor. Where other bytes are meant, the encoder's version
// changes with them, and
//
//	go test ./recording -run '^TestSameBytesEverywhere$' -update
//
// writes the sums anew.
func TestSameBytesEverywhere(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	sums := sameBytes{t: t, got: map[string]string{}, legs: map[string][]float32{}}
	sums.stages()
	sums.encoders()
	sums.mp3Encoders()
	sums.decoders()
	sums.jobs()
	if *update {
		require.NoError(t, os.WriteFile(sameBytesFile, sums.text(), 0o600))
	}
	want, err := os.ReadFile(sameBytesFile)
	require.NoError(t, err)
	for line := range strings.Lines(string(want)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		assert.Equal(t, sum, sums.got[name], name)
		delete(sums.got, name)
	}
	assert.Empty(t, sums.got, "these are not in %s", sameBytesFile)
}

// sameBytes makes the cases and collects their sums by name.
type sameBytes struct {
	t    *testing.T
	got  map[string]string
	legs map[string][]float32 // by name and rate
}

func (s *sameBytes) text() []byte {
	var b bytes.Buffer
	for name, sum := range s.got {
		fmt.Fprintf(&b, "%s  %s\n", sum, name)
	}
	lines := slices.SortedFunc(strings.Lines(b.String()), func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return []byte(strings.Join(lines, ""))
}

func (s *sameBytes) add(name string, b []byte) {
	s.t.Helper()
	require.NotContains(s.t, s.got, name)
	require.NotEmpty(s.t, b, name)
	sum := sha256.Sum256(b)
	s.got[name] = hex.EncodeToString(sum[:])
}

// source adds what a source gives, to the bit.
func (s *sameBytes) source(name string, src audio.Source) {
	s.t.Helper()
	var b []byte
	for _, x := range recordingtest.ReadAll(s.t, src) {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	s.add(name, b)
}

// leg is the beginning of a leg of the sample call, resampled to rate once.
func (s *sameBytes) leg(name string, file []byte, rate int) audio.Source {
	s.t.Helper()
	key := fmt.Sprintf("%s at %d", name, rate)
	if s.legs[key] == nil {
		samples := make([]float32, sameBytesSeconds*samplecall.SampleRateHz)
		audio.GetPCM16(samples, file[44:][:2*len(samples)])
		src := audio.NewSource(recordingtest.Mono(samplecall.SampleRateHz), samples)
		s.legs[key] = recordingtest.ReadAll(s.t, s.resampled(src, samplecall.SampleRateHz, rate))
	}
	return audio.NewSource(recordingtest.Mono(rate), s.legs[key])
}

func (s *sameBytes) agent(rate int) audio.Source { return s.leg("agent", samplecall.Agent(), rate) }

func (s *sameBytes) customer(rate int) audio.Source {
	return s.leg("customer", samplecall.Customer(), rate)
}

func (s *sameBytes) resampled(src audio.Source, in, out int) audio.Source {
	s.t.Helper()
	f, err := audio.NewResampleFilter(in, out)
	require.NoError(s.t, err)
	return s.filtered(src, f)
}

func (s *sameBytes) filtered(src audio.Source, f *audio.ResampleFilter) audio.Source {
	s.t.Helper()
	r, err := audio.Resample(src, f)
	require.NoError(s.t, err)
	return r
}

// call is both legs: one channel each, or mixed.
func (s *sameBytes) call(channels, rate int) audio.Source {
	s.t.Helper()
	join := audio.Merge
	if channels == 1 {
		join = audio.Mix
	}
	src, err := join(s.agent(rate), s.customer(rate))
	require.NoError(s.t, err)
	return src
}

func (s *sameBytes) stages() {
	t := s.t
	for _, rate := range []int{11025, 16000, 44100, 48000} {
		s.source(fmt.Sprintf("resample 8000 to %d", rate), s.customer(rate))
		s.source(fmt.Sprintf("resample %d to 8000", rate), s.resampled(s.agent(rate), rate, 8000))
	}
	s.source("resample 8000 to 7919, between phases", s.agent(7919))
	for _, frames := range []int64{48024, 47990} {
		f, err := audio.NewStretchFilter(8000, 8000, 48000, frames)
		require.NoError(t, err)
		s.source(fmt.Sprintf("stretch 48000 to %d", frames), s.filtered(s.agent(8000), f))
	}
	f, err := audio.NewStretchFilter(8000, 16000, 48000, 96049)
	require.NoError(t, err)
	s.source("stretch and resample", s.filtered(s.customer(8000), f))

	s.source("mix", s.call(1, 8000))
	s.source("merge", s.call(2, 8000))
	s.source("downmix", audio.Downmix(s.call(2, 16000)))
	s.source("limit", audio.Limit(s.call(1, 8000)))
	for _, db := range []float64{-7.3, 5, 20} {
		s.source(fmt.Sprintf("gain of %g dB", db), audio.Gain(s.agent(8000), audio.FromDecibels(db)))
		s.source(fmt.Sprintf("gain of %g dB, limited", db), audio.Limit(audio.Gain(s.call(1, 16000), audio.FromDecibels(db))))
	}
	for _, rate := range []int{8000, 11025, 48000} {
		s.source(fmt.Sprintf("redact at %d", rate), audio.Redact(s.agent(rate), []audio.Redaction{
			{FromFrame: 9000, ToFrame: 15000, Tone: true}, {FromFrame: 20000, ToFrame: 20100, Tone: true}, {FromFrame: 21000, ToFrame: 29000},
		}))
	}
	line, err := audio.Place(recordingtest.Mono(8000), 80000, []audio.Segment{
		{Source: s.agent(8000), OffsetFrames: -500}, {Source: s.customer(8000), OffsetFrames: 30000},
	})
	require.NoError(t, err)
	s.source("place", line)
	d := audio.NewDropoutDetector(8000, 1)
	gaps := recordingtest.ReadAll(t, s.agent(8000))
	for at := 5000; at < len(gaps); at += 7000 {
		clear(gaps[at:][:800])
	}
	d.Listen(gaps)
	found, more := d.Found()
	s.add("dropouts", fmt.Append(nil, found, more))
	meter, err := analysis.NewLoudnessMeter(recordingtest.Mono(44100))
	require.NoError(t, err)
	require.NoError(t, meter.WriteFrames(recordingtest.ReadAll(t, s.agent(44100))))
	require.NoError(t, meter.Finish())
	loudness, err := json.Marshal(meter.Result())
	require.NoError(t, err)
	s.add("loudness", loudness)
}

// encode adds what an encoder makes of a source.
func (s *sameBytes) encode(name string, src audio.Source, o codec.Options, newEncoder codec.NewEncoder) []byte {
	s.t.Helper()
	samples := recordingtest.ReadAll(s.t, src)
	o.Frames = int64(len(samples) / src.Format().NumChannels)
	o.Tags = []codec.Tag{{Key: "call_id", Value: "c1"}}
	var file bytes.Buffer
	e, err := newEncoder(&file, src.Format(), o)
	require.NoError(s.t, err, name)
	require.NoError(s.t, e.WriteFrames(samples), name)
	require.NoError(s.t, e.Finish(), name)
	s.add(name, file.Bytes())
	return file.Bytes()
}

// encoders are all those of the registry, and what their options change.
func (s *sameBytes) encoders() {
	for name, format := range recording.BuiltinCodecs().Outputs {
		if format.Unavailable != nil || name == record.CodecOpus { // libopus is another's
			continue
		}
		for _, channels := range []int{1, 2} {
			for _, rate := range []int{8000, 16000} {
				s.encode(fmt.Sprintf("%s of %d channels at %d", name, channels, rate), s.call(channels, rate), codec.Options{}, format.New)
			}
		}
	}
	for _, channels := range []int{1, 2} {
		s.encode(fmt.Sprintf("wav of 24 bits, %d channels", channels), s.call(channels, 16000), codec.Options{BitDepth: 24}, wav.NewPCM)
		s.encode(fmt.Sprintf("flac of 24 bits, %d channels", channels), s.call(channels, 44100), codec.Options{BitDepth: 24}, flac.New)
	}
	outputs := recording.BuiltinCodecs().Outputs
	small := codec.Options{BitDepth: 8, SamplesPerPixel: 100}
	s.encode("peaks-json of 8 bits", s.call(2, 8000), small, outputs[record.CodecPeaksJSON].New)
	s.encode("peaks-dat of 8 bits", s.call(2, 8000), small, outputs[record.CodecPeaksDAT].New)
	s.encode("analysis at 44100", s.call(2, 44100), codec.Options{ChannelNames: []string{"agent", "customer"}}, outputs[record.CodecAnalysis].New)
}

// mp3Encoders are the modes of MP3, at bitrates that use all of its means: a
// high one has scale factors, a low one has none.
func (s *sameBytes) mp3Encoders() {
	for _, rate := range mp3.SampleRates() {
		bitrates := mp3.ValidBitrates(rate)
		for _, c := range []struct {
			name     string
			channels int
			bps      int
			o        mp3.EncoderOptions
		}{
			{"CBR, mono", 1, 0, mp3.EncoderOptions{}},
			{"CBR, stereo, highest", 2, bitrates[len(bitrates)-1], mp3.EncoderOptions{CRC: true}},
			{"CBR, joint stereo, low", 2, bitrates[3], mp3.EncoderOptions{Stereo: mp3.StereoJoint}},
			{"ABR, stereo", 2, 0, mp3.EncoderOptions{Mode: mp3.ABR}},
			{"VBR 2, joint stereo", 2, 0, mp3.EncoderOptions{Mode: mp3.VBR, VBRQuality: 2, Stereo: mp3.StereoJoint}},
			{"VBR 6, mono", 1, 0, mp3.EncoderOptions{Mode: mp3.VBR, VBRQuality: 6, LowpassHz: 3400}},
		} {
			s.encode(fmt.Sprintf("mp3 at %d, %s", rate, c.name), s.call(c.channels, rate), codec.Options{BitrateBps: c.bps}, s.mp3(&c.o))
		}
	}
}

func (*sameBytes) mp3(m *mp3.EncoderOptions) codec.NewEncoder {
	return func(w io.Writer, f *goaudio.Format, o codec.Options) (codec.Encoder, error) {
		return mp3.NewEncoder(w, f, o, m)
	}
}
