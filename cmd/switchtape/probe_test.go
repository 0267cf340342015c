package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

func TestProbe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	good, cut := write("good.wav", samplecall.Agent()), write("cut.wav", samplecall.Agent()[:wavHeader+8001])
	raw, text, empty := write("raw", samplecall.Agent()[wavHeader:]), write("text.wav", []byte("only words, nothing to listen to")), write("empty", nil)
	var out struct {
		Files []probed `json:"files"`
	}
	runJSON(t, &out, "probe", good, cut)
	assert.EqualValues(t, samplecall.AgentFrames, out.Files[0].Frames)
	assert.Empty(t, out.Files[0].Defects)
	assert.Equal(t, "WAV, PCM of 16 bits", out.Files[0].Format)
	assert.Len(t, out.Files[0].SHA256, 64)
	assert.EqualValues(t, 4000, out.Files[1].Frames, "every whole frame")
	assert.Equal(t, record.DefectTruncated, out.Files[1].Defects[0].Code)

	runJSON(t, &out, "probe", raw, "--encoding", "s16le", "--rate", "8000")
	assert.EqualValues(t, samplecall.AgentFrames, out.Files[0].Frames)

	code, text1, _ := run(t, "probe", text, empty, good, filepath.Join(dir, "nowhere"))
	assert.Equal(t, 1, code)
	for _, part := range []string{"unreadable_leg", "leg_empty", "394709 frames", "no such file"} {
		assert.Contains(t, text1, part)
	}

	// A header alone is an empty leg here, too; what has no end is refused.
	runJSON(t, &out, "probe", write("header.wav", append(samplecall.Agent()[:wavHeader-4:wavHeader-4], 0, 0, 0, 0)))
	assert.Equal(t, record.DefectLegEmpty, out.Files[0].Defects[len(out.Files[0].Defects)-1].Code)
	code, text1, _ = run(t, "probe", "/dev/zero")
	assert.Equal(t, 1, code)
	assert.Contains(t, text1, "is a device")
}

// Whatever a leg is in, probe names it: here what record itself makes, and MP3 in
// a WAV file.
func TestProbeNamesTheFormat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leg := filepath.Join(dir, "agent.wav")
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	var out struct {
		Files []probed `json:"files"`
	}
	for name, want := range map[string]string{
		"a.wav": "WAV, PCM of 16 bits", "a.flac": "FLAC of 16 bits", "a.mp3": "MP3 (MPEG-2.5)", "anything": "MP3 (MPEG-2.5)",
	} {
		file := filepath.Join(dir, name)
		code, _, text := run(t, "record", "--leg", "agent="+leg, "--layout", "mono", "--no-manifest", "--out", file)
		require.Zero(t, code, text)
		runJSON(t, &out, "probe", file)
		require.Equal(t, want, out.Files[0].Format)
		require.EqualValues(t, samplecall.AgentFrames, out.Files[0].Frames, name)
	}

	stream, err := os.ReadFile(filepath.Join(dir, "a.mp3"))
	require.NoError(t, err)
	le := binary.LittleEndian
	header := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x1e\x00\x00\x00\x55\x00\x01\x00\x40\x1f\x00\x00\xa0\x0f\x00\x00\x01\x00\x00\x00\x0c\x00"),
		make([]byte, 12)...)
	le.PutUint32(header[4:], uint32(len(header)+len(stream)))
	header = le.AppendUint32(append(header, "data"...), uint32(len(stream)))
	in := filepath.Join(dir, "mp3.wav")
	require.NoError(t, os.WriteFile(in, append(header, stream...), 0o600))
	runJSON(t, &out, "probe", in)
	require.Equal(t, "WAV, MP3 (MPEG-2.5)", out.Files[0].Format)
	require.Empty(t, out.Files[0].Defects)
}
