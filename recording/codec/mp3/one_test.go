package mp3_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// One frame is a stream, whatever tags follow it; a stream that is cut in its first frame
// holds no audio.
func TestOneFrame(t *testing.T) {
	t.Parallel()
	lame := recordingtest.Tool(t, "lame", "lame")
	dir := t.TempDir()
	wavPath, path := filepath.Join(dir, "a.wav"), filepath.Join(dir, "a.mp3")
	require.NoError(t, exec.CommandContext(t.Context(), recordingtest.Tool(t, "sox", "sox"), "-n", "-r", "8000", "-c", "1", wavPath, "synth", "1", "sine", "300").Run())
	require.NoError(t, exec.CommandContext(t.Context(), lame, "--quiet", "-t", "--cbr", "-b", "16", wavPath, path).Run())
	stream, err := os.ReadFile(path)
	require.NoError(t, err)
	length := 1 + bytes.Index(stream[1:], stream[:2])
	one := stream[:length]
	id3v1 := append([]byte("TAG"), make([]byte, 125)...)
	ape := append([]byte("APETAGEX\xd0\x07\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), make([]byte, 8)...)
	id3v2 := append([]byte("ID3\x04\x00\x00\x00\x00\x00\x20"), make([]byte, 32)...)
	for name, file := range map[string][]byte{
		"alone": one, "ID3v1": slices.Concat(one, id3v1), "APE": slices.Concat(one, ape), "ID3v2": slices.Concat(one, id3v2),
		"APE and ID3v1": slices.Concat(one, ape, id3v1), "ID3v2 before, ID3v1 behind": slices.Concat(id3v2, one, id3v1),
	} {
		for _, r := range []io.Reader{bytes.NewReader(file), struct{ io.Reader }{bytes.NewReader(file)}} {
			hint := codec.Hint{Size: codec.SizeUnknown}
			if _, ok := r.(io.ReaderAt); ok {
				hint.Size = int64(len(file))
			}
			require.True(t, mp3.Sniff(file), name)
			s, _, err := mp3.Decode(r, hint)
			require.NoError(t, err, name)
			require.Len(t, recordingtest.ReadAll(t, s), 576, name)
		}
	}
	for cut := 4; cut < length; cut += 17 {
		_, _, err := mp3.Decode(bytes.NewReader(stream[:cut]), codec.Hint{Size: int64(cut)})
		var fault *codec.DecodeError
		require.ErrorAs(t, err, &fault, cut)
		require.Equal(t, record.DefectLegEmpty, fault.Code, cut)
	}
}
