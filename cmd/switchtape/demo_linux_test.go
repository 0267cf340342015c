package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/cli"
	"github.com/switchtape/switchtape/cmd/internal/cli/clitest"
)

var playsAt = regexp.MustCompile(`console +(http://127\.0\.0\.1:\d+)/calls/(\S+)`)

// On a terminal the demonstration goes on until it is told to end, and says where.
func TestDemoServesOnATerminal(t *testing.T) {
	t.Parallel()
	// Whether or not the usual address is free, it is taken now.
	if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:8080"); err == nil {
		t.Cleanup(func() { assert.NoError(t, l.Close()) })
	}
	tty, written, _ := clitest.Terminal(t)
	ctx, ctrlC := context.WithCancel(t.Context())
	defer ctrlC()
	ended := make(chan int, 1)
	go func() {
		ended <- cli.Run(ctx, "switchtape", description, &commands{}, []string{"demo", "--dir", t.TempDir()}, cli.Streams{Out: tty, Err: tty})
	}()
	require.Eventually(t, func() bool { return strings.Contains(written.String(), "Ctrl-C ends it") }, 30*time.Second, 10*time.Millisecond, written)
	at := playsAt.FindStringSubmatch(written.String())
	require.NotNil(t, at, written)
	assert.NotContains(t, at[1], ":8080")
	api, err := apiclient.New(at[1], "")
	require.NoError(t, err)
	c, _, err := answered[calls.Call](api.GetCallWithResponse(ctx, at[2]))
	require.NoError(t, err)
	assert.Equal(t, calls.Ended, c.State)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, at[1]+c.Recordings[0].Link, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode, "the sound is there")
	require.NoError(t, resp.Body.Close())
	select {
	case code := <-ended:
		t.Fatalf("it has ended by itself, with %d: %s", code, written)
	default:
	}
	ctrlC()
	select {
	case code := <-ended:
		assert.Zero(t, code)
	case <-time.After(30 * time.Second):
		t.Fatal("it doesn't end")
	}
}

// It ends by itself where nobody reads what it prints, or wants it to.
func TestDemoEndsWhenItIsNotToServe(t *testing.T) {
	t.Parallel()
	tty, written, _ := clitest.Terminal(t)
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "out"))
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, file.Close()) })
	for name, c := range map[string]struct {
		args []string
		out  io.Writer
	}{
		"told not to":       {[]string{"--no-serve"}, tty},
		"as JSON":           {[]string{"--json"}, tty},
		"told to a file":    {nil, file},
		"told to a program": {nil, &lockedBuffer{}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		code := cli.Run(ctx, "switchtape", description, &commands{}, append([]string{"demo", "--dir", dir}, c.args...), cli.Streams{Out: c.out, Err: tty})
		assert.NoError(t, ctx.Err(), name)
		assert.Zero(t, code, name)
		cancel()
	}
	assert.NotContains(t, written.String(), "Ctrl-C")
}
