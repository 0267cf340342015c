package service

import (
	"context"
	"errors"
	"net"
	"net/http"

	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/worker"
)

// HTTP is what a process serves: the API behind its authentication, signed
// links, probes and metrics. api or rec may be nil.
func HTTP(s *Stores, api *API, rec *worker.Worker, keyFile string, addr net.Addr, m *ops.Metrics) (http.Handler, error) {
	mux := http.NewServeMux()
	db := dbCheck(s.DB)
	checks := []ops.Check{}
	if api != nil {
		checks = append(checks, api.rulesCheck())
		// A service that has rules answers emergency calls without a database.
		db.Tolerated = func() bool { return api.kept && api.calls.RulesInService().Tenants > 0 }
	}
	checks = append(checks, db)
	if rec != nil {
		checks = append(checks, ops.Check{Name: "worker", Check: func(context.Context) error {
			if !rec.Healthy() {
				return errNotClaiming
			}
			return nil
		}})
		m.Gauge("switchtape_running_jobs", "Recording jobs that this process works on.", func() float64 { return float64(rec.Running()) })
	}
	m.Ledger(s.DB.Stats)
	ops.Mount(mux, m, checks...)
	if s.Objects != nil {
		mux.HandleFunc(objectsPath, s.Objects.ServeSigned)
	}
	if api != nil {
		guarded, err := Guard(m.HTTP(api.Handler()), keyFile, addr)
		if err != nil {
			return nil, err
		}
		mux.Handle("/", guarded)
	}
	return mux, nil
}

var errNotClaiming = errors.New("the ledger doesn't answer")
