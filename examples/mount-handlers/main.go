// Command mount-handlers mounts the call service, the tools to work on its rules, its
// users and the recording service in somebody else's server, beside its own routes and
// behind its own authentication.
//
//	go run ./examples/mount-handlers
//
// It makes a few requests of itself and ends; with -listen it keeps serving.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/routing/directory"
	"github.com/switchtape/switchtape/routing/rulehttp"
	"github.com/switchtape/switchtape/routing/userhttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

func main() {
	listen := flag.String("listen", "", "address to keep serving on, like 127.0.0.1:8080")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	db := memdb.New(nil)            // calldb.Open for SQLite or PostgreSQL
	known := directory.New(db, nil) // the users, in memory, for decisions
	service := callservice.New(db, &callservice.Options{DefaultRegion: "GB", Users: known})
	background := make(chan error, 2)
	go func() { background <- service.Run(ctx) }()
	go func() { background <- known.Run(ctx) }()
	_, err := service.InstallRules(ctx, "acme", []byte(rules), "example", "")

	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "my own route\n") })
	callhttp.New(service, &callhttp.Options{RecordingLink: func(id callmodel.JobID) string {
		return "/v1/recordings/jobs/" + string(id) + "/media"
	}}).Mount(mux)
	rulehttp.New(service, nil).Mount(mux)
	userhttp.New(db, &userhttp.Options{DefaultRegion: "GB"}).Mount(mux)
	recordings := recordinghttp.New(db, &recordinghttp.Options{Check: recording.NewProcessor(nil, nil, nil).Check})
	mux.Handle("/v1/recordings", recordings)
	mux.Handle("/v1/recordings/", recordings)

	server := &http.Server{Addr: *listen, Handler: authenticate(mux), ReadHeaderTimeout: 5 * time.Second}
	if err == nil {
		err = serve(ctx, server)
	}
	stop()
	if err = errors.Join(err, <-background, <-background); err != nil {
		fmt.Fprintln(os.Stderr, "mount-handlers:", err)
		os.Exit(1)
	}
}

const rules = `
destinations: {office: {uri: "sip:office.example.com"}}
rules: [{id: all, default: true, route: [[{to: office}]]}]
`

// authenticate stands for your own authentication: whoever it lets through
// gets a principal in the context, and the handlers stay within its tenant and
// its scopes.
func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); ok && user == "acme" && password == "secret" {
			p := callmodel.Principal{TenantID: "acme", Subject: user, Scopes: []callmodel.Scope{
				callmodel.ScopeCallsWrite, callmodel.ScopeRulesWrite, callmodel.ScopeRecordingsRead, callmodel.ScopeUsersWrite,
			}}
			r = r.WithContext(callmodel.WithPrincipal(r.Context(), p))
		}
		next.ServeHTTP(w, r)
	})
}

// serve serves until ctx ends; without an address it makes its own requests.
func serve(ctx context.Context, server *http.Server) error {
	if server.Addr == "" {
		return try(server.Handler)
	}
	context.AfterFunc(ctx, func() { _ = server.Shutdown(context.WithoutCancel(ctx)) })
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func try(h http.Handler) error {
	server := httptest.NewServer(h)
	defer server.Close()
	const call = `{"from": "020 7946 0123", "to": "+1 202-555-0143"}`
	for _, r := range []struct{ method, path, password, body string }{
		{http.MethodPost, "/v1/calls", "wrong", call},
		{http.MethodPost, "/v1/calls", "secret", call},
		{http.MethodPost, "/v1/rules/check", "secret", rules},
		{http.MethodPut, "/v1/users/ann", "secret", `{"name": "Ann", "numbers": {"extension": "100"}}`},
		{http.MethodGet, "/v1/recordings/jobs", "secret", ""},
		{http.MethodGet, "/v1/calls", "secret", ""}, // it has no scope for that
		{http.MethodGet, "/hello", "", ""},
	} {
		req, err := http.NewRequest(r.method, server.URL+r.path, strings.NewReader(r.body))
		if err != nil {
			return err
		}
		req.SetBasicAuth("acme", r.password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		fmt.Printf("%s %s: %s\n%s", r.method, r.path, resp.Status, body)
	}
	return nil
}
