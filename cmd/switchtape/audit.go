package main

import (
	"context"
	"time"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

type auditCommand struct {
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
