package apiclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/switchtape/switchtape/cmd/apiclient"
)

func Example() {
	// A server that doesn't know the key.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"%s is not allowed","code":"unauthenticated"}`, r.URL.Path)
	}))
	defer server.Close()

	client, err := apiclient.New(server.URL, "a key")
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.GetCallWithResponse(context.Background(), "pbx-1.42")
	if err == nil {
		err = apiclient.Error(answer)
	}
	if refused, ok := errors.AsType[*apiclient.RefusedError](err); ok {
		fmt.Println(refused.Code, refused.Detail)
		return
	}
	fmt.Println(answer.JSON200.State)
	// Output: unauthenticated /v1/calls/pbx-1.42 is not allowed
}
