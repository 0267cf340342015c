// Command mount-handlers mounts the call handling and the recording service in
// somebody else's server, beside its own routes and behind its own
// authentication.
//
//	go run ./examples/mount-handlers
//
// It makes one call against itself and ends; with -listen it keeps serving.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/storage/calldb"
)

func main() {
	listen := flag.String("listen", "", "address to keep serving on, like 127.0.0.1:8080")
	flag.Parse()
	if err := run(context.Background(), *listen); err != nil {
		fmt.Fprintln(os.Stderr, "mount-handlers:", err)
		os.Exit(1)
	}
}

const rules = `
destinations: {office: {uri: "sip:office.example.com"}}
rules: [{id: all, default: true, route: [[{to: office}]]}]
`

func run(ctx context.Context, listen string) (err error) {
	dir, err := os.MkdirTemp("", "mount-handlers-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := calldb.Open(ctx, calldb.SQLiteURL(filepath.Join(dir, "calls.db")), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.Migrate(ctx); err != nil {
		return err
	}

	calls := callhttp.New(db, &callhttp.Options{DefaultRegion: "GB", PlatformTenant: "acme"})
	if _, err := calls.InstallRules(ctx, "acme", []byte(rules), "example"); err != nil {
		return err
	}
	recordings := recordinghttp.New(db, &recordinghttp.Options{Check: recording.NewProcessor(nil, nil, nil).Check})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "my own route\n") })
	mux.Handle("/v1/recordings", recordings)
	mux.Handle("/v1/recordings/", recordings)
	mux.Handle("/v1/", calls)

	running, stop := context.WithCancel(ctx)
	background := make(chan error, 1)
	go func() { background <- calls.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-background)
	}()

	l, err := net.Listen("tcp", map[bool]string{true: "127.0.0.1:0", false: listen}[listen == ""])
	if err != nil {
		return err
	}
	server := &http.Server{Handler: authenticate(mux), ReadHeaderTimeout: 5 * time.Second}
	if listen != "" {
		return server.Serve(l)
	}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	return try("http://" + l.Addr().String())
}

// authenticate stands for your own authentication: whoever it lets through
// gets a principal in the context, and the handlers stay within its tenant.
func authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, ok := r.BasicAuth(); ok && user == "acme" && password == "secret" {
			p := callmodel.Principal{TenantID: "acme", Subject: user, Scopes: []callmodel.Scope{callmodel.ScopeCallsWrite}}
			r = r.WithContext(callmodel.WithPrincipal(r.Context(), p))
		}
		next.ServeHTTP(w, r)
	})
}

func try(url string) error {
	for _, password := range []string{"wrong", "secret"} {
		req, err := http.NewRequest(http.MethodPost, url+"/v1/calls", strings.NewReader(`{"from": "020 7946 0123", "to": "+1 202-555-0143"}`))
		if err != nil {
			return err
		}
		req.SetBasicAuth("acme", password)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		fmt.Printf("%s\n%s", resp.Status, body)
	}
	return nil
}
