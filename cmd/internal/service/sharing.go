package service

import (
	"log/slog"
	"net/http"
	"net/url"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/exporthttp"
	"github.com/switchtape/switchtape/recording/sharehttp"
	"github.com/switchtape/switchtape/routing/callservice"
)

// sharesPath is where share links lead.
const sharesPath = "/s/"

// ShareOptions say whether recordings can be shared by links.
type ShareOptions struct {
	ShareURL string `help:"Public URL below which share links of recordings are opened at this server's /s/, as https://calls.example.com. Default: no links are made, and none is opened." name:"share-url" placeholder:"URL"`
}

// validate reports a URL that can't be meant.
func (o *ShareOptions) validate() error {
	if o.ShareURL == "" {
		return nil
	}
	u, err := url.Parse(o.ShareURL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return cli.Usagef("--share-url %s is not a URL like https://calls.example.com", o.ShareURL)
	}
	return nil
}

// mountSharing mounts exports and shares, and makes the handler of the links.
func (a *API) mountSharing(s *Stores, svc *callservice.Service, m *ops.Metrics, log *slog.Logger, jobEnqueued func()) {
	exports := &exporthttp.Options{
		Normalize: func(t callmodel.TenantID, number, region string) (string, error) {
			p, err := svc.Normalize(t, number, region)
			return p.Number, err
		},
		JobEnqueued: jobEnqueued, AccessDenied: svc.AccessDenied, Now: clock.Now, Logger: log,
	}
	if s.Objects != nil {
		exports.Files = s.Objects
	}
	exporthttp.New(s.DB, exports).Mount(a.mux)
	codecs := recording.BuiltinCodecs()
	base := a.opts.ShareURL
	if s.Objects == nil {
		base = "" // there is nothing that links could lead to
	}
	sharehttp.New(s.DB, s.DB, &sharehttp.Options{
		BaseURL: base, Codecs: codecs, AccessDenied: svc.AccessDenied, Logger: log,
	}).Mount(a.mux)
	if base == "" {
		return
	}
	guesses := auth.NewGuesses(clock.Now)
	// It is never closed: files without names go with the process, and requests are served
	// until its end.
	a.shares = sharehttp.NewPublic(s.DB, s.DB, s.Objects, sharehttp.PublicOptions{
		Codecs: codecs, TempDir: s.SpoolDir, Unknown: guesses.Wrong, Now: clock.Now, Logger: log, Unreadable: a.unreadable.count,
	})
	for _, outcome := range sharehttp.Outcomes() {
		m.CounterOf("switchtape_share_requests_total", map[string]string{"outcome": outcome}, func() float64 { return float64(a.shares.Requests(outcome)) })
	}
}

// mountLinks mounts the share links, which need no credentials.
func (a *API) mountLinks(mux *http.ServeMux) {
	if a.shares != nil {
		mux.Handle(sharesPath, a.shares)
	}
}
