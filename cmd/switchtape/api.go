package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
)

// apiOptions say which API to ask.
type apiOptions struct {
	API        string `help:"The API to ask, as https://calls.example.com." placeholder:"URL" name:"api" instead:"db"`
	APIKeyFile string `help:"File with the API key. Without it the key is SWITCHTAPE_API_KEY's, if there is one." type:"path" placeholder:"FILE" name:"api-key-file"`
}

// errBoth is of a command that is given two places to work at, both in arguments or both by
// the environment: of one of each the argument counts.
func errBoth() error {
	return cli.Usagef("there are a database and an API: give --db or --api, not both (SWITCHTAPE_DB and SWITCHTAPE_API count, too)")
}

// apiTimeout bounds a request.
const apiTimeout = time.Minute

// client is that of the API. The key is no flag, as all flags are in the list of
// processes.
func (o *apiOptions) client() (*apiclient.ClientWithResponses, error) { return o.clientFor(apiTimeout) }

// clientFor is client with another bound of a request.
func (o *apiOptions) clientFor(timeout time.Duration) (*apiclient.ClientWithResponses, error) {
	key := os.Getenv("SWITCHTAPE_API_KEY")
	if o.APIKeyFile != "" {
		b, err := os.ReadFile(o.APIKeyFile)
		if err != nil {
			return nil, fmt.Errorf("the API key: %w", err)
		}
		key = string(b)
	}
	return apiclient.New(o.API, strings.TrimSpace(key), apiclient.WithHTTPClient(&http.Client{Timeout: timeout}))
}

// answered is what the API has answered, or its refusal.
func answered[T any](a apiclient.Answer, err error) (v T, raw json.RawMessage, _ error) {
	if err != nil {
		return v, nil, err
	}
	if err := apiclient.Error(a); err != nil {
		return v, nil, err
	}
	if err := json.Unmarshal(a.GetBody(), &v); err != nil {
		return v, nil, fmt.Errorf("the answer of the API can't be read: %w", err)
	}
	return v, a.GetBody(), nil
}

// given is a parameter, nil where it is empty.
func given[T comparable](v T) *T {
	var none T
	if v == none {
		return nil
	}
	return &v
}

// givenTime is a parameter, nil where there is no time.
func givenTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
