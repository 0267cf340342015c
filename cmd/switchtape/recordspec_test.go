package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/audio"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// The flags of the timeline do what they say, to the samples of the recording.
func TestRecordTimeline(t *testing.T) {
	t.Parallel()
	agent, customer := sample(t)
	out := filepath.Join(t.TempDir(), "out.wav")
	said := pcm16(t, samplecall.Agent())
	record := func(args ...string) (r record.Result, samples []int16) {
		t.Helper()
		runJSON(t, &r, append([]string{"record", "--leg", "agent=" + agent, "--layout", "mono", "--force", "--out", out}, args...)...)
		return r, pcm16(t, readFile(t, out))
	}
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }

	r, heard := record("--pause", "10s-12s", "--pause", "11s-13s")
	assert.Equal(t, make([]int16, 24000), heard[80000:104000])
	assert.Len(t, heard, len(said))
	assert.EqualValues(t, 3000, r.Paused.Milliseconds())

	r, heard = record("--pause", "10s-12s", "--pause-mode", "cut")
	require.Len(t, heard, len(said)-16000)
	assert.Equal(t, said[96100:], heard[80100:])
	require.Len(t, r.Timeline, 2)
	assert.Equal(t, ms(12000), r.Timeline[1].CallFrom)
	assert.Equal(t, ms(10000), r.Timeline[1].At)

	_, heard = record("--redact", "10s-12s", "--redact-with", "tone")
	assert.EqualValues(t, 3277, heard[80002+8000])

	_, heard = record("--gain", "agent=-20")
	for i, x := range said[:80000] {
		require.InDelta(t, float64(x)/10, heard[i], 0.51)
	}

	quiet, _ := record("--level", "-30")
	loud, _ := record("--level=-20")
	assert.InDelta(t, 10, loud.Legs[0].GainDB-quiet.Legs[0].GainDB, 0.011)

	whole, _ := record("--trim=-100")
	trimmed, heard := record("--trim")
	short, _ := record("--trim=-20")
	assert.Less(t, trimmed.Duration, whole.Duration)
	assert.Less(t, short.Duration, trimmed.Duration)
	assert.Equal(t, said[audio.FramesIn(trimmed.Trimmed, 8000):][:len(heard)], heard)

	code, text, errs := run(t, "record", "--leg", "agent="+agent, "--leg", "customer="+customer+"@2s", "--level", "-23", "--trim", "--force", "--out", out)
	require.Zero(t, code, errs)
	for _, part := range []string{"levelled by", "gaps: 1, 2s", "of the call"} {
		assert.Contains(t, text, part)
	}
}

// A leg whose header lies is put right, and one whose clock drifts, if the
// length of the call is known.
func TestRecordClocks(t *testing.T) {
	t.Parallel()
	agent, _ := sample(t)
	dir := t.TempDir()
	out, slow := filepath.Join(dir, "out.wav"), filepath.Join(dir, "slow.wav")
	lying := bytes.Clone(samplecall.Agent())
	binary.LittleEndian.PutUint32(lying[24:], 4000)
	require.NoError(t, os.WriteFile(slow, lying, 0o600))
	const span = "49.338625s" // the sample's own length
	var r record.Result
	runJSON(t, &r, "record", "--leg", "agent="+slow, "--span", span, "--layout", "mono", "--force", "--out", out)
	require.Len(t, r.Defects, 2)
	assert.Equal(t, record.DefectWrongRateSuspected, r.Defects[0].Code)
	assert.Equal(t, record.DefectBeyondSpan, r.Defects[1].Code, "read at half its rate it is twice as long")
	runJSON(t, &r, "record", "--leg", "agent="+slow, "--span", span, "--correct-rate", "agent", "--layout", "mono", "--force", "--out", out)
	require.Len(t, r.Defects, 1)
	assert.Equal(t, record.DefectWrongRateCorrected, r.Defects[0].Code)
	assert.Equal(t, pcm16(t, samplecall.Agent()), pcm16(t, readFile(t, out)))

	runJSON(t, &r, "record", "--leg", "agent="+agent, "--span", "49.3s", "--legs-span-call", "--layout", "mono", "--force", "--out", out)
	require.Len(t, r.Defects, 1)
	assert.Equal(t, record.DefectDriftCorrected, r.Defects[0].Code)
	assert.InDelta(t, 783.5, r.Legs[0].DriftPPM, 0.1)
}

// A span that is too short loses nothing, unless it is to.
func TestRecordBeyondTheSpan(t *testing.T) {
	t.Parallel()
	agent, _ := sample(t)
	for name, c := range map[string]struct {
		args   []string
		length int64 // ms
		detail string
	}{
		"kept": {nil, 49339, "19.339s of the leg lie beyond the call's span of 30s, and are kept"},
		"cut":  {[]string{"--cut-to-span"}, 30000, "19.339s of the leg lie beyond the call's span of 30s, and were cut off, as the job says"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r record.Result
			runJSON(t, &r, append([]string{"record", "--leg", "agent=" + agent, "--span", "30s", "--out", filepath.Join(t.TempDir(), "out.wav")}, c.args...)...)
			require.Equal(t, c.length, r.Duration.Milliseconds())
			require.Equal(t, []record.Defect{{Code: record.DefectBeyondSpan, Leg: "agent", Count: 19339, Detail: c.detail}}, r.Defects)
		})
	}
}

// A leg that isn't there is likely one of nearly its name.
func TestRecordHintsAtTheLeg(t *testing.T) {
	t.Parallel()
	agent, _ := sample(t)
	code, _, errs := run(t, "record", "--leg", "agent="+filepath.Join(filepath.Dir(agent), "agnet.wav"), "--out", filepath.Join(t.TempDir(), "x.mp3"))
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, `did you mean "`+agent+`"?`)
	code, out, _ := run(t, "probe", agent+"e")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, `did you mean "`+agent+`"?`)
}
