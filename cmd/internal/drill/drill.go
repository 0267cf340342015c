// Package drill makes calls for tests, through services that are killed meanwhile.
package drill

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/record"
)

const (
	// backOff is a client's pause after a request that nobody took.
	backOff = 20 * time.Millisecond
	// tries is how many times a request is made at most.
	tries = 3000
)

var errNobody = errors.New("nobody took it")

// Caller makes calls as a telephone server does.
type Caller struct {
	Client http.Client
	// Service is the URL of a service, which need not run: any, by chance. It is called by
	// several goroutines.
	Service func() string
}

// Call is an answered call from its beginning to its end, of which the recording is made.
type Call struct {
	ID        string
	Legs      []record.LegSpec
	Recording record.Preference
	// Twice says that the end is told twice.
	Twice bool
}

// Make makes the call, whatever is killed meanwhile.
func (c *Caller) Make(ctx context.Context, call *Call) error {
	const path = "/v1/calls"
	recording, err := json.Marshal(call.Recording)
	if err != nil {
		return err
	}
	legs, err := json.Marshal(call.Legs)
	if err != nil {
		return err
	}
	if err := c.Say(ctx, path, call.ID, fmt.Sprintf(`{"id":%q,"from":"+12025550123","to":"+12125550188","recording":%s}`, call.ID, recording)); err != nil {
		return err
	}
	events := []string{`{"id":"1","type":"answered"}`, fmt.Sprintf(`{"id":"2","type":"ended","legs":%s}`, legs)}
	if call.Twice {
		events = append(events, events[1])
	}
	for _, e := range events {
		if err := c.Say(ctx, path+"/"+call.ID+"/events", "", e); err != nil {
			return err
		}
	}
	return nil
}

// Say makes one request until a service takes it. The error is that of a request that can't
// be meant, of services that take none for minutes, or of ctx.
func (c *Caller) Say(ctx context.Context, path, key, body string) error {
	for try := 0; ; try++ {
		status, answer, err := c.post(ctx, c.Service()+path, key, body)
		switch {
		case status/100 == 2:
			return nil
		case status/100 == 4 && status != http.StatusTooManyRequests && status != http.StatusConflict && status != http.StatusNotFound:
			return fmt.Errorf("%s: %d %s", path, status, answer)
		case ctx.Err() != nil || try > tries:
			return fmt.Errorf("%s: %d %s: %w", path, status, answer, errors.Join(err, ctx.Err(), errNobody))
		}
		select {
		case <-ctx.Done():
		case <-time.After(backOff):
		}
	}
}

// Ask makes one request once. The error is that of an answer that isn't a success.
func (c *Caller) Ask(ctx context.Context, path, key, body string) error {
	status, answer, err := c.post(ctx, c.Service()+path, key, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s: %d %s", path, status, answer)
	}
	return err
}

// post makes the request once. The status is 0 if there was no answer.
func (c *Caller) post(ctx context.Context, url, key, body string) (status int, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.Client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // read whole, or of no use
	answer, err = io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
