package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"

	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/service"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/encrypt"
)

type webhooksEncrypt struct {
	timedOptions
	service.SecretOptions
}

// Run encrypts what isn't yet.
func (c *webhooksEncrypt) Run(ctx context.Context, s cli.Streams) error {
	if c.SecretKeys == "" {
		return cli.Usagef("missing flags: --secret-keys=FILE")
	}
	var err error
	if c.secrets, err = c.KeysOfSecrets(ctx); err != nil {
		return err
	}
	return c.with(ctx, func(ctx context.Context, db *calldb.DB) error {
		n, err := db.EncryptSecrets(ctx)
		if err != nil {
			return err
		}
		if c.JSON {
			return s.JSON(struct {
				Webhooks int `json:"webhooks"` // whose secrets were written
			}{n})
		}
		s.Printf("the secrets of %d webhooks were encrypted\n", n)
		return nil
	})
}

type webhooksNewKey struct {
	Keys   string `arg:"" help:"The file. One that is there gets the new key before those that it has, and must not be wrapped." type:"path" placeholder:"FILE"`
	Keeper string `help:"Have a new file wrapped by this key service, as for --secret-keeper." placeholder:"URL" type:"private"`
}

// Run makes the key.
func (c *webhooksNewKey) Run(ctx context.Context, s cli.Streams) error {
	old, err := os.ReadFile(c.Keys)
	there := !errors.Is(err, fs.ErrNotExist)
	switch {
	case there && err != nil:
		return err
	case there && c.Keeper != "":
		return cli.Usagef("%s is there already: a file is wrapped when it is made", c.Keys)
	case there:
		if _, err := calldb.ParseSecretKeys(old); err != nil {
			return err
		}
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	b := bytes.Join([][]byte{[]byte(base64.StdEncoding.EncodeToString(key[:])), old}, []byte("\n"))
	if c.Keeper != "" {
		if b, err = service.Keep(ctx, c.Keeper, func(ctx context.Context, k encrypt.Keeper) ([]byte, error) { return encrypt.Wrap(ctx, b, k) }); err != nil {
			return err
		}
	}
	if err := writePrivate(c.Keys, b, there); err != nil {
		return err
	}
	s.Printf("%s has a new key. Give it to all programs that deliver or change webhooks (--secret-keys), restart them, and then run webhooks encrypt\n", c.Keys)
	return nil
}
