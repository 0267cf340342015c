package main

import (
	"context"
	"net/http"
	"time"

	"github.com/switchtape/switchtape/callmodel/keys"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// ofAPI is the client, and for whom it acts.
func (o *keysOptions) ofAPI() (*apiclient.ClientWithResponses, apiclient.RequestEditorFn, error) {
	if o.DB != "" {
		return nil, nil, errBoth()
	}
	api, err := o.client()
	return api, func(_ context.Context, r *http.Request) error {
		if o.Tenant != "" {
			r.Header.Set("Switchtape-Tenant", o.Tenant)
		}
		return nil
	}, err
}

// ask is Run with an API.
func (c *keysCreate) ask(ctx context.Context, s cli.Streams) error {
	api, tenant, err := c.ofAPI()
	if err != nil {
		return err
	}
	return c.withSecret(s, c.JSON, func() (keys.Key, string, error) {
		n := apiclient.NewKey{Name: c.Name, Grants: c.Grant, ExpiresAt: givenTime(c.ExpiresAt)}
		if c.ExpiresIn != 0 {
			n.ExpiresAt = givenTime(time.Now().Add(c.ExpiresIn))
		}
		k, _, err := answered[keyAndSecret](api.CreateKeyWithResponse(ctx, n, tenant))
		return k.Key, k.Secret, err
	})
}

// ask is Run with an API.
func (c *keysList) ask(ctx context.Context, s cli.Streams) error {
	api, tenant, err := c.ofAPI()
	if err != nil {
		return err
	}
	all := []keys.Key{}
	for limit, after := maxAsked, ""; ; {
		page, _, err := answered[struct {
			Keys []keys.Key
			Next string
		}](api.ListKeysWithResponse(ctx, &apiclient.ListKeysParams{Limit: &limit, After: given(after), Revoked: given(c.Revoked)}, tenant))
		if err != nil {
			return err
		}
		all = append(all, page.Keys...)
		if after = page.Next; after == "" {
			return c.print(s, all, time.Now())
		}
	}
}

// ask is Run with an API.
func (c *keysRotate) ask(ctx context.Context, s cli.Streams) error {
	api, tenant, err := c.ofAPI()
	if err != nil {
		return err
	}
	return c.withSecret(s, c.JSON, func() (keys.Key, string, error) {
		grace := int(c.Grace / time.Second)
		k, _, err := answered[keyAndSecret](api.RotateKeyWithResponse(ctx, c.ID, nil, apiclient.Rotation{GraceS: &grace}, tenant))
		return k.Key, k.Secret, err
	})
}

// ask is Run with an API.
func (c *keysRevoke) ask(ctx context.Context, s cli.Streams) error {
	api, tenant, err := c.ofAPI()
	if err != nil {
		return err
	}
	k, _, err := answered[keys.Key](api.RevokeKeyWithResponse(ctx, c.ID, nil, tenant))
	if err != nil {
		return err
	}
	return c.print(s, &k)
}
