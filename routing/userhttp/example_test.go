package userhttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/userhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// A host mounts the handler behind its own authentication.
func Example() {
	h := userhttp.New(memdb.New(nil), &userhttp.Options{DefaultRegion: "DE"})
	ann := callmodel.Principal{TenantID: "acme", Subject: "ann", Scopes: callmodel.Scopes()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), ann)))
	}))
	defer server.Close()

	body := strings.NewReader(`{"numbers": {"extension": "100", "dids": ["030 123450"]}, "preferences": {"do_not_disturb": true}}`)
	req, err := http.NewRequest(http.MethodPut, server.URL+"/v1/users/ann", body)
	if err != nil {
		fmt.Println(err)
		return
	}
	res, err := server.Client().Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer res.Body.Close()
	fmt.Println(res.StatusCode, res.Header.Get("ETag"))
	// Output: 201 "1"
}
