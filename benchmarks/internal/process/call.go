package process

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask sends a request, and reads the answer into v, if that isn't nil.
func (s *API) ask(b *testing.B, method, path, body string, v any) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	require.NoError(b, resp.Body.Close())
	require.Less(b, resp.StatusCode, http.StatusMultipleChoices, "%s", text)
	if v != nil {
		require.NoError(b, json.NewDecoder(bytes.NewReader(text)).Decode(v))
	}
}

// Call makes a call of that length, with three events, and ends it now: it has the legs
// agent.wav and customer.wav. It is recorded with that codec and layout; not at all for "".
// It returns the call's id, and when it asked for the end.
func (s *API) Call(b *testing.B, codec, layout string, length time.Duration) (id string, ended time.Time) {
	b.Helper()
	var made struct {
		ID string `json:"id"`
	}
	recording := `{"enabled":false}`
	if codec != "" {
		recording = fmt.Sprintf(`{"enabled":true,"outputs":[{"codec":%q,"layout":%q}]}`, codec, layout)
	}
	s.ask(b, http.MethodPost, "/v1/calls", `{"from":"+442079460123","to":"+12025550143","recording":`+recording+`}`, &made)
	events := "/v1/calls/" + made.ID + "/events"
	now := time.Now().Add(-length)
	for i, e := range []struct {
		kind string
		at   time.Time
		more string
	}{
		{"ringing", now.Add(-5 * time.Second), ""},
		{"answered", now, ""},
		{"ended", now.Add(length), `,"legs":[{"name":"agent","segments":[{"uri":"agent.wav"}]},{"name":"customer","segments":[{"uri":"customer.wav"}]}]`},
	} {
		if codec == "" {
			e.more = ""
		}
		ended = time.Now()
		s.ask(b, http.MethodPost, events, fmt.Sprintf(`{"id":"%d","type":%q,"at":%q%s}`, i, e.kind, e.at.UTC().Format(time.RFC3339Nano), e.more), nil)
	}
	return made.ID, ended
}

// RecordingURL is that of the call's recording; "" while it has none.
func (s *API) RecordingURL(b *testing.B, id string) string {
	b.Helper()
	var call struct {
		Recordings []struct {
			URL string `json:"url"`
		} `json:"recordings"`
	}
	s.ask(b, http.MethodGet, "/v1/calls/"+id, "", &call)
	if len(call.Recordings) == 0 {
		return ""
	}
	return call.Recordings[0].URL
}
