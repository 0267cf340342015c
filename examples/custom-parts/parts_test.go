package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func TestStage(t *testing.T) {
	t.Parallel()
	noise := recordingtest.Noise(5000, 0.5, 1)
	for i := range noise {
		noise[i] += 0.25
	}
	recordingtest.SourceContract(t, func() audio.Source { return withoutDC(audio.NewSource(recordingtest.Mono(8000), noise)) })
	recordingtest.SourceContract(t, func() audio.Source { return withoutDC(recordingtest.Failing(recordingtest.Mono(8000), noise)) })
	sum := float32(0)
	for _, x := range recordingtest.ReadAll(t, withoutDC(audio.NewSource(recordingtest.Mono(8000), noise)))[1000:] {
		sum += x / 4000
	}
	require.InDelta(t, 0, sum, 0.01)
}

func TestCodec(t *testing.T) {
	t.Parallel()
	f := goaudio.Format{NumChannels: 2, SampleRate: 16000}
	e := recordingtest.Encoding{New: newAU, Format: f}
	recordingtest.EncoderContract(t, e)

	want := recordingtest.Noise(2*5000, 0.9, 2)
	var file bytes.Buffer
	enc, err := newAU(&file, &f, codec.Options{Frames: 5000})
	require.NoError(t, err)
	require.NoError(t, enc.WriteFrames(want))
	require.NoError(t, enc.Finish())
	d := recordingtest.Decoding{Decode: decodeAU, File: file.Bytes(), Format: f, Want: want, Tolerance: 1.0 / 65536}
	recordingtest.DecoderContract(t, d)
	heard, err := recordingtest.FFmpegSamples(t, file.Bytes())
	require.NoError(t, err)
	require.True(t, recordingtest.Near(want, heard, 1.0/65536), "ffmpeg reads the same")
}

func TestTap(t *testing.T) {
	t.Parallel()
	f := goaudio.Format{NumChannels: 2, SampleRate: 8000}
	open := func() *silence { return newSilence(&f, -50) }
	recordingtest.TapContract(t, f, func() (recordingtest.Tap, func() any) {
		s := open()
		return s, func() any { return s.Result() }
	})
	s := open()
	require.NoError(t, s.WriteFrames(recordingtest.Noise(200, 0.5, 1)))
	require.NoError(t, s.WriteFrames(make([]float32, 2*4000)))
	require.NoError(t, s.WriteFrames(recordingtest.Noise(200, 0.5, 1)))
	require.NoError(t, s.Finish())
	require.InDelta(t, 500*time.Millisecond, s.Result(), float64(5*time.Millisecond))
}

// TestAllocations is not parallel: allocations are counted for the process.
func TestAllocations(t *testing.T) {
	f := goaudio.Format{NumChannels: 2, SampleRate: 8000}
	recordingtest.EncoderAllocations(t, recordingtest.Encoding{New: newAU, Format: f})
	recordingtest.TapAllocations(t, f, func() recordingtest.Tap { return newSilence(&f, -50) })
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, run([]string{dir}))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 4, "the legs, the recording and its manifest")
	b, err := os.ReadFile(filepath.Join(dir, "call.au"))
	require.NoError(t, err)
	require.True(t, sniffAU(b))
}
