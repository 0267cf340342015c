package service

import (
	"context"
	"fmt"
	"os"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/encrypt"
)

// SecretOptions name the keys that secrets in the database are encrypted with.
type SecretOptions struct {
	SecretKeys   string `help:"File of the keys (switchtape webhooks new-key) that the secrets of webhooks are encrypted with in the database: the first encrypts, all decrypt. The same for all programs that deliver or change webhooks. Read at the start. Default: they are kept as they are." type:"path" placeholder:"FILE"`
	SecretKeeper string `help:"Key service that has wrapped the file of the keys of secrets, as --encrypt-keeper. Default: it isn't wrapped." placeholder:"URL" type:"private"`
}

// KeysOfSecrets reads the keys; nil if there are none.
func (o *SecretOptions) KeysOfSecrets(ctx context.Context) (*calldb.SecretKeys, error) {
	if o.SecretKeys == "" {
		if o.SecretKeeper != "" {
			return nil, callmodel.FieldErrors{{Path: "--secret-keeper", Message: "is there, and no --secret-keys that it could unwrap"}}
		}
		return nil, nil //nolint:nilnil // secrets are kept as they are
	}
	b, err := os.ReadFile(o.SecretKeys)
	if err != nil {
		return nil, callmodel.Errorf(callmodel.CodeUnavailable, "--secret-keys: %w", err)
	}
	if o.SecretKeeper != "" {
		if b, err = Keep(ctx, o.SecretKeeper, func(ctx context.Context, k encrypt.Keeper) ([]byte, error) { return encrypt.Unwrap(ctx, b, k) }); err != nil {
			return nil, fmt.Errorf("--secret-keys %s: %w", o.SecretKeys, err)
		}
	}
	k, err := calldb.ParseSecretKeys(b)
	if err != nil {
		return nil, fmt.Errorf("--secret-keys %s: %w", o.SecretKeys, err)
	}
	return k, nil
}
