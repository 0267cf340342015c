package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/cmd/internal/apidocs"
	"github.com/switchtape/switchtape/cmd/internal/console"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/worker"
)

// Handlers are what a process serves.
type Handlers struct {
	// Public is the API behind its authentication and its description before it, signed
	// links and probes, and metrics where they have no listener of their own.
	Public http.Handler
	// Admin is probes, metrics and profiles, for that listener.
	Admin http.Handler
}

// HTTP is what a process serves at addr and at its admin listener. api or rec may be nil.
// Probes look at more, too.
func HTTP(s *Stores, api *API, rec *worker.Worker, addr net.Addr, admin AdminOptions, m *ops.Metrics, more ...ops.Check) (*Handlers, error) {
	mux := http.NewServeMux()
	db := dbCheck(s.DB)
	checks := slices.Clone(more)
	if api != nil {
		checks = append(checks, api.rulesCheck(), api.usersCheck())
		// Such a service answers emergency calls without a database.
		db.Tolerated = api.answersAlone
	}
	checks = append(checks, db)
	if rec != nil {
		checks = append(checks, workerCheck(rec.Unanswered), recordingsCheck(rec, api != nil))
		m.Gauge("switchtape_ledger_unanswered_seconds", func() float64 {
			silent, _ := rec.Unanswered()
			return silent.Seconds()
		})
		m.Gauge("switchtape_running_jobs", func() float64 { return float64(rec.Running()) })
	}
	if !admin.NoLedgerMetrics {
		m.Ledger(s.DB.Stats)
	}
	m.Database(s.pools)
	ops.Mount(mux, checks...)
	if !admin.set() {
		ops.MountMetrics(mux, m)
	}
	if s.Objects != nil {
		mux.HandleFunc(objectsPath, s.Objects.ServeSigned)
	}
	if s.Backup != nil {
		mux.HandleFunc(backupPath, s.Backup.ServeSigned)
	}
	if api != nil {
		api.mountLinks(mux)
		guarded, pages, err := api.guarded(m, addr, health(s, api, rec, checks))
		if err != nil {
			return nil, err
		}
		if pages != nil {
			for _, path := range console.Paths() {
				mux.Handle(path, problem.WithRequestID(pages))
			}
		}
		mux.Handle("/", problem.WithRequestID(guarded))
		if err := apidocs.Mount(mux, apidocs.Contracts()...); err != nil {
			return nil, err
		}
	}
	return &Handlers{Public: mux, Admin: adminHandler(m, checks)}, nil
}

// recordingsCheck is what keeps the worker from making recordings, other than its
// ledger. A process that takes calls as well takes them all the same.
func recordingsCheck(rec *worker.Worker, takesCalls bool) ops.Check {
	return ops.Check{
		Name:  "recordings",
		Check: func(context.Context) error { return rec.Ready() },
		Detail: func() string {
			var more []string
			if n := rec.Abandoned(); n > 0 {
				more = append(more, fmt.Sprintf("%d attempts hang", n))
			}
			for _, b := range rec.BucketsAway() {
				more = append(more, b.String())
			}
			return strings.Join(more, "; ")
		},
		Tolerated: func() bool { return takesCalls },
	}
}

// How long the ledger may leave a worker without an answer, be it that calls fail
// or that one hangs.
const (
	unreadyAfter = 30 * time.Second // until /readyz fails
	deadAfter    = 5 * time.Minute  // until /healthz does: connections that don't heal by themselves may by a new start
)

// workerCheck is the worker's part in being ready and alive, by its
// worker.Worker.Unanswered.
func workerCheck(unanswered func() (time.Duration, error)) ops.Check {
	within := func(bound time.Duration) error {
		silent, err := unanswered()
		if silent <= bound {
			return nil
		}
		silent = silent.Round(time.Second)
		if err == nil {
			return fmt.Errorf("the ledger has not answered for %v, which is more than %v: a call hangs", silent, bound)
		}
		return fmt.Errorf("the ledger has not answered for %v, which is more than %v: %w", silent, bound, err)
	}
	return ops.Check{
		Name: "worker",
		Check: func(context.Context) error {
			if _, err := unanswered(); errors.Is(err, worker.ErrNoAnswerYet) {
				return err
			}
			return within(unreadyAfter)
		},
		Alive: func() error { return within(deadAfter) },
	}
}
