package codec_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec"
)

func TestRawByName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]record.RawFormat{
		"a.ulaw":                    {Encoding: "mulaw", SampleRateHz: 8000},
		"2026/11/A.ALAW":            {Encoding: "alaw", SampleRateHz: 8000},
		`C:\spool\a.al`:             {Encoding: "alaw", SampleRateHz: 8000},
		"a.sln":                     {Encoding: "s16le", SampleRateHz: 8000},
		"a.sln16":                   {Encoding: "s16le", SampleRateHz: 16000},
		"a.slin44":                  {Encoding: "s16le", SampleRateHz: 44100},
		"a.gsm":                     {Encoding: "gsm", SampleRateHz: 8000},
		"a.g722":                    {Encoding: "g722", SampleRateHz: 16000},
		"a.g726":                    {Encoding: "g726-32", SampleRateHz: 8000},
		"a.g726-40":                 {Encoding: "g726-40", SampleRateHz: 8000},
		"s3://b/k/a.vox?region=x.y": {Encoding: "vox", SampleRateHz: 8000},
	} {
		got := codec.RawByName(name)
		require.NotNil(t, got, name)
		require.Equal(t, want, *got, name)
		require.Contains(t, record.RawEncodings(), got.Encoding)
	}
	for _, name := range []string{"", "a", "ulaw", "a.raw", "a.wav", "a.sln17", "a.ulaw/b"} {
		require.Nil(t, codec.RawByName(name), name)
	}
}

// A file that nothing tells of is read by its name, and that is told.
func TestNameIsTheLastWord(t *testing.T) {
	t.Parallel()
	g := registry()
	src, defects, err := g.Decode(strings.NewReader(strings.Repeat("\xFF\x80", 400)), codec.Hint{Size: 800, Name: "x/a.ulaw"})
	require.NoError(t, err)
	require.Equal(t, "no header, µ-law", codec.Describe(src))
	require.Len(t, defects, 1)
	require.Equal(t, record.DefectFormatAssumed, defects[0].Code)
	require.Equal(t, "nothing in the file says what it is; by its name's .ulaw it was read as mulaw at 8000 Hz", defects[0].Detail)

	// What the job says holds; so does what the file says.
	raw := &record.RawFormat{Encoding: "alaw", SampleRateHz: 8000}
	src, defects, err = g.Decode(strings.NewReader(strings.Repeat("\xFF\x80", 400)), codec.Hint{Size: 800, Name: "a.ulaw", Raw: raw})
	require.NoError(t, err)
	require.Equal(t, "no header, A-law", codec.Describe(src))
	require.Empty(t, defects)
	for text, says := range map[string]string{
		"404 not found\n": "a text file", "PK\x03\x04....": "a ZIP archive",
	} {
		_, _, err = g.Decode(strings.NewReader(text), codec.Hint{Size: -1, Name: "a.ulaw"})
		require.ErrorContains(t, err, says)
	}
	// Digital silence of µ-law is no text, although its bytes are ASCII.
	_, _, err = g.Decode(strings.NewReader(strings.Repeat("\x7F", 800)), codec.Hint{Size: 800, Name: "a.ulaw"})
	require.NoError(t, err)

	_, _, err = g.Decode(strings.NewReader(strings.Repeat("\xFF\x80", 400)), codec.Hint{Size: 800, Name: "a.raw"})
	require.ErrorContains(t, err, "no raw format is given: an encoding (s16le, mulaw, alaw,")
}
