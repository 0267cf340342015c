package callhttp_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

type callPage struct {
	Calls []calls.Call `json:"calls"`
	Next  string       `json:"next"`
}

func TestCallsAreFound(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, db *calldb.DB) {
		s := on(t, db, callservice.Options{})
		h := callhttp.New(s.Service, &callhttp.Options{RecordingLink: func(id callmodel.JobID) string { return "/media/" + string(id) }})
		first := create(t, h, nyc(`,"direction":"inbound","metadata":{"order":"a=b & c"},"trunk":"t1"`))
		keyed := ok[calls.Call](t, h, caller(), http.MethodPost, "/v1/calls", nyc(``), http.StatusCreated, "Idempotency-Key", "my-key")
		do(t, h, caller(), http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"+4930123456"}`, "Idempotency-Key", "nowhere")
		event(t, h, first.ID, `{"id":"1","type":"answered"}`)
		ended := event(t, h, first.ID, `{"id":"2","type":"ended","legs":[{"name":"a","segments":[{"uri":"a.wav"}]}]}`)
		require.Len(t, ended.Recordings, 1)
		assert.Equal(t, "pending", ended.Recordings[0].State)
		assert.NotEmpty(t, ended.Recordings[0].JobID)
		assert.Empty(t, ended.Recordings[0].Link, "there is no audio yet")

		for query, want := range map[string]int{
			"":                   3,
			"direction=inbound":  1,
			"direction=internal": 0,
			"trunk=t1":           1,
			"metadata=" + url.QueryEscape("order=a=b & c"): 1,
			"metadata=order=a":           0,
			"idempotency_key=my-key":     1,
			"idempotency_key=nowhere":    1,
			"idempotency_key=other":      0,
			"recording=pending":          1,
			"recording=none":             2,
			"recording=degraded":         0,
			"number=(212)+555-0188":      2,
			"number=%2B12025550123":      3,
			"state=rejected":             1,
			"since=2026-03-02T12:00:00Z": 3,
			"since=2026-03-02T12:00:01Z": 0,
			"until=2026-03-02T12:00:00Z": 0,
			"state=ended&recording=pending&trunk=t1&direction=inbound": 1,
		} {
			page := ok[callPage](t, h, caller(), http.MethodGet, "/v1/calls?"+query, "", http.StatusOK)
			assert.Len(t, page.Calls, want, query)
			other := ok[callPage](t, h, as(operates(), "umbrella"), http.MethodGet, "/v1/calls?"+query, "", http.StatusOK)
			assert.Empty(t, other.Calls, "of another tenant: %s", query)
		}
		page := ok[callPage](t, h, caller(), http.MethodGet, "/v1/calls?idempotency_key=my-key", "", http.StatusOK)
		assert.Equal(t, keyed.ID, page.Calls[0].ID)

		p := fails(t, h, caller(), http.MethodGet, "/v1/calls?state=x&recording=x&direction=x&trunk=a%20b&metadata=x&since=x&until=x&limit=0&number=x",
			"", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Subset(t, paths(p), []string{"direction", "limit", "metadata[0]", "recording", "since", "state", "trunk", "until"})
		p = fails(t, h, caller(), http.MethodGet, "/v1/calls?since=2026-03-02T12:00:01Z&until=2026-03-02T12:00:00Z", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		assert.Equal(t, []string{"until"}, paths(p))
	})
}

// manyStored are n calls of the tenant acme, one a second.
func manyStored(t *testing.T, stores callservice.Stores, n int) {
	t.Helper()
	for i := range n {
		_, err := stores.CreateCall(t.Context(), calls.NewCall{Call: calls.Call{
			ID: callmodel.CallID(fmt.Sprintf("c%05d", i)), TenantID: "acme", State: calls.Ended, Type: calls.TypeVoice,
			CreatedAt: noon.Add(time.Duration(i) * time.Second), AnsweredAt: noon, EndedAt: noon.Add(1500 * time.Millisecond),
			From: calls.Party{Number: "+12025550123"}, Metadata: map[string]string{"b": "say \"x\", y", "a": "1"},
			Cause: &calls.Cause{SIP: 200, Text: "bye"},
		}})
		require.NoError(t, err)
	}
}

func TestCallsAreStreamed(t *testing.T) {
	t.Parallel()
	const n = 1203
	stores := memdb.New(nil)
	manyStored(t, stores, n)
	h := over(stores, &callservice.Options{})
	w := do(t, h, caller(), http.MethodGet, "/v1/calls", "", "Accept", "application/x-ndjson")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	lines := strings.Split(strings.TrimSuffix(w.Body.String(), "\n"), "\n")
	require.Len(t, lines, n)
	for i, line := range lines {
		var c calls.Call
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		require.Equal(t, fmt.Sprintf("c%05d", n-1-i), string(c.ID))
	}

	w = do(t, h, caller(), http.MethodGet, "/v1/calls?since=2026-03-02T12:00:01Z", "", "Accept", "text/csv")
	assert.Equal(t, "text/csv", w.Header().Get("Content-Type"))
	records, err := csv.NewReader(w.Body).ReadAll()
	require.NoError(t, err)
	require.Len(t, records, n)
	last := map[string]string{}
	for i, column := range records[0] {
		last[column] = records[n-1][i]
	}
	assert.Equal(t, map[string]string{
		"id": "c00001", "state": "ended", "type": "voice", "direction": "", "from": "+12025550123", "to": "", "trunk": "", "priority": "0",
		"emergency": "false", "created_at": "2026-03-02T12:00:01Z", "ringing_at": "", "answered_at": "2026-03-02T12:00:00Z",
		"ended_at": "2026-03-02T12:00:01.5Z", "talk_ms": "1500", "cause_sip": "200", "cause_q850": "", "cause": "bye", "rule": "", "destination": "",
		"host": "", "recording_state": "none", "recording_job": "", "recording_link": "", "recording_ms": "", "metadata": "a=1\nb=say \"x\", y",
	}, last)

	w = do(t, h, as(operates(), "umbrella"), http.MethodGet, "/v1/calls", "", "Accept", "text/csv")
	assert.Equal(t, 1, strings.Count(w.Body.String(), "\n"), "the columns alone")
	p := fails(t, h, caller(), http.MethodGet, "/v1/calls?limit=5", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid, "Accept", "text/csv, application/problem+json")
	assert.Equal(t, []string{"limit"}, paths(p))
	p = fails(t, h, caller(), http.MethodGet, "/v1/calls?cursor=x", "", http.StatusUnprocessableEntity, callmodel.CodeInvalid, "Accept", "text/csv")
	assert.Equal(t, []string{"cursor"}, paths(p))
	assert.Equal(t, http.StatusOK, do(t, h, caller(), http.MethodGet, "/v1/calls?limit=5", "", "Accept", "text/csv;q=0.1, */*").Code)
}

// breaking are stores of which the second page can't be had: it fails, or waits for its
// reader to go.
type breaking struct {
	callservice.Stores

	pages       atomic.Int32
	asked, gone chan struct{} // closed when the second page is asked for, and when its context ended; nil to fail
}

func (b *breaking) Calls(ctx context.Context, t callmodel.TenantID, f calls.Filter) (calls.Page, error) {
	if b.pages.Add(1) < 2 {
		return b.Stores.Calls(ctx, t, f)
	}
	if b.gone == nil {
		return calls.Page{}, errors.New("the disk is gone")
	}
	close(b.asked)
	<-ctx.Done()
	close(b.gone)
	return calls.Page{}, ctx.Err()
}

// within waits until it is closed.
func within(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		require.Fail(t, "it doesn't come")
	}
}

// served is the handler behind a real connection, as the caller.
func served(t *testing.T, h http.Handler) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), caller())))
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/v1/calls"
}

// stream is the body of the answer as JSON lines.
func stream(ctx context.Context, t *testing.T, at string) io.Reader {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	require.NoError(t, err)
	r.Header.Set("Accept", "application/x-ndjson")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	require.Equal(t, http.StatusOK, resp.StatusCode)
	return resp.Body
}

// A part is never taken for the whole: what can't go on is broken off.
func TestBrokenStreams(t *testing.T) {
	t.Parallel()
	stores := &breaking{Stores: memdb.New(nil)}
	manyStored(t, stores, 501)
	answer := stream(t.Context(), t, served(t, over(stores, &callservice.Options{})))
	body, err := io.ReadAll(answer)
	require.Error(t, err)
	assert.Equal(t, 500, strings.Count(string(body), "\n"))
}

// A client that has gone ends the query, and gets its pages as they come.
func TestGoneClients(t *testing.T) {
	t.Parallel()
	stores := &breaking{Stores: memdb.New(nil), asked: make(chan struct{}), gone: make(chan struct{})}
	manyStored(t, stores, 501)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	answer := stream(ctx, t, served(t, over(stores, &callservice.Options{RequestTimeout: time.Hour})))
	lines := bufio.NewScanner(answer)
	lines.Buffer(nil, 1<<20)
	for range 500 {
		require.True(t, lines.Scan(), "the first page comes before the second is there")
	}
	within(t, stores.asked)
	leave()
	within(t, stores.gone)
}

// An export waits while the lane is full, rather than be broken off.
func TestStreamsWaitForTheLane(t *testing.T) {
	t.Parallel()
	stores := memdb.New(nil)
	manyStored(t, stores, 1)
	s := over(stores, &callservice.Options{MaxInFlight: 1})
	_, free, err := s.Enter(t.Context(), "acme")
	require.NoError(t, err)
	done := make(chan *httptest.ResponseRecorder, 1)
	export := request(t.Context(), caller(), http.MethodGet, "/v1/calls", "", "Accept", "text/csv")
	go func() {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, export)
		done <- w
	}()
	require.Eventually(t, func() bool {
		return do(t, s, caller(), http.MethodGet, "/v1/calls", "").Code == http.StatusTooManyRequests
	}, 30*time.Second, time.Millisecond)
	free()
	w := <-done
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Regexp(t, "^id,state,.*\nc00000,ended,", w.Body.String())
}
