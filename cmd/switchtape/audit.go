package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

type auditCommand struct {
	List   auditList   `cmd:"" help:"List who did what: all that is in the tenant's audit log, or what is about a call, a job, a hold, a share, a user or a key."`
	Verify auditVerify `cmd:"" help:"Hold the audit log against its seals, and name every line that was changed, taken out or put in."`
	Prune  auditPrune  `cmd:"" help:"Take lines out of the audit log for their age. Their seals stay, so that the rest can be verified."`
}

// auditOptions have no timeout: to read a long log takes its time.
type auditOptions struct{ databaseOptions }

type auditVerify struct {
	auditOptions
	Head string `help:"Hash of a seal that the service's log told of: if there is none like it the end of the audit log was cut off." placeholder:"HASH"`
}

func (c *auditVerify) Run(ctx context.Context, s cli.Streams) error {
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		r, err := db.VerifyAudit(ctx, c.Head)
		if err != nil {
			return err
		}
		if c.JSON {
			err = s.JSON(r)
		} else {
			for _, f := range r.Faults {
				s.Printf("%s\n", f)
			}
			if r.More > 0 {
				s.Printf("and %d more\n", r.More)
			}
			s.Printf("%d seals, %d lines as they were sealed or named above, %d pruned, %d to be sealed\n", r.Seals, r.Lines, r.Pruned, r.Unsealed)
			if r.Head != "" {
				s.Printf("the last seal is %s\n", r.Head)
			}
		}
		if err == nil && len(r.Faults) > 0 {
			err = cli.Silent()
		}
		return err
	})
}

type auditList struct {
	apiOnlyOptions
	Subject []string `help:"Only lines about it: an id, or the hash of a rule set. What every call and job leaves by itself is left out then. May be repeated." placeholder:"ID" sep:"none"`
	After   int64    `help:"Only lines with a larger id." placeholder:"ID"`
	Limit   int      `help:"At most so many, up to 1000." default:"100"`
}

func (c *auditList) Run(ctx context.Context, s cli.Streams) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	p := &apiclient.ListAuditParams{After: given(c.After), Limit: &c.Limit}
	if len(c.Subject) > 0 {
		p.Subject = &c.Subject
	}
	page, raw, err := answered[struct{ Events []callmodel.AuditEvent }](api.ListAuditWithResponse(ctx, p))
	if err != nil || c.JSON {
		return printRaw(s, raw, err)
	}
	for i := range page.Events {
		e := &page.Events[i]
		s.Printf("%d  %s  %-20s  %-20s  %s%s\n", e.ID, e.At.Format(time.RFC3339), e.Action, e.Actor, e.Subject, details(e.Detail))
	}
	if n := len(page.Events); n > 0 && n == c.Limit {
		s.Printf("there may be more: --after %d\n", page.Events[n-1].ID)
	}
	return nil
}

// details are what a line says besides, by name.
func details(of map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(of)) {
		fmt.Fprintf(&text, "  %s=%q", name, of[name])
	}
	return text.String()
}

type auditPrune struct {
	auditOptions
	OlderThan time.Duration `help:"Lines that were sealed longer ago, as 8760h." required:"" placeholder:"DURATION"`
}

func (c *auditPrune) Run(ctx context.Context, s cli.Streams) error {
	if c.OlderThan <= 0 {
		return cli.Usagef("--older-than must be longer than 0")
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		now, err := db.Now(ctx)
		if err != nil {
			return err
		}
		n, err := db.PruneAudit(ctx, now.Add(-c.OlderThan), service.DefaultTenant, actor())
		if c.JSON {
			_ = s.JSON(struct { // as every print to a closed pipe
				Pruned int64 `json:"pruned"`
			}{n})
		} else {
			s.Printf("%d lines pruned\n", n)
		}
		return err
	})
}
