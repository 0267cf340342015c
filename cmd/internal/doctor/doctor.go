// Package doctor tries everything that a program's settings need, before the program or
// beside it, and says what to do about what doesn't work: the database and its schema, the
// bucket, the clock, disks and permissions, codecs, queues, legs and certificates.
//
// Nothing that it tries changes what a service does: it writes files and one object of its
// own, and takes them away again.
package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// State is how a finding is.
type State string

// The states.
const (
	OK      State = "ok"
	Warning State = "warning" // it works, and somebody should look at it
	Fault   State = "fault"   // the program doesn't work like that
)

// Finding is one thing that was tried.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	Says  string `json:"says"`          // what was found
	Fix   string `json:"fix,omitempty"` // what to do; "" if nothing is to be done
}

// Report is all of them.
type Report struct {
	Program  string    `json:"program"`
	Findings []Finding `json:"findings"`
	Faults   int       `json:"faults"`
	Warnings int       `json:"warnings"`
}

// each is the time that one check may take.
const each = 20 * time.Second

// Examine tries all that the plan names.
func Examine(ctx context.Context, p *Plan) *Report {
	e := &examination{plan: p, report: &Report{Program: p.Program, Findings: []Finding{}}}
	for _, check := range []func(context.Context){
		e.database, e.secretKeys, e.buckets, e.encryption, e.directories, e.legs, e.queues, e.codecs, e.certificates, e.secrets, e.addresses,
	} {
		ctx, cancel := context.WithTimeout(ctx, each)
		check(ctx)
		cancel()
	}
	e.close()
	return e.report
}

type examination struct {
	plan   *Plan
	report *Report
	db     database // nil: it can't be reached
}

func (e *examination) ok(check, format string, args ...any) {
	e.add(Finding{Check: check, State: OK, Says: fmt.Sprintf(format, args...)})
}

func (e *examination) warn(check, says, fix string) {
	e.add(Finding{Check: check, State: Warning, Says: says, Fix: fix})
	e.report.Warnings++
}

func (e *examination) fault(check, says, fix string) {
	e.add(Finding{Check: check, State: Fault, Says: says, Fix: fix})
	e.report.Faults++
}

func (e *examination) add(f Finding) { e.report.Findings = append(e.report.Findings, f) }

// Print prints the report, and fails the command if there are faults.
func (r *Report) Print(s cli.Streams, asJSON bool) error {
	if asJSON {
		if err := s.JSON(r); err != nil {
			return err
		}
	} else {
		wide := 0
		for _, f := range r.Findings {
			wide = max(wide, len(f.Check))
		}
		for _, f := range r.Findings {
			s.Printf("%-7s  %-*s  %s\n", f.State, wide, f.Check, strings.ReplaceAll(f.Says, "\n", " "))
			if f.Fix != "" {
				s.Printf("%-7s  %-*s  → %s\n", "", wide, "", f.Fix)
			}
		}
		s.Printf("%d checks, %d faults, %d warnings\n", len(r.Findings), r.Faults, r.Warnings)
	}
	if r.Faults > 0 {
		return cli.Silent()
	}
	return nil
}
