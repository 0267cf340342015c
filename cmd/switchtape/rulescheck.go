package main

import (
	"context"
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/lint"
)

type rulesCheckCommand struct {
	File   string `arg:"" help:"Rule set: YAML, JSON or lines of JSON, by gzip or not." type:"path"`
	At     string `help:"From when on calls are made: what is over by then is reported. Default: now." placeholder:"RFC3339"`
	Strict bool   `help:"Fail for warnings, too."`
	Most   int    `help:"How many findings of one code to list." default:"100"`
	JSON   bool   `help:"Print the report as JSON." name:"json"`
}

// checkOutput is what rules check --json prints.
type checkOutput struct {
	File string `json:"file"`
	*lint.Report
}

func (c *rulesCheckCommand) Run(_ context.Context, s cli.Streams) error {
	at, err := instantFlag("--at", c.At)
	if err != nil {
		return err
	}
	if c.Most < 1 {
		return cli.Usagef("--most must be at least 1, is %d", c.Most)
	}
	body, err := service.ReadRules(c.File)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	report, err := lint.CheckFile(body, &lint.Options{At: at, PerCode: c.Most})
	if err != nil {
		return fmt.Errorf("rules in %s: %w", c.File, err)
	}
	if c.JSON {
		err = s.JSON(checkOutput{c.File, report})
	} else {
		printCheck(s, c.File, report)
	}
	if err == nil && (report.Errors > 0 || c.Strict && report.Warnings > 0) {
		return cli.Silent()
	}
	return err
}

func printCheck(s cli.Streams, file string, r *lint.Report) {
	for _, f := range r.Findings {
		where := file
		if f.Line > 0 {
			where = fmt.Sprintf("%s:%d", file, f.Line)
		}
		what := f.Message
		switch {
		case f.Severity == lint.Error && f.Path != "":
			what = f.Path + ": " + what // the message names the rule
		case f.Rule != "":
			what = "rule " + f.Rule + ": " + what
		}
		s.Printf("%s: %s: %s [%s]\n", where, f.Severity, what, f.Code)
		if f.Fix != "" {
			s.Printf("    %s\n", f.Fix)
		}
	}
	omitted := 0
	for _, n := range r.Omitted {
		omitted += n
	}
	s.Printf("%s: %s, %s, %s", count(r.Rules, "rule"), count(r.Errors, "error"), count(r.Warnings, "warning"), count(r.Infos, "info"))
	if omitted > 0 {
		s.Printf("; %d more are not listed, see --most", omitted)
	}
	s.Printf("\n")
}

// count is "1 rule", "2 rules".
func count[N int | int64](n N, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// instantFlag reads a time, now if it isn't given.
func instantFlag(name, value string) (time.Time, error) {
	if value == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return t, cli.Usagef("%s: %q is not a time like 2026-01-31T15:04:05Z", name, value)
	}
	return t, nil
}

// loadRules reads and compiles a rule set.
func loadRules(file string) (*routing.RuleSet, *routing.Router, error) {
	body, err := service.ReadRules(file)
	if err != nil {
		return nil, nil, fmt.Errorf("rules: %w", err)
	}
	in, err := routing.Inspect(body)
	if err != nil {
		return nil, nil, fmt.Errorf("rules in %s: %w", file, err)
	}
	faults := append(append(callmodel.FieldErrors(nil), in.Faults...), in.Conflicts...)
	if err := faults.Err(); err != nil {
		return nil, nil, fmt.Errorf("rules in %s: %w", file, err)
	}
	return in.Rules, in.Router, nil
}
