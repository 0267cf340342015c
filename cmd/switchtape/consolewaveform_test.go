package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
)

// mark is one of those that come with a waveform.
type mark struct {
	From, To float64
	Kind     string
}

// A recording that was made without a waveform, or wasn't analysed, is drawn and measured
// when somebody asks for it on its page. With the waveform comes where nobody talks, and
// where both do.
func TestConsoleDraws(t *testing.T) {
	t.Parallel()
	t.Run("neither", func(t *testing.T) {
		t.Parallel()
		page, button := drawn(t, "--no-record-peaks")
		assert.Contains(t, page, `data-peaks=""`)
		assert.Contains(t, button, "Draw its waveform, and measure")
	})
	t.Run("not analysed", func(t *testing.T) {
		t.Parallel()
		page, button := drawn(t)
		assert.NotContains(t, page, `data-peaks=""`)
		assert.Contains(t, button, "Measure who talks when")
	})
	t.Run("not drawn", func(t *testing.T) {
		t.Parallel()
		page, button := drawn(t, "--no-record-peaks", "--record-analysis")
		assert.Contains(t, page, "Who talked")
		assert.Contains(t, button, "Draw its waveform<")
	})
}

// drawn has a recording of a service with the flags made, drawn and measured, and returns its
// page as it was before, and the button.
func drawn(t *testing.T, flags ...string) (before, button string) {
	t.Helper()
	dir := t.TempDir()
	p := serve(t, append([]string{"--dir", dir, "--rules", "demo-rules.yaml"}, flags...)...)
	_, _, err := samplecall.WriteLegs(filepath.Join(dir, "legs"))
	require.NoError(t, err)
	var call calls.Call
	require.Equal(t, http.StatusCreated, request(t, http.MethodPost, p.url+"/v1/calls", `{"from":"+442079460103","to":"+12025550143","recording":{"enabled":true}}`, &call))
	for _, ev := range []string{`{"id":"1","type":"answered"}`, `{"id":"2","type":"ended","legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]}`} {
		require.Equal(t, http.StatusOK, request(t, http.MethodPost, p.url+"/v1/calls/"+string(call.ID)+"/events", ev, &call))
	}
	browse := pages(t, p)
	at := "/calls/" + string(call.ID)
	page := ""
	require.Eventually(t, func() bool {
		page = browse(http.MethodGet, at, nil)
		return strings.Contains(page, "/waveform\"")
	}, 20*time.Second, 50*time.Millisecond, "%s", p.log)
	before = page
	action := regexp.MustCompile(`action="(/calls/[^"]+/waveform)"><button>(.*</)button>`).FindStringSubmatch(page)
	require.NotNil(t, action, page)
	assert.Contains(t, browse(http.MethodPost, action[1], url.Values{}), "is being made")
	require.Eventually(t, func() bool {
		page = browse(http.MethodGet, at, nil)
		return !strings.Contains(page, "/waveform\"")
	}, 20*time.Second, 50*time.Millisecond, "%s", p.log)
	assert.Contains(t, page, "Who talked")
	detail := regexp.MustCompile(`data-peaks="([^"]+)" data-detail="([^"]+made=[^"]*)"`).FindStringSubmatch(page)
	require.NotNil(t, detail, page)
	var wave struct {
		Duration float64
		Channels [][]float64
		Marks    []mark
	}
	require.NoError(t, json.Unmarshal([]byte(browse(http.MethodGet, detail[1], nil)), &wave))
	assert.Len(t, wave.Channels, 2)
	assert.Greater(t, wave.Duration, 40.0)
	kinds := map[string]int{}
	for _, m := range wave.Marks {
		kinds[m.Kind]++
		assert.Less(t, m.From, m.To)
		assert.LessOrEqual(t, m.To, wave.Duration+1)
	}
	assert.Equal(t, map[string]int{"silence": 2, "overlap": 5}, kinds, "nobody talks for 3 s, and both do: the legs are not where they were in the call")
	assert.NotEmpty(t, browse(http.MethodGet, strings.ReplaceAll(detail[2], "&amp;", "&"), nil), "all its points")
	// What isn't of the recording isn't served as its waveform.
	job := regexp.MustCompile(`/recordings/([^/]+)/`).FindStringSubmatch(detail[1])[1]
	resp, err := http.Get(p.url + regexp.MustCompile(`made=.*`).ReplaceAllString(strings.ReplaceAll(detail[2], "&amp;", "&"), "made="+job))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusNotFound, resp.StatusCode, "the recording's own job is no transcode of it")
	p.terminate(t)
	return before, action[2]
}
