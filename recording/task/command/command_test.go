//go:build unix

package command_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "gocloud.dev/blob/memblob"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/recording/task"
	"github.com/switchtape/switchtape/recording/task/command"
	"github.com/switchtape/switchtape/recording/task/stored"
	"github.com/switchtape/switchtape/storage"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

var begun = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// sampleLegs open the agent's leg, whatever is asked for.
type sampleLegs struct{}

func (sampleLegs) OpenLeg(context.Context, string) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(samplecall.Agent())), nil
}

// recorded is a library with one recording of the tenant acme, c1.
func recorded(t *testing.T) *stored.Library {
	t.Helper()
	store, err := storage.Open(t.Context(), "mem://", nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	db := memdb.New(nil)
	r, err := record.NewJob(record.Spec{
		TenantID: "acme", CallID: "c1", RecordingID: "c1", StartedAt: begun,
		Legs:    []record.LegSpec{record.NewLeg("agent", "agent.wav")},
		Outputs: []record.OutputSpec{{Codec: record.CodecWAV, Layout: record.LayoutMono}, {Codec: record.CodecAnalysis}},
	}, "", 0)
	require.NoError(t, err)
	_, _, err = db.Enqueue(t.Context(), r)
	require.NoError(t, err)
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w"})
	require.NoError(t, err)
	spec, err := record.SpecOf(&leases[0].Job)
	require.NoError(t, err)
	result, err := recording.NewProcessor(sampleLegs{}, store, nil).Process(t.Context(), spec, nil)
	require.NoError(t, err)
	o, err := record.Outcome(result)
	require.NoError(t, err)
	require.NoError(t, db.Complete(t.Context(), leases[0], o))
	return stored.NewLibrary(db, store)
}

// script is a program that runs the shell's text.
func script(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return name
}

// run does a job that names the program p, on the recording c1.
func run(t *testing.T, l *stored.Library, o command.Options, argv ...string) (ledger.Outcome, error) {
	t.Helper()
	o.TempDir = t.TempDir()
	defer func() {
		left, err := os.ReadDir(o.TempDir)
		require.NoError(t, err)
		require.Empty(t, left, "its directory is removed")
	}()
	return do(t.Context(), command.New(l, command.Programs{"p": argv}, &o), `{"command":"p","recording":{"call_id":"c1"}}`)
}

func do(ctx context.Context, k task.Kind, payload string) (ledger.Outcome, error) {
	return k.Do(ctx, &task.Job{Job: ledger.Job{ID: "j1", Kind: command.Kind, TenantID: "acme", Key: "k", Payload: []byte(payload)}, Token: 1})
}

// TestProgramSees: a program has the recording's parts, and nothing of the worker.
func TestProgramSees(t *testing.T) {
	t.Setenv("SWITCHTAPE_DB", "postgres://user:secret@db/x")
	l := recorded(t)
	o, err := run(t, l, command.Options{Env: []string{"PATH=/usr/bin:/bin", "MODEL=small"}}, script(t, `
		printf '{"args": "%s|%s", "dir": "%s", "files": "%s", "env": "%s", "in": "%s", "job": %s, "magic": "%s"}' "$1" "$2" "$PWD" \
			"$(ls | tr '\n' ' ')" "$(env | cut -d= -f1 | sort | tr '\n' ' ')" "$(cat)" "$(cat job.json)" "$(head -c 4 recording.wav)"`),
		"$(touch /tmp/never)", "; exit 3")
	require.NoError(t, err)
	require.False(t, o.Retriable)
	var got struct {
		Args, Dir, Files, Env, In, Magic string
		Job                              command.Description
	}
	require.NoError(t, json.Unmarshal(o.Result, &got))
	assert.Equal(t, "$(touch /tmp/never)|; exit 3", got.Args, "nothing of it is a shell's")
	assert.Equal(t, "job.json manifest.json recording.analysis.json recording.wav ", got.Files)
	for name := range strings.FieldsSeq(got.Env) {
		assert.Contains(t, []string{
			"HOME", "LANG", "MODEL", "OLDPWD", "PATH", "PWD", "SHLVL", "TMPDIR", "_",
			"SWITCHTAPE_CALL_ID", "SWITCHTAPE_JOB_ID", "SWITCHTAPE_RECORDING_ID", "SWITCHTAPE_TENANT_ID",
		}, name)
	}
	assert.Empty(t, got.In)
	assert.Equal(t, "RIFF", got.Magic)
	assert.Equal(t, callmodel.CallID("c1"), got.Job.CallID)
	assert.Equal(t, []string{"agent"}, got.Job.Legs)
	assert.EqualValues(t, 49339, got.Job.DurationMS)
	assert.Equal(t, command.File{File: "recording.wav", Codec: record.CodecWAV, Layout: record.LayoutMono, Channels: 1, Rate: 8000}, got.Job.Files[0])
	assert.Equal(t, "manifest.json", got.Job.Files[2].File)
}

// TestFates: how a program ends says what becomes of the job.
func TestFates(t *testing.T) {
	t.Parallel()
	l := recorded(t)
	for name, c := range map[string]struct {
		text, result, says string
		permanent, later   bool
	}{
		"a result":        {text: `echo ' {"words": 3} '`, result: `{"words": 3}`},
		"no result":       {text: `:`},
		"no JSON":         {text: `echo done`, says: "isn't JSON"},
		"no number":       {text: `echo '{"score": 1e999}'`, says: "isn't JSON"},
		"two values":      {text: `echo '{} {}'`, says: "isn't JSON"},
		"fails":           {text: `echo 'no model' >&2; exit 3`, says: "exit status 3: no model"},
		"bad data":        {text: `echo 'too short' >&2; exit 65`, says: "too short", permanent: true},
		"later":           {text: `exit 75`, says: "exit status 75", later: true},
		"killed":          {text: `kill -9 $$`, says: "killed"},
		"a long message":  {text: `head -c 100000 /dev/zero | tr '\0' x >&2; exit 1`, says: "exit status 1"},
		"a file too big":  {text: `head -c 3000000 /dev/zero >big && echo '{}'`, says: "exit status"},
		"memory too much": {text: `dd if=/dev/zero of=/dev/null bs=512M count=1 && echo '{}'`, says: "exit status"},
		"a child's, too":  {text: `sh -c 'dd if=/dev/zero of=/dev/null bs=512M count=1' && echo '{}'`, says: "exit status"},
		"output too much": {text: `yes`, says: "wrote too much"},
		"too long":        {text: `sleep 600`, says: "took too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := command.Options{Timeout: 20 * time.Second, MaxOutput: 1 << 16, MaxMemory: 128 << 20, MaxFile: 1 << 20}
			if name == "too long" {
				opts.Timeout = 50 * time.Millisecond
			}
			o, err := run(t, l, opts, script(t, c.text))
			if c.says == "" {
				require.NoError(t, err)
				if c.result == "" {
					require.Nil(t, o.Result)
					return
				}
				require.JSONEq(t, c.result, string(o.Result))
				return
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, `command "p"`)
			require.Less(t, len(err.Error()), 5000)
			var permanent *callmodel.PermanentError
			var later *callmodel.RetryAfterError
			require.Equal(t, c.permanent, errors.As(err, &permanent))
			require.Equal(t, c.later, errors.As(err, &later))
		})
	}
}

// TestNothingIsLeftRunning: what a program starts ends with it, however it ends.
func TestNothingIsLeftRunning(t *testing.T) {
	t.Parallel()
	l := recorded(t)
	const child = `sleep 600 >/dev/null 2>&1 & echo $! >"$PIDS"; `
	for name, c := range map[string]struct {
		text    string
		timeout time.Duration
		ends    func(t *testing.T, err error)
	}{
		"done":     {child + `echo '{}'`, time.Minute, func(t *testing.T, err error) { t.Helper(); require.NoError(t, err) }},
		"failed":   {child + `exit 1`, time.Minute, func(t *testing.T, err error) { t.Helper(); require.ErrorContains(t, err, "exit status 1") }},
		"too long": {child + `wait`, 300 * time.Millisecond, func(t *testing.T, err error) { t.Helper(); require.ErrorContains(t, err, "took too long") }},
		"holds the output": {
			`sleep 600 & echo $! >"$PIDS"; echo '{}'`, time.Minute,
			func(t *testing.T, err error) { t.Helper(); require.NoError(t, err) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pids")
			begun := time.Now()
			_, err := run(t, l, command.Options{Timeout: c.timeout, Env: []string{"PATH=/usr/bin:/bin", "PIDS=" + pids}}, script(t, c.text))
			c.ends(t, err)
			require.Less(t, time.Since(begun), time.Minute)
			pid := pidIn(t, pids)
			require.Eventually(t, func() bool { return !runs(t, pid) }, 10*time.Second, time.Millisecond)
		})
	}
}

// runs reports whether the process is more than a line in a table.
func runs(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(state, "Z")
}

// TestLeavesItsGroup: what leaves the program's group and holds its output open doesn't
// take the program's result away, nor is it waited for.
func TestLeavesItsGroup(t *testing.T) {
	t.Parallel()
	setsid, err := exec.LookPath("setsid")
	require.NoError(t, err)
	l := recorded(t)
	for name, c := range map[string]struct{ leaves, ends, says string }{
		"holds it":      {`sleep 600`, `echo '{"words": 3}'`, ""},
		"much is there": {`sleep 600`, `printf '{"words": 3, "x": "%060000d"}' 0`, ""},
		"and fails":     {`sleep 600`, `exit 65`, "exit status 65"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pids := filepath.Join(t.TempDir(), "pids")
			text := setsid + ` sh -c 'echo $$ >"$PIDS.new"; mv "$PIDS.new" "$PIDS"; exec ` + c.leaves + `' & while ! [ -e "$PIDS" ]; do sleep 0.01; done; ` + c.ends
			o, err := run(t, l, command.Options{Env: []string{"PATH=/usr/bin:/bin", "PIDS=" + pids}}, script(t, text))
			pid := pidIn(t, pids)
			require.True(t, runs(t, pid), "it has left the group")
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
			if c.says != "" {
				require.ErrorContains(t, err, c.says)
				return
			}
			require.NoError(t, err)
			var got struct{ Words int }
			require.NoError(t, json.Unmarshal(o.Result, &got))
			require.Equal(t, 3, got.Words)
		})
	}
}

// pidIn is the number of the process that has written it to the file.
func pidIn(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile(name)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	require.NoError(t, err)
	return pid
}

// killedIn makes TestKilledWorker the worker that is killed, in that directory.
const killedIn = "SWITCHTAPE_TEST_KILLED_IN"

// TestKilledWorker: a program ends with its worker, and so does what it has started, even
// if the worker has no time to end it. The next worker removes its directory, and leaves
// that of a worker that lives.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	const text = `sleep 600 & echo $! >"$PIDS.child"; echo $$ >"$PIDS.new"; mv "$PIDS.new" "$PIDS"; wait`
	if dir := os.Getenv(killedIn); dir != "" {
		k := command.New(recorded(t), command.Programs{"p": {script(t, text)}}, &command.Options{
			TempDir: dir, Env: []string{"PATH=/usr/bin:/bin", "PIDS=" + filepath.Join(filepath.Dir(dir), "killed")},
		})
		_, _ = do(t.Context(), k, `{"command":"p","recording":{"call_id":"c1"}}`)
		return
	}
	dir := filepath.Join(t.TempDir(), "work")
	require.NoError(t, os.Mkdir(dir, 0o700))
	worker := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledWorker$")
	worker.Env = append(os.Environ(), killedIn+"="+dir)
	require.NoError(t, worker.Start())
	pids := filepath.Join(filepath.Dir(dir), "killed")
	require.Eventually(t, func() bool {
		_, err := os.Stat(pids)
		return err == nil
	}, 30*time.Second, time.Millisecond)
	started := []int{pidIn(t, pids), pidIn(t, pids+".child")}
	for _, pid := range started {
		require.True(t, runs(t, pid))
	}
	removed, err := task.SweepWorkdirs(dir, command.Kind)
	require.NoError(t, err)
	require.Zero(t, removed, "it is in use")
	require.NoError(t, worker.Process.Kill())
	require.Error(t, worker.Wait())
	for _, pid := range started {
		require.Eventually(t, func() bool { return !runs(t, pid) }, 10*time.Second, time.Millisecond)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	removed, err = task.SweepWorkdirs(dir, command.Kind)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.NoDirExists(t, filepath.Join(dir, left[0].Name()))
}

// TestStopped: a job that is stopped ends its program, for the cause that it was stopped
// for.
func TestStopped(t *testing.T) {
	t.Parallel()
	l := recorded(t)
	fifo := filepath.Join(t.TempDir(), "begun")
	ctx, stop := context.WithCancelCause(t.Context())
	k := command.New(l, command.Programs{"p": {script(t, `echo >"$BEGUN"; sleep 600`)}}, &command.Options{
		TempDir: t.TempDir(), Env: []string{"PATH=/usr/bin:/bin", "BEGUN=" + fifo},
	})
	ended := make(chan error, 1)
	go func() {
		_, err := do(ctx, k, `{"command":"p","recording":{"call_id":"c1"}}`)
		ended <- err
	}()
	require.Eventually(t, func() bool {
		_, err := os.Stat(fifo)
		return err == nil
	}, 30*time.Second, time.Millisecond)
	stop(callmodel.ErrLeaseLost)
	require.ErrorIs(t, <-ended, callmodel.ErrLeaseLost)
}

// TestJobsNameNoPrograms: what is run the configuration alone says.
func TestJobsNameNoPrograms(t *testing.T) {
	t.Parallel()
	l := recorded(t)
	ran := filepath.Join(t.TempDir(), "ran")
	k := command.New(l, command.Programs{"p": {script(t, "touch "+ran)}}, &command.Options{TempDir: t.TempDir()})
	for payload, says := range map[string]string{
		`{"command":"q","recording":{"call_id":"c1"}}`:                     `no command "q"; it has: p`,
		`{"command":"/bin/sh","recording":{"call_id":"c1"}}`:               "payload.command",
		`{"command":"p","args":["x"],"recording":{"call_id":"c1"}}`:        "payload.args",
		`{"command":"p","recording":{"url":"file:///etc/passwd"}}`:         "payload.recording.url",
		`{"command":"p","recording":{"call_id":"c2"}}`:                     "no such recording",
		`{"command":"p","recording":{"job_id":"j000000000001-00000000"}}`:  "no such recording",
		`{"command":"p","recording":{"call_id":"c1","recording_id":"c2"}}`: "no such recording",
	} {
		_, err := do(t.Context(), k, payload)
		require.ErrorContains(t, err, says)
		var permanent *callmodel.PermanentError
		require.ErrorAs(t, err, &permanent, payload)
	}
	require.NoFileExists(t, ran)

	var later *callmodel.RetryAfterError
	_, err := do(t.Context(), command.New(l, command.Programs{"p": {"/bin/true"}}, &command.Options{TempDir: "/no/such/directory"}), `{"command":"p","recording":{"call_id":"c1"}}`)
	require.ErrorAs(t, err, &later, "no fault of the job's")
	_, err = do(t.Context(), command.New(l, command.Programs{"p": {"/no/such/program"}}, &command.Options{TempDir: t.TempDir()}), `{"command":"p","recording":{"call_id":"c1"}}`)
	require.ErrorContains(t, err, "/no/such/program")
}

func TestParsePrograms(t *testing.T) {
	t.Parallel()
	p, err := command.ParsePrograms([]string{"transcribe=/opt/stt/run  --model small", "count=wc -c"})
	require.NoError(t, err)
	require.Equal(t, command.Programs{"transcribe": {"/opt/stt/run", "--model", "small"}, "count": {"wc", "-c"}}, p)
	p, err = command.ParsePrograms([]string{"x=./here"})
	require.NoError(t, err)
	require.True(t, filepath.IsAbs(p["x"][0]))
	_, err = command.ParsePrograms([]string{"a", "b=", "../c=x", "d=x", "d=y"})
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	require.Len(t, faults, 4)
}

// TestCheck: what can't be run is told by its name, before any job wants it.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o600))
	own := script(t, ":")
	p := command.Programs{"own": {own, "x"}, "cat": {"cat"}, "away": {"/no/such/program"}, "plain": {plain}, "dir": {dir}, "unknown": {"no-such-program"}, "none": nil}
	var faults callmodel.FieldErrors
	require.ErrorAs(t, p.Check(nil), &faults)
	for i, name := range []string{"away", "dir", "none", "plain", "unknown"} {
		require.Contains(t, faults[i].Message, name)
	}
	require.Len(t, faults, 5)
	named := command.Programs{"own": {filepath.Base(own)}}
	require.Error(t, named.Check(nil))
	require.NoError(t, named.Check(&command.Options{Env: []string{"PATH=/bin:" + filepath.Dir(own)}}))
}
