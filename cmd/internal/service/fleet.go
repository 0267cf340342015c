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

// emergencyAlone is the one kind of an API's process that takes emergency calls alone.
const emergencyAlone = "emergency-calls"

// Presence is the API's process.
func (o *APIOptions) Presence() ledger.Presence {
	p := presence(ledger.RoleAPI, "")
	if o.Lane == LaneHigh {
		p.Kinds = []string{emergencyAlone}
	}
	return p
}

// Presence is the worker's process, with what it serves.
func (o *WorkerOptions) Presence() ledger.Presence {
	p := presence(ledger.RoleWorker, o.Name)
	p.Kinds = o.names()
	if q := o.Served(); !slices.Contains(q, worker.AllQueues) {
		p.Queues = q
	}
	return p
}

// instances counts the API's processes that are there: see callservice.Options.Instances.
// Those for emergency calls alone have no part of the limits, which are for other calls. Nil if the options say how many there are.
func (o *APIOptions) instances(fleet func(context.Context) ([]ledger.Presence, error)) func(context.Context) (index, of int, err error) {
	if o.LimitShare > 0 {
		return nil
	}
	who := o.Presence()
	return func(ctx context.Context) (index, of int, err error) {
		there, err := fleet(ctx)
		if err != nil {
			return 0, 0, err
		}
		var names []string
		for _, p := range there {
			if p.Role == ledger.RoleAPI && !slices.Contains(p.Kinds, emergencyAlone) {
				names = append(names, p.Name)
			}
		}
		if len(names) == 0 { // nobody says so, or the database can't keep it
			return 0, 0, nil
		}
		slices.Sort(names)
		index, found := slices.BinarySearch(names, who.Name)
		if of = len(names); !found {
			of++
		}
		return index, of, nil
	}
}

// Attend says in the ledger that the process is there while what it returns runs, and
// looks after the queues if that is its part: see worker.Attendance.
func Attend(s *Stores, who ledger.Presence, m *ops.Metrics, log *slog.Logger) func(context.Context) error {
	a := worker.NewAttendance(s.DB, who, &worker.AttendanceOptions{Logger: log})
	m.Gauge("switchtape_unserved_queues", func() float64 { queues, _ := a.Unserved(); return float64(queues) })
	m.Gauge("switchtape_unserved_jobs", func() float64 { _, jobs := a.Unserved(); return float64(jobs) })
	return a.Run
}
