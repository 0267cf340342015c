// Package fuzz_test fuzzes package recordinghttp apart from its other tests: with what
// those import, databases and the contract's validator, it would take minutes to compile.
package fuzz_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// FuzzEnqueue: whatever a submission is, the answer is JSON and no failure.
func FuzzEnqueue(f *testing.F) {
	const submission = `{"call_id":"c1","recording_id":"c1","started_at":"2026-03-02T12:00:00Z","ended_at":"2026-03-02T12:01:00Z",` +
		`"legs":[{"name":"agent","segments":[{"uri":"c1/agent.wav"}]}],"outputs":[{"codec":"wav","layout":"stereo"}]`
	for _, body := range []string{
		submission + "}", submission + `,"queue":"q","priority":9}`, `{"legs":[{"segments":[{"uri":null}]}],"outputs":{}}`,
	} {
		f.Add([]byte(body))
	}
	h := recordinghttp.New(memdb.New(nil), &recordinghttp.Options{Check: recording.NewProcessor(nil, nil, nil).Check})
	who := callmodel.Principal{TenantID: "acme", Subject: "test", Scopes: callmodel.RoleScopes(callmodel.RoleCaller)}
	send := func(t testing.TB, body []byte) *httptest.ResponseRecorder {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), who), http.MethodPost, "/v1/recordings", bytes.NewReader(body)))
		return w
	}
	require.Equal(f, http.StatusAccepted, send(f, []byte(submission+"}")).Code, "the example is one")
	f.Fuzz(func(t *testing.T, body []byte) {
		w := send(t, body)
		require.Less(t, w.Code, 500, "%s", w.Body)
		require.True(t, json.Valid(w.Body.Bytes()))
	})
}
