package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// ruleEditOptions are those of the commands that change single rules.
type ruleEditOptions struct {
	rulesChange
	DryRun bool `help:"Say what would change, and change nothing."`
}

// ruleEdit is an edit as the API takes it.
type ruleEdit struct {
	Op     string `json:"op"`
	ID     string `json:"id,omitempty"`
	Rule   string `json:"rule,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// rulesEdited is what edits have changed.
type rulesEdited struct {
	rulesState

	Changes []struct {
		ID, Change    string
		From, To      *int
		Before, After json.RawMessage
	}
}

// edit makes the edits and prints what has changed.
func (o *ruleEditOptions) edit(ctx context.Context, s cli.Streams, edits ...ruleEdit) error {
	api, err := o.client()
	if err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		Edits []ruleEdit `json:"edits"`
	}{edits})
	if err != nil {
		return err
	}
	p := &apiclient.EditRulesParams{IfMatch: o.ifMatch(), DryRun: given(o.DryRun)}
	out, raw, err := answered[rulesEdited](api.EditRulesWithBodyWithResponse(ctx, p, "application/json", bytes.NewReader(body)))
	if err != nil || o.JSON {
		return printRaw(s, raw, err)
	}
	for _, c := range out.Changes {
		s.Printf("%s %s", c.Change, c.ID)
		if c.From != nil && c.To != nil && *c.From != *c.To {
			s.Printf(" from place %d to %d", *c.From+1, *c.To+1)
		}
		s.Printf("\n")
		for _, line := range []struct {
			sign string
			rule json.RawMessage
		}{{"-", c.Before}, {"+", c.After}} {
			if line.rule != nil {
				s.Printf("  %s %s\n", line.sign, line.rule)
			}
		}
	}
	switch {
	case len(out.Changes) == 0:
		s.Printf("nothing changes: %s stays in service\n", out.Hash)
	case o.DryRun:
		s.Printf("nothing was changed; the version would be %s\n", out.Hash)
	default:
		s.Printf("%s is in service\n", out.Hash)
		if out.Previous != "" {
			s.Printf("a rollback goes to %s\n", out.Previous)
		}
	}
	return nil
}

// ruleFile is a rule in a file, or on standard input.
type ruleFile struct {
	File string `arg:"" help:"The rule, in YAML or JSON; - for standard input."`
}

func (f *ruleFile) text(s cli.Streams) (string, error) {
	read := func() ([]byte, error) { return os.ReadFile(f.File) }
	if f.File == "-" {
		read = func() ([]byte, error) { return io.ReadAll(s.In) }
	}
	b, err := read()
	return string(b), err
}

// rulePlace is where a rule is to stand.
type rulePlace struct {
	Before string `help:"Put the rule before this one." placeholder:"ID"`
	After  string `help:"Put the rule behind this one." placeholder:"ID"`
}

type rulesAddCommand struct {
	ruleEditOptions
	ruleFile
	rulePlace
}

func (c *rulesAddCommand) Run(ctx context.Context, s cli.Streams) error {
	text, err := c.text(s)
	if err != nil {
		return err
	}
	return c.edit(ctx, s, ruleEdit{Op: "add", Rule: text, Before: c.Before, After: c.After})
}

type rulesEditCommand struct {
	ruleEditOptions
	ruleFile
	rulePlace
}

func (c *rulesEditCommand) Run(ctx context.Context, s cli.Streams) error {
	text, err := c.text(s)
	if err != nil {
		return err
	}
	return c.edit(ctx, s, ruleEdit{Op: "change", Rule: text, Before: c.Before, After: c.After})
}

type rulesRemoveCommand struct {
	ruleEditOptions
	IDs []string `arg:"" name:"id" help:"The rules."`
}

func (c *rulesRemoveCommand) Run(ctx context.Context, s cli.Streams) error {
	edits := make([]ruleEdit, len(c.IDs))
	for i, id := range c.IDs {
		edits[i] = ruleEdit{Op: "remove", ID: id}
	}
	return c.edit(ctx, s, edits...)
}

type rulesMoveCommand struct {
	ruleEditOptions
	ID string `arg:"" help:"The rule."`
	rulePlace
}

func (c *rulesMoveCommand) Run(ctx context.Context, s cli.Streams) error {
	if (c.Before == "") == (c.After == "") {
		return cli.Usagef("give --before or --after with the rule beside which %s is to stand", c.ID)
	}
	return c.edit(ctx, s, ruleEdit{Op: "move", ID: c.ID, Before: c.Before, After: c.After})
}

type rulesShowCommand struct {
	rulesOptions
	ID string `arg:"" help:"The rule."`
}

func (c *rulesShowCommand) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	format := apiclient.GetRuleParamsFormat("yaml")
	if c.JSON {
		format = "json"
	}
	a, err := api.GetRuleWithResponse(ctx, c.ID, &apiclient.GetRuleParams{Format: &format})
	if err != nil {
		return err
	}
	if err := apiclient.Error(a); err != nil {
		return err
	}
	s.Printf("%s\n", bytes.TrimRight(a.GetBody(), "\n"))
	return nil
}
