package callhttp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb"
)

// Mount the handler in a server of one's own. Its authentication says who calls.
func Example() {
	dir, err := os.MkdirTemp("", "callhttp")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "calls.db")), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}

	service := callservice.New(db, &callservice.Options{
		DefaultRegion:         "US",
		EmergencyDestinations: []calls.Destination{{ID: "psap", URI: "sip:psap.example.com"}},
	})
	done := make(chan error)
	go func() { done <- service.Run(ctx) }()
	if _, err := service.InstallRules(ctx, "acme", []byte(rules), "example", ""); err != nil {
		fmt.Println(err)
		return
	}
	handler := callhttp.New(service, nil)
	authenticated := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := callmodel.Principal{TenantID: "acme", Subject: "key-1", Scopes: []callmodel.Scope{callmodel.ScopeCallsWrite}}
		handler.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	})
	server := httptest.NewServer(authenticated)
	defer server.Close()

	for _, to := range []string{"(212) 555-0188", "911"} {
		resp, err := http.Post(server.URL+"/v1/calls", "application/json", strings.NewReader(`{"from":"+12025550123","to":"`+to+`"}`))
		if err != nil {
			fmt.Println(err)
			return
		}
		var call calls.Call
		err = json.NewDecoder(resp.Body).Decode(&call)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, call.To.Number, "to", call.Decision.Destinations[0].URI, err)
	}
	stop()
	fmt.Println(<-done)
	// Output:
	// 201 +12125550188 to sip:a.example.com <nil>
	// 201 911 to sip:psap.example.com <nil>
	// <nil>
}
