package kamailio_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/examples/deploy/internal/machines"
	"github.com/switchtape/switchtape/recording/recordingtest"
)

func TestMain(m *testing.M) { machines.Main(m) }

// apiKey is what Kamailio finds in its environment.
const apiKey = "the-key-of-this-test"

// taken reports whether somebody receives at the UDP port.
func taken(port int) bool {
	u, err := net.ListenPacket("udp", machines.Address(port))
	if err == nil {
		_ = u.Close()
	}
	return err != nil
}

// api is Switchtape's API and worker, which can be stopped and started again.
type api struct {
	binary, dir     string
	ca, key         string // the files of its certificate, which signs itself, and of its key
	port, emergency int
	process         *machines.Process
	client          *apiclient.ClientWithResponses
}

// newAPI builds the program and starts it with the rules.
func newAPI(t *testing.T, rules string) *api {
	t.Helper()
	a := &api{dir: t.TempDir(), port: machines.FreePort(t), emergency: machines.FreePort(t)}
	a.binary = filepath.Join(machines.Programs(t), "switchtape")
	require.NoError(t, os.WriteFile(a.file("rules.yaml"), []byte(rules), 0o600))
	sum := sha256.Sum256([]byte(apiKey))
	keys := hex.EncodeToString(sum[:]) + " acme calls:write,calls:read kamailio\n"
	require.NoError(t, os.WriteFile(a.file("keys"), []byte(keys), 0o600))

	var trusted *tls.Config
	a.ca, a.key, trusted = machines.Certificate(t, a.dir)
	var err error
	a.client, err = apiclient.New(a.url(), apiKey, apiclient.WithHTTPClient(&http.Client{Transport: &http.Transport{TLSClientConfig: trusted}}))
	require.NoError(t, err)
	a.start(t)
	return a
}

func (a *api) file(name string) string { return filepath.Join(a.dir, name) }

func (a *api) url() string { return "https://" + machines.Address(a.port) }

func (a *api) start(t *testing.T) {
	t.Helper()
	a.process = machines.Start(t, nil, a.binary, "serve", "--dir", a.file("data"), "--rules", a.file("rules.yaml"), "--region", "US",
		"--listen", machines.Address(a.port), "--emergency-listen", machines.Address(a.emergency), "--keys", a.file("keys"),
		"--tls-cert", a.ca, "--tls-key", a.key, "--log-level", "warn")
	require.Eventually(t, func() bool { return strings.Contains(a.process.Said.String(), "serves on") },
		machines.Deadline, 5*time.Millisecond, "the API did not start: %s", a.process.Said)
}

// door is between Kamailio and the API, and can be held shut.
type door struct {
	port     int
	knocked  atomic.Int64 // the connections that were taken
	mu       sync.Mutex
	released chan struct{} // closed while the door is open
}

// newDoor opens a door to the TCP port.
func newDoor(t *testing.T, to int) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { cancel(); _ = l.Close() })
	d := &door{port: l.Addr().(*net.TCPAddr).Port, released: make(chan struct{})}
	close(d.released)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			d.knocked.Add(1)
			go d.pass(ctx, conn, to)
		}
	}()
	return d
}

// pass lets a connection through once the door is open.
func (d *door) pass(ctx context.Context, in net.Conn, to int) {
	defer in.Close()
	d.mu.Lock()
	released := d.released
	d.mu.Unlock()
	select {
	case <-released:
	case <-ctx.Done():
		return
	}
	out, err := net.Dial("tcp", machines.Address(to))
	if err != nil {
		return
	}
	defer out.Close()
	go func() {
		defer out.Close()
		_, _ = io.Copy(out, in) // either side may be gone
	}()
	_, _ = io.Copy(in, out)
}

// hold shuts the door to new connections until open is called.
func (d *door) hold() (open func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.released = make(chan struct{})
	return sync.OnceFunc(func() { close(d.released) })
}

// leg puts a file where a recorder would.
func (a *api) leg(t *testing.T, callID, name, from string) {
	t.Helper()
	dir := filepath.Join(a.file("data"), "legs", callID)
	require.NoError(t, os.MkdirAll(dir, 0o700))
	wav, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), wav, 0o600))
}

// called are the calls of a SIP Call-ID.
func (a *api) called(t require.TestingT, callID string) []apiclient.Call {
	got, err := a.client.ListCallsWithResponse(context.Background(), &apiclient.ListCallsParams{Metadata: &[]string{"sip_call_id=" + callID}})
	require.NoError(t, err)
	require.NoError(t, apiclient.Error(got))
	return got.JSON200.Calls
}

// comes waits until the one call of a SIP Call-ID is in the state.
func (a *api) comes(t *testing.T, callID string, state apiclient.CallState) *apiclient.Call {
	t.Helper()
	var call apiclient.Call
	require.EventuallyWithT(t, func(now *assert.CollectT) {
		all := a.called(now, callID)
		require.Len(now, all, 1)
		call = all[0]
		require.Equal(now, state, call.State)
	}, machines.Deadline, 10*time.Millisecond)
	return &call
}

// newKamailio starts Kamailio with the very file, and waits until it answers.
func newKamailio(t *testing.T, env []string, defines ...string) (port int, p *machines.Process) {
	t.Helper()
	port = machines.FreePort(t)
	args := make([]string, 0, 2*len(defines)+10)
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	p = machines.Start(t, env, kamailio(t), append(args, "-f", configuration(t), "-l", "udp:"+machines.Address(port), "-Y", t.TempDir(), "-DD", "-E", "-m", "32")...)
	conn, err := net.Dial("udp", machines.Address(port))
	require.NoError(t, err)
	defer conn.Close()
	answer := make([]byte, 2048)
	require.Eventually(t, func() bool {
		_, _ = fmt.Fprintf(conn, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKready%d\r\nFrom: <sip:test@127.0.0.1>;tag=1\r\n"+
			"To: <sip:test@127.0.0.1>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n",
			machines.Address(port), conn.LocalAddr(), time.Now().UnixNano())
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, err := conn.Read(answer)
		return err == nil && bytes.HasPrefix(answer[:n], []byte("SIP/2.0 200"))
	}, machines.Deadline, 10*time.Millisecond, "Kamailio did not start: %s", p.Said)
	return port, p
}

// kamailio is Debian's program, which is where only root looks for programs.
func kamailio(t *testing.T) string {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	return recordingtest.Tool(t, "kamailio", "kamailio kamailio-utils-modules kamailio-extra-modules")
}

func configuration(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs("kamailio.cfg")
	require.NoError(t, err)
	return path
}

// phone is a sipp that takes calls.
type phone struct {
	port     int
	messages string // the file of what it received and sent
}

// newPhone starts a sipp with a scenario of testdata.
func newPhone(t *testing.T, scenario string) *phone {
	t.Helper()
	return newPhoneWith(t, testdata(t, scenario))
}

// newPhoneWith starts a sipp with the file of a scenario.
func newPhoneWith(t *testing.T, scenario string) *phone {
	t.Helper()
	p := &phone{port: machines.FreePort(t), messages: filepath.Join(t.TempDir(), "messages")}
	said := machines.Start(t, nil, sipp(t), "-sf", scenario, "-i", "127.0.0.1", "-p", strconv.Itoa(p.port), "-nostdin",
		"-trace_msg", "-message_file", p.messages).Said
	require.Eventually(t, func() bool { return taken(p.port) }, machines.Deadline, 10*time.Millisecond, "sipp did not start: %s", said)
	return p
}

// invites are the INVITEs that it received for a SIP Call-ID, whole.
func (p *phone) invites(t *testing.T, callID string) []string {
	t.Helper()
	all, err := os.ReadFile(p.messages)
	require.NoError(t, err)
	var found []string
	for _, m := range regexp.MustCompile(`(?m)^-{20,}.*$`).Split(string(all), -1) {
		if at := strings.Index(m, "INVITE "); at >= 0 && strings.Contains(m, " received ") && strings.Contains(m, callID) {
			found = append(found, m[at:])
		}
	}
	return found
}

func sipp(t *testing.T) string {
	t.Helper()
	return recordingtest.Tool(t, "sipp", "sip-tester")
}

func testdata(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	require.NoError(t, err)
	return path
}

// place places a call by a scenario of testdata, with the SIP Call-ID, and fails the
// test if it goes otherwise. It returns how long it took. The caller talks for 300 ms.
func place(t *testing.T, kamailio int, scenario, callID, number string) time.Duration {
	t.Helper()
	return placeWith(t, kamailio, testdata(t, scenario), callID, number)
}

// refused places a call that must be refused with the status.
func refused(t *testing.T, kamailio, status int, callID, number string) time.Duration {
	t.Helper()
	return placeWith(t, kamailio, edited(t, "uac_refused.xml", "STATUS", strconv.Itoa(status)), callID, number)
}

func placeWith(t *testing.T, kamailio int, scenario, callID, number string) time.Duration {
	t.Helper()
	took, err := newCaller(t, kamailio, scenario, callID, number, 300*time.Millisecond)()
	require.NoError(t, err)
	return took
}

// edited is the file of a scenario with old replaced by what is in its place here.
func edited(t *testing.T, scenario, old, here string) string {
	t.Helper()
	b, err := os.ReadFile(testdata(t, scenario))
	require.NoError(t, err)
	require.Contains(t, string(b), old)
	file := filepath.Join(t.TempDir(), scenario)
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(b, []byte(old), []byte(here)), 0o600))
	return file
}

// newCaller is somebody who places a call by the file of a scenario and talks for so
// long. The error says what went otherwise than there.
func newCaller(t *testing.T, kamailio int, scenario, callID, number string, talk time.Duration) func() (time.Duration, error) {
	t.Helper()
	messages := filepath.Join(t.TempDir(), "messages")
	ctx, cancel := context.WithTimeout(t.Context(), machines.Deadline)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, sipp(t), machines.Address(kamailio), "-sf", scenario, "-i", "127.0.0.1", "-p", strconv.Itoa(machines.FreePort(t)), "-nostdin",
		"-m", "1", "-s", number, "-key", "caller", "+442079460123", "-cid_str", callID, "-d", strconv.FormatInt(talk.Milliseconds(), 10),
		"-timeout", "15s", "-timeout_error", "-trace_msg", "-message_file", messages)
	cmd.Dir = t.TempDir()
	return func() (time.Duration, error) {
		began := time.Now()
		out, err := cmd.CombinedOutput()
		took := time.Since(began)
		if err != nil {
			said, _ := os.ReadFile(messages)
			err = fmt.Errorf("the call did not go as %s says: %w\n%s\n%s", filepath.Base(scenario), err, said, out)
		}
		return took, err
	}
}
