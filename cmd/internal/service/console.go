package service

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/auth"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// ConsoleOptions are those of the web pages.
type ConsoleOptions struct {
	NoConsole      bool          `help:"Serve no web pages: the API alone."`
	ConsoleURL     string        `help:"Address that people open the web pages at, as https://calls.example.com: the issuer leads them back there. Needed by --oidc-client." name:"console-url" placeholder:"URL"`
	ConsoleSecret  cli.Secret    `help:"Secret that seals the sessions of the web pages; the same on all servers behind one name. In a file, or in the environment. Default: one of each process's own, whose sessions end with it." placeholder:"@FILE"`
	ConsoleIdle    time.Duration `help:"After how long without use a session of the web pages ends." default:"30m"`
	ConsoleLongest time.Duration `help:"After how long a session of the web pages ends in any case." default:"12h"`
}

// validate reports a log-in at the issuer that can't work.
func (o *ConsoleOptions) validate(a *AuthOptions) error {
	switch {
	case a.OIDCClient == "" && a.OIDCClientSecret != "":
		return cli.Usagef("--oidc-client-secret is given, and no --oidc-client whose it is")
	case a.OIDCClient != "" && a.OIDCIssuer == "":
		return cli.Usagef("--oidc-client is given, and no --oidc-issuer whose client it is")
	case a.OIDCClient != "" && o.ConsoleURL == "":
		return cli.Usagef("--oidc-client needs --console-url: the issuer leads people back there, and what a request says of its host may be a stranger's word")
	case o.ConsoleURL == "":
		return nil
	}
	u, err := url.Parse(o.ConsoleURL)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return cli.Usagef("--console-url %s is not a URL like https://calls.example.com, without a path", o.ConsoleURL)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !auth.Loopback(u.Hostname())) {
		return cli.Usagef("--console-url %s must be https: whoever stands in between would log in, too", o.ConsoleURL)
	}
	return nil
}

// provider is where people log in beside the keys; nil: nowhere.
func (a *API) provider(tokens *auth.OIDC) (*auth.CodeFlow, error) {
	if tokens == nil || a.opts.OIDCClient == "" {
		return nil, nil //nolint:nilnil // it is said so above
	}
	at := strings.TrimRight(a.opts.ConsoleURL, "/")
	flow, err := auth.NewCodeFlow(tokens, auth.CodeFlowOptions{
		Client: a.opts.OIDCClient, Secret: string(a.opts.OIDCClientSecret), Scopes: a.opts.OIDCLoginScopes,
		Redirect: at + console.CallbackPath, LoggedOut: at + "/login",
	})
	if err != nil {
		return nil, fmt.Errorf("--oidc-client, --oidc-login-scopes, --console-url: %w", err)
	}
	return flow, nil
}

// console makes the web pages; nil if there are to be none. health tells of what the API
// doesn't.
func (a *API) console(guard func(http.Handler) http.Handler, tokens *auth.OIDC, inside http.Handler, health func(context.Context) []console.Health) (http.Handler, error) {
	if a.opts.NoConsole || a.opts.Lane == LaneHigh {
		return nil, nil //nolint:nilnil // it is said so above
	}
	provider, err := a.provider(tokens)
	if err != nil {
		return nil, err
	}
	return console.New(console.Options{
		API: inside, Guard: guard, Noted: ops.Noted, LogIn: a.opts.Guarded(), Provider: provider, Secret: string(a.opts.ConsoleSecret),
		Health: health, Idle: a.opts.ConsoleIdle, Longest: a.opts.ConsoleLongest, Now: clock.Now, Logger: a.log,
	})
}
