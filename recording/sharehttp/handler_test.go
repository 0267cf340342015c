package sharehttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/problem/contracttest"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/callmodel/shares"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/codec"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var (
	_ sharehttp.Store   = (*calldb.DB)(nil)
	_ sharehttp.Store   = (*memdb.Store)(nil)
	_ sharehttp.Objects = (*storage.Store)(nil)
)

// theContract is read once for all tests.
var theContract = sync.OnceValues(func() (*contracttest.Contract, error) { return contracttest.New(sharehttp.OpenAPI()) })

func contract(t *testing.T) *contracttest.Contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

func operator(t callmodel.TenantID) callmodel.Principal {
	return callmodel.Principal{TenantID: t, Subject: "ops-of-" + string(t), Scopes: callmodel.RoleScopes(callmodel.RoleOperator)}
}

func ok[T any](t *testing.T, w *httptest.ResponseRecorder, status int) (v T) {
	t.Helper()
	require.Equal(t, status, w.Code, "%s", w.Body)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
	return v
}

func fails(t *testing.T, w *httptest.ResponseRecorder, status int, code callmodel.Code) problem.Problem {
	t.Helper()
	p := ok[problem.Problem](t, w, status)
	require.Equal(t, code, p.Code)
	return p
}

func TestRoutesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	contract(t).SameRoutes(t, sharehttp.New(memdb.New(nil), memdb.New(nil), nil).Routes())
}

// house has a recording in a bucket, and both handlers.
type house struct {
	handler *sharehttp.Handler
	public  *sharehttp.Public
	db      *memdb.Store
	store   *storage.Store
	now     time.Time
	job     callmodel.JobID
	result  record.Result
	unknown int
	log     bytes.Buffer
}

type sampleLegs struct{}

func (sampleLegs) OpenLeg(_ context.Context, uri string) (io.ReadCloser, error) {
	if uri != "agent.wav" {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(samplecall.Agent())), nil
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	clock := func() time.Time { return h.now }
	h.db = memdb.New(clock)
	var err error
	h.store, err = storage.Open(t.Context(), "mem://", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.store.Close()) })
	spec := record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: h.now,
		Legs: []record.LegSpec{record.NewLeg("agent", "agent.wav")},
		Outputs: []record.OutputSpec{
			{Codec: record.CodecWAV, Layout: record.LayoutMono}, {Codec: record.CodecMP3, Layout: record.LayoutMono}, {Codec: record.CodecPeaksJSON, Layout: record.LayoutMono},
		},
	}
	r, err := record.NewJob(spec, "", 0)
	require.NoError(t, err)
	h.job, _, err = h.db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	leases, err := h.db.Claim(t.Context(), ledger.Claim{Worker: "w"})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	h.result, err = recording.NewProcessor(sampleLegs{}, h.store, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	o, err := record.Outcome(h.result)
	require.NoError(t, err)
	require.NoError(t, h.db.Complete(t.Context(), leases[0], o))
	codecs := recording.BuiltinCodecs()
	h.handler = sharehttp.New(h.db, h.db, &sharehttp.Options{BaseURL: "https://calls.example.com/", Codecs: codecs})
	h.public = sharehttp.NewPublic(h.db, h.db, h.store, sharehttp.PublicOptions{
		Codecs: codecs, TempDir: t.TempDir(), Now: clock, Logger: slog.New(slog.NewTextHandler(&h.log, nil)),
		Unknown: func(string) bool { h.unknown++; return h.unknown > 3 },
	})
	t.Cleanup(func() { require.NoError(t, h.public.Close()) })
	return h
}

// do makes a request of the API.
func (h *house) do(t *testing.T, p callmodel.Principal, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), p), method, path, strings.NewReader(body))
	w := httptest.NewRecorder()
	contract(t).Serve(t, h.handler, w, r)
	return w
}

// share makes a share of the recording.
func (h *house) share(t *testing.T, more string) sharehttp.WithLink {
	t.Helper()
	return ok[sharehttp.WithLink](t, h.do(t, operator("acme"), "POST", "/v1/shares", `{"job_id":"`+string(h.job)+`"`+more+`}`), http.StatusCreated)
}

// open asks for a link's path, as a client; headers are pairs of name and value.
func (h *house) open(t *testing.T, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.public.ServeHTTP(w, r)
	if w.Code != http.StatusRequestedRangeNotSatisfiable { // which has nothing to store
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	}
	assert.Equal(t, "no-referrer", w.Header().Get("Referrer-Policy"))
	assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
	return w
}

// openings are the audit lines of them.
func (h *house) openings(t *testing.T) (list []callmodel.AuditEvent) {
	t.Helper()
	all, err := h.db.AuditEvents(context.WithoutCancel(t.Context()), "acme", 0, 1000)
	require.NoError(t, err)
	for i := range all {
		if all[i].Action == shares.AuditOpened {
			list = append(list, all[i])
		}
	}
	return list
}

func (h *house) object(t *testing.T, key string) []byte {
	t.Helper()
	in, err := h.store.Open(t.Context(), key)
	require.NoError(t, err)
	defer in.Close()
	b, err := io.ReadAll(in)
	require.NoError(t, err)
	return b
}

func samples(t *testing.T, b []byte) []float32 {
	t.Helper()
	src, _, err := recording.BuiltinCodecs().Decode(bytes.NewReader(b), codec.Hint{Size: int64(len(b))})
	require.NoError(t, err)
	var all []float32
	block := make([]float32, 4096)
	for {
		n, err := src.ReadFrames(block)
		all = append(all, block[:n]...)
		if err != nil {
			require.ErrorIs(t, err, io.EOF)
			return all
		}
	}
}

// TestPart: a share of a part holds that part alone, whatever range is asked for, and each
// opening has a line, with where it is from.
func TestPart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	made := h.share(t, `,"codec":"wav","from_ms":1000,"to_ms":2500,"max_openings":2,"description":"for the court"`)
	require.Equal(t, "https://calls.example.com/s/"+made.Token, made.URL)
	require.GreaterOrEqual(t, len(made.Token), 43, "256 bits")
	at := "/s/" + made.Token

	page := h.open(t, at)
	require.Equal(t, http.StatusOK, page.Code)
	assert.Contains(t, page.Body.String(), "From 0:01 to 0:02.5 of a recording")
	assert.NotContains(t, page.Body.String(), "court")
	assert.NotContains(t, page.Body.String(), "<script")
	assert.Empty(t, h.openings(t), "the page is no opening")

	first := h.open(t, at+"/audio", "User-Agent", "player", "X-Forwarded-For", "192.0.2.7")
	require.Equal(t, http.StatusOK, first.Code)
	whole := samples(t, h.object(t, h.result.Outputs[0].Key))
	rate := h.result.Outputs[0].Rate
	require.Equal(t, whole[rate:rate*5/2], samples(t, first.Body.Bytes()))
	length := first.Body.Len()
	for _, ranges := range []string{"bytes=0-", "bytes=-100", "bytes=10-20", "bytes=0-99999999"} {
		w := h.open(t, at+"/audio", "User-Agent", "player", "X-Forwarded-For", "192.0.2.7", "Range", ranges)
		require.Equal(t, http.StatusPartialContent, w.Code)
		require.True(t, strings.HasSuffix(w.Header().Get("Content-Range"), "/"+w.Header().Get("Content-Range")[strings.LastIndexByte(w.Header().Get("Content-Range"), '/')+1:]))
		require.LessOrEqual(t, w.Body.Len(), length)
		require.True(t, bytes.Contains(first.Body.Bytes(), w.Body.Bytes()), ranges)
	}
	beyond := h.open(t, at+"/audio", "User-Agent", "player", "X-Forwarded-For", "192.0.2.7", "Range", "bytes=99999999-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, beyond.Code)
	lines := h.openings(t)
	require.Len(t, lines, 1, "requests for ranges are no openings of their own")
	require.Equal(t, made.Share.ID, lines[0].Subject)
	require.Equal(t, "192.0.2.1", lines[0].Detail["address"])
	require.Equal(t, "192.0.2.7", lines[0].Detail["forwarded_for"])
	require.Equal(t, "player", lines[0].Detail["user_agent"])
	require.Equal(t, "c1", lines[0].Detail["call_id"])
	require.False(t, lines[0].At.IsZero())

	require.Equal(t, http.StatusOK, h.open(t, at+"/audio", "User-Agent", "another").Code)
	used := h.open(t, at+"/audio", "User-Agent", "third")
	require.Equal(t, http.StatusGone, used.Code)
	assert.Contains(t, used.Body.String(), "as often as it may be")
	require.Len(t, h.openings(t), 2)
	s := ok[shares.Share](t, h.do(t, operator("acme"), "GET", "/v1/shares/"+made.Share.ID, ""), http.StatusOK)
	require.Equal(t, shares.UsedUp, s.State)
	require.EqualValues(t, 2, s.Openings)
	require.NotContains(t, h.log.String(), made.Token)
}

// TestMP3AndWhole: the first output that can be heard is shared, a part as MP3 is cut, and
// the whole is the object itself.
func TestMP3AndWhole(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	part := h.share(t, `,"codec":"mp3","from_ms":500,"to_ms":1500`)
	w := h.open(t, "/s/"+part.Token+"/audio")
	require.Equal(t, http.StatusOK, w.Code, "%s", h.log.String())
	assert.Equal(t, "audio/mpeg", w.Header().Get("Content-Type"))
	require.Len(t, samples(t, w.Body.Bytes()), h.result.Outputs[1].Rate)
	whole := h.share(t, "")
	require.True(t, whole.Share.Whole())
	require.Equal(t, h.object(t, h.result.Outputs[0].Key), h.open(t, "/s/"+whole.Token+"/audio").Body.Bytes())
}

// TestEnds: a link that was withdrawn, has expired, is of an erased recording, or of none,
// says so.
func TestEnds(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	revoked, expiring, erased := h.share(t, ""), h.share(t, `,"expires_in_s":60`), h.share(t, `,"codec":"wav","from_ms":100`)
	require.Equal(t, http.StatusOK, h.open(t, "/s/"+erased.Token+"/audio").Code)
	s := ok[shares.Share](t, h.do(t, operator("acme"), "DELETE", "/v1/shares/"+revoked.Share.ID, ""), http.StatusOK)
	require.Equal(t, shares.Revoked, s.State)
	require.Equal(t, "ops-of-acme", s.RevokedBy)
	h.now = h.now.Add(time.Minute)
	for _, c := range []struct{ token, says string }{{revoked.Token, "withdrawn"}, {expiring.Token, "expired"}} {
		for _, path := range []string{"", "/audio"} {
			w := h.open(t, "/s/"+c.token+path)
			require.Equal(t, http.StatusGone, w.Code)
			require.Contains(t, w.Body.String(), c.says)
		}
	}
	n := len(h.openings(t))
	_, err := h.store.Erase(t.Context(), h.result.Outputs[0].Key, func(string) bool { return true })
	require.NoError(t, err)
	for _, path := range []string{"", "/audio"} {
		w := h.open(t, "/s/"+erased.Token+path)
		require.Equal(t, http.StatusGone, w.Code, "also what was cut before is gone")
		require.Contains(t, w.Body.String(), "isn't there any more")
	}
	require.Len(t, h.openings(t), n)
	for i, token := range []string{"x", shares.NewToken().Reveal(), erased.Token[1:], "%2e%2e"} {
		status := http.StatusNotFound
		if i == 3 {
			status = http.StatusTooManyRequests
		}
		require.Equal(t, status, h.open(t, "/s/"+token+"/audio").Code, token)
	}
	require.Equal(t, http.StatusNotFound, h.open(t, "/s/").Code)
}

// TestHead: HEAD says what GET would be answered with, and is no opening.
func TestHead(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	head := func(token string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.public.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodHead, "/s/"+token+"/audio", nil))
		return w
	}
	whole, part := h.share(t, `,"codec":"mp3","max_openings":1`), h.share(t, `,"codec":"wav","from_ms":100`)
	w := head(whole.Token)
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "audio/mpeg", w.Header().Get("Content-Type"))
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Empty(t, h.openings(t))
	got := h.open(t, "/s/"+whole.Token+"/audio")
	require.Equal(t, strconv.Itoa(got.Body.Len()), w.Header().Get("Content-Length"))
	require.Equal(t, got.Header().Get("ETag"), w.Header().Get("ETag"))
	require.Equal(t, http.StatusOK, head(part.Token).Code)
	require.Len(t, h.openings(t), 1)
	ok[shares.Share](t, h.do(t, operator("acme"), "DELETE", "/v1/shares/"+part.Share.ID, ""), http.StatusOK)
	require.Equal(t, http.StatusGone, head(part.Token).Code)
	require.Equal(t, http.StatusNotFound, head(shares.NewToken().Reveal()).Code)

	// Requests for audio are counted by what they came to, and HEAD isn't.
	h.open(t, "/s/"+whole.Token+"/audio", "Range", "bytes=1-4")
	h.open(t, "/s/"+part.Token+"/audio")
	h.open(t, "/s/"+part.Token)
	h.open(t, "/s/"+shares.NewToken().Reveal()+"/audio")
	counts := map[string]int64{}
	for _, outcome := range sharehttp.Outcomes() {
		counts[outcome] = h.public.Requests(outcome)
	}
	require.Equal(t, map[string]int64{
		sharehttp.Opened: 1, sharehttp.Continued: 1, sharehttp.Ended: 1, sharehttp.Gone: 0, sharehttp.Unknown: 1, sharehttp.Failed: 0,
	}, counts)
	require.Zero(t, h.public.Requests("nothing"))
}

// TestErased: what was deleted can't be shared any more, and the answer says when and why;
// links to it are gone, and open nothing.
func TestErased(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	link := h.share(t, "")
	_, err := h.db.BeginErasure(t.Context(), retention.Begin{Erasure: retention.Erasure{
		TenantID: "acme", JobID: h.job, ByJob: "by-1", Kind: retention.KindErase, Reason: "its time was over", Actor: "retention",
	}})
	require.NoError(t, err)
	p := fails(t, h.do(t, operator("acme"), "POST", "/v1/shares", `{"job_id":"`+string(h.job)+`"}`), http.StatusGone, callmodel.CodeGone)
	require.Contains(t, p.Detail, "recording c1 is being deleted since 2026-03-01T12:00:00Z: its time was over")
	fails(t, h.do(t, operator("globex"), "POST", "/v1/shares", `{"job_id":"`+string(h.job)+`"}`), http.StatusNotFound, callmodel.CodeNotFound)
	for _, path := range []string{"/s/" + link.Token, "/s/" + link.Token + "/audio"} {
		require.Equal(t, http.StatusGone, h.open(t, path).Code)
	}
	require.Empty(t, h.openings(t))
}

// TestTenants: nobody shares, sees or revokes another tenant's, and nobody shares what they
// may not hear.
func TestTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	made := h.share(t, "")
	body := `{"job_id":"` + string(h.job) + `"}`
	fails(t, h.do(t, operator("other"), "POST", "/v1/shares", body), http.StatusNotFound, callmodel.CodeNotFound)
	for _, method := range []string{"GET", "DELETE"} {
		fails(t, h.do(t, operator("other"), method, "/v1/shares/"+made.Share.ID, ""), http.StatusNotFound, callmodel.CodeNotFound)
	}
	require.Empty(t, ok[sharehttp.Page](t, h.do(t, operator("other"), "GET", "/v1/shares", ""), http.StatusOK).Shares)
	page := h.do(t, operator("acme"), "GET", "/v1/shares?job_id="+string(h.job), "")
	require.Len(t, ok[sharehttp.Page](t, page, http.StatusOK).Shares, 1)
	require.NotContains(t, page.Body.String(), made.Token)
	deaf := callmodel.Principal{TenantID: "acme", Subject: "k", Scopes: []callmodel.Scope{callmodel.ScopeSharesWrite}}
	fails(t, h.do(t, deaf, "POST", "/v1/shares", body), http.StatusForbidden, callmodel.CodeForbidden)
	for _, role := range []string{callmodel.RoleReader, callmodel.RoleCaller} {
		p := callmodel.Principal{TenantID: "acme", Subject: role, Scopes: callmodel.RoleScopes(role)}
		fails(t, h.do(t, p, "POST", "/v1/shares", body), http.StatusForbidden, callmodel.CodeForbidden)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for more, path := range map[string]string{
		`,"from_ms":900000`:            "from_ms",
		`,"from_ms":2000,"to_ms":1000`: "to_ms",
		`,"from_ms":-1`:                "from_ms",
		`,"expires_in_s":1`:            "expires_in_s",
		`,"max_openings":-1`:           "max_openings",
		`,"codec":"peaks_json"`:        "codec",
		`,"output":"none"`:             "codec",
		`,"what":1`:                    "what",
	} {
		p := fails(t, h.do(t, operator("acme"), "POST", "/v1/shares", `{"job_id":"`+string(h.job)+`"`+more+`}`), http.StatusUnprocessableEntity, callmodel.CodeInvalid)
		require.NotEmpty(t, p.Errors, more)
		assert.Equal(t, path, p.Errors[0].Path, more)
	}
	off := sharehttp.New(h.db, h.db, nil)
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), operator("acme")), http.MethodPost, "/v1/shares", strings.NewReader(`{"job_id":"`+string(h.job)+`"}`))
	w := httptest.NewRecorder()
	off.ServeHTTP(w, r)
	require.Contains(t, w.Body.String(), "--share-url")
}
