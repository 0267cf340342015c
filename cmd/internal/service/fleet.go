package service

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/internal/ops"
	"github.com/switchtape/switchtape/recording/worker"
)

// presence is this process, by its host's name and its number.
func presence(role ledger.Role, name string) ledger.Presence {
	return ledger.Presence{Role: role, Name: cmp.Or(name, fmt.Sprintf("%s-%d", HostName(), os.Getpid()))}
}

// Presence is the API's process.
func (o *APIOptions) Presence() ledger.Presence { return presence(ledger.RoleAPI, "") }

// Presence is the worker's process, with what it serves.
func (o *WorkerOptions) Presence() ledger.Presence {
	p := presence(ledger.RoleWorker, o.Name)
	p.Kinds = o.names()
	if q := o.Served(); !slices.Contains(q, worker.AllQueues) {
		p.Queues = q
	}
	return p
}

// Attend says in the ledger that the process is there while what it returns runs, and
// looks after the queues if that is its part: see worker.Attendance.
func Attend(s *Stores, who ledger.Presence, m *ops.Metrics, log *slog.Logger) func(context.Context) error {
	a := worker.NewAttendance(s.DB, who, &worker.AttendanceOptions{Logger: log})
	m.Gauge("switchtape_unserved_queues", "Queues with jobs that can run and that no living worker serves. 0 in all processes but the one that looks after them.",
		func() float64 { queues, _ := a.Unserved(); return float64(queues) })
	m.Gauge("switchtape_unserved_jobs", "Jobs that can run in such queues.",
		func() float64 { _, jobs := a.Unserved(); return float64(jobs) })
	return a.Run
}
