package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
)

// Two telephones of baresip's talk over SIP and RTP in a network of their own, and the caller's
// leaves what it sent and what it heard in a spool, a directory a call: each call becomes
// one recording, the caller's side sample for sample what was played into it.
func TestBaresipLegs(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	modules, err := filepath.Glob("/usr/lib/*/modules/sndfile.so")
	require.NoError(t, err)
	if _, err := exec.LookPath("baresip"); err != nil || len(modules) == 0 {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") != "" {
			t.Fatal("a SIP call needs baresip and its module sndfile")
		}
		t.Skip("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: a SIP call needs baresip; install baresip-core, or run .ci/run")
	}
	dir := t.TempDir()
	legs := filepath.Join(dir, "legs", "sip")
	require.NoError(t, os.MkdirAll(legs, 0o750))
	p := serve(t, "--dir", dir, "--record-codec", "wav",
		"--spool", "sip?pattern={call}/dump-{legtime:2006-01-02-15-04-05}-{leg:enc|dec}.wav&quiet=2s&every=500ms&zone=Local")
	db := openLedger(t, calldb.SQLiteURL(filepath.Join(dir, "switchtape.db")))

	agent, _, err := samplecall.WriteLegs(t.TempDir()) // the customer is silent for a while
	require.NoError(t, err)
	network := newNetwork(t)
	callee := newPhone(t, network, filepath.Dir(modules[0]), agent, "")
	ring := callee.start(t, "-t", "60")
	require.Eventually(t, func() bool { return strings.Contains(callee.log.String(), "baresip is ready") }, 30*time.Second, 5*time.Millisecond, "%s", callee.log)
	const calls = 2
	for i := range calls {
		caller := newPhone(t, network, filepath.Dir(modules[0]), agent, filepath.Join(legs, fmt.Sprintf("Gespräch-*%d", i)))
		require.NoError(t, caller.start(t, "-e", fmt.Sprintf("/dial sip:phone@127.0.0.1:%d", callee.port), "-t", "3").Wait(), "%s", caller.log)
		require.Contains(t, caller.log.String(), "Call established", "%s", callee.log)
	}
	require.NoError(t, ring.Process.Kill())
	require.Eventually(t, func() bool { return finished(t, db) >= calls }, time.Minute, 10*time.Millisecond, "%s", p.log)
	p.terminate(t)

	jobs, err := db.Jobs(t.Context(), ledger.Filter{})
	require.NoError(t, err)
	require.Len(t, jobs, calls)
	want := pcm16(t, samplecall.Agent())
	for i := range jobs {
		r, err := record.ResultOf(&jobs[i])
		require.NoError(t, err)
		require.True(t, r.Made(), "%+v", r)
		require.Len(t, r.Legs, 2)
		assert.Greater(t, r.Legs[1].Frames, int64(samplecall.SampleRateHz), "more than a second was heard")
		both := pcm16(t, readFile(t, filepath.Join(dir, "recordings", filepath.FromSlash(r.Outputs[0].Key))))
		require.Greater(t, len(both), 2*samplecall.SampleRateHz)
		loud := false
		for f := range int(min(r.Legs[0].Frames, int64(len(both)/2))) {
			require.Equal(t, want[f], both[2*f], "frame %d of what was sent", f)
			loud = loud || both[2*f+1] > 1000 || both[2*f+1] < -1000
		}
		assert.True(t, loud, "the other side was heard")
	}
}

// newNetwork makes a network of the test's own, as a telephone of baresip's takes no
// loopback for its RTP. It returns what a command in it begins with.
func newNetwork(t *testing.T) (enter []string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "unshare", "--user", "--map-root-user", "--net", "sh", "-c",
		`ip link set lo up && ip link add name phones type veth peer name others && ip addr add 192.0.2.1/24 dev phones &&
		ip link set phones up && ip link set others up && echo there && exec cat`)
	faults := &lockedBuffer{}
	cmd.Stderr = faults
	hold, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said, _ := bufio.NewReader(out).ReadString('\n') // nothing, where it ends
	t.Cleanup(func() {
		_ = hold.Close()
		_ = cmd.Wait() // it has served
	})
	if said != "there\n" {
		if os.Getenv("SWITCHTAPE_REQUIRE_SERVICES") != "" {
			t.Fatalf("a SIP call needs a network namespace: %s", faults)
		}
		t.Skipf("SKIPPED, SWITCHTAPE_REQUIRE_SERVICES=1 makes it a failure: a SIP call needs a network namespace: %s", faults)
	}
	return []string{"nsenter", "--target", strconv.Itoa(cmd.Process.Pid), "--user", "--net", "--preserve-credentials"}
}

// phone is a telephone that plays a file into its calls.
type phone struct {
	enter []string // its network
	dir   string
	port  int
	log   *lockedBuffer
}

// newPhone writes the phone's configuration. It leaves what its calls hear and say in the
// directory legs; "" for nothing.
func newPhone(t *testing.T, network []string, modules, plays, legs string) *phone {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &phone{enter: network, log: &lockedBuffer{}, dir: t.TempDir(), port: c.LocalAddr().(*net.UDPAddr).Port}
	require.NoError(t, c.Close())
	config := fmt.Sprintf(`sip_listen 127.0.0.1:%d
audio_player aubridge,nil
audio_source aufile,%s
audio_alert aubridge,nil
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
module_path %s
module g711.so
module aufile.so
module aubridge.so
module_app account.so
module_app menu.so
`, p.port, plays, modules)
	if legs != "" {
		require.NoError(t, os.MkdirAll(legs, 0o750))
		config += "module sndfile.so\nsnd_path " + legs + "\n"
	}
	for name, content := range map[string]string{
		"config": config, "contacts": "",
		"accounts": fmt.Sprintf("<sip:phone@127.0.0.1:%d>;regint=0;answermode=auto;audio_codecs=pcmu\n", p.port),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o600))
	}
	return p
}

// start runs the phone, which ends with the test.
func (p *phone) start(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	line := slices.Concat(p.enter, []string{"baresip", "-f", p.dir}, args)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), line[0], line[1:]...)
	cmd.Stdout, cmd.Stderr = p.log, p.log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}
