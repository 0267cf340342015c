package flac_test

import (
	"fmt"
	"testing"

	goaudio "github.com/go-audio/audio"

	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/flac"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func TestContract(t *testing.T) {
	t.Parallel()
	for _, channels := range []int{1, 2, 8} {
		for _, depth := range []int{0, 24} {
			t.Run(fmt.Sprintf("%d channels, depth %d", channels, depth), func(t *testing.T) {
				t.Parallel()
				recordingtest.EncoderContract(t, recordingtest.Encoding{
					New: flac.New, Options: codec.Options{BitDepth: depth}, Format: goaudio.Format{NumChannels: channels, SampleRate: 8000},
				})
			})
		}
	}
	samples := leg(t, samplecall.Agent())[100000:120000]
	recordingtest.DecoderContract(t, recordingtest.Decoding{
		Decode: flac.Decode, File: encode(t, samples, 2, 16000, codec.Options{Frames: 10000}),
		Format: goaudio.Format{NumChannels: 2, SampleRate: 16000}, Want: samples,
	})
}

// Encoding allocates nothing, whatever the predictor.
func TestNoAllocations(t *testing.T) {
	for channels := 1; channels <= flac.MaxChannels; channels++ {
		for _, depth := range []int{16, 24} {
			recordingtest.EncoderAllocations(t, recordingtest.Encoding{
				New: flac.New, Options: codec.Options{BitDepth: depth}, Format: goaudio.Format{NumChannels: channels, SampleRate: 8000},
			})
		}
	}
}
