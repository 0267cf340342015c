package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/intake/spool"
)

// How the files of a tree are named is learned from the names.
func TestLearn(t *testing.T) {
	t.Parallel()
	pairs := func(form string, legs ...string) []string {
		var names []string
		for i := range 20 {
			for _, leg := range legs {
				names = append(names, fmt.Sprintf(form, i, leg))
			}
		}
		return names
	}
	for _, c := range []struct {
		want  string
		names []string
	}{
		{"asterisk", pairs("2026/11/174304%d.12-%s.wav", "in", "out")},
		{"asterisk", append(pairs("%d-%s.WAV", "r", "t"), "readme.wav", "1.wav", "2.wav")},
		{"vicidial", pairs("20261129-1415%02d_5125551212_6666-%s.wav", "in", "out")},
		{"fusionpbx", pairs("a.example/archive/2026/Nov/29/%d%s.wav", "x")},
		{"rtpengine", pairs("%d@10.0.0.1-%s.wav", "8f3a01", "7b2200")},
		{"rtpengine", pairs("%d%%4010.0.0.1-0f12a9b8c7d6e5f4-%s.wav", "8f3a01bc", "7b2200ff")},
		{"freeswitch", pairs("4f1d3c2e-%04d-4000-8000-00000000000a%s.wav", "")},
		{"freeswitch", pairs("%d_%s.wav", "read", "write")},
		{"{dirs}{call}_{leg:agent|kunde}.{ext}", pairs("x y/Gespräch %d_%s.wav", "kunde", "agent")},
		{"{dirs}{leg:rx|tx}.{call}.{ext}", func() (names []string) {
			for i := range 20 {
				names = append(names, fmt.Sprintf("rx.%d.gsm", i), fmt.Sprintf("tx.%d.gsm", i))
			}
			return names
		}()},
		{"{dirs}{leg:inbound|outbound}/{call}.{ext}", func() (names []string) {
			for i := range 20 {
				names = append(names, fmt.Sprintf("s/inbound/%d.wav", i), fmt.Sprintf("s/outbound/%d.wav", i))
			}
			return names
		}()},
		{"", []string{"a.txt", "b"}},
	} {
		assert.Equal(t, c.want, spool.Learn(c.names, time.UTC), "%q", c.names[0])
	}
}

// Files of different calls are never learned to be one: numbers, dates, counters, people
// and directories are no legs, and where it is in doubt somebody is asked.
func TestLearnNeverMixesCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		names string
		among []string // of the candidates, where it is in doubt
	}{
		{want: "freeswitch", names: "20261128-101500.wav 20261128-113000.wav 20261129-101500.wav 20261129-113000.wav"},
		{want: "freeswitch", names: "sip-call-1.wav sip-call-2.wav sip-call-3.wav sip-call-4.wav"},
		{want: "freeswitch", names: "rec_0001.wav rec_0002.wav rec_0003.wav rec_0004.wav"},
		{want: "freeswitch", names: "1700000000.1-2001-2002.wav 1700000000.2-2001-2002.wav 1700000060.3-2001-2002.wav 1700000060.4-2003-2001.wav"},
		{want: "freeswitch", names: "2001-8f3a01bc.wav 2001-07be22aa.wav 2002-1122aabb.wav 2003-99eebb01.wav 2004-aa00bb11.wav"},
		{want: "freeswitch", names: "2026/11/28/1.wav 2026/11/28/2.wav 2026/11/29/1.wav 2026/11/29/2.wav"},
		{want: "rtpengine", names: "x@1-8f3a01bc.wav x@1-07be22aa.wav y@1-1122aabb.wav y@1-99887766.wav"},
		{want: "{dirs}{call}/{leg:agent|customer}.{ext}", names: "c1/agent.wav c1/customer.wav c2/agent.wav c2/customer.wav"},
		{want: "{dirs}{call}-{leg:left|right}.{ext}", names: "a1-left.wav a1-right.wav b1-left.wav b1-right.wav"},
		{want: "{dirs}{call}_{leg:leg1|leg2}.{ext}", names: "7_leg1.wav 7_leg2.wav 8_leg1.wav 8_leg2.wav"},
		{want: "freeswitch", names: "c1.wav c1.wav.manifest.json c2.wav c2.wav.manifest.json"},
		{want: "asterisk", names: "1-in.wav 1-out.wav 2-in.wav 2-out.wav 3-in.wav"},
		{want: "fusionpbx", names: "a.example/archive/2026/Nov/28/x.wav a.example/archive/2026/Nov/29/y.wav readme.wav"},
		{names: "anna/call1.wav bob/call1.wav anna/call2.wav bob/call2.wav", among: []string{"{dirs}{leg:anna|bob}/{call}.{ext}", "freeswitch"}},
		{names: "c1/anna.wav c1/bob.wav c2/anna.wav c2/bob.wav", among: []string{"{dirs}{call}/{leg:anna|bob}.{ext}", "{dirs}{leg:c1|c2}/{call}.{ext}"}},
		{names: "a-left.wav a-right.wav b-left.wav b-right.wav", among: []string{"{dirs}{call}-{leg:left|right}.{ext}", "{dirs}{leg:a|b}-{call}.{ext}"}},
	} {
		names := strings.Fields(c.names)
		assert.Equal(t, c.want, spool.Learn(names, time.UTC), c.names)
		assert.Subset(t, spool.Candidates(names, time.UTC), c.among, c.names)
		if c.want != "" {
			assert.Empty(t, spool.Candidates(names, time.UTC), c.names)
		}
	}
	s := newScene(t, "asterisk")
	s.o.Patterns = nil
	s.put(t, "x", "anna/call1.wav", "bob/call1.wav", "notes.txt")
	got, err := spool.SurveyDir(t.Context(), s.dir, &s.o, nil)
	require.NoError(t, err)
	assert.Empty(t, got.Calls)
	assert.Contains(t, got.Candidates, "{dirs}{leg:anna|bob}/{call}.{ext}")
	require.Len(t, got.LeftOut, 3)
	assert.Contains(t, got.LeftOut[0].Reason, "in doubt")
}

// Every file is in a call or left out with a reason.
func TestSurvey(t *testing.T) {
	t.Parallel()
	s := newScene(t, "asterisk")
	s.o.Patterns, s.o.Below = nil, "old"
	s.put(t, "60", "a-in.wav", "a-out.wav", "x/b-in.wav", "x/b-out.wav", "c-in.wav", "d-in.wav", "d-out.wav", "e-in.wav", "e-out.wav", "e-in.WAV", "f-in.wav", "f-out.wav")
	s.put(t, "", "f-out.wav")
	s.put(t, "no audio", "g-in.wav")
	s.put(t, "60", "mixed.wav", "notes.txt", ".hidden/x-in.wav")
	s.put(t, `{"call_id":"from-json"}`, "a.json")
	require.NoError(t, os.Symlink("a-in.wav", filepath.Join(s.dir, "h-in.wav")))
	require.NoError(t, os.Chtimes(filepath.Join(s.dir, "d-in.wav"), time.Time{}, time.Now().Add(-24*time.Hour)))
	audio := func(_ context.Context, f *os.File, _ *record.RawFormat) (time.Duration, error) {
		b, err := io.ReadAll(f)
		if string(b) != "60" {
			return 0, errors.Join(err, errors.New("it is a text"))
		}
		return time.Minute, err
	}
	got, err := spool.SurveyDir(t.Context(), s.dir, &s.o, audio)
	require.NoError(t, err)
	assert.Equal(t, "asterisk", got.Naming)
	calls := map[string][]string{}
	for _, c := range got.Calls {
		calls[string(c.Spec.CallID)] = legsOf(c.Spec)
		assert.Equal(t, string(c.Spec.RecordingID), c.Job.Key)
	}
	assert.Equal(t, map[string][]string{
		"from-json": {"in=old/a-in.wav", "out=old/a-out.wav"}, "b": {"in=old/x/b-in.wav", "out=old/x/b-out.wav"},
		"c": {"in=old/c-in.wav"}, "f": {"in=old/f-in.wav"},
	}, calls, "what isn't there isn't foretold")
	reasons := map[string]string{}
	for _, l := range got.LeftOut {
		reasons[l.File] = l.Reason
	}
	assert.Len(t, reasons, 11)
	for file, part := range map[string]string{
		"a.json": "not audio", "d-in.wav": "apart", "d-out.wav": "apart", "e-in.wav": "same leg", "e-in.WAV": "same leg", "e-out.wav": "same leg",
		"f-out.wav": "empty", "g-in.wav": "not audio: it is a text", "mixed.wav": "fits no pattern", "notes.txt": "not audio by its name", "h-in.wav": "a link",
	} {
		assert.Contains(t, reasons[file], part, file)
	}
	s.o.Patterns, err = spool.Patterns("asterisk")
	require.NoError(t, err)
	sp := s.open(t)
	s.after(t, sp, 0)
	s.after(t, sp, time.Minute)
	adopted := map[string]bool{}
	for _, c := range got.Calls {
		adopted[c.Job.Key] = true
	}
	handed := 0
	for _, spec := range s.specs(t) {
		if adopted[string(spec.RecordingID)] {
			handed++
		}
	}
	assert.Equal(t, len(adopted), handed, "a spool makes the same recordings of them")
}
