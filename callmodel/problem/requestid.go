package problem

import (
	"crypto/rand"
	"net/http"
)

// RequestIDHeader names the header in which a request's id comes and goes.
const RequestIDHeader = "X-Request-Id"

// maxRequestID bounds ids that clients give, in bytes.
const maxRequestID = 128

// WithRequestID gives every request an id: the client's own, if it is 1 to 128
// printable ASCII characters without spaces, or a new one. It goes into the answer's
// header, from where problems and what [Fail] logs take it, so that one id finds a
// request on both sides.
func WithRequestID(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(RequestIDHeader)
		if !validRequestID(id) {
			id = rand.Text()
		}
		w.Header().Set(RequestIDHeader, id)
		h.ServeHTTP(w, r)
	})
}

func validRequestID(id string) bool {
	for i := range len(id) {
		if id[i] <= ' ' || id[i] > '~' {
			return false
		}
	}
	return id != "" && len(id) <= maxRequestID
}
