package recordingtest

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"testing"
)

// Tool is the path of a program that a test compares with, from the Debian
// package of that name. Without it the test is skipped, loudly; with
// SWITCHTAPE_REQUIRE_SERVICES=1 it fails.
func Tool(t testing.TB, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") == "1" {
			t.Fatalf("%s is not installed: apt-get install %s", name, debianPackage)
		}
		t.Skipf("SKIPPED: %s is not installed: apt-get install %s", name, debianPackage)
	}
	return path
}

// FFmpegSamples decodes a file with ffmpeg to interleaved float32. ffmpeg reads
// it from a pipe: of several data chunks in a WAV file that it can seek in, it
// plays the last one only.
func FFmpegSamples(t testing.TB, file []byte) ([]float32, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), Tool(t, "ffmpeg", "ffmpeg"),
		"-v", "error", "-i", "pipe:0", "-f", "f32le", "-c:a", "pcm_f32le", "-")
	cmd.Stdin, cmd.Stdout = bytes.NewReader(file), &out
	err := cmd.Run()
	samples := make([]float32, out.Len()/4)
	for i := range samples {
		samples[i] = math.Float32frombits(binary.LittleEndian.Uint32(out.Bytes()[4*i:]))
	}
	return samples, err
}
