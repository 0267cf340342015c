package recording_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// decode adds what a decoder makes of a file.
func (s *sameBytes) decode(name string, file []byte, raw *record.RawFormat, decode codec.Decoder) {
	s.t.Helper()
	src, _, err := decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file)), Raw: raw})
	require.NoError(s.t, err, name)
	s.source(name, src)
}

func (s *sameBytes) decoders() {
	for name, file := range s.mp3Files() {
		s.decode("decode "+name, file, nil, mp3.Decode)
	}
	for depth := 16; depth <= 24; depth += 8 {
		file := s.encode(fmt.Sprintf("flac to decode, %d bits", depth), s.call(2, 11025), codec.Options{BitDepth: depth}, flac.New)
		s.decode(fmt.Sprintf("decode flac of %d bits", depth), file, nil, flac.Decode)
	}
	s.decode("decode wav", cutLeg(samplecall.Customer()), nil, wav.Decode)
	s.decode("decode mulaw", s.encode("mulaw to decode", s.agent(8000), codec.Options{}, wav.NewMulaw), nil, wav.Decode)
	s.decode("decode alaw", s.encode("alaw to decode", s.agent(8000), codec.Options{}, wav.NewAlaw), nil, wav.Decode)
	s.decode("decode gsm", s.gsm(), &record.RawFormat{Encoding: "gsm", SampleRateHz: 8000}, wav.DecodeRaw)
	s.decode("decode IMA ADPCM", adpcmFile(0x11), nil, wav.Decode)
	s.decode("decode MS ADPCM", adpcmFile(2), nil, wav.Decode)
}

// gsm is 2 s of the agent as bare frames.
func (s *sameBytes) gsm() []byte {
	s.t.Helper()
	b, err := os.ReadFile("codec/gsm/testdata/agent.gsm")
	require.NoError(s.t, err)
	return b
}

// mp3Files are streams that use all of what the decoder can.
func (s *sameBytes) mp3Files() map[string][]byte {
	s.t.Helper()
	files := map[string][]byte{}
	for _, rate := range []int{8000, 22050, 44100} {
		bitrates := mp3.ValidBitrates(rate)
		low, high := bitrates[3], bitrates[len(bitrates)-1]
		name := fmt.Sprintf("mp3 at %d, ", rate)
		encode := func(which string, channels, bps int, o mp3.EncoderOptions) []byte {
			b := s.encode(name+which+", to decode", s.call(channels, rate), codec.Options{BitrateBps: bps}, s.mp3(&o))
			files[name+which] = b
			return b
		}
		encode("mono", 1, low, mp3.EncoderOptions{})
		encode("high", 2, high, mp3.EncoderOptions{})
		joint := encode("joint", 2, low, mp3.EncoderOptions{Stereo: mp3.StereoJoint, OmitInfo: true})
		files[name+"intensity"] = intensity(joint)
		files[name+"damaged"] = damaged(joint)
	}
	return files
}

// intensity has the frames of a joint stereo stream say that they have intensity
// stereo: what their encoder didn't mean is decoded nevertheless.
func intensity(stream []byte) []byte {
	b := bytes.Clone(stream)
	at := bytes.IndexByte(b, 0xFF)
	first := binary.BigEndian.Uint32(b[at:])
	for ; at+4 <= len(b); at++ {
		if h := binary.BigEndian.Uint32(b[at:]); h&0xFFFFFC0F == first&0xFFFFFC0F {
			b[at+3] |= 0x10
		}
	}
	return b
}

// damaged has a byte wrong in every 997.
func damaged(stream []byte) []byte {
	b := bytes.Clone(stream)
	for at := 2000; at < len(b); at += 997 {
		b[at] ^= 0x55
	}
	return b
}

// wavFile is a mono WAV file of 8 kHz.
func wavFile(tag, align, bits int, extra, data []byte) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32([]byte("RIFF"), uint32(28+len(extra)+8+len(data)))
	b = le.AppendUint32(append(b, "WAVEfmt "...), uint32(16+len(extra)))
	b = le.AppendUint16(le.AppendUint16(b, uint16(tag)), 1)
	b = le.AppendUint32(le.AppendUint32(b, 8000), uint32(8000*align))
	b = le.AppendUint16(le.AppendUint16(b, uint16(align)), uint16(bits))
	b = append(append(b, extra...), "data"...)
	return append(le.AppendUint32(b, uint32(len(data))), data...)
}

// cutLeg is the beginning of a leg of the sample call.
func cutLeg(file []byte) []byte {
	return wavFile(1, 2, 16, nil, file[44:][:sameBytesSeconds*2*samplecall.SampleRateHz])
}

// adpcmFile has the samples of the agent for codes: it is no speech any more, but
// uses every code, step and predictor.
func adpcmFile(tag int) []byte {
	const block = 256
	data := bytes.Clone(samplecall.Agent()[44:][:sameBytesSeconds*4000/block*block])
	for i := 0; i < len(data); i += block {
		switch tag {
		case 2:
			data[i] = byte(i / block % 7) // the predictor
		default:
			data[i+2], data[i+3] = byte(i/block%89), 0 // the step
		}
	}
	// What follows fmt's own fields: its length, the frames of a block and, for
	// Microsoft's, the predictors.
	extra := []int16{2, 1 + (block-4)*2}
	if tag == 2 {
		extra = []int16{32, 2 + (block-7)*2, 7, 256, 0, 512, -256, 0, 0, 192, 64, 240, 0, 460, -208, 392, -232}
	}
	var b []byte
	for _, x := range extra {
		b = binary.LittleEndian.AppendUint16(b, uint16(x))
	}
	return wavFile(tag, block, 4, b, data)
}

// jobs are whole recordings: their outputs, manifests and results.
func (s *sameBytes) jobs() {
	s.t.Helper()
	legs := memLegs{
		"agent.wav": cutLeg(samplecall.Agent()), "customer.wav": cutLeg(samplecall.Customer()),
		"agent.gsm": s.gsm(), "ima.wav": adpcmFile(0x11),
		"customer.mp3": s.encode("mp3 of a leg", s.customer(11025), codec.Options{}, mp3.New),
		"agent.flac":   s.encode("flac of a leg", s.agent(16000), codec.Options{BitDepth: 24}, flac.New),
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	leg := func(name, uri string, offset int) record.LegSpec {
		return record.LegSpec{Name: name, Segments: []record.SegmentSpec{{URI: uri, Offset: ms(offset)}}}
	}
	spec := func(id string, legs ...record.LegSpec) record.Spec {
		started := time.Date(2026, 11, 21, 10, 30, 0, 0, time.UTC)
		return record.Spec{
			TenantID: "acme", CallID: "c1", RecordingID: callmodel.RecordingID(id),
			StartedAt: started, EndedAt: started.Add(20 * time.Second), Legs: legs, Outputs: sameBytesOutputs(),
		}
	}
	plain := spec("plain", leg("agent", "agent.wav", 0), leg("customer", "customer.wav", 2000))

	treated := spec("treated", leg("agent", "agent.wav", 0), leg("customer", "customer.wav", 500))
	treated.Legs[0].GainDB = 4.5
	treated.LevelLUFS = -20
	treated.Redactions = []record.Redaction{{From: ms(1200), To: ms(1900), With: record.RedactWithTone}}
	treated.Pauses, treated.PauseMode = []record.Pause{{From: ms(3000), To: ms(3600)}}, record.PauseCut
	treated.Trim = &record.TrimSpec{Keep: ms(100)}

	drifting := spec("drifting", leg("agent", "agent.wav", 0), leg("customer", "agent.flac", 0))
	drifting.Span, drifting.LegsSpanCall = ms(6005), true

	odd := spec("odd", leg("agent", "agent.gsm", 0), leg("customer", "customer.mp3", 700))
	odd.Legs[0].Segments[0].Raw = &record.RawFormat{Encoding: "gsm", SampleRateHz: 8000}
	odd.Legs[0].Segments = append(odd.Legs[0].Segments,
		record.SegmentSpec{URI: "agent.flac", Offset: ms(1800)}, record.SegmentSpec{URI: "ima.wav", Offset: ms(6000)}) // they overlap

	for _, spec := range []record.Spec{plain, treated, drifting, odd} {
		objects := &memObjects{}
		r, err := recording.NewProcessor(legs, objects, nil).Process(context.Background(), spec, nil)
		require.NoError(s.t, err, spec.RecordingID)
		for key, b := range objects.data {
			s.add("job: "+path.Base(key), b)
		}
		result, err := json.Marshal(r)
		require.NoError(s.t, err)
		s.add("job: result of "+string(spec.RecordingID), result)
	}
}

// sameBytesOutputs are one of each codec, at several rates.
func sameBytesOutputs() []record.OutputSpec {
	return []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo},
		{Name: "mono", Codec: record.CodecWAV, Layout: record.LayoutMono, SampleRateHz: 8000, BitDepth: 24},
		{Name: "law", Codec: record.CodecMulaw, Layout: record.LayoutMono, SampleRateHz: 8000},
		{Name: "odd", Codec: record.CodecAlaw, Layout: record.LayoutMono, SampleRateHz: 11025},
		{Codec: record.CodecFLAC, Layout: record.LayoutMultichannel, SampleRateHz: 16000, BitDepth: 24},
		{Codec: record.CodecMP3, Layout: record.LayoutMono, SampleRateHz: 8000},
		{Name: "legs", Codec: record.CodecMP3, Layout: record.LayoutStereo, SampleRateHz: 16000},
		{Codec: record.CodecPeaksJSON, Layout: record.LayoutMono},
		{Codec: record.CodecPeaksDAT, Layout: record.LayoutStereo, SamplesPerPixel: 512, BitDepth: 8},
		{Codec: record.CodecAnalysis},
	}
}
