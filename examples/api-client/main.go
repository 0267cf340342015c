// Command api-client speaks to a service by its Go client: it has a call routed, tells
// what became of it, finds it again, and is refused once.
//
//	go run ./examples/api-client
//	SWITCHTAPE_API_KEY=… go run ./examples/api-client -api https://calls.example.com
//
// Without -api it starts a service of its own, which keeps calls in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

func main() {
	url := flag.String("api", "", "the API; without it a service is started")
	flag.Parse()
	if err := run(*url, os.Getenv("SWITCHTAPE_API_KEY")); err != nil {
		fmt.Fprintln(os.Stderr, "api-client:", err)
		os.Exit(1)
	}
}

func run(url, key string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if url == "" {
		own, err := start(ctx)
		if err != nil {
			return err
		}
		defer own.Close()
		url = own.URL
	}
	return try(ctx, url, key)
}

// try makes a few requests.
func try(ctx context.Context, url, key string) error {
	client, err := apiclient.New(url, key)
	if err != nil {
		return err
	}
	from := "+442079460123"
	created, err := client.CreateCallWithResponse(ctx, &apiclient.CreateCallParams{IdempotencyKey: new("example-" + time.Now().Format(time.RFC3339Nano))},
		apiclient.CallRequest{From: &from, To: "+12025550143", Metadata: &apiclient.Metadata{"order": "4711"}})
	if err == nil {
		err = apiclient.Error(created)
	}
	if err != nil {
		return fmt.Errorf("a call: %w", err)
	}
	call := created.JSON201
	fmt.Printf("%s: to be tried at %s\n", call.State, call.Decision.Destinations[0].Uri)
	for _, event := range []apiclient.CallEvent{
		{Id: "1", Type: apiclient.CallEventTypeAnswered},
		{Id: "2", Type: apiclient.CallEventTypeEnded, Cause: &apiclient.Cause{Q850: new(16)}},
	} {
		told, err := client.PostCallEventWithResponse(ctx, call.Id, event)
		if err == nil {
			err = apiclient.Error(told)
		}
		if err != nil {
			return fmt.Errorf("the event %s: %w", event.Type, err)
		}
	}
	found, err := client.ListCallsWithResponse(ctx, &apiclient.ListCallsParams{Metadata: &[]string{"order=4711"}, Limit: new(1)})
	if err == nil {
		err = apiclient.Error(found)
	}
	if err != nil {
		return fmt.Errorf("the list: %w", err)
	}
	for _, c := range found.JSON200.Calls {
		fmt.Printf("found a call to %s: %s\n", c.To.Number, c.State)
	}
	// Every fault of a request is told at once, with its path.
	refused, err := client.CreateCallWithResponse(ctx, nil, apiclient.CallRequest{To: "nobody", Priority: new(12)})
	if err != nil {
		return err
	}
	var why *apiclient.RefusedError
	if errors.As(apiclient.Error(refused), &why) && why.Errors != nil {
		for _, fault := range *why.Errors {
			fmt.Printf("refused: %s %s\n", fault.Path, fault.Message)
		}
	}
	return nil
}

const rules = `
destinations: {office: {uri: "sip:office.example.com"}}
rules: [{id: all, default: true, route: [[{to: office}]]}]
`

// start is a service on this machine, for whoever asks.
func start(ctx context.Context) (*httptest.Server, error) {
	service := callservice.New(memdb.New(nil), nil)
	if _, err := service.InstallRules(ctx, "acme", []byte(rules), "example", ""); err != nil {
		return nil, err
	}
	h := callhttp.New(service, nil)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := callmodel.Principal{TenantID: "acme", Subject: "example", Scopes: callmodel.Scopes()}
		h.ServeHTTP(w, r.WithContext(callmodel.WithPrincipal(r.Context(), p)))
	})), nil
}
