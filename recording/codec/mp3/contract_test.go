package mp3_test

import (
	"bytes"
	"fmt"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for _, f := range []goaudio.Format{{NumChannels: 1, SampleRate: 8000}, {NumChannels: 2, SampleRate: 44100}} {
		t.Run(fmt.Sprint(f), func(t *testing.T) {
			t.Parallel()
			recordingtest.EncoderContract(t, recordingtest.Encoding{New: mp3.New, Format: f})
		})
	}
	var b bytes.Buffer
	e, err := mp3.New(&b, recordingtest.Mono(16000), codec.Options{Frames: 10000})
	require.NoError(t, err)
	require.NoError(t, e.WriteFrames(recordingtest.Sine(10000, 16000, 440, 0.5, 0)))
	require.NoError(t, e.Finish())
	recordingtest.DecoderContract(t, recordingtest.Decoding{
		Decode: mp3.Decode, File: b.Bytes(), Format: goaudio.Format{NumChannels: 1, SampleRate: 16000},
		Want: recordingtest.ReadAll(t, open(t, b.Bytes())),
	})
}
