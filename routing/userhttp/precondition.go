package userhttp

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/users"
)

// precondition is what the request says of the state that its change is of, by RFC 9110
// section 13.1; said is false if it says nothing.
func precondition(r *http.Request) (p users.Precondition, said bool, err error) {
	match, none := r.Header.Values("If-Match"), r.Header.Values("If-None-Match")
	switch {
	case len(match) > 0 && len(none) > 0:
		return 0, false, callmodel.Errorf(callmodel.CodeMalformed, "If-Match and If-None-Match contradict each other; give one of them")
	case len(match) == 1 && strings.TrimSpace(match[0]) == "*":
		return users.IfPresent, true, nil
	case len(match) == 1:
		v, ok := version(strings.TrimSpace(match[0]))
		if !ok {
			return 0, false, callmodel.Errorf(callmodel.CodeMalformed, "If-Match must be the ETag of one version, in its quotes, or *")
		}
		return v, true, nil
	case len(none) == 1 && strings.TrimSpace(none[0]) == "*":
		return users.IfAbsent, true, nil
	case len(match) > 1 || len(none) > 0:
		return 0, false, callmodel.Errorf(callmodel.CodeMalformed, "a change takes one If-Match, or If-None-Match: *")
	}
	return 0, false, nil
}

// version reads one entity tag. A weak tag, or one that no version has, is that of none.
func version(tag string) (users.Precondition, bool) {
	strong, weak := strings.CutPrefix(tag, "W/")
	if len(strong) < 2 || strong[0] != '"' || strong[len(strong)-1] != '"' || strings.ContainsAny(strong[1:len(strong)-1], "\", ") {
		return 0, false
	}
	n, err := strconv.ParseInt(strong[1:len(strong)-1], 10, 64)
	if weak || err != nil || n <= 0 || strconv.Quote(strconv.FormatInt(n, 10)) != strong {
		n = math.MaxInt64
	}
	return users.Precondition(n), true
}

// required is the precondition of a change of what must be there.
func required(r *http.Request) (users.Precondition, error) {
	p, said, err := precondition(r)
	switch {
	case err != nil:
		return 0, err
	case !said:
		return 0, errRequired()
	case p == users.IfAbsent:
		return 0, callmodel.Errorf(callmodel.CodeMalformed, "this changes what is there; give If-Match")
	}
	return p, nil
}

func errRequired() error {
	return callmodel.Errorf(callmodel.CodePreconditionRequired,
		"it is there already: say in If-Match which version this is a change of, as the ETag of a GET, or * for any")
}

// onPut is the precondition of a PUT, which makes what isn't there if it says nothing,
// and refusal of what is.
func onPut(r *http.Request) (p users.Precondition, refusal func(error) error, err error) {
	p, said, err := precondition(r)
	if err != nil || said {
		return p, func(err error) error { return err }, err
	}
	return users.IfAbsent, func(err error) error {
		if callmodel.CodeOf(err) == callmodel.CodePrecondition {
			return errRequired()
		}
		return err
	}, nil
}

// notModified answers a GET whose If-None-Match has the tag, and reports whether it did.
func notModified(w http.ResponseWriter, r *http.Request, tag string) bool {
	for _, v := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(v, ",") {
			one = strings.TrimSpace(one)
			if one == "*" || strings.TrimPrefix(one, "W/") == tag {
				w.Header().Set("ETag", tag)
				w.Header().Set("Cache-Control", "no-store")
				w.WriteHeader(http.StatusNotModified)
				return true
			}
		}
	}
	return false
}

// write answers with a document and its tag.
func write(w http.ResponseWriter, status int, rev users.Revision, v any) {
	w.Header().Set("ETag", rev.ETag())
	problem.WriteJSON(w, status, v)
}

// created is the status of a PUT.
func created(w http.ResponseWriter, path string, made bool) int {
	if !made {
		return http.StatusOK
	}
	w.Header().Set("Location", path)
	return http.StatusCreated
}

// history are the parameters of a list of versions.
func history(r *http.Request) (before int64, limit int, err error) {
	var faults callmodel.FieldErrors
	limit, err = problem.Int(r, "limit", usualPage, 1, maxHistory)
	if err != nil {
		faults.AddAll("", err)
	}
	n, err := problem.Int(r, "before", 0, 1, math.MaxInt64)
	if err != nil {
		faults.AddAll("", err)
	}
	return int64(n), limit, faults.Err()
}

// versions is the answer of a list of versions. Next is the "before" of the page behind it.
type versions[T any] struct {
	Versions []users.Version[T] `json:"versions"`
	Next     int64              `json:"next,omitempty"`
}

func writeVersions[T any](w http.ResponseWriter, list []users.Version[T], limit int) {
	v := versions[T]{Versions: list}
	if n := len(list); n == limit && list[n-1].Version > 1 {
		v.Next = list[n-1].Version
	}
	problem.WriteJSON(w, http.StatusOK, v)
}
