package exporthttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// Mount the handler in a server of one's own. Its authentication says who asks.
func Example() {
	mux := http.NewServeMux()
	exporthttp.New(memdb.New(nil), nil).Mount(mux)
	r := httptest.NewRequest(http.MethodPost, "/v1/exports", strings.NewReader(`{"of":"tenant"}`))
	p := callmodel.Principal{TenantID: "acme", Subject: "key-1", Scopes: []callmodel.Scope{callmodel.ScopeExportsWrite}}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	fmt.Println(w.Code, strings.HasPrefix(w.Header().Get("Location"), "/v1/exports/j"))
	// Output: 202 true
}
