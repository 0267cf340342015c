package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// Legs without a header are read by what their names or the flags say, in record and in
// probe, and what was assumed is told.
func TestRawLegs(t *testing.T) {
	t.Parallel()
	sox, ffmpeg := recordingtest.Tool(t, "sox", "sox"), recordingtest.Tool(t, "ffmpeg", "ffmpeg")
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.WriteFile(at("agent.wav"), samplecall.Agent(), 0o600))
	for name, args := range map[string][]string{
		"a.ulaw":  {sox, at("agent.wav"), "-t", "ul", at("a.ulaw")},
		"a.alaw":  {sox, at("agent.wav"), "-t", "al", at("a.alaw")},
		"a.sln":   {sox, at("agent.wav"), "-t", "raw", at("a.sln")},
		"a.sln16": {sox, at("agent.wav"), "-r", "16000", "-t", "raw", at("a.sln16")},
		"a.gsm":   {sox, at("agent.wav"), at("a.gsm")},
		"a.g722":  {ffmpeg, "-v", "error", "-i", at("agent.wav"), "-ar", "16000", at("a.g722")},
		"a.g726":  {ffmpeg, "-v", "error", "-i", at("agent.wav"), "-c:a", "g726le", "-f", "g726le", at("a.g726")},
		"a.vox":   {sox, at("agent.wav"), at("a.vox")},
		"a.au":    {sox, at("agent.wav"), at("a.au")},
		"x.raw":   {sox, "-M", at("agent.wav"), at("agent.wav"), "-r", "16000", "-t", "raw", at("x.raw")},
	} {
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		require.NoError(t, err, "%s: %s", name, out)
	}
	for _, c := range []struct {
		leg      string
		rate     int
		assumed  bool
		says     string
		channels int
	}{
		{"a.ulaw", 8000, true, "µ-law", 1},
		{"a.alaw", 8000, true, "A-law", 1},
		{"a.sln", 8000, true, "PCM of 16 bits", 1},
		{"a.sln16", 16000, true, "PCM of 16 bits", 1},
		{"a.sln;rate=16000", 16000, false, "PCM of 16 bits", 1},
		{"a.gsm", 8000, true, "GSM 6.10", 1},
		{"a.g722", 16000, true, "G.722", 1},
		{"a.g726", 8000, true, "G.726 of 32 kbit/s", 1},
		{"a.vox", 8000, true, "ADPCM (Dialogic's)", 1},
		{"a.au", 8000, false, "AU, PCM of 16 bits", 1},
		{"x.raw;encoding=s16le;rate=16000;channels=2", 16000, false, "PCM of 16 bits", 2},
	} {
		t.Run(c.leg, func(t *testing.T) {
			t.Parallel()
			var probe struct {
				Files []probed `json:"files"`
			}
			runJSON(t, &probe, "probe", at(c.leg))
			require.Contains(t, probe.Files[0].Format, c.says)
			require.Equal(t, c.rate, probe.Files[0].Rate)
			require.Equal(t, c.channels, probe.Files[0].Channels)
			require.Equal(t, c.assumed, hasDefect(probe.Files[0].Defects, record.DefectFormatAssumed))

			var r record.Result
			runJSON(t, &r, "record", "--leg", "a="+at(c.leg), "--leg", "b="+at("agent.wav")+"@0s", "--no-manifest",
				"--out", filepath.Join(t.TempDir(), "out.wav"))
			require.Equal(t, c.rate, r.Legs[0].Rate)
			require.InDelta(t, samplecall.AgentFrames/8000.0, float64(r.Legs[0].Frames)/float64(c.rate), 25, "the leg's length")
			require.Equal(t, c.assumed, hasDefect(r.Defects, record.DefectFormatAssumed))
			require.False(t, hasDefect(r.Defects, record.DefectUnreadableLeg))
		})
	}
	code, text, _ := run(t, "probe", at("x.raw"), "--encoding", "s16le", "--rate", "16000", "--channels", "2")
	require.Zero(t, code)
	require.Contains(t, text, "16000 Hz, 2 channels")
}

func hasDefect(list []record.Defect, code record.DefectCode) bool {
	for _, d := range list {
		if d.Code == code {
			return true
		}
	}
	return false
}

// A leg that nothing tells of is an error that says what to give, and nothing is written.
func TestUnknownLegIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	agent, raw, out := filepath.Join(dir, "agent.wav"), filepath.Join(dir, "x.raw"), filepath.Join(dir, "out.wav")
	require.NoError(t, os.WriteFile(agent, samplecall.Agent(), 0o600))
	require.NoError(t, os.WriteFile(raw, []byte(strings.Repeat("\xFF\x80\x91", 4000)), 0o600))
	code, _, text := run(t, "record", "--leg", "a="+agent, "--leg", "b="+raw, "--out", out)
	require.Equal(t, 1, code)
	for _, part := range []string{"unreadable_leg: leg b", "s16le, mulaw, alaw", "a=x.raw;encoding=mulaw;rate=8000;channels=1", "--allow-missing"} {
		assert.Contains(t, text, part)
	}
	assert.NoFileExists(t, out)
	code, text, _ = run(t, "probe", raw)
	require.Equal(t, 1, code)
	assert.Contains(t, text, "x.raw;encoding=mulaw;rate=8000;channels=1'")

	code, _, text = run(t, "record", "--leg", "a="+agent, "--leg", "b="+raw, "--out", out, "--allow-missing")
	require.Zero(t, code, text)

	for leg, says := range map[string]string{
		"a=x.raw;rate=8000":                     "say the encoding, too: one of s16le",
		"a=x.raw;encoding=opus":                 `no encoding "opus"; give one of`,
		"a=x.raw;encoding=s16le;rate=fast":      "rate=fast is no number",
		"a=x.raw;encoding=s16le;encoding=s16be": "encoding is given twice",
		"a=x.raw;encoding=s16le;channels=0":     "channels=0 is no number of 1 or more",
		"a=x.ulaw;rate=0":                       "rate=0 is no number of 1 or more",
		"=x.raw;encoding=s16le":                 "NAME=URL",
		"a=x.raw@3;encoding=s16le":              "@3 has no unit",
	} {
		code, _, text := run(t, "record", "--leg", leg, "--out", out, "--force")
		assert.Equal(t, 2, code, leg)
		assert.Contains(t, text, says, leg)
	}
}

// A semicolon may be part of a file's name.
func TestSplitRaw(t *testing.T) {
	t.Parallel()
	for arg, want := range map[string]string{
		"a.wav": "a.wav", "a;b.wav": "a;b.wav", "a;b=c.wav": "a;b=c.wav", "a;b.raw;rate=8000;encoding=alaw": "a;b.raw",
	} {
		file, _ := splitRaw(arg)
		require.Equal(t, want, file)
	}
	_, seg, err := parseLeg("a=x@y.sln@2s;rate=16000;channels=2")
	require.NoError(t, err)
	require.Equal(t, "x@y.sln", seg.URI)
	require.Equal(t, "2s", seg.Offset.String())
	require.Equal(t, record.RawFormat{Encoding: "s16le", SampleRateHz: 16000, Channels: 2}, *seg.Raw)
}
