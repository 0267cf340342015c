package service

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/ops"
)

// errEnding is what /readyz says of a process that was told to end.
var errEnding = errors.New("the process was told to end: send requests elsewhere")

// Ending is how a process goes that was told to end: /readyz fails and answers close
// their connections, while everything is still served, so that whoever spreads requests
// over several has time to leave this one out.
type Ending struct{ told <-chan struct{} }

// Drained is ctx and a while more: the context that is returned ends so long after ctx does.
// Its cancel gives up what it holds.
func Drained(ctx context.Context, while time.Duration, log *slog.Logger) (context.Context, *Ending, context.CancelFunc) {
	e := &Ending{told: ctx.Done()}
	if while <= 0 {
		drained, cancel := context.WithCancel(ctx)
		return drained, e, cancel
	}
	drained, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		log.InfoContext(drained, "told to end: not ready any more, and served for a while", "drain", while)
		select {
		case <-time.After(while):
			end()
		case <-drained.Done():
		}
	})
	return drained, e, func() { stop(); end() }
}

// is reports whether the process was told to end.
func (e *Ending) is() bool {
	select {
	case <-e.told:
		return true
	default:
		return false
	}
}

// Check is the probes' part of it.
func (e *Ending) Check() ops.Check {
	return ops.Check{Name: "serving", Check: func(context.Context) error {
		if e.is() {
			return errEnding
		}
		return nil
	}}
}

// Handler is h, whose answers close their connections once the process was told to end.
func (e *Ending) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e.is() {
			w.Header().Set("Connection", "close")
		}
		h.ServeHTTP(w, r)
	})
}
