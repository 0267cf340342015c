package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
)

type keysCommand struct {
	Create keysCreate `cmd:"" help:"Make an API key and print its secret, which is shown this once."`
	List   keysList   `cmd:"" help:"List a tenant's API keys, without their secrets."`
	Rotate keysRotate `cmd:"" help:"Give an API key a new secret and print it; the old one works for a while."`
	Revoke keysRevoke `cmd:"" help:"Revoke an API key: every server refuses it within a second."`
}

type keysOptions struct {
	timedOptions
	apiOptions
	Tenant string `help:"Whose they are. Default: default's, or with an API those of its key's tenant." placeholder:"TENANT"`
}

// owner is whose keys of a database they are.
func (o *keysOptions) owner() callmodel.TenantID {
	return cmp.Or(callmodel.TenantID(o.Tenant), service.DefaultTenant)
}

// secretOptions say where a secret goes.
type secretOptions struct {
	Out string `help:"Write the secret to this file, which must not exist yet and which only its owner can read, and not to standard output." type:"path" placeholder:"FILE"`
}

// keyAndSecret is a key as it is printed, with its secret if that goes to nobody else.
type keyAndSecret struct {
	keys.Key

	Secret string `json:"secret,omitempty"`
}

// print gives the secret to whom it is for. Only the secret is on standard output
// without --json, so that it can be piped.
func (o *secretOptions) print(s cli.Streams, asJSON bool, k *keys.Key, secret string, out *os.File) error {
	shown := keyAndSecret{Key: *k, Secret: secret}
	if out != nil {
		_, err := out.WriteString(secret + "\n")
		if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
			return err
		}
		shown.Secret = ""
	}
	if asJSON {
		return s.JSON(shown)
	}
	if out == nil {
		s.Printf("%s\n", secret)
	}
	return nil
}

// open makes the file for the secret before there is one: a secret that can't be kept
// is not made.
func (o *secretOptions) open() (*os.File, error) {
	if o.Out == "" {
		return nil, nil //nolint:nilnil // it goes to standard output
	}
	return os.OpenFile(o.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// withSecret runs do, which makes a secret, and prints what it made.
func (o *secretOptions) withSecret(s cli.Streams, asJSON bool, do func() (k keys.Key, secret string, err error)) error {
	out, err := o.open()
	if err != nil {
		return err
	}
	k, secret, err := do()
	if err != nil {
		if out != nil {
			err = errors.Join(err, out.Close(), os.Remove(o.Out))
		}
		return err
	}
	return o.print(s, asJSON, &k, secret, out)
}

type keysCreate struct {
	keysOptions
	secretOptions
	Name      string        `help:"What it is for; no other active key of the tenant has the name." required:""`
	Grant     []string      `help:"Scope, as calls:write, or role: reader, caller, operator, compliance; may be repeated." required:"" placeholder:"GRANT"`
	ExpiresAt time.Time     `help:"When it stops working, as 2036-01-31T15:04:05Z. Default: it doesn't." optional:"" xor:"expiry" placeholder:"TIME"`
	ExpiresIn time.Duration `help:"After how long it stops working." xor:"expiry" placeholder:"DURATION"`
}

func (c *keysCreate) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		return c.withSecret(s, c.JSON, func() (keys.Key, string, error) {
			secret := keys.NewSecret()
			n := keys.New{
				ID: keys.NewID(), TenantID: c.owner(), Name: c.Name, Grants: c.Grant, ExpiresAt: c.ExpiresAt, Secret: keys.HashOf(secret), Actor: actor(),
			}
			if c.ExpiresIn != 0 {
				now, err := db.Now(ctx)
				if err != nil {
					return keys.Key{}, "", err
				}
				n.ExpiresAt = now.Add(c.ExpiresIn)
			}
			k, err := db.CreateKey(ctx, n)
			return k, secret, err
		})
	})
}

type keysList struct {
	keysOptions
	Revoked bool `help:"Those that were revoked, too."`
}

func (c *keysList) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		all := []keys.Key{}
		for f := (keys.Filter{Limit: 1000, Revoked: c.Revoked}); ; {
			page, err := db.Keys(ctx, c.owner(), f)
			if err != nil {
				return err
			}
			all = append(all, page...)
			if len(page) < f.Limit {
				break
			}
			f.After = page[len(page)-1].ID
		}
		now, err := db.Now(ctx)
		if err != nil {
			return err
		}
		return c.print(s, all, now)
	})
}

// print prints keys as they are at a time.
func (c *keysList) print(s cli.Streams, all []keys.Key, now time.Time) error {
	if c.JSON {
		return s.JSON(struct {
			Keys []keys.Key `json:"keys"`
		}{all})
	}
	for i := range all {
		k := &all[i]
		s.Printf("%s  %-24s  %-7s  %s  used %s  by %s\n", k.ID, k.Name, keyState(k, now), strings.Join(k.Grants, ","), when(k.LastUsedAt), k.CreatedBy)
	}
	return nil
}

func keyState(k *keys.Key, now time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return "revoked"
	case !k.Active(now):
		return "expired"
	default:
		return "active"
	}
}

func when(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.Format(time.RFC3339)
}

type keysRotate struct {
	keysOptions
	secretOptions
	ID    string        `arg:"" help:"The key."`
	Grace time.Duration `help:"For how long the old secret works, up to 720h." default:"24h"`
}

func (c *keysRotate) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		return c.withSecret(s, c.JSON, func() (keys.Key, string, error) {
			secret := keys.NewSecret()
			k, err := db.ChangeKey(ctx, keys.Change{
				TenantID: c.owner(), ID: c.ID, Action: keys.Rotate, Secret: keys.HashOf(secret), Grace: c.Grace, Actor: actor(),
			})
			return k, secret, named(c.ID, err)
		})
	})
}

type keysRevoke struct {
	keysOptions
	ID string `arg:"" help:"The key."`
}

func (c *keysRevoke) Run(ctx context.Context, s cli.Streams) error {
	if c.API != "" {
		return c.ask(ctx, s)
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		k, err := db.ChangeKey(ctx, keys.Change{TenantID: c.owner(), ID: c.ID, Action: keys.Revoke, Actor: actor()})
		if err != nil {
			return named(c.ID, err)
		}
		return c.print(s, &k)
	})
}

func (c *keysRevoke) print(s cli.Streams, k *keys.Key) error {
	if c.JSON {
		return s.JSON(k)
	}
	s.Printf("%s  %s  revoked at %s by %s\n", k.ID, k.Name, when(k.RevokedAt), k.RevokedBy)
	return nil
}

// named says of which key the error is.
func named(id string, err error) error {
	if err == nil {
		return nil
	}
	return callmodel.Errorf(callmodel.CodeOf(err), "key %s: %w", id, err)
}
