package recording_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// GSM is recognised by its frames' signatures, whatever the file is called; A-law silence
// looks the same in every byte and isn't.
func TestGSMIsRecognised(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("codec/gsm/testdata/agent.gsm")
	require.NoError(t, err)
	g := recording.BuiltinCodecs()
	src, defects, err := g.Decode(bytes.NewReader(file), codec.Hint{Size: int64(len(file)), Name: "agent.raw"})
	require.NoError(t, err)
	require.Empty(t, defects)
	require.Equal(t, "no header, GSM 6.10", codec.Describe(src))
	require.Len(t, recordingtest.ReadAll(t, src), len(file)/33*160)

	_, _, err = g.Decode(bytes.NewReader(bytes.Repeat([]byte{0xD5}, 8000)), codec.Hint{Size: 8000})
	require.ErrorContains(t, err, "no raw format is given")
	src, _, err = g.Decode(bytes.NewReader(bytes.Repeat([]byte{0xD5}, 8000)), codec.Hint{Size: 8000, Name: "silence.alaw"})
	require.NoError(t, err)
	require.Equal(t, "no header, A-law", codec.Describe(src))
}
