package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"

	"github.com/switchtape/switchtape/callmodel/problem"
)

// maxAnswer bounds what a page takes of the API, in bytes.
const maxAnswer = 16 << 20

// refusal is what the API answered instead of what was asked for.
type refusal struct{ problem.Problem }

func (e *refusal) Error() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Title
}

// get asks the API, as whoever asks for the page. T is the answer's form.
func get[T any](c *Console, r *http.Request, path string, query url.Values) (T, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return ask[T](c, r, http.MethodGet, path, nil, "")
}

// post has the API do something, as whoever asks for the page. body is sent as JSON; nil
// for none.
func post[T any](c *Console, r *http.Request, path string, body any) (T, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			var none T
			return none, err
		}
	}
	return ask[T](c, r, http.MethodPost, path, raw, problem.JSON)
}

// ask is a request of the API, within this process.
func ask[T any](c *Console, r *http.Request, method, path string, body []byte, contentType string) (T, error) {
	head := http.Header{"Accept": {"application/json, application/problem+json"}}
	if contentType != "" {
		head.Set("Content-Type", contentType)
	}
	return askWith[T](c, r, method, path, body, head)
}

// askWith is ask with headers of its own.
func askWith[T any](c *Console, r *http.Request, method, path string, body []byte, head http.Header) (T, error) {
	var answer T
	raw, err := c.exchange(r, method, path, body, head)
	if err != nil || len(raw) == 0 {
		return answer, err
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, fmt.Errorf("the answer to %s: %w", path, err)
	}
	return answer, nil
}

// exchange is a request of the API, and its answer's body. The error is a *refusal where
// the API refuses.
func (c *Console) exchange(r *http.Request, method, path string, body []byte, head http.Header) ([]byte, error) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	req, err := inner(ctx, r, method, path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, head)
	var got recorder
	c.opts.API.ServeHTTP(&got, req)
	if got.over {
		return nil, fmt.Errorf("the answer to %s has more than %d bytes", path, maxAnswer)
	}
	if got.status >= http.StatusBadRequest {
		var p problem.Problem
		if err := json.Unmarshal(got.body.Bytes(), &p); err != nil || p.Status == 0 {
			p.Status, p.Title = got.status, http.StatusText(got.status)
		}
		return nil, &refusal{p}
	}
	return got.body.Bytes(), nil
}

// inner is a request of the API from the same browser, as the same principal.
func inner(ctx context.Context, r *http.Request, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, path, body) //nolint:gosec // it goes to a handler, not into the network
	if err != nil {
		return nil, fmt.Errorf("the request for %s: %w", path, err)
	}
	req.RemoteAddr, req.Host, req.TLS, req.RequestURI = r.RemoteAddr, r.Host, r.TLS, path
	if id := r.Header.Get("X-Request-Id"); id != "" {
		req.Header.Set("X-Request-Id", id)
	}
	return req, nil
}

// recorder is a ResponseWriter that keeps the answer.
type recorder struct {
	head   http.Header
	status int
	body   bytes.Buffer
	over   bool // there was more than maxAnswer
}

func (w *recorder) Header() http.Header {
	if w.head == nil {
		w.head = http.Header{}
	}
	return w.head
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.body.Len()+len(b) > maxAnswer {
		w.over = true
		return len(b), nil
	}
	return w.body.Write(b)
}
