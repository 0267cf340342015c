// Package contracttest holds HTTP handlers to their OpenAPI files, in tests. A
// [Contract] compares the endpoints of a handler with the operations of its file, both
// ways, and looks at every request that a test makes and at its answer:
//
//	test ─▶ Contract.Serve ─▶ handler
//	             └▶ the answer is one that the file has; what succeeded was a
//	                request that the file has
package contracttest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	validation "github.com/pb33f/libopenapi-validator/errors"
	"github.com/stretchr/testify/assert"
	"go.yaml.in/yaml/v3"
)

// maxBody bounds the bodies that are looked at, in bytes: larger ones are tests of size.
const maxBody = 1 << 20

// Media types that are not what they say to a validator of JSON.
const (
	ndjson = "application/x-ndjson"
	form   = "application/x-www-form-urlencoded"
)

// Contract is the OpenAPI files that a handler is held to. Make one with [New]; it may be
// used by any number of goroutines.
type Contract struct{ parts []*part }

// part is one file.
type part struct {
	file      file
	whole     object
	validator validator.Validator
}

// New reads the files, of which the first is that of the handler under test; others are
// those of handlers beside it. Objects may have no properties in tests that their schema
// doesn't list, where it doesn't say itself whether they may: so that none is forgotten.
func New(openAPI ...[]byte) (*Contract, error) {
	c := &Contract{}
	for _, text := range openAPI {
		p, err := read(text)
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, p)
	}
	return c, nil
}

func read(openAPI []byte) (*part, error) {
	p := &part{}
	var whole object
	if err := errors.Join(yaml.Unmarshal(openAPI, &p.file), yaml.Unmarshal(openAPI, &whole)); err != nil {
		return nil, err
	}
	closeObjects(whole)
	takeReserved(whole)
	text, err := yaml.Marshal(whole)
	if err != nil {
		return nil, err
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	v, errs := validator.NewValidator(doc, config.WithFormatAssertions(), config.WithoutSecurityValidation())
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	if valid, faults := v.ValidateDocument(); !valid {
		return nil, fmt.Errorf("the file is not OpenAPI:\n%s", describe(faults))
	}
	p.whole, p.validator = whole, v
	return p, nil
}

// operation is the one at the path, its template and its file; nil if there is none.
func (c *Contract) operation(method, path string) (*part, string, *operation) {
	for _, p := range c.parts {
		if template, op := p.file.operation(method, path); op != nil {
			return p, template, op
		}
	}
	return nil, "", nil
}

// closeObjects lets the schemas of objects in v have no properties but those they name.
func closeObjects(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, named := v["properties"].(map[string]any)
		if _, said := v["additionalProperties"]; named && !said {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closeObjects(inner)
		}
	case []any:
		for _, inner := range v {
			closeObjects(inner)
		}
	}
}

// takeReserved lets the parameters of queries in v have any characters: the validator
// looks for those that are to be escaped in what is unescaped already.
func takeReserved(v any) {
	switch v := v.(type) {
	case map[string]any:
		if v["in"] == "query" {
			v["allowReserved"] = true
		}
		for _, inner := range v {
			takeReserved(inner)
		}
	case []any:
		for _, inner := range v {
			takeReserved(inner)
		}
	}
}

// Serve has h answer r into w, and looks at both.
func (c *Contract) Serve(t testing.TB, h http.Handler, w *httptest.ResponseRecorder, r *http.Request) {
	t.Helper()
	var body bytes.Buffer
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, &body), r.Body}
	h.ServeHTTP(w, r)
	if _, err := io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)); err == nil {
		c.check(t, r, body.Bytes(), w)
	}
}

func (c *Contract) check(t testing.TB, r *http.Request, body []byte, w *httptest.ResponseRecorder) {
	t.Helper()
	what := r.Method + " " + r.URL.String()
	method := strings.ToLower(r.Method)
	if r.Method == http.MethodHead {
		method = "get"
	}
	in, path, op := c.operation(method, r.URL.EscapedPath())
	if unclean(r.URL) {
		return
	}
	if op == nil || in != c.parts[0] && w.Code == http.StatusNotFound { // another handler's, which needn't be there
		elsewhere := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusMovedPermanently, http.StatusTemporaryRedirect}
		assert.True(t, slices.Contains(elsewhere, w.Code) || r.Method == http.MethodOptions && w.Code == http.StatusNoContent,
			"%s is not in the contract and is answered with %d", what, w.Code)
		return
	}
	if r.Method != http.MethodHead && w.Body.Len() <= maxBody {
		for _, answer := range answers(w) { //nolint:bodyclose // they are the recorder's
			valid, faults := in.validator.ValidateHttpResponse(clone(r, body), answer)
			assert.True(t, valid, "the answer to %s is not in the contract:\n%s\n%.2000s", what, describe(faults), w.Body)
		}
	}
	if w.Code >= http.StatusBadRequest || len(body) > maxBody || method == "post" && path == "/v1/calls" && isEmergency(w.Body.Bytes()) {
		return
	}
	again := clone(r, body)
	if _, has := op.RequestBody.Content["text/plain"]; has && r.Header.Get("Content-Type") == "" {
		again.Header.Set("Content-Type", "text/plain") // a line may look like JSON
	}
	valid, faults := in.validator.ValidateHttpRequestSync(again)
	assert.True(t, valid, "%s is answered with %d and is not in the contract:\n%s\n%.2000s", what, w.Code, describe(faults), body)
}

// maxLines bounds the lines of an answer that are looked at.
const maxLines = 100

// answers is the answer; one of lines of JSON is as many, as the schema is that of a line.
func answers(w *httptest.ResponseRecorder) []*http.Response {
	whole := w.Result()
	if whole.Header.Get("Content-Type") != ndjson || w.Body.Len() == 0 {
		return []*http.Response{whole}
	}
	var list []*http.Response
	for line := range bytes.Lines(w.Body.Bytes()) {
		one := *whole
		one.Body = io.NopCloser(bytes.NewReader(line))
		if list = append(list, &one); len(list) == maxLines { //nolint:bodyclose // it needs no closing
			break
		}
	}
	return list
}

// unclean reports whether a mux redirects the path, or the validator takes it for
// another.
func unclean(u *url.URL) bool {
	return strings.Contains(u.Path+"/", "/../") || strings.Contains(strings.ToLower(u.RawPath), "%2f")
}

// isEmergency reports whether the answer is an emergency call, which is taken whatever
// is wrong of its request.
func isEmergency(answer []byte) bool {
	var call struct {
		Emergency bool `json:"emergency"`
	}
	return json.Unmarshal(answer, &call) == nil && call.Emergency
}

// clone is the request with its body once more, which is said to be what it looks like
// if it isn't said to be anything, or a form, as curl says.
func clone(r *http.Request, body []byte) *http.Request {
	again := r.Clone(r.Context())
	if r.Method == http.MethodHead {
		again.Method = http.MethodGet
	}
	if again.Header.Get("Content-Encoding") != "" || again.Header.Get("Content-Type") == ndjson {
		again.Header.Set("Content-Type", "text/plain") // nobody inflates it here, or takes it apart
	}
	if is := again.Header.Get("Content-Type"); len(body) > 0 && (is == "" || is == form) {
		switch {
		case json.Valid(body):
			again.Header.Set("Content-Type", "application/json")
		case bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")): // lines of it
			again.Header.Set("Content-Type", "text/plain")
		default:
			again.Header.Set("Content-Type", "application/yaml")
		}
	}
	if group, kind, is := strings.Cut(again.Header.Get("Content-Type"), "/"); is {
		if _, suffix, has := strings.Cut(kind, "+"); has {
			again.Header.Set("Content-Type", group+"/"+suffix)
		}
	}
	query := again.URL.Query()
	for name, values := range query {
		if slices.Equal(values, []string{""}) {
			delete(query, name) // it is as one that isn't given
		}
	}
	again.URL.RawQuery = query.Encode()
	again.Body = io.NopCloser(bytes.NewReader(body))
	return again
}

// describe is the faults, a line each.
func describe(faults []*validation.ValidationError) string {
	var b strings.Builder
	for _, f := range faults {
		b.WriteString(f.Message + ": " + f.Reason + "\n")
		for _, s := range f.SchemaValidationErrors {
			b.WriteString("  " + s.FieldPath + ": " + s.Reason + "\n")
		}
	}
	return b.String()
}
