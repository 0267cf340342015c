package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// TestJobsOfEveryKind: a service in one process records a call, and does jobs of every
// kind with the recording.
func TestJobsOfEveryKind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs", "c1")
	require.NoError(t, os.MkdirAll(legs, 0o750))
	_, _, err := samplecall.WriteLegs(legs)
	require.NoError(t, err)
	program := filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\nprintf '{\"said\": \"%s\", \"files\": %s}' \"$1\" \"$(ls | grep -c v)\"\n"), 0o700))
	p := serve(t, "--dir", dir, "--worker-command", "count="+program+" hello")
	spec := `{"call_id":"c1","recording_id":"c1","started_at":"2026-03-01T12:00:00Z","outputs":[{"codec":"wav","layout":"stereo"}],"legs":[
		{"name":"agent","segments":[{"uri":"c1/agent.wav"}]},{"name":"customer","segments":[{"uri":"c1/customer.wav"}]}]}`
	require.Equal(t, http.StatusAccepted, request(t, http.MethodPost, p.url+"/v1/recordings", spec, &struct{}{}))
	for kind, c := range map[string]struct{ payload, want string }{
		"verify":    {`{"recording": {"call_id": "c1"}}`, `"objects": 2,`},
		"transcode": {`{"recording": {"call_id": "c1"}, "outputs": [{"codec": "mp3", "layout": "mono"}]}`, `/c1~k.v1.mp3"`},
		"command":   {`{"command": "count", "recording": {"call_id": "c1"}}`, `"said": "hello"`},
	} {
		var one added
		runJSON(t, &one, "jobs", "add", kind, "--api", p.url, "--key", "k", "--payload", c.payload)
		require.True(t, one.Created)
		var job ledger.Job
		require.Eventually(t, func() bool {
			runJSON(t, &job, "jobs", "show", string(one.JobID), "--api", p.url)
			return job.State == ledger.Done || job.State == ledger.Quarantined
		}, time.Minute, 20*time.Millisecond)
		require.Equal(t, ledger.Done, job.State, job.LastError)
		compact := strings.NewReplacer(" ", "", "\n", "").Replace
		require.Contains(t, compact(string(job.Result)), compact(c.want))
		require.True(t, json.Valid(job.Result))
	}
	p.terminate(t)
}

// TestKindsOfAService: what a worker is to do is checked at its start.
func TestKindsOfAService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"an unknown kind": {[]string{"--worker-kinds", "record,wash"}, `"wash" is not one of command, data-export, delete-data-export, export, record, rewrap, transcode, verify`},
		"no program":      {[]string{"--worker-command", "count"}, "is not NAME=PROGRAM"},
		"no command":      {[]string{"--worker-kinds", "record,command"}, "there is no program for them"},
		"none there":      {[]string{"--worker-command", "count=/no/such/program"}, "count can't be run"},
		"none to run":     {[]string{"--worker-command", "count=/etc/passwd -x"}, "count can't be run"},
	} {
		code, _, errs := run(t, append([]string{"serve", "--dir", t.TempDir(), "--listen", "127.0.0.1:0"}, c.args...)...)
		require.Equal(t, 1, code, name)
		require.Contains(t, errs, c.says, name)
	}
}
