package webhookhttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// The host says who asks; the handler does the rest.
func Example() {
	h := webhookhttp.New(memdb.New(nil), nil)
	who := callmodel.Principal{TenantID: "acme", Subject: "ann", Scopes: callmodel.Scopes()}
	r := httptest.NewRequest(http.MethodPost, "/v1/webhooks", strings.NewReader(`{"url":"https://example.com/hooks"}`))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), who)))
	fmt.Println(w.Code, strings.Contains(w.Body.String(), `"secret":"whsec_`))
	// Output: 201 true
}
