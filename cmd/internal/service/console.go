package service

import (
	"context"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// ConsoleOptions are those of the web pages.
type ConsoleOptions struct {
	NoConsole      bool          `help:"Serve no web pages: the API alone."`
	ConsoleSecret  cli.Secret    `help:"Secret that seals the sessions of the web pages; the same on all servers behind one name. In a file, or in the environment. Default: one of each process's own, whose sessions end with it." placeholder:"@FILE"`
	ConsoleIdle    time.Duration `help:"After how long without use a session of the web pages ends." default:"30m"`
	ConsoleLongest time.Duration `help:"After how long a session of the web pages ends in any case." default:"12h"`
}

// console makes the web pages; nil if there are to be none. health tells of what the API
// doesn't.
func (a *API) console(guard func(http.Handler) http.Handler, inside http.Handler, health func(context.Context) []console.Health) (http.Handler, error) {
	if a.opts.NoConsole || a.opts.Lane == LaneHigh {
		return nil, nil //nolint:nilnil // it is said so above
	}
	return console.New(console.Options{
		API: inside, Guard: guard, Noted: ops.Noted, LogIn: a.opts.Guarded(), Secret: string(a.opts.ConsoleSecret),
		Health: health, Idle: a.opts.ConsoleIdle, Longest: a.opts.ConsoleLongest, Now: clock.Now, Logger: a.log,
	})
}
