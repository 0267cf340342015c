package recordinghttp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

// Mount the handler in a server of one's own. Its authentication says who asks.
func Example() {
	dir, err := os.MkdirTemp("", "recordinghttp")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "ledger.db")), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}

	handler := recordinghttp.New(db, &recordinghttp.Options{
		Check: recording.NewProcessor(nil, nil, nil).Check,
	})
	mux := http.NewServeMux()
	mux.Handle("/v1/recordings", authenticate(handler))
	mux.Handle("/v1/recordings/", authenticate(handler))
	server := httptest.NewServer(mux)
	defer server.Close()

	resp, err := http.Post(server.URL+"/v1/recordings", "application/json", strings.NewReader(`{
		"call_id": "call-1", "recording_id": "call-1", "started_at": "2026-03-01T10:20:30Z",
		"legs": [
			{"name": "agent", "segments": [{"uri": "call-1/agent.wav"}]},
			{"name": "customer", "segments": [{"uri": "call-1/customer.wav", "offset_ms": 2000}]}
		],
		"outputs": [{"codec": "wav", "layout": "stereo", "sample_rate_hz": 16}]
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status)
	fmt.Println(strings.Contains(string(body), "did you mean 16000?"))
	// Output:
	// 422 Unprocessable Entity
	// true
}

// authenticate stands for the host's own check of credentials.
func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := callmodel.Principal{TenantID: "acme", Subject: "key-1", Scopes: []callmodel.Scope{callmodel.ScopeRecordingsWrite}}
		next.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	})
}
