package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/dialimport"
)

type rulesImportCommand struct {
	Files  []string `arg:"" name:"file" help:"What to import: one SQL dump, or a CSV for each table." type:"existingfile"`
	Format string   `help:"What it was made for: ${enum}. csv is a rate deck, or what export wrote." enum:"opensips,kamailio,kamailio-lcr,opensips-dispatcher,kamailio-dispatcher,freeswitch-lcr,csv" required:""`
	Out    string   `help:"Rule set to write, YAML, or JSON if it ends in .json. Default: standard output, with the report on standard error." type:"path" placeholder:"FILE"`
	Name   string   `help:"Name of the rule set." placeholder:"N"`
	Tenant string   `help:"The tenant that every rule is for. Default: any." placeholder:"T"`
	// Of tables of proxies.
	Group            map[string]string `help:"The tenant of a routing group, an lcr instance, a dispatcher set or an lcr profile; may be repeated." placeholder:"ID=TENANT"`
	Access           *string           `help:"What stands before the country code in the source's numbers: nothing, + or 00. Default: what its prefixes begin with." placeholder:"CODE"`
	ShortCodes       bool              `help:"Take prefixes of up to 6 digits for those of short codes too."`
	TimeZone         string            `help:"Time zone of times that have none. Default: UTC." name:"timezone" placeholder:"ZONE"`
	Weights          bool              `help:"The script of OpenSIPS 1.x or 2.x sorts gateways by weight (the flag W of do_routing)."`
	SortOrder        int               `help:"Kamailio's parameter sort_order of drouting, 0 to 2." placeholder:"N"`
	Algorithm        string            `help:"Algorithm by which the script takes a dispatcher set's destinations: 8 by priority, Kamailio's 9 and 11 by weight, others in turn or by draw." placeholder:"N"`
	PriorityOrdering bool              `help:"Kamailio's parameter priority_ordering of lcr is set."`
	// Of rate decks.
	Map         map[string]string `help:"What a column of a rate deck is; may be repeated. Fields: code, country, npanxx, nxx, rate, rate_first, connect, disconnect, first, next, increments, from, until, currency, change, carrier, name; nothing leaves the column out." placeholder:"COLUMN=FIELD"`
	Destination map[string]string `help:"Destination of the deck of that name, or the URI of FreeSWITCH's gateway of that name; may be repeated." placeholder:"ID=URI"`
	Deck        string            `help:"Name of the deck. Default: the file's." placeholder:"NAME"`
	Currency    string            `help:"Currency of prices without one." placeholder:"EUR"`
	MonthFirst  bool              `help:"Read 01/02/2026 as the second of January."`
	Country     string            `help:"Country code that the deck's codes stand behind: 1 of North American ones. Default: they begin with it, but for those of NPANXX columns." placeholder:"CODE"`
	Accept      []string          `help:"A change of prices to accept; may be repeated: duplicates, disconnect, two-step, steps, rounding, overlaps, dates, columns, caller." placeholder:"CHANGE"`

	AllowLoss bool `help:"Succeed though something could not be imported. It is listed all the same."`
	JSON      bool `help:"Print the report as JSON; the rule set needs --out." name:"json"`
}

func (c *rulesImportCommand) options() *dialimport.Options {
	groups := make(map[string]callmodel.TenantID, len(c.Group))
	for id, t := range c.Group {
		groups[id] = callmodel.TenantID(t)
	}
	accept := make([]dialimport.PriceChange, len(c.Accept))
	for i, name := range c.Accept {
		accept[i] = dialimport.PriceChange(name)
	}
	return &dialimport.Options{
		Name: c.Name, Tenant: callmodel.TenantID(c.Tenant), Groups: groups, Access: c.Access, ShortCodes: c.ShortCodes, TimeZone: c.TimeZone,
		Weights: c.Weights, SortOrder: c.SortOrder, PriorityOrdering: c.PriorityOrdering, Now: time.Now(),
		Columns: c.Map, Destinations: c.Destination, Deck: c.Deck, Currency: c.Currency, MonthFirst: c.MonthFirst,
		Country: c.Country, Accept: accept, Algorithm: c.Algorithm,
	}
}

func (c *rulesImportCommand) Run(_ context.Context, s cli.Streams) (err error) {
	if c.JSON && c.Out == "" {
		return cli.Usagef("--json prints the report; give --out for the rule set")
	}
	sources := make([]dialimport.Source, len(c.Files))
	for i, name := range c.Files {
		f, ferr := os.Open(name) //nolint:gosec // a file that the operator names
		if ferr != nil {
			return ferr
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		sources[i] = dialimport.Source{Name: name, R: f}
	}
	result, err := dialimport.Import(dialimport.Format(c.Format), sources, c.options())
	if result == nil {
		return err
	}
	report := s.Out
	if c.Out == "" {
		report = s.Err
	}
	if err != nil {
		if c.JSON {
			return errors.Join(s.JSON(importOutput{Result: result}), err)
		}
		printReport(report, &result.Report)
		if prices, ok := errors.AsType[*dialimport.PriceError](err); ok {
			names := append([]dialimport.PriceChange(nil), prices.Changes...)
			for _, accepted := range c.Accept {
				names = append(names, dialimport.PriceChange(accepted))
			}
			fmt.Fprintf(report, "Nothing was written; --accept %s takes these prices.\n", joinedChanges(names))
		}
		return err
	}
	if c.Out == "" {
		err = dialimport.WriteYAML(s.Out, result.Rules)
	} else {
		err = writeRules(c.Out, result.Rules)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.JSON(importOutput{File: c.Out, Rules: len(result.Rules.Rules), Result: result})
	} else {
		printReport(report, &result.Report)
		if result.Fragment {
			fmt.Fprintln(report, "The rates are to be put into a rule set; --destination makes one of them.")
		}
	}
	if err == nil && !result.Report.Lossless() && !c.AllowLoss {
		if !c.JSON {
			fmt.Fprintln(report, "Something was lost; --allow-loss accepts that.")
		}
		return cli.Silent()
	}
	return err
}

// joinedChanges lists the changes with commas between them, as the option takes them.
func joinedChanges(changes []dialimport.PriceChange) string {
	names := make([]string, len(changes))
	for i, c := range changes {
		names[i] = string(c)
	}
	return strings.Join(names, ",")
}

// importOutput is what rules import --json prints.
type importOutput struct {
	File  string `json:"file,omitempty"` // "": nothing was written, the error says why
	Rules int    `json:"rules"`
	*dialimport.Result
}

func writeRules(name string, rs *routing.RuleSet) error {
	var b bytes.Buffer
	write := dialimport.WriteYAML
	if filepath.Ext(name) == ".json" {
		write = dialimport.WriteJSON
	}
	if err := write(&b, rs); err != nil {
		return err
	}
	return os.WriteFile(name, b.Bytes(), 0o600)
}

func printReport(w io.Writer, r *dialimport.Report) {
	fmt.Fprintf(w, "%d rows: %d converted, %d notes of what was skipped, %d of what is approximated, %d of changed prices, %d remarks\n",
		r.Rows, r.Converted, r.Skipped.Count, r.Approximated.Count, r.Prices.Count, r.Remarks.Count)
	for _, part := range []struct {
		name  string
		notes *dialimport.Notes
	}{{"skipped", &r.Skipped}, {"approximated", &r.Approximated}, {"price", &r.Prices}, {"remark", &r.Remarks}} {
		for _, n := range part.notes.List {
			name := part.name
			if n.Change != "" {
				name += " (" + string(n.Change) + ")"
			}
			fmt.Fprintf(w, "  %s: %s\n", name, n)
		}
		if more := part.notes.Count - len(part.notes.List); more > 0 {
			fmt.Fprintf(w, "  %s: and %d more\n", part.name, more)
		}
	}
}

type rulesExportCommand struct {
	File      string `arg:"" help:"Rule set: YAML, JSON or lines of JSON, by gzip or not." type:"existingfile"`
	Format    string `help:"What to write: ${enum}. yaml and json are the canonical forms." enum:"csv,yaml,json" required:""`
	Out       string `help:"Directory for csv, file for the others. Default for these: standard output." type:"path" placeholder:"DIR|FILE"`
	AllowLoss bool   `help:"Succeed though CSV can't hold everything. It is listed all the same."`
	JSON      bool   `help:"Print the report as JSON." name:"json"`
}

func (c *rulesExportCommand) Run(_ context.Context, s cli.Streams) error {
	body, err := service.ReadRules(c.File)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	rs, err := routing.Parse(body)
	if err != nil {
		return fmt.Errorf("rules in %s: %w", c.File, err)
	}
	if c.Format != "csv" {
		return c.canonical(s, rs)
	}
	if c.Out == "" {
		return cli.Usagef("--format csv writes several files; give --out DIR")
	}
	if err := os.MkdirAll(c.Out, 0o700); err != nil {
		return err
	}
	report, err := dialimport.ExportCSV(rs, func(name string) (io.WriteCloser, error) {
		path := filepath.Join(c.Out, name)
		return os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // the operator names the directory, the files are ours
	})
	if err != nil {
		return err
	}
	if c.JSON {
		err = s.JSON(report)
	} else {
		printReport(s.Out, report)
	}
	if err == nil && !report.Lossless() && !c.AllowLoss {
		return cli.Silent()
	}
	return err
}

func (c *rulesExportCommand) canonical(s cli.Streams, rs *routing.RuleSet) error {
	write := dialimport.WriteYAML
	if c.Format == "json" {
		write = dialimport.WriteJSON
	}
	if c.Out == "" {
		return write(s.Out, rs)
	}
	var b bytes.Buffer
	if err := write(&b, rs); err != nil {
		return err
	}
	return os.WriteFile(c.Out, b.Bytes(), 0o600)
}
