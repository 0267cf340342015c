package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/progress"
	"github.com/switchtape/switchtape/routing/callfile"
	"github.com/switchtape/switchtape/routing/diff"
	"github.com/switchtape/switchtape/routing/simulate"
)

// callsFlags are those of commands that read recorded calls.
type callsFlags struct {
	Calls   string `help:"Recorded calls, one JSON object a line." type:"path" required:"" placeholder:"FILE.ndjson"`
	SkipBad bool   `help:"Go on without lines that are no calls; they are still counted and named."`
	Assume  int    `help:"Length of calls without a duration, in seconds." default:"180"`
}

// callsRead is what the commands say of the file.
type callsRead struct {
	File string `json:"file"`
	callfile.Stats
}

func (c *callsFlags) check() error {
	if most := int(callfile.MaxLength / time.Second); c.Assume < 1 || c.Assume > most {
		return cli.Usagef("--assume must be 1 to %d, is %d", most, c.Assume)
	}
	return nil
}

func (c *callsFlags) read(ctx context.Context, s cli.Streams, o *callfile.Options, visit func(worker int, calls []callfile.Call)) (callsRead, error) {
	f, err := os.Open(c.Calls)
	if err != nil {
		return callsRead{}, fmt.Errorf("calls: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	size := int64(progress.Unknown)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	bar := progress.New(s, "reading calls", progress.Bytes, size)
	stats, err := callfile.Each(ctx, bar.Reader(f), o, visit)
	bar.Done()
	if err != nil {
		return callsRead{}, fmt.Errorf("calls in %s: %w", c.Calls, err)
	}
	return callsRead{c.Calls, stats}, nil
}

// failed is the command's fate once its output is printed.
func (c *callsFlags) failed(s cli.Streams, r *callsRead) error {
	for _, f := range r.Faults {
		fmt.Fprintf(s.Err, "%s:%d: no call: %s\n", r.File, f.Line, f.Message)
	}
	if r.Bad == 0 {
		return nil
	}
	fmt.Fprintf(s.Err, "%d of %d lines are no calls", r.Bad, r.Lines)
	if c.SkipBad {
		fmt.Fprintln(s.Err, "; they were skipped")
		return nil
	}
	fmt.Fprintln(s.Err, "; put them right, or say --skip-bad")
	return cli.Silent()
}

type rulesDiffCommand struct {
	callsFlags

	Before   string `arg:"" help:"Rule set: YAML, JSON or lines of JSON, by gzip or not." type:"path"`
	After    string `arg:"" help:"The other." type:"path"`
	Groups   int    `help:"How many groups of calls to list." default:"100"`
	Examples int    `help:"How many calls of a group to name." default:"3"`
	JSON     bool   `help:"Print the report as JSON." name:"json"`
}

// diffOutput is what rules diff --json prints.
type diffOutput struct {
	Before string    `json:"before"`
	After  string    `json:"after"`
	Input  callsRead `json:"input"`
	*diff.Report
}

func (c *rulesDiffCommand) Run(ctx context.Context, s cli.Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Groups < 1 || c.Examples < 1 {
		return cli.Usagef("--groups and --examples must be at least 1")
	}
	before, err := loadSet(c.Before)
	if err != nil {
		return err
	}
	after, err := loadSet(c.After)
	if err != nil {
		return err
	}
	compare := diff.New(before, after, &diff.Options{Groups: c.Groups, Examples: c.Examples, Assume: time.Duration(c.Assume) * time.Second})
	read, err := c.read(ctx, s, &callfile.Options{Workers: compare.Workers()}, compare.Visit)
	if err != nil {
		return err
	}
	out := diffOutput{c.Before, c.After, read, compare.Report()}
	if c.JSON {
		err = s.JSON(out)
	} else {
		printDiff(s, &out)
	}
	if err != nil {
		return err
	}
	return c.failed(s, &read)
}

func loadSet(file string) (*diff.Set, error) {
	rs, router, err := loadRules(file)
	if err != nil {
		return nil, err
	}
	return diff.NewSet(rs, router)
}

func printDiff(s cli.Streams, o *diffOutput) {
	s.Printf("%d of %d calls change%s\n", o.Changed, o.Calls, kindsText(o.Kinds))
	for i := range o.Groups {
		g := &o.Groups[i]
		s.Printf("  %d %s: %s → %s\n", g.Calls, g.Kind, outcomeText(g.Before), outcomeText(g.After))
		for _, e := range g.Examples {
			s.Printf("      line %d %s: %s → %s\n", e.Line, e.CallID, listText(e.Before), listText(e.After))
		}
	}
	if o.OtherGroups > 0 {
		s.Printf("  %d more in %d other groups, see --groups\n", o.OtherCalls, o.OtherGroups)
	}
	for i := range o.Load {
		printLoad(s, &o.Load[i], o.Report)
	}
	o.Total.Destination = "all together"
	printLoad(s, &o.Total, o.Report)
	if o.NoRouteBefore+o.NoRouteAfter > 0 {
		s.Printf("calls without a destination: %d → %d\n", o.NoRouteBefore, o.NoRouteAfter)
	}
	if o.Assumed > 0 {
		s.Printf("%d calls without a duration count %d s each\n", o.Assumed, o.AssumedSeconds)
	}
}

// kindsText counts the kinds of change: ": lost 1, order 2".
func kindsText(kinds map[diff.Kind]int) string {
	var list []string
	for _, k := range []diff.Kind{diff.Lost, diff.Gained, diff.Destination, diff.Order, diff.Form, diff.Rule} {
		if kinds[k] > 0 {
			list = append(list, fmt.Sprintf("%s %d", k, kinds[k]))
		}
	}
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, ", ")
}

func outcomeText(o diff.Outcome) string {
	switch {
	case o.Rule == "":
		return "no rule"
	case o.Destination == "":
		return "rule " + o.Rule + ", no destination"
	default:
		return "rule " + o.Rule + ", " + o.Destination
	}
}

func listText(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func printLoad(s cli.Streams, l *diff.Load, r *diff.Report) {
	a, b := &l.Before, &l.After
	s.Printf("%s: calls %d → %d, seconds %d → %d, peak calls/s %d → %d", l.Destination, a.Calls, b.Calls, a.Seconds, b.Seconds, a.PeakCPS, b.PeakCPS)
	if r.CurrencyBefore != "" || r.CurrencyAfter != "" {
		s.Printf(", cost %s %s → %s %s", a.Cost, r.CurrencyBefore, b.Cost, r.CurrencyAfter)
		if a.Unrated+b.Unrated > 0 {
			s.Printf(" (without a rate: %d → %d calls)", a.Unrated, b.Unrated)
		}
	}
	s.Printf("\n")
}

type rulesSimulateCommand struct {
	callsFlags

	File  string `arg:"" help:"Rule set: YAML, JSON or lines of JSON, by gzip or not." type:"path"`
	Share int    `help:"How many processes decide; this is one of them, and enforces its part of the limits." default:"1"`
	JSON  bool   `help:"Print the report as JSON, with values by the minute." name:"json"`
}

// simulateOutput is what rules simulate --json prints.
type simulateOutput struct {
	RuleSet string    `json:"ruleset"`
	Input   callsRead `json:"input"`
	*simulate.Report
}

func (c *rulesSimulateCommand) Run(ctx context.Context, s cli.Streams) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Share < 1 {
		return cli.Usagef("--share must be at least 1, is %d", c.Share)
	}
	_, router, err := loadRules(c.File)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var calls []callfile.Call
	read, err := c.read(ctx, s, nil, func(_ int, part []callfile.Call) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, part...)
	})
	if err != nil {
		return err
	}
	bar := progress.New(s, "simulating", "calls", int64(len(calls)))
	report, err := simulate.Run(ctx, router, calls, &simulate.Options{
		Assume: time.Duration(c.Assume) * time.Second, Share: c.Share, Series: c.JSON, Progress: bar.Set,
	})
	bar.Done()
	if err != nil {
		return err
	}
	out := simulateOutput{router.Hash(), read, report}
	if c.JSON {
		err = s.JSON(out)
	} else {
		printSimulation(s, &out)
	}
	if err != nil {
		return err
	}
	return c.failed(s, &read)
}

func printSimulation(s cli.Streams, o *simulateOutput) {
	s.Printf("%d calls: %d without a route, %d refused for want of capacity, %d taken by another destination than was wanted\n",
		o.Calls, o.NoRoute, o.Refused, o.Overflow)
	for i := range o.Destinations {
		d := &o.Destinations[i]
		s.Printf("%s: %d calls, peak %d/s%s and %d at once%s\n", d.ID, d.Calls, d.PeakCPS, ofLimit(d.CPS), d.PeakConcurrent, ofLimit(d.Concurrent))
		s.Printf("    wanted: %d calls, peak %d/s and %d at once\n", d.Demand, d.DemandPeakCPS, d.DemandPeakConcurrent)
		if n := d.FullConcurrent + d.FullCPS; n > 0 {
			s.Printf("    no room for %d (%d for calls at once, %d for calls a second): %d went elsewhere, %d were refused\n",
				n, d.FullConcurrent, d.FullCPS, d.Overflow, d.Refused)
		}
		if d.Over > 0 || d.SecondsOverCPS > 0 {
			s.Printf("    wanted over its limits: %.0f s at once, %d s by calls a second\n", d.Over.Seconds(), d.SecondsOverCPS)
		}
		if d.FromOthers > 0 {
			s.Printf("    %d came from others that had no room\n", d.FromOthers)
		}
	}
	if o.Assumed > 0 {
		s.Printf("%d calls without a duration last %d s each\n", o.Assumed, o.AssumedSeconds)
	}
}

func ofLimit(limit int) string {
	if limit == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d", limit)
}
