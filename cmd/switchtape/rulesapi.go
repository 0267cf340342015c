package main

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// rulesOptions are those of the commands that work on rules in service.
type rulesOptions struct {
	apiOnlyOptions
}

// rulesChange are those of commands that change which rules are in service.
type rulesChange struct {
	rulesOptions
	IfActive string `help:"Only if this version is the active one still." placeholder:"HASH"`
}

// ifMatch is the header that says so.
func (o *rulesChange) ifMatch() *string {
	if o.IfActive == "" {
		return nil
	}
	return given(`"` + o.IfActive + `"`)
}

// rulesState is what is in service.
type rulesState struct {
	Hash     string
	Active   bool
	Previous string
	Stored   string // a version that was put and not activated
}

// print prints what is in service after a change.
func (o *rulesChange) print(s cli.Streams, a apiclient.Answer, err error) error {
	state, raw, err := answered[rulesState](a, err)
	if err != nil || o.JSON {
		return printRaw(s, raw, err)
	}
	if state.Stored != "" {
		s.Printf("%s is stored\n", state.Stored)
	}
	if state.Hash == "" {
		s.Printf("no rules are in service\n")
	} else {
		s.Printf("%s is in service\n", state.Hash)
	}
	if state.Previous != "" {
		s.Printf("a rollback goes to %s\n", state.Previous)
	}
	return nil
}

type rulesVersionsCommand struct{ rulesOptions }

func (c *rulesVersionsCommand) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	list, raw, err := answered[apiclient.RuleSetList](api.ListRulesWithResponse(ctx))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	for _, v := range list.Rulesets {
		mark, at, by := " ", "", ""
		if v.Active {
			mark = "*"
		}
		if v.CreatedAt != nil {
			at = v.CreatedAt.Format(time.RFC3339)
		}
		if v.CreatedBy != nil {
			by = *v.CreatedBy
		}
		s.Printf("%s %s  %s  %s\n", mark, v.Hash, at, by)
	}
	return nil
}

type rulesGetCommand struct {
	rulesOptions
	Hash string `arg:"" optional:"" help:"The version. Default: the active one."`
}

func (c *rulesGetCommand) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	hash := c.Hash
	if hash == "" {
		list, _, err := answered[apiclient.RuleSetList](api.ListRulesWithResponse(ctx))
		if err != nil {
			return err
		}
		for _, v := range list.Rulesets {
			if v.Active {
				hash = v.Hash
			}
		}
		if hash == "" {
			return cli.Usagef("no rules are in service")
		}
	}
	format := apiclient.ExportRulesParamsFormat("yaml")
	if c.JSON {
		format = "json"
	}
	a, err := api.ExportRulesWithResponse(ctx, hash, &apiclient.ExportRulesParams{Format: &format})
	if err != nil {
		return err
	}
	if err := apiclient.Error(a); err != nil {
		return err
	}
	s.Printf("%s", a.GetBody())
	return nil
}

type rulesPutCommand struct {
	rulesChange
	File      string `arg:"" type:"existingfile" help:"The rule set: YAML, JSON or lines of JSON, by gzip or not."`
	StoreOnly bool   `help:"Store it, and let it decide no call: rules activate does that."`
}

func (c *rulesPutCommand) Run(ctx context.Context, s cli.Streams) error {
	if c.StoreOnly && c.IfActive != "" {
		return cli.Usagef("--if-active goes with what changes the active version, and --store-only doesn't")
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	text, err := service.ReadRules(c.File)
	if err != nil {
		return err
	}
	body, encoding, err := service.Gzip(text)
	if err != nil {
		return err
	}
	params := &apiclient.PutRulesParams{IfMatch: c.ifMatch()}
	if c.StoreOnly {
		params.Activate = new(bool)
	}
	a, err := api.PutRulesWithBodyWithResponse(ctx, params, "application/yaml", bytes.NewReader(body),
		func(_ context.Context, r *http.Request) error {
			if encoding != "" {
				r.Header.Set("Content-Encoding", encoding)
			}
			return nil
		})
	return c.print(s, a, err)
}

type rulesActivateCommand struct {
	rulesChange
	Hash string `arg:"" help:"The version."`
}

func (c *rulesActivateCommand) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	a, err := api.ActivateRulesWithResponse(ctx, c.Hash, &apiclient.ActivateRulesParams{IfMatch: c.ifMatch()})
	return c.print(s, a, err)
}

type rulesRollbackCommand struct{ rulesChange }

func (c *rulesRollbackCommand) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	a, err := api.RollbackRulesWithResponse(ctx, &apiclient.RollbackRulesParams{IfMatch: c.ifMatch()})
	return c.print(s, a, err)
}
