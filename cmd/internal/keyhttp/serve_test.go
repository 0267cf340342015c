package keyhttp_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func serve(t *testing.T, h http.Handler, w *httptest.ResponseRecorder, r *http.Request) {
	t.Helper()
	h.ServeHTTP(w, r)
}
