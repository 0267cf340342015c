package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	goaudio "github.com/go-audio/audio"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

// TestConsoleOpens: the page of a long recording opens with a waveform of a bounded size and
// the first bytes of the audio, and a seek to its end fetches little more. What it took is
// logged. SWITCHTAPE_LONG_TESTS has one of four hours, else there are twenty minutes.
func TestConsoleOpens(t *testing.T) {
	t.Parallel()
	needBrowser(t)
	const key, rate = "operator", 8000
	minutes := 20
	if os.Getenv("SWITCHTAPE_LONG_TESTS") == "1" {
		minutes = 240
	}
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "legs"), 0o750))
	for i, name := range []string{"agent.wav", "customer.wav"} {
		f, err := os.Create(filepath.Join(dir, "legs", name))
		require.NoError(t, err)
		e, err := recording.BuiltinCodecs().NewEncoder(record.CodecWAV, f, &goaudio.Format{NumChannels: 1, SampleRate: rate}, codec.Options{Frames: int64(minutes) * 60 * rate})
		require.NoError(t, err)
		minute := recordingtest.Sine(60*rate, rate, []float64{437.5, 1062.5}[i], 0.25, 0)
		for range minutes {
			require.NoError(t, e.WriteFrames(minute))
		}
		require.NoError(t, e.Finish())
		require.NoError(t, f.Close())
	}
	p := serve(t, "--dir", dir, "--keys", consoleKeys(t, key), "--rules", "demo-rules.yaml")
	var call calls.Call
	status, body := p.as(t, key, http.MethodPost, "/v1/calls", `{"from":"+442079460103","to":"+12025550143","recording":{"enabled":true}}`, &call)
	require.Equal(t, http.StatusCreated, status, body)
	for _, ev := range []string{`{"id":"1","type":"answered"}`, `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`} {
		status, body := p.as(t, key, http.MethodPost, "/v1/calls/"+string(call.ID)+"/events", ev, nil)
		require.Equal(t, http.StatusOK, status, body)
	}
	p.recorded(t, key, call.ID)
	inBrowser(t, "opens.cjs", map[string]any{"url": p.url, "key": key, "call": "/calls/" + string(call.ID), "seconds": minutes * 60})
	p.terminate(t)
}
