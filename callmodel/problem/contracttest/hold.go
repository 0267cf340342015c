package contracttest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
)

// Setting is what the requests of [Contract.Hold] are made in.
type Setting struct {
	Tenant callmodel.TenantID
	// Values are those of parameters, by their name or by "POST /v1/calls/{id}/events id":
	// of things that exist.
	Values map[string]string
	// Replace has texts of bodies and what to have in their place, in turn.
	Replace []string
	// AnyName are the operations that do nothing, and succeed, where there is nothing.
	AnyName []string
	// Refused are the requests that the file has and the handler refuses all the same,
	// each with the rule that the file can't say.
	Refused map[string]string
}

// Hold sends the handler requests that are made from its file: for every operation the
// example, the boundaries of every parameter and field, what is beyond them, and what is
// hostile. Every answer must be in the contract, none be a failure of the service's own,
// and what the file doesn't have must be refused. It returns how many there were.
func (c *Contract) Hold(t testing.TB, h http.Handler, s *Setting) int {
	t.Helper()
	p := c.parts[0]
	doc := &document{p.whole}
	n := 0
	unused := map[string]bool{}
	for what := range s.Refused {
		unused[what] = true
	}
	for _, x := range doc.examples(s.Values) {
		list := append(x.attempts(), c.otherMethods(x)...)
		for _, a := range list {
			n++
			if slices.Contains(s.AnyName, x.route) && slices.Contains(a.status, http.StatusNotFound) {
				a.status = append(a.status, http.StatusOK)
			}
			if _, known := s.Refused[a.what]; known {
				a.want = refused
				delete(unused, a.what)
			}
			c.hold(t, h, s, a)
		}
	}
	assert.Empty(t, unused, "requests that are not made")
	return n
}

// otherMethods are requests by methods that the path doesn't have.
func (c *Contract) otherMethods(x *example) []*attempt {
	var list []*attempt
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodTrace, "BREW"} {
		a := x.attempt("by "+method, refused, http.StatusMethodNotAllowed)
		a.method = method
		if u, err := url.Parse(a.target); err == nil {
			if _, _, op := c.operation(strings.ToLower(method), u.EscapedPath()); op == nil {
				list = append(list, a)
			}
		}
	}
	options := x.attempt("by OPTIONS", asContract, http.StatusNoContent)
	options.method = http.MethodOptions
	return append(list, options)
}

func (c *Contract) hold(t testing.TB, h http.Handler, s *Setting, a *attempt) {
	t.Helper()
	ctx := t.Context()
	if !a.nobody {
		ctx = callmodel.WithPrincipal(ctx, callmodel.Principal{TenantID: s.Tenant, Subject: "contract", Scopes: a.scopes})
	}
	if _, err := url.Parse(a.target); !assert.NoError(t, err, a.what) {
		return
	}
	body := strings.NewReplacer(s.Replace...).Replace(string(a.body))
	r := httptest.NewRequestWithContext(ctx, a.method, a.target, strings.NewReader(body))
	r.Header = a.header
	w := httptest.NewRecorder()
	c.Serve(t, h, w, r)
	ok := w.Code < http.StatusInternalServerError
	switch {
	case len(a.status) > 0:
		ok = ok && slices.Contains(a.status, w.Code)
	case a.want == refused:
		ok = ok && w.Code >= http.StatusBadRequest
	case a.want == taken:
		ok = ok && !slices.Contains([]int{
			http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusNotAcceptable,
			http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity,
		}, w.Code)
	}
	assert.True(t, ok, "%s: %d\n%.300s\nfor %.300s", a.what, w.Code, w.Body, a.body)
}
