package apiclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// New makes a client of the API at the URL. key is its bearer token; "" for a server
// that takes requests without one. It has no time limit of its own: give one with each
// request's context, or an http.Client by [WithHTTPClient].
func New(url, key string, o ...ClientOption) (*ClientWithResponses, error) {
	if key != "" {
		o = append(o, WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+key)
			return nil
		}))
	}
	return NewClientWithResponses(url, o...)
}

// Answer is an answer of any operation.
type Answer interface {
	StatusCode() int
	GetBody() []byte
}

// RefusedError is an answer that refuses its request.
type RefusedError struct {
	Problem

	// Answered is the status. Problem has it, too, unless something on the way has
	// answered.
	Answered int
}

// Error is what happened, with every fault of the request.
func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, %d)", e.Detail, e.Code, e.Answered)
	if e.Errors != nil && len(*e.Errors) > 1 {
		for _, f := range *e.Errors {
			b.WriteString("\n  " + f.Path + ": " + f.Message)
		}
	}
	if e.RequestId != nil {
		b.WriteString("\n  request " + *e.RequestId)
	}
	return b.String()
}

// maxUnread bounds what is told of an answer that is no problem, in bytes.
const maxUnread = 200

// Error is the *[RefusedError] of an answer that refuses its request; nil for others.
func Error(a Answer) error {
	if a.StatusCode() < http.StatusBadRequest {
		return nil
	}
	e := &RefusedError{Answered: a.StatusCode()}
	if json.Unmarshal(a.GetBody(), &e.Problem) != nil || e.Code == "" {
		body := bytes.TrimSpace(a.GetBody())
		e.Code, e.Title = CodeInternal, http.StatusText(e.Answered)
		if e.Answered < http.StatusInternalServerError {
			e.Code = CodeMalformed
		}
		e.Detail = fmt.Sprintf("%s: %q", e.Title, body[:min(len(body), maxUnread)])
	}
	return e
}
