package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
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
	assert.Equal(t, callmodel.DefectTruncated, out.Files[1].Defects[0].Code)

	runJSON(t, &out, "probe", raw, "--encoding", "s16le", "--rate", "8000")
	assert.EqualValues(t, samplecall.AgentFrames, out.Files[0].Frames)

	code, text1, _ := run(t, "probe", text, empty, good, filepath.Join(dir, "nowhere"))
	assert.Equal(t, 1, code)
	for _, part := range []string{"unreadable_leg", "leg_empty", "394709 frames", "no such file"} {
		assert.Contains(t, text1, part)
	}

	// A header alone is an empty leg here, too; what has no end is refused.
	runJSON(t, &out, "probe", write("header.wav", append(samplecall.Agent()[:wavHeader-4:wavHeader-4], 0, 0, 0, 0)))
	assert.Equal(t, callmodel.DefectLegEmpty, out.Files[0].Defects[len(out.Files[0].Defects)-1].Code)
	code, text1, _ = run(t, "probe", "/dev/zero")
	assert.Equal(t, 1, code)
	assert.Contains(t, text1, "is a device")
}
