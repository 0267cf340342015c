package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/encrypt"
)

type encryptionCommand struct {
	New     encryptionNew     `cmd:"" help:"Make a file of keys, with an identity for each tenant."`
	Rotate  encryptionRotate  `cmd:"" help:"Give a tenant a new identity. The old one stays in the file, to decrypt what isn't re-wrapped yet."`
	Writers encryptionWriters `cmd:"" help:"Make the file for programs that only store recordings: it decrypts nothing."`
	Wrap    encryptionWrap    `cmd:"" help:"Have a file of keys wrapped by a key service (--encrypt-keeper)."`
	Rewrap  encryptionRewrap  `cmd:"" help:"Give the encrypted recordings of a bucket the recipients that their tenants have now. It may be killed and run again."`
	Check   encryptionCheck   `cmd:"" help:"Try a file of keys, and say whose recordings it encrypts and decrypts."`
}

// keysFile names a file of keys that is to be read.
type keysFile struct {
	Keys string `arg:"" help:"The file of keys, which isn't wrapped." type:"path" placeholder:"FILE"`
}

func (k *keysFile) read() (*encrypt.File, error) {
	b, err := os.ReadFile(k.Keys)
	if err != nil {
		return nil, err
	}
	if _, err := encrypt.Parse(b); err != nil {
		return nil, fmt.Errorf("%s: %w", k.Keys, err)
	}
	var f encrypt.File
	return &f, json.Unmarshal(b, &f)
}

type encryptionNew struct {
	Tenant []string `help:"A tenant that gets keys of its own; * is for all that aren't named. May be repeated." default:"*" placeholder:"TENANT"`
	Escrow []string `help:"A recipient (age1…) that can decrypt all besides, whose identity lies in a safe. May be repeated." placeholder:"RECIPIENT"`
	Out    string   `help:"File to write. It must not exist." type:"path" required:"" placeholder:"FILE"`
}

// Run makes the file.
func (c *encryptionNew) Run(_ context.Context, s cli.Streams) error {
	f, err := encrypt.New(c.Tenant, c.Escrow...)
	if err != nil {
		return err
	}
	if err := writeKeys(c.Out, f, false); err != nil {
		return err
	}
	s.Printf("%s has the keys: whoever has it hears the recordings, and without it they are lost. Keep a copy where neither can happen\n", c.Out)
	return nil
}

type encryptionRotate struct {
	keysFile

	Tenant string `help:"Whose identity is replaced; * for all that aren't named." required:"" placeholder:"TENANT"`
}

// Run replaces the file.
func (c *encryptionRotate) Run(_ context.Context, s cli.Streams) error {
	f, err := c.read()
	if err != nil {
		return err
	}
	if err := f.Rotate(c.Tenant); err != nil {
		return err
	}
	if err := writeKeys(c.Keys, f, true); err != nil {
		return err
	}
	s.Printf("tenant %s has a new identity. Restart what uses the keys, have older recordings re-wrapped, and then take the old identity out of the file\n", c.Tenant)
	return nil
}

type encryptionWriters struct {
	keysFile

	Out string `help:"File to write. It must not exist." type:"path" required:"" placeholder:"FILE"`
}

// Run makes the file.
func (c *encryptionWriters) Run(context.Context) error {
	f, err := c.read()
	if err != nil {
		return err
	}
	return writeKeys(c.Out, f.WithoutIdentities(), false)
}

type encryptionWrap struct {
	keysFile

	Keeper string `help:"Key service: awskms://… or base64key://… switchtape-api and switchtape-worker know gcpkms:// and azurekeyvault://, too." required:"" placeholder:"URL" type:"private"`
	Out    string `help:"File to write. It must not exist." type:"path" required:"" placeholder:"FILE"`
}

// Run makes the file.
func (c *encryptionWrap) Run(ctx context.Context) error {
	if _, err := c.read(); err != nil {
		return err
	}
	b, err := os.ReadFile(c.Keys)
	if err != nil {
		return err
	}
	b, err = service.Keep(ctx, c.Keeper, func(ctx context.Context, k encrypt.Keeper) ([]byte, error) { return encrypt.Wrap(ctx, b, k) })
	if err != nil {
		return err
	}
	return writePrivate(c.Out, append(b, '\n'), false)
}

type encryptionCheck struct {
	service.EncryptionOptions

	JSON bool `help:"Print JSON." name:"json"`
}

// triedKeys is what encryption check --json prints of a tenant.
type triedKeys struct {
	Tenant     string `json:"tenant"`
	Plain      bool   `json:"plain"`
	Recipients int    `json:"recipients"`
	Decrypts   bool   `json:"decrypts"`
	Error      string `json:"error,omitempty"`
}

// Run fails if some keys don't do.
func (c *encryptionCheck) Run(ctx context.Context, s cli.Streams) error {
	if c.EncryptKeys == "" {
		return cli.Usagef("missing flags: --encrypt-keys=FILE")
	}
	keys, err := c.RecordingKeys(ctx)
	if err != nil {
		return err
	}
	all, failed := []triedKeys{}, false
	for _, t := range keys.Try() {
		one := triedKeys{Tenant: t.Tenant, Plain: t.Plain, Recipients: t.Recipients, Decrypts: t.Decrypts}
		if t.Err != nil {
			one.Error, failed = t.Err.Error(), true
		}
		all = append(all, one)
	}
	if c.JSON {
		err = s.JSON(struct {
			Tenants []triedKeys `json:"tenants"`
		}{all})
	} else {
		for _, t := range all {
			s.Printf("%s\n", t)
		}
	}
	if err == nil && failed {
		return cli.Silent()
	}
	return err
}

// String is what people are told.
func (t triedKeys) String() string {
	switch {
	case t.Error != "":
		return t.Tenant + ": " + t.Error
	case t.Plain:
		return t.Tenant + ": stored as they are"
	case t.Recipients == 0:
		return t.Tenant + ": decrypted, not stored"
	case !t.Decrypts:
		return fmt.Sprintf("%s: encrypted to %d recipients, not decrypted", t.Tenant, t.Recipients)
	}
	return fmt.Sprintf("%s: encrypted to %d recipients, and decrypted", t.Tenant, t.Recipients)
}

// writeKeys writes a file of keys.
func writeKeys(path string, f *encrypt.File, replace bool) error {
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return writePrivate(path, append(b, '\n'), replace)
}

// writePrivate writes a file for the user alone: whole, or not at all.
func writePrivate(path string, b []byte, replace bool) (err error) {
	if !replace {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("%s exists already, or can't be looked at: choose another name", path), err)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".switchtape-keys-*") // for the user alone
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if replace {
		return os.Rename(f.Name(), path)
	}
	if err = os.Link(f.Name(), path); err != nil { // never over another file
		return err
	}
	return os.Remove(f.Name())
}
