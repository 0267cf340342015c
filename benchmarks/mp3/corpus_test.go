package mp3bench

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/benchmarks/internal/speech"
)

// dataDir is not committed.
const dataDir = "../data"

// packages are Debian's packages of telephone speech.
var packages = []string{"asterisk-core-sounds-en-wav", "asterisk-core-sounds-en-g722", "codec2-examples", "pocketsphinx-testdata"}

// corpus is the speech of all packages at a sample rate, in one piece: at 8 kHz
// the WAV files of asterisk and codec2, at 16 kHz asterisk's G.722 files and
// pocketsphinx's recordings.
func corpus(t *testing.T, rate int) []float32 {
	t.Helper()
	at, err := filepath.Abs(filepath.Join(dataDir, "speech"))
	require.NoError(t, err)
	speech.Unpack(t, at, packages...)
	var files []string
	walk := func(path string, d os.DirEntry, err error) error {
		wav, g722 := strings.HasSuffix(path, ".wav"), strings.HasSuffix(path, ".g722")
		sixteen := g722 || wav && strings.Contains(path, "pocketsphinx")
		if err == nil && !d.IsDir() && (wav || g722) && sixteen == (rate == 16000) && !strings.Contains(path, "silence") {
			files = append(files, path)
		}
		return err
	}
	require.NoError(t, filepath.WalkDir(at, walk))
	slices.Sort(files)
	var raw []byte
	for _, name := range files {
		if strings.HasSuffix(name, ".g722") {
			out, err := exec.CommandContext(t.Context(), "ffmpeg", "-nostdin", "-v", "error", "-i", name, "-ar", "16000", "-f", "s16le", "-").Output()
			require.NoError(t, err, name)
			raw = append(raw, out...)
			continue
		}
		raw = append(raw, wavSamples(t, name, rate)...)
	}
	samples := floats(raw)
	require.Greater(t, len(samples), 20*60*rate, "at least 20 minutes")
	return samples
}

// wavSamples is the data of a mono 16 bit WAV file of a sample rate, or nothing.
func wavSamples(t *testing.T, name string, rate int) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	good := false
	for pos := 12; pos+8 <= len(b); {
		size := int(binary.LittleEndian.Uint32(b[pos+4:]))
		body := b[pos+8 : min(len(b), pos+8+size)]
		switch string(b[pos : pos+4]) {
		case "fmt ":
			good = binary.LittleEndian.Uint16(body[2:]) == 1 && int(binary.LittleEndian.Uint32(body[4:])) == rate &&
				binary.LittleEndian.Uint16(body[14:]) == 16
		case "data":
			if good {
				return body[:len(body)/2*2]
			}
			return nil
		}
		pos += 8 + size + size&1
	}
	return nil
}

func floats(raw []byte) []float32 {
	f := make([]float32, len(raw)/2)
	for i := range f {
		f[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) / 32768
	}
	return f
}

// writePCM writes samples as 16 bit integers to a file for the other encoders.
func writePCM(t *testing.T, samples []float32) string {
	t.Helper()
	raw := make([]byte, 2*len(samples))
	for i, v := range samples {
		binary.LittleEndian.PutUint16(raw[2*i:], uint16(int16(v*32768)))
	}
	name := filepath.Join(t.TempDir(), "in.raw")
	require.NoError(t, os.WriteFile(name, raw, 0o600))
	return name
}
