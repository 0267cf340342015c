package codec_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/wav"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func registry() *codec.Registry {
	return &codec.Registry{
		Outputs: map[record.Codec]codec.OutputFormat{
			record.CodecAlaw: {New: wav.NewAlaw, FitRate: func(int) int { return 8000 }},
			record.CodecWAV:  {New: wav.NewPCM},
			"mine":           {New: wav.NewPCM},
		},
		Inputs: []codec.InputFormat{{Name: "WAV", Sniff: wav.Sniff, Decode: wav.Decode}},
		Raw:    wav.DecodeRaw,
	}
}

func TestRegistryEncoders(t *testing.T) {
	t.Parallel()
	g, f := registry(), &goaudio.Format{NumChannels: 1, SampleRate: 8000}
	require.Equal(t, []record.Codec{"wav", "alaw", "mine"}, g.Codecs())
	require.NoError(t, g.Check("wav", f, codec.Options{}))
	err := g.Check("mp3", f, codec.Options{})
	var u *codec.UnsupportedError
	require.ErrorAs(t, err, &u)
	require.Equal(t, "mp3: unsupported codec in this build; the nearest valid: wav, alaw, mine", err.Error())
	_, err = g.NewEncoder("mp3", io.Discard, f, codec.Options{})
	require.ErrorAs(t, err, &u)
	require.Error(t, g.Check("wav", f, codec.Options{BitDepth: 12}))
	missing := errors.New("no library")
	g.Outputs["opus"] = codec.OutputFormat{New: wav.NewPCM, Unavailable: missing}
	require.ErrorIs(t, g.Check("opus", f, codec.Options{}), missing)
	require.Len(t, g.Codecs(), 3, "what this build can't encode is not offered")
	require.Equal(t, 8000, g.FitRate("alaw", 44100))
	require.Equal(t, 44100, g.FitRate("wav", 44100))
}

func TestRegistryDecode(t *testing.T) {
	t.Parallel()
	g := registry()
	file := recordingtest.WAVCorpus(1)[0]
	for _, r := range []io.Reader{bytes.NewReader(file.File), iotest.OneByteReader(bytes.NewReader(file.File))} {
		s, _, err := g.Decode(r, codec.Hint{Size: int64(len(file.File))})
		require.NoError(t, err)
		n, _ := audio.FramesOf(s)
		got := recordingtest.ReadAll(t, s)
		require.True(t, recordingtest.Near(file.Want, got, 0))
		require.Equal(t, int64(len(got)), n)
	}
	var fault *codec.DecodeError
	_, _, err := g.Decode(strings.NewReader(""), codec.Hint{Size: -1})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, record.DefectLegEmpty, fault.Code)
	_, _, err = g.Decode(strings.NewReader("hello"), codec.Hint{Size: -1})
	require.ErrorAs(t, err, &fault)
	require.Equal(t, record.DefectUnreadableLeg, fault.Code)
	raw := codec.Hint{Size: -1, Raw: &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}}
	s, _, err := g.Decode(strings.NewReader("\x00\x40"), raw)
	require.NoError(t, err)
	require.Equal(t, []float32{0.5}, recordingtest.ReadAll(t, s))
	broken := errors.New("broken")
	_, _, err = g.Decode(iotest.ErrReader(broken), raw)
	require.ErrorIs(t, err, broken)
}

// A registry with formats of one's own beside those of this module.
func ExampleRegistry() {
	g := &codec.Registry{Outputs: map[record.Codec]codec.OutputFormat{
		record.CodecWAV: {New: wav.NewPCM, Version: wav.Version},
	}}
	err := g.Check(record.CodecMP3, &goaudio.Format{NumChannels: 1, SampleRate: 8000}, codec.Options{})
	fmt.Println(err)
	// Output: mp3: unsupported codec in this build; the nearest valid: wav
}
