package wav_test

import (
	"bytes"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func TestEncodersKeepTheContract(t *testing.T) {
	t.Parallel()
	for name, e := range encoders() {
		for _, channels := range []int{1, 3} {
			recordingtest.EncoderContract(t, recordingtest.Encoding{
				New: e.make, Options: e.options, Format: goaudio.Format{NumChannels: channels, SampleRate: 8000},
			})
		}
		_ = name
	}
}

func TestDecodersKeepTheContract(t *testing.T) {
	t.Parallel()
	for name, e := range encoders() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			samples := recordingtest.Noise(2*5000, 0.9, 4)
			o := e.options
			o.Frames = 5000
			file := encode(t, e.make, o, 2, samples)
			s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: -1})
			require.NoError(t, err)
			recordingtest.DecoderContract(t, recordingtest.Decoding{
				Decode: wav.Decode, File: file, Format: goaudio.Format{NumChannels: 2, SampleRate: 8000}, Want: recordingtest.ReadAll(t, s),
			})
		})
	}
	for _, name := range []string{"libgsm_ms", "adpcm_ima_wav", "adpcm_ms"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := byTool(t, name, 16000, 1)
			want, err := recordingtest.FFmpegSamples(t, file)
			require.NoError(t, err)
			s, _, err := wav.Decode(bytes.NewReader(file), codec.Hint{Size: -1})
			require.NoError(t, err)
			recordingtest.DecoderContract(t, recordingtest.Decoding{
				Decode: wav.Decode, File: file, Format: goaudio.Format{NumChannels: 1, SampleRate: 8000},
				Want: want[:len(recordingtest.ReadAll(t, s))],
			})
		})
	}
	for _, raw := range []record.RawFormat{
		{Encoding: "s16le", SampleRateHz: 8000, Channels: 2},
		{Encoding: "mulaw", SampleRateHz: 8000},
		{Encoding: "gsm", SampleRateHz: 8000},
		{Encoding: "s24be", SampleRateHz: 8000},
		{Encoding: "s8", SampleRateHz: 8000},
		{Encoding: "g722", SampleRateHz: 16000},
		{Encoding: "g726-24", SampleRateHz: 8000},
		{Encoding: "aal2-g726-40", SampleRateHz: 8000},
		{Encoding: "vox", SampleRateHz: 6000},
		{Encoding: "ima", SampleRateHz: 8000},
	} {
		t.Run("raw "+raw.Encoding, func(t *testing.T) {
			t.Parallel()
			file := bytes.Repeat([]byte("\xD0raw audio of 33 bytes in a frame!"[:33]), 200)
			if raw.Encoding == "s16le" {
				file = file[:6400]
			}
			s, _, err := wav.DecodeRaw(bytes.NewReader(file), codec.Hint{Size: -1, Raw: &raw})
			require.NoError(t, err)
			recordingtest.DecoderContract(t, recordingtest.Decoding{
				Decode: wav.DecodeRaw, File: file, Raw: &raw,
				Format: goaudio.Format{NumChannels: max(raw.Channels, 1), SampleRate: raw.SampleRateHz}, Want: recordingtest.ReadAll(t, s),
			})
		})
	}
}

// Neither reading nor writing allocates for a block.
func TestNoAllocations(t *testing.T) {
	mono := *recordingtest.Mono(8000)
	for name, e := range encoders() {
		t.Run(name, func(t *testing.T) {
			recordingtest.EncoderAllocations(t, recordingtest.Encoding{New: e.make, Options: e.options, Format: mono})
			file := encode(t, e.make, codec.Options{Frames: 1 << 18, BitDepth: e.options.BitDepth}, 1, make([]float32, 1<<18))
			recordingtest.DecoderAllocations(t, recordingtest.Decoding{Decode: wav.Decode, File: file})
		})
	}
	for _, name := range []string{"libgsm_ms", "adpcm_ima_wav", "adpcm_ms"} {
		t.Run(name, func(t *testing.T) {
			recordingtest.DecoderAllocations(t, recordingtest.Decoding{Decode: wav.Decode, File: byTool(t, name, 250000, 1)})
		})
	}
	for _, encoding := range []string{"g722", "g726-32", "vox", "ima", "s32be"} {
		t.Run(encoding, func(t *testing.T) {
			raw := record.RawFormat{Encoding: encoding, SampleRateHz: 16000}
			recordingtest.DecoderAllocations(t, recordingtest.Decoding{Decode: wav.DecodeRaw, Raw: &raw, File: make([]byte, 1<<20)})
		})
	}
}
