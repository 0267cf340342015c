package codec_test

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// Formats that aren't read are named, and not taken for raw audio.
func TestForeignFormatsAreNamed(t *testing.T) {
	t.Parallel()
	g := registry()
	raw := &record.RawFormat{Encoding: "s16le", SampleRateHz: 8000}
	rest := strings.Repeat("\x01", 100)
	for magic, name := range map[string]string{
		"FORM\x00\x00\x10\x00AIFFCOMM":             "an AIFF file",
		"FORM\x00\x00\x10\x00AIFCFVER":             "an AIFF file",
		"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04": "a Wave64 file",
		"OggS\x00\x02":                             "an Ogg file",
		"#!AMR\n":                                  "an AMR file",
		"\x00\x00\x00\x20ftypM4A ":                 "an MP4 file",
		"RIFF\x10\x20\x30\x00AVI LIST":             "an AVI file",
		"\xd4\xc3\xb2\xa1\x02\x00\x04\x00":         "a capture of packets (pcap)",
		"PK\x03\x04":                               "a ZIP archive",
		"\x1f\x8b\x08\x00":                         "a gzip file",
		"<!DOCTYPE html><html>":                    "a web page",
	} {
		for _, hint := range []codec.Hint{{Size: -1}, {Size: -1, Raw: raw}} {
			_, _, err := g.Decode(strings.NewReader(magic+rest), hint)
			var fault *codec.DecodeError
			require.ErrorAs(t, err, &fault, name)
			code := record.DefectUnsupportedCodec
			if slices.Contains([]string{"a ZIP archive", "a gzip file", "a web page"}, name) {
				code = record.DefectUnreadableLeg // no audio
			}
			require.Equal(t, code, fault.Code, name)
			require.ErrorContains(t, err, name+"; what can be read is WAV")
		}
	}
	// What may be raw audio as well is one if the job says so.
	for magic, name := range map[string]string{
		"\xFF\xFD\x90\x00": "layer II", "\xFF\xFF\x90\x00": "layer I", "\xFF\xFB\x00\x00": "free format", "\xFF\xF1\x6C\x80\x10": "AAC",
		"\x0B\x77\x12\x34\x40": "AC-3", "G" + strings.Repeat("\x01", 187) + "G" + strings.Repeat("\x01", 187) + "G": "transport stream",
		strings.Repeat("not found\n", 600): "a text file", "{\"error\": \"é\"}" + strings.Repeat(" ", 9): "a text file",
		"\xFF\xFEh\x00e\x00l\x00l\x00o\x00": "a text file",
	} {
		rest := rest
		if name == "a text file" {
			rest = ""
		}
		_, _, err := g.Decode(strings.NewReader(magic+rest), codec.Hint{Size: -1})
		require.ErrorContains(t, err, name)
		_, _, err = g.Decode(strings.NewReader(magic+rest), codec.Hint{Size: -1, Raw: raw})
		require.NoError(t, err)
	}
	// Frames are named only if another follows where it must.
	for _, head := range []string{"\xFF\xFD\x90\x00", "\xFF\xFF\x90\x00", "\xFF\xF8\x49\x08\x10\x20"} {
		_, _, err := g.Decode(strings.NewReader(head+strings.Repeat("\x01", 3000)), codec.Hint{Size: -1})
		require.ErrorContains(t, err, "neither WAV", "% x", head)
	}
	_, _, err := g.Decode(strings.NewReader("\xFF\xEB\x90\x00"+rest), codec.Hint{Size: -1})
	require.ErrorContains(t, err, "neither WAV")
}

// A WAV file behind an ID3v2 tag is read, from files and from streams.
func TestTagInFront(t *testing.T) {
	t.Parallel()
	g := registry()
	g.Inputs = append(g.Inputs, codec.InputFormat{Name: "MP3", Sniff: mp3.Sniff, Decode: mp3.Decode})
	c := recordingtest.WAVCorpus(1)[0]
	for _, size := range []int{0, 7, 400, 4070, 4085, 4110, 100000} {
		tag := append([]byte("ID3\x04\x00\x00"), byte(size>>21), byte(size>>14&127), byte(size>>7&127), byte(size&127))
		file := slices.Concat(tag, make([]byte, size), c.File)
		for _, r := range []io.Reader{bytes.NewReader(file), struct{ io.Reader }{bytes.NewReader(file)}} {
			s, defects, err := g.Decode(r, codec.Hint{Size: int64(len(file))})
			require.NoError(t, err, "%d", size)
			require.Empty(t, defects)
			n, _ := audio.FramesOf(s)
			got := recordingtest.ReadAll(t, s)
			require.Equal(t, len(got), int(n))
			require.True(t, recordingtest.Near(c.Want, got, 0))
			require.Empty(t, codec.LaterDefects(s))
		}
	}
}
