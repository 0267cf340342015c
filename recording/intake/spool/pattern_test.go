package spool_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/recording/intake/spool"
)

// What the files of telephone servers are named, and what that tells.
func TestNames(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		require.NoError(t, err)
		return v
	}
	for _, c := range []struct {
		naming, path string
		want         spool.Name // of which those of the fields below are compared
	}{
		{"asterisk", "1743042317.12206-in.wav", spool.Name{Call: "1743042317.12206", Leg: "in", Ext: "wav"}},
		{"asterisk", "1743042317.12206-OUT.WAV", spool.Name{Call: "1743042317.12206", Leg: "out", Ext: "wav"}},
		{"asterisk", "2026/11/29/force-0821-3201-20250327-092517-1743042317.12206-in.wav49", spool.Name{Call: "force-0821-3201-20250327-092517-1743042317.12206", Leg: "in", Ext: "wav49"}},
		{"asterisk", "Müller & Söhne/*97 5-in-out.gsm", spool.Name{Call: "*97 5-in", Leg: "out", Ext: "gsm"}},
		{"asterisk", "call 7-r.ulaw", spool.Name{Call: "call 7", Leg: "r", Ext: "ulaw"}},
		{"asterisk", "call 7-t.ulaw", spool.Name{Call: "call 7", Leg: "t", Ext: "ulaw"}},
		{"asterisk", "c-rx.sln16", spool.Name{Call: "c", Leg: "rx", Ext: "sln16"}},
		{"freeswitch", "4f1d3c2e-0001-4000-8000-00000000000a.wav", spool.Name{Call: "4f1d3c2e-0001-4000-8000-00000000000a", Leg: "call", Ext: "wav"}},
		{"freeswitch", "x/4f1d3c2e-0001-4000-8000-00000000000a-read.wav", spool.Name{Call: "4f1d3c2e-0001-4000-8000-00000000000a", Leg: "read", Ext: "wav"}},
		{"freeswitch", "4f1d_write.mp3", spool.Name{Call: "4f1d", Leg: "write", Ext: "mp3"}},
		{"fusionpbx", "pbx.example.com/archive/2026/Nov/09/4f1d3c2e.wav", spool.Name{
			Call: "4f1d3c2e", Leg: "call", Tenant: "pbx.example.com", Ext: "wav", Start: at("2026-11-08T23:00:00Z"),
		}},
		{"rtpengine", "3c26700857a8%4010.13.1.5-0f12a9b8c7d6e5f4-8f3a01bc.wav", spool.Name{Call: "3c26700857a8@10.13.1.5", Leg: "8f3a01bc", Ext: "wav"}},
		{"rtpengine", "%25-0f12a9b8c7d6e5f4-8f3a01bc.wav", spool.Name{Call: "%", Leg: "8f3a01bc", Ext: "wav"}},
		{"rtpengine", "3c26700857a87f84@10.13.1.5-8f3A01.wav", spool.Name{Call: "3c26700857a87f84@10.13.1.5", Leg: "8f3A01", Ext: "wav"}},
		{"vicidial", "20261129-141500_5125551212_6666-in.wav", spool.Name{
			Call: "20261129-141500_5125551212_6666", Leg: "in", Ext: "wav", Start: at("2026-11-29T13:15:00Z"),
		}},
		{"{time:2006-01-02-15-04-05}_{call}_{leg}.wav", "2026-07-01-10-00-00_55_agent.wav", spool.Name{Call: "55", Leg: "agent", Start: at("2026-07-01T08:00:00Z")}},
		{"{call}.{leg}.{segment}.{legtime:20060102150405}.wav", "55.agent.2.20260701100010.wav", spool.Name{
			Call: "55", Leg: "agent", Segment: 2, Begin: at("2026-07-01T08:00:10Z"),
		}},
		{"{time:unix}.{call}.wav", "1743042317.5.wav", spool.Name{Call: "5", Leg: "call", Start: at("2025-03-27T02:25:17Z")}},
		{"{call}{any}.wav", "a.wav", spool.Name{Call: "a", Leg: "call"}},
		{"rec.[{call}].wav", "rec.[5].wav", spool.Name{Call: "5", Leg: "call"}},
	} {
		patterns, err := spool.Patterns(c.naming)
		require.NoError(t, err, c.naming)
		got, fits := match(t, patterns, c.path)
		if !assert.True(t, fits, "%s: %s", c.naming, c.path) {
			continue
		}
		got = spool.Name{Call: got.Call, Leg: got.Leg, Segment: got.Segment, Tenant: got.Tenant, Start: got.Start, Begin: got.Begin, Ext: got.Ext}
		assert.Equal(t, c.want, got, "%s: %s", c.naming, c.path)
	}
	for _, c := range [][2]string{
		{"asterisk", "1743042317.12206.wav"}, // the mixed file is no leg
		{"asterisk", "a-in.wav.tmp"},
		{"asterisk", "a-in.txt"},
		{"asterisk", "-in.wav"},
		{"rtpengine", "3c26-mix.wav"},
		{"rtpengine", "3c26-0f12a9b8c7d6e5f4-mix.wav"},
		{"rtpengine", "3c26%4-0f12a9b8c7d6e5f4-8f3a01bc.wav"}, // half a code
		{"vicidial", "20261329-141500_5125551212-in.wav"},     // there is no month 13
		{"vicidial", "5125551212-in.wav"},
		{"fusionpbx", "pbx.example.com/archive/2026/November/09/x.wav"},
		{"rec.[{call}].wav", "rec.5.wav"},
		{"{call}.wav", "a/b.wav"},
	} {
		patterns, err := spool.Patterns(c[0])
		require.NoError(t, err)
		_, fits := match(t, patterns, c[1])
		assert.False(t, fits, "%s: %s", c[0], c[1])
	}
}

func match(t *testing.T, patterns []spool.Pattern, path string) (spool.Name, bool) {
	t.Helper()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for i := range patterns {
		if n, ok := patterns[i].Match(path, berlin); ok {
			return n, true
		}
	}
	return spool.Name{}, false
}

func TestFaultyPatterns(t *testing.T) {
	t.Parallel()
	for text, part := range map[string]string{
		"asterix":                       "not one of asterisk, freeswitch, fusionpbx, rtpengine, vicidial",
		"{leg}.wav":                     "must have {call} once",
		"{call}-{call}.wav":             "must have {call} once",
		"{call}-{leg.wav":               "has no }",
		"{call}-{side}.wav":             "{side} is unknown",
		"{call}-{leg:in|in}.wav":        "once each",
		"{call}-{leg:}.wav":             "once each",
		"{call}-{leg}-{ssrc}.wav":       "more than one {leg} or {ssrc}",
		"{call}-{ext:wav}":              "takes nothing behind a colon",
		"{call}-{time}.wav":             "must have a layout",
		"{call:name}.wav":               "must have a layout",
		"{call}-{tag}{tag}.wav":         "{tag} more than once",
		"{call}-{time:2006-3}.wav":      "which no name can have",
		"{call}-{leg}-{segment}.wav":    "nothing says where on the call",
		"{tenant}/{tenant}/{call}.wav":  "{tenant} more than once",
		"{call}-{legtime:15}{any}{x}.w": "{x} is unknown",
	} {
		_, err := spool.Patterns(text)
		assert.ErrorContains(t, err, part, text)
	}
}

// The ids of recordings are made of the presets' patterns: a changed one would have every
// call of a tree recorded once more.
func TestPresetsStayAsTheyAre(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"asterisk":   "{dirs}{call}-{leg:in|out}.{ext} {dirs}{call}-{leg:r|t}.{ext} {dirs}{call}-{leg:rx|tx}.{ext}",
		"freeswitch": "{dirs}{call}-{leg:read|write}.{ext} {dirs}{call}_{leg:read|write}.{ext} {dirs}{call}.{ext}",
		"fusionpbx":  "{tenant}/archive/{time:2006}/{time:Jan}/{time:02}/{call}.{ext}",
		"rtpengine":  "{dirs}{call:uri}-{tag}-{ssrc}.{ext} {dirs}{call:uri}-{ssrc}.{ext}",
		"vicidial":   "{dirs}{call:20060102-150405}-{leg:in|out}.{ext}",
	}
	require.Len(t, spool.Presets(), len(want))
	for name, text := range want {
		patterns, err := spool.Patterns(name)
		require.NoError(t, err)
		var texts []string
		for i := range patterns {
			texts = append(texts, patterns[i].String())
		}
		assert.Equal(t, text, strings.Join(texts, " "), name)
	}
}

// No name and no pattern brings the reader down, and what a pattern takes it takes whole.
func FuzzPattern(f *testing.F) {
	f.Add("{dirs}{call}-{leg:in|out}.{ext}", "a/b-in.wav")
	f.Add("{tenant}/{time:2006}/{call:unix}.{ssrc}", "acme/2026/1743042317-x.ff")
	f.Add("{call}{segment}{legtime:January}", "a1May")
	f.Fuzz(func(t *testing.T, text, path string) {
		if len(text) > 200 || len(path) > 1000 {
			return
		}
		p, err := spool.ParsePattern(text)
		if err != nil {
			return
		}
		n, ok := p.Match(path, time.UTC)
		if ok && (n.Call == "" || n.Leg == "" || !strings.Contains(path, n.Call)) {
			t.Errorf("%q of %q is %+v", text, path, n)
		}
	})
}
