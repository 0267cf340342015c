// Package apidocs serves the contracts of the handlers as one, and a page to read it.
//
//	GET /openapi.yaml   OpenAPI 3.1
//	GET /docs/          the same, rendered
//
// Neither needs credentials, as both say nothing that the source doesn't. The page is
// Swagger UI from this binary: it asks nobody else for anything, and runs under a policy
// that lets it run no other scripts.
package apidocs

import (
	"bytes"
	"embed"
	"io/fs"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel/reports/reporthttp"
	"github.com/switchtape/switchtape/cmd/internal/keyhttp"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/recording/webhookhttp"
	"github.com/switchtape/switchtape/routing/callhttp"
	"github.com/switchtape/switchtape/routing/rulehttp"
	"github.com/switchtape/switchtape/routing/userhttp"
)

//go:embed page swagger-ui
var files embed.FS

// What the page may do: run and show its own files, and ask its own server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Contracts are the OpenAPI files of all handlers of the services.
func Contracts() [][]byte {
	return [][]byte{
		callhttp.OpenAPI(), rulehttp.OpenAPI(), recordinghttp.OpenAPI(), reporthttp.OpenAPI(), userhttp.OpenAPI(), keyhttp.OpenAPI(),
		webhookhttp.OpenAPI(), exporthttp.OpenAPI(), sharehttp.OpenAPI(),
	}
}

// Mount adds the two to the mux. contracts are the OpenAPI files of the handlers that it
// has. The error is one of theirs.
func Mount(mux *http.ServeMux, contracts ...[]byte) error {
	whole, err := Join(contracts...)
	if err != nil {
		return err
	}
	mux.HandleFunc("GET /openapi.yaml", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		serve(w, r, whole)
	})
	mux.Handle("GET /docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently))
	for _, f := range []struct{ path, file, mediaType string }{
		{"{$}", "page/index.html", "text/html; charset=utf-8"},
		{"docs.js", "page/docs.js", "text/javascript; charset=utf-8"},
		{"swagger-ui-bundle.js", "swagger-ui/swagger-ui-bundle.js", "text/javascript; charset=utf-8"},
		{"swagger-ui.css", "swagger-ui/swagger-ui.css", "text/css; charset=utf-8"},
		{"favicon-32x32.png", "swagger-ui/favicon-32x32.png", "image/png"},
	} {
		content, err := fs.ReadFile(files, f.file)
		if err != nil {
			return err
		}
		mux.HandleFunc("GET /docs/"+f.path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", f.mediaType)
			w.Header().Set("Content-Security-Policy", policy)
			w.Header().Set("Referrer-Policy", "no-referrer")
			serve(w, r, content)
		})
	}
	return nil
}

// serve answers with the content, which is that of the binary.
func serve(w http.ResponseWriter, r *http.Request, content []byte) {
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}
