package main

import (
	"bytes"
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/manifest"
)

// Somebody else's decoders find in our files what ours finds, and what they can't read is
// said.
func TestVerifyDeep(t *testing.T) {
	t.Parallel()
	agent, customer := sample(t)
	for _, c := range []struct {
		file, layout, rate string
		decoder, unchecked string
		most               float64
	}{
		{"a.mp3", "mono", "8000", "", "go-mp3 can't read MPEG-2.5", 0},
		{"a.mp3", "stereo", "12000", "", "go-mp3 can't read MPEG-2.5", 0},
		{"a.mp3", "stereo", "16000", "go-mp3", "", rounded},
		{"a.mp3", "mono", "22050", "go-mp3", "misreads padded frames", 0},
		{"a.mp3", "mono", "24000", "go-mp3", "", rounded},
		{"a.mp3", "stereo", "44100", "go-mp3", "", rounded},
		{"a.flac", "stereo", "8000", "mewkiz/flac", "", exact},
		{"a.flac", "mono", "16000", "mewkiz/flac", "", exact},
		{"a.wav", "mono", "8000", "", "no other decoder of wav", 0},
	} {
		t.Run(c.file+" "+c.layout+" "+c.rate, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var r record.Result
			runJSON(t, &r, "record", "--leg", "agent="+agent, "--leg", "customer="+customer+"@2s", "--layout", c.layout, "--rate", c.rate, "--out", filepath.Join(dir, c.file))
			var v verified
			runJSON(t, &v, "verify-recording", "--deep", filepath.Join(dir, "a.manifest.json"))
			assert.True(t, v.OK)
			require.Len(t, v.Deep, 1)
			d := v.Deep[0]
			assert.Equal(t, c.decoder, d.Decoder)
			assert.True(t, d.OK, d.Problem)
			if c.unchecked == "" {
				assert.Empty(t, d.Unchecked)
			} else {
				assert.Contains(t, d.Unchecked, c.unchecked)
			}
			if c.decoder != "" {
				assert.Equal(t, r.Outputs[0].Frames, d.Frames)
			}
			assert.LessOrEqual(t, d.MaxDifference, c.most)
			_, out, _ := run(t, "verify-recording", "--deep", filepath.Join(dir, "a.manifest.json"))
			assert.Contains(t, out, c.unchecked)
		})
	}
}

// What the decoders find otherwise is told: files that are other than the manifest says,
// and streams that can't be read.
func TestVerifyDeepFindsFaults(t *testing.T) {
	t.Parallel()
	agent, _ := sample(t)
	dir := t.TempDir()
	var r record.Result
	runJSON(t, &r, "record", "--leg", "agent="+agent, "--layout", "mono", "--rate", "16000", "--out", filepath.Join(dir, "a.flac"), "--also", "mono="+filepath.Join(dir, "a.mp3"), "--also", "mono="+filepath.Join(dir, "b.wav"))
	f, err := os.Open(filepath.Join(dir, "a.manifest.json"))
	require.NoError(t, err)
	m, err := manifest.Parse(f)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	whole := map[string][]byte{}
	for i := range m.Outputs {
		whole[m.Outputs[i].File] = readFile(t, filepath.Join(dir, m.Outputs[i].File))
	}
	for name, c := range map[string]struct {
		change  func(files map[string][]byte, m *manifest.Manifest)
		problem map[string]string
	}{
		"whole": {func(map[string][]byte, *manifest.Manifest) {}, nil},
		"cut": {func(files map[string][]byte, _ *manifest.Manifest) {
			for name, b := range files {
				files[name] = b[:len(b)*2/3]
			}
		}, map[string]string{"a.flac": "frames", "a.mp3": "ends"}},
		"one frame short": {func(_ map[string][]byte, m *manifest.Manifest) {
			for i := range m.Outputs {
				m.Outputs[i].Frames--
			}
		}, map[string]string{"a.flac": "more than", "a.mp3": "frames hold"}},
		"one frame long": {func(_ map[string][]byte, m *manifest.Manifest) {
			for i := range m.Outputs {
				m.Outputs[i].Frames++
			}
		}, map[string]string{"a.flac": "our decoder gives", "a.mp3": "frames hold"}},
		"not audio": {func(files map[string][]byte, _ *manifest.Manifest) {
			for name := range files {
				files[name] = bytes.Repeat([]byte("no audio "), 1000)
			}
		}, map[string]string{"a.flac": "mewkiz/flac can't read it", "a.mp3": "mp3: frame 0"}},
		"gone": {func(files map[string][]byte, _ *manifest.Manifest) { clear(files) }, map[string]string{"a.flac": "not exist", "a.mp3": "not exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, changed := maps.Clone(whole), *m
			changed.Outputs = append([]manifest.Output(nil), m.Outputs...)
			c.change(files, &changed)
			list, err := deepVerify(t.Context(), &changed, func(_ context.Context, name string) (io.ReadCloser, error) {
				b, ok := files[name]
				if !ok {
					return nil, os.ErrNotExist
				}
				return io.NopCloser(bytes.NewReader(b)), nil
			})
			require.NoError(t, err)
			for _, d := range list {
				if c.problem[d.File] == "" {
					assert.True(t, d.OK, "%s: %s", d.File, d.Problem)
				} else {
					assert.Contains(t, d.Problem, c.problem[d.File], d.File)
					assert.False(t, d.OK)
				}
			}
			assert.Equal(t, len(c.problem) > 0, anyDiffers(list))
		})
	}
}
