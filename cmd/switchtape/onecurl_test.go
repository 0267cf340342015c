package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// The call's id and the legs are all that a recording needs: what is made of it is said
// by the call, else by its tenant, else by the platform.
func TestOneCurlIsEnough(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, "--dir", dir, "--rules", rulesFile(t, string(demoRules)), "--region", "GB", "--record-codec", "wav")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "legs", "agent.wav"), samplecall.Agent(), 0o600))
	record1 := func(call, recording string) record.Spec {
		if recording != "" {
			recording = `"recording_id":"` + recording + `",`
		}
		var done struct {
			JobID callmodel.JobID `json:"job_id"`
		}
		code := request(t, http.MethodPost, p.url+"/v1/recordings", `{"call_id":"`+call+`",`+recording+`"legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]}]}`, &done)
		require.Equal(t, http.StatusAccepted, code, p.log)
		var job ledger.Job
		require.Eventually(t, func() bool {
			request(t, http.MethodGet, p.url+"/v1/recordings/jobs/"+string(done.JobID), "", &job)
			return job.State == ledger.Done
		}, 30*time.Second, 5*time.Millisecond)
		spec, err := record.SpecOf(&job)
		require.NoError(t, err)
		r, err := record.ResultOf(&job)
		require.NoError(t, err)
		assert.Equal(t, record.StatusCompleted, r.Status)
		return spec
	}
	spec := record1("somebody-elses", "")
	assert.Equal(t, callmodel.RecordingID("somebody-elses"), spec.RecordingID)
	assert.Equal(t, []record.OutputSpec{
		{Codec: record.CodecWAV, Layout: record.LayoutStereo}, {Codec: record.CodecPeaksDAT, Layout: record.LayoutStereo},
	}, spec.Outputs, "the platform's")
	assert.WithinDuration(t, time.Now(), spec.StartedAt, time.Minute)

	var call calls.Call
	require.Equal(t, http.StatusCreated, request(t, http.MethodPost, p.url+"/v1/calls",
		`{"from":"020 7946 0123","to":"+12025550143","recording":{"enabled":true,"outputs":[{"codec":"flac","layout":"mono"}]}}`, &call))
	spec = record1(string(call.ID), "of-the-call")
	assert.Equal(t, record.CodecFLAC, spec.Outputs[0].Codec, "the call's")
	assert.True(t, call.CreatedAt.Equal(spec.StartedAt), "%s %s", call.CreatedAt, spec.StartedAt)

	var tenant map[string]any
	require.Less(t, request(t, http.MethodPut, p.url+"/v1/tenants/default",
		`{"defaults":{"recording":{"enabled":true,"outputs":[{"codec":"mp3","layout":"mono"}]}}}`, &tenant), 300)
	n := 0
	require.Eventually(t, func() bool {
		n++
		return record1("another", "r"+string(rune('a'+n%26))+string(rune('a'+n/26))).Outputs[0].Codec == record.CodecMP3
	}, 30*time.Second, 10*time.Millisecond, "the tenant's, once the process knows of it")
	p.terminate(t)
}
