package rulehttp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/rulehttp"
)

func gzipped(t *testing.T, texts ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, text := range texts {
		z := gzip.NewWriter(&b)
		_, err := z.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, z.Close())
	}
	return b.String()
}

// send is do with headers, as pairs of name and value.
func send(t *testing.T, h http.Handler, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(callmodel.WithPrincipal(t.Context(), operator()), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// inLines is the rules as lines of JSON.
const inLines = `{"name":"acme","destinations":{"a":{"uri":"sip:a.example.com"},"b":{"uri":"sip:b.example.com"},"c":{"uri":"sip:c.example.com"}}}
{"id":"nyc","match":{"to":{"prefix":"+1212"}},"route":[[{"to":"a"}],[{"to":"b"}]]}
{"id":"us","match":{"to":{"prefix":"+1"}},"route":[[{"to":"c"}]]}
`

// TestCompressedAndInLines: rules come compressed and in lines, to the tools and to
// be installed, and are the same rules.
func TestCompressedAndInLines(t *testing.T) {
	t.Parallel()
	s := on(t)
	for _, c := range []struct {
		body    string
		headers []string
	}{
		{gzipped(t, rules), []string{"Content-Encoding", "gzip"}},
		{inLines, []string{"Content-Type", "application/x-ndjson"}},
		{gzipped(t, inLines), []string{"Content-Encoding", "gzip", "Content-Type", "application/x-ndjson"}},
		{inLines, nil},
	} {
		w := send(t, s, http.MethodPost, "/v1/rules/check", c.body, c.headers...)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		assert.Contains(t, w.Body.String(), `"rules":2`)
		w = send(t, s, http.MethodPut, "/v1/rules", c.body, c.headers...)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		assert.Contains(t, w.Body.String(), s.hash)
	}
}

// TestBodiesOverTheLimit: what is larger than 64 MiB is told how it may be sent, and
// goes that way.
func TestBodiesOverTheLimit(t *testing.T) {
	t.Parallel()
	s := on(t)
	head, rest, _ := strings.Cut(inLines, "\n")
	large := head + strings.Repeat("\n", 65<<20) + rest
	for _, endpoint := range [][2]string{{http.MethodPost, "/v1/rules/check"}, {http.MethodPut, "/v1/rules"}, {http.MethodPost, "/v1/rules/diff"}} {
		w := send(t, s, endpoint[0], endpoint[1], large)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, "%v", endpoint)
		assert.Contains(t, w.Body.String(), "gzip")
		assert.Contains(t, w.Body.String(), "application/x-ndjson")
	}
	for _, c := range []struct {
		body    string
		headers []string
	}{
		{large, []string{"Content-Type", "application/x-ndjson"}},
		{gzipped(t, large), []string{"Content-Encoding", "gzip"}},
	} {
		w := send(t, s, http.MethodPut, "/v1/rules", c.body, c.headers...)
		require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
		assert.Contains(t, w.Body.String(), s.hash)
	}
}

// TestBadCompression: a body that isn't what it says to be is refused, and holds no
// more memory than it says.
func TestBadCompression(t *testing.T) {
	t.Parallel()
	s := on(t)
	good := gzipped(t, rules)
	sized := func(n uint32) string {
		b := []byte(good)
		binary.LittleEndian.PutUint32(b[len(b)-4:], n)
		return string(b)
	}
	for name, c := range map[string]struct {
		encoding, body string
		status         int
		code           callmodel.Code
	}{
		"nothing":       {"gzip", "", http.StatusBadRequest, callmodel.CodeMalformed},
		"no gzip":       {"gzip", rules, http.StatusBadRequest, callmodel.CodeMalformed},
		"short":         {"gzip", good[:len(good)-9], http.StatusBadRequest, callmodel.CodeMalformed},
		"says less":     {"gzip", sized(10), http.StatusBadRequest, callmodel.CodeMalformed},
		"says more":     {"gzip", sized(1000), http.StatusBadRequest, callmodel.CodeMalformed},
		"says too much": {"gzip", sized(1 << 29), http.StatusBadRequest, callmodel.CodeMalformed},
		"is too much":   {"gzip", good + strings.Repeat("\x00", 600<<10) + "\x01\x00\x00\x20", http.StatusRequestEntityTooLarge, callmodel.CodeTooLarge},
		"two members":   {"gzip", gzipped(t, rules, rules), http.StatusBadRequest, callmodel.CodeMalformed},
		"another":       {"br", rules, http.StatusUnsupportedMediaType, callmodel.CodeUnsupportedMediaType},
	} {
		w := send(t, s, http.MethodPost, "/v1/rules/check", c.body, "Content-Encoding", c.encoding)
		assert.Equal(t, c.status, w.Code, "%s: %s", name, w.Body)
		assert.Contains(t, w.Body.String(), `"code":"`+string(c.code)+`"`, "%s", name)
	}
}

// TestRuleWorkHasABudget: while others have all of it, more work on rules is refused
// after its wait, calls are taken, and bodies that come slowly hold none of it.
func TestRuleWorkHasABudget(t *testing.T) {
	t.Parallel()
	s := on(t)
	h := rulehttp.New(s.svc, &rulehttp.Options{RequestTimeout: 20 * time.Millisecond})
	_, done, err := s.svc.RuleWork(t.Context(), 1<<40) // larger than the budget: all of it
	require.NoError(t, err)
	for _, path := range []string{"check", "diff", "simulate", "import"} {
		fails(t, h, operator(), http.MethodPost, "/v1/rules/"+path, "{}", http.StatusTooManyRequests, callmodel.CodeOverloaded)
	}
	w := do(t, s, caller(), http.MethodPost, "/v1/calls", `{"from":"+12025550123","to":"+12125550188"}`)
	assert.Equal(t, http.StatusCreated, w.Code, "%s", w.Body)
	done()

	body := slowly{make(chan struct{}), make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ctx := callmodel.WithPrincipal(t.Context(), operator())
		s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPut, "/v1/rules", body))
	}()
	<-body.reading
	_, done, err = s.svc.RuleWork(t.Context(), 1<<40)
	require.NoError(t, err, "a body that is being read holds the work up")
	done()
	close(body.read)
	<-ended
}
