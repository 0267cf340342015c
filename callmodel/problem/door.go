package problem

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// methods are those that endpoints have.
func methods() []string {
	return []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}
}

// Elsewhere answers requests that no endpoint of the mux takes: 405 with the methods
// that the path has, in Allow (RFC 9110 section 15.5.6), 204 with them for OPTIONS, and
// 404 where the path has none. It is to be registered at "/", which would otherwise
// turn every 405 of the mux into a 404.
func Elsewhere(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var allowed []string
		for _, method := range methods() {
			if _, pattern := mux.Handler(&http.Request{Method: method, Host: r.Host, URL: r.URL}); pattern != "/" && pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if allowed == nil {
			NotFound(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		Write(w, callmodel.Errorf(callmodel.CodeMethodNotAllowed, "%s is not for this path; it takes %s", r.Method, strings.Join(allowed, ", ")))
	})
}

// JSON is its media type.
const JSON = "application/json"

const (
	form   = "application/x-www-form-urlencoded"
	anyone = "*/*"
)

// Door is what an endpoint takes of a request beside its path, and what it gives.
type Door struct {
	// Query are the names of the parameters. One whose name ends in "*" here may be
	// given more than once.
	Query []string
	// Takes are the media types of the body; nil: JSON.
	Takes []string
	// Gzip says that the endpoint inflates bodies with that Content-Encoding. No other
	// is taken.
	Gzip bool
	// Gives are the media types of the answer, "audio/*" for any of a kind; nil: JSON.
	Gives []string
	// Late says that the endpoint checks the door itself, after a look at the body.
	Late bool
}

// Query is the door of an endpoint with these parameters.
func Query(names ...string) Door { return Door{Query: names} }

// Check looks at all that is in front of the body. The error is
// CodeUnsupportedMediaType, CodeNotAcceptable, CodeMalformed or FieldErrors.
func (d *Door) Check(r *http.Request) error {
	takes, gives := d.Takes, d.Gives
	if takes == nil {
		takes = []string{JSON}
	}
	if gives == nil {
		gives = []string{JSON}
	}
	if err := accepts(r, gives); err != nil {
		return err
	}
	if err := contentType(r, takes); err != nil {
		return err
	}
	if err := d.encoding(r); err != nil {
		return err
	}
	return query(r, d.Query)
}

// encoding checks that the body is encoded as the endpoint reads it (RFC 9110 section
// 8.4). The error is CodeUnsupportedMediaType.
func (d *Door) encoding(r *http.Request) error {
	given, send := strings.Join(r.Header.Values("Content-Encoding"), ", "), "the body as it is"
	if d.Gzip {
		send = "gzip, or " + send
	}
	if given == "" || given == "identity" || given == "gzip" && d.Gzip {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeUnsupportedMediaType, "the Content-Encoding is %.40q; send %s", given, send)
}

// query checks that the request's query has no parameters but those with these
// names, each at most once, or more often if its name ends in "*" here. A name that is
// not known would be ignored otherwise, and its answer mistaken for what was asked. The
// error is FieldErrors, or CodeMalformed for a query that can't be read.
func query(r *http.Request, names []string) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeMalformed, "the query can't be read: %w", err)
	}
	keep(r, given)
	var faults callmodel.FieldErrors
	for _, name := range sortedKeys(given) {
		switch {
		case strings.HasSuffix(name, "*") || !slices.Contains(names, name) && !slices.Contains(names, name+"*"):
			faults.Add(name, "is not a parameter here%s", parameters(names))
		case len(given[name]) > 1 && slices.Contains(names, name):
			faults.Add(name, "is given %d times", len(given[name]))
		}
	}
	return faults.Err()
}

// Values is the request's query, without what can't be read of it. It is not to be changed:
// all who ask share it, as it takes as long to read as a call to route.
func Values(r *http.Request) url.Values {
	if r.Form != nil && hasNoForm(r) {
		return r.Form
	}
	v := r.URL.Query()
	keep(r, v)
	return v
}

// keep has Values give v: the place for it is that of forms, which GET and HEAD have none of.
func keep(r *http.Request, v url.Values) {
	if hasNoForm(r) {
		r.Form = v
	}
}

func hasNoForm(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead
}

func sortedKeys(v url.Values) []string {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func parameters(names []string) string {
	if len(names) == 0 {
		return ": there are none"
	}
	return "; there are " + strings.ReplaceAll(strings.Join(names, ", "), "*", "")
}

// accepts checks that the client takes one of the media types by its Accept header
// (RFC 9110 section 12.5.1); without one it takes anything. The error is
// CodeNotAcceptable and names the types.
func accepts(r *http.Request, types []string) error {
	header := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(header) == "" {
		return nil
	}
	for accepted := range strings.SplitSeq(header, ",") {
		pattern, params, err := mime.ParseMediaType(accepted)
		if err != nil || refusedWeight(params["q"]) {
			continue
		}
		for _, t := range types {
			group, kind, _ := strings.Cut(t, "/")
			if pattern == t || pattern == anyone || pattern == group+"/*" || kind == "*" && strings.HasPrefix(pattern, group+"/") {
				return nil
			}
		}
	}
	return callmodel.Errorf(callmodel.CodeNotAcceptable, "the answer is %s, which the request's Accept header leaves out", strings.Join(types, " or "))
}

// Preferred is the one of the media types that the request's Accept header weighs most
// (RFC 9110 section 12.5.1), the first of those that weigh the same; without one the
// first. Each type is weighed by what names it most closely. [Door.Check] has refused
// requests that take none.
func Preferred(r *http.Request, types []string) string {
	header := strings.Join(r.Header.Values("Accept"), ",")
	best, most := types[0], -1.0
	for _, t := range types {
		if w := weight(header, t); w > most {
			best, most = t, w
		}
	}
	return best
}

// weight is what the Accept header gives the media type, 0 to 1.
func weight(header, t string) float64 {
	group, _, _ := strings.Cut(t, "/")
	patterns := []string{anyone, group + "/*", t} // the last is the closest
	closest, w := -1, 0.0
	for accepted := range strings.SplitSeq(header, ",") {
		pattern, params, err := mime.ParseMediaType(accepted)
		at := slices.Index(patterns, pattern)
		if err != nil || at <= closest {
			continue
		}
		closest, w = at, 1
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
			w = q
		}
	}
	return w
}

// refusedWeight reports whether the weight of a media type is 0.
func refusedWeight(q string) bool { return q != "" && strings.Trim(q, "0.") == "" }

// contentType checks that the body is said to be of one of the media types, or not
// said to be anything. That of forms says nothing: curl -d and the telephone servers
// that are built on it give it to whatever they are told to send. A type's suffix (RFC 6839: application/x+json) is as good as the
// type. The error is CodeUnsupportedMediaType and names the types.
func contentType(r *http.Request, types []string) error {
	given := r.Header.Get("Content-Type")
	if given == "" {
		return nil
	}
	is, _, err := mime.ParseMediaType(given)
	if err == nil {
		if is == form || slices.Contains(types, is) {
			return nil
		}
		if _, suffix, ok := strings.Cut(is, "+"); ok && slices.Contains(types, "application/"+suffix) {
			return nil
		}
	}
	return callmodel.Errorf(callmodel.CodeUnsupportedMediaType, "the body is said to be %q: send %s, and say so in Content-Type", given, strings.Join(types, " or "))
}
