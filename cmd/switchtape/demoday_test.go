package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// The demonstration leaves a call of each fate behind.
func TestDemosDay(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	var out demoOutput
	runJSON(t, &out, "demo", "--dir", dir)
	t.Logf("all of it took %d ms, the call's URL %.0f ms after hang-up", out.ElapsedMS, out.HangupToURL)
	db, err := service.OpenDB(t.Context(), service.DBOptions{DB: service.SQLiteURL(dir)}, false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })

	fates := map[string]*calls.Call{}
	require.Len(t, out.Day, len(day()))
	for i, of := range day() {
		e := out.Day[i]
		assert.Equal(t, of.fate, e.Fate)
		assert.Equal(t, of.want, e.Recording, of.fate)
		c, err := db.Call(t.Context(), service.DefaultTenant, e.CallID)
		require.NoError(t, err)
		assert.Equal(t, e.State, c.State)
		require.NotContains(t, fates, of.fate, "no two end alike")
		fates[of.fate] = &c
		if r := c.Recordings; len(r) > 0 && r[0].Status == record.StatusCompleted {
			assert.Equal(t, of.length, r[0].Duration, of.fate)
			assert.Equal(t, record.CodecPeaksDAT, r[0].Outputs[1].Codec, of.fate)
		}
	}
	state := func(fate string) calls.State { return fates[fate].State }
	recorded := func(fate string) *calls.Recording {
		require.Len(t, fates[fate].Recordings, 1, fate)
		return &fates[fate].Recordings[0]
	}

	assert.Equal(t, calls.Failed, state("busy"))
	assert.Equal(t, 17, fates["busy"].Cause.Q850)
	assert.Equal(t, calls.Rejected, state("barred by a rule"))
	assert.Equal(t, 403, fates["barred by a rule"].Cause.SIP)
	assert.Equal(t, calls.Answered, state("goes on"))
	assert.Equal(t, calls.Ended, state("not recorded"))
	assert.Nil(t, fates["not recorded"].Recording)
	assert.Equal(t, 1, fates["the first trunk was down"].Attempt)
	assert.True(t, fates["an emergency"].Emergency)
	assert.Equal(t, 1, recorded("in mono, with consent").Outputs[0].Channels)
	assert.Equal(t, 2, recorded("in stereo").Outputs[0].Channels)
	assert.Equal(t, retention.ConsentGiven, recorded("in mono, with consent").Consent)
	assert.Equal(t, retention.ConsentDenied, recorded("consent denied").Consent)
	assert.Equal(t, record.ReasonNoMedia, recorded("its legs never came").Reason)
	defects := map[record.DefectCode]string{}
	for _, f := range recorded("a leg with a gap, one cut short").Defects {
		defects[f.Code] = f.Leg
	}
	assert.Equal(t, map[record.DefectCode]string{record.DefectGapSuspected: "agent", record.DefectTruncated: "customer"}, defects)

	job, err := db.Job(t.Context(), recorded("paused while a card is read out").JobID)
	require.NoError(t, err)
	spec, err := record.SpecOf(&job)
	require.NoError(t, err)
	assert.Equal(t, []record.Pause{{From: 6 * time.Second, To: 11 * time.Second}}, spec.Pauses)

	gone, err := db.Erasures(t.Context(), service.DefaultTenant, recorded("redacted afterwards").RecordingID)
	require.NoError(t, err)
	require.Len(t, gone, 1, "what it was before is deleted")
	assert.Equal(t, "the customer read out a card number", gone[0].Reason)
	assert.False(t, gone[0].DoneAt.IsZero())

	holds, err := db.Holds(t.Context(), retention.HoldFilter{TenantID: service.DefaultTenant, Limit: 10})
	require.NoError(t, err)
	require.Len(t, holds, 1)
	assert.Equal(t, fates["under a legal hold"].ID, callmodel.CallID(holds[0].Subject))
}

// A part of the sample call is a file of its own, of whole frames, which ends where the
// sample does.
func TestCutWAV(t *testing.T) {
	t.Parallel()
	whole := pcm16(t, samplecall.Agent())
	for name, c := range map[string]struct {
		from, length time.Duration
		want         []int16
	}{
		"the beginning": {0, time.Second, whole[:8000]},
		"the middle":    {2500 * time.Microsecond, time.Millisecond, whole[20:28]},
		"the end":       {49 * time.Second, 5 * time.Second, whole[49*8000:]},
	} {
		cut := cutWAV(samplecall.Agent(), c.from, c.length)
		assert.Equal(t, c.want, pcm16(t, cut), name)
		assert.Equal(t, len(cut)-8, int(cut[4])|int(cut[5])<<8|int(cut[6])<<16, name)
		assert.Equal(t, len(cut)-44, int(cut[40])|int(cut[41])<<8|int(cut[42])<<16, name)
	}
}
