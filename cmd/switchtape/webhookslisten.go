package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/webhooks"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/clock"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// webhooksListen is a receiver to try a webhook with.
type webhooksListen struct {
	Listen string     `help:"Address, on loopback if it names no host." default:":9000" placeholder:"ADDR"`
	Secret cli.Secret `help:"The webhook's secret: what isn't signed with it is refused with 401. In a file, or in the environment. Default: nothing is verified, and it is said so." placeholder:"@FILE"`
	Count  int        `help:"End after so many that were taken. 0: at Ctrl-C." default:"0"`
	JSON   bool       `help:"Print each delivery as a line of JSON."`
}

const (
	// maxDelivery is how much is read of a delivery, in bytes: a call with its events is
	// some kilobytes.
	maxDelivery = 4 << 20
	// listenTimeout is what a sender has for its request, and to read the answer.
	listenTimeout = 15 * time.Second
)

// received is a delivery, as it is printed.
type received struct {
	ID       string          `json:"id"`
	Type     string          `json:"type,omitempty"`
	Time     string          `json:"timestamp,omitempty"`
	Verified bool            `json:"verified"`
	Data     json.RawMessage `json:"data,omitempty"`
	Form     string          `json:"form,omitempty"` // of a webhook with the form "callback"
}

func (c *webhooksListen) Run(ctx context.Context, s cli.Streams) error {
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return cli.Usagef("--listen %q: %v", c.Listen, err)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if c.Count < 0 {
		return cli.Usagef("--count must not be negative: it is %d", c.Count)
	}
	var secrets []webhooks.Secret
	if c.Secret != "" {
		secrets = []webhooks.Secret{webhooks.Secret(c.Secret)}
		if _, err := secrets[0].Key(); err != nil {
			return cli.Usagef("--secret: %v", err)
		}
	}
	l, err := service.Listen(ctx, net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	fmt.Fprintf(s.Err, "deliveries to http://%s are printed as they come; end with Ctrl-C\n", l.Addr())
	if secrets == nil {
		fmt.Fprintf(s.Err, "nothing is verified: --secret @FILE has it done\n")
	}
	taken := &taking{s: s, json: c.JSON, secrets: secrets, left: c.Count, enough: enough}
	server := &http.Server{
		Handler: taken, ReadTimeout: listenTimeout, WriteTimeout: listenTimeout, IdleTimeout: listenTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() { // what is being answered is
		defer close(closed)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenTimeout)
		defer cancel()
		_ = server.Shutdown(closing)
	})
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-closed
	return taken.fault()
}

// taking takes deliveries and prints them, one at a time.
type taking struct {
	s       cli.Streams
	json    bool
	secrets []webhooks.Secret
	enough  context.CancelFunc

	mu   sync.Mutex
	left int // until enough; 0: there is no end
	err  error
}

func (t *taking) fault() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *taking) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "a webhook is posted", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	got := received{ID: r.Header.Get(webhooks.HeaderID)}
	if t.secrets != nil {
		err = webhooks.Verify(t.secrets, got.ID, r.Header.Get(webhooks.HeaderTimestamp), r.Header.Get(webhooks.HeaderSignature), body, clock.Now())
		if err != nil {
			fmt.Fprintf(t.s.Err, "refused: %v\n", err)
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		got.Verified = true
	}
	got.read(r.Header.Get("Content-Type"), body)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.print(&got); err != nil {
		t.err = err
		t.enough()
		http.Error(w, "it can't be printed", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	if t.left--; t.left == 0 {
		t.enough()
	}
}

// read fills in what the body tells.
func (g *received) read(mediaType string, body []byte) {
	if mediaType == "application/json" {
		var event struct {
			Type      string          `json:"type"`
			Timestamp string          `json:"timestamp"`
			Data      json.RawMessage `json:"data"`
		}
		if json.Unmarshal(body, &event) == nil {
			g.Type, g.Time, g.Data = event.Type, event.Timestamp, event.Data
			return
		}
	}
	g.Form = string(body)
}

func (t *taking) print(g *received) error {
	if t.json {
		line, err := json.Marshal(g)
		if err != nil {
			return err
		}
		_, err = t.s.Out.Write(append(line, '\n'))
		return err
	}
	about := struct {
		CallID    callmodel.CallID `json:"call_id"`
		Recording struct {
			URL string `json:"url"`
		} `json:"recording"`
	}{}
	_ = json.Unmarshal(g.Data, &about) // what isn't about a call has none
	t.s.Printf("%s  %-22s %s  %s %s\n", g.Time, g.Type, g.ID, about.CallID, about.Recording.URL)
	return nil
}
