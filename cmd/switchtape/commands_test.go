package main

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/codec/mp3"
	"github.com/switchtape/switchtape/recording/recordingtest/samplecall"
	"github.com/switchtape/switchtape/storage/calldb"
	"github.com/switchtape/switchtape/storage/storetest"
	"github.com/switchtape/switchtape/storage/storetest/pgtest"
)

// wavHeader is the size of the headers of the sample call and of plain PCM
// recordings.
const wavHeader = 44

// pcm16 is the samples of a canonical WAV file.
func pcm16(t *testing.T, file []byte) []int16 {
	t.Helper()
	require.Equal(t, "data", string(file[36:40]))
	out := make([]int16, (len(file)-wavHeader)/2)
	require.NoError(t, binary.Read(bytes.NewReader(file[wavHeader:]), binary.LittleEndian, out))
	return out
}

// requireSampleCall checks that a stereo file has the agent left and the
// customer right, 16,000 frames late, sample for sample.
func requireSampleCall(t *testing.T, file []byte) {
	t.Helper()
	both, agent, customer := pcm16(t, file), pcm16(t, samplecall.Agent()), pcm16(t, samplecall.Customer())
	const late = 16000
	require.Len(t, both, 2*len(agent))
	for i := range agent {
		right := int16(0)
		if i >= late && i-late < len(customer) {
			right = customer[i-late]
		}
		if both[2*i] != agent[i] || both[2*i+1] != right {
			t.Fatalf("frame %d is %d, %d; want %d, %d", i, both[2*i], both[2*i+1], agent[i], right)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "demo")
	var out demoOutput
	runJSON(t, &out, "demo", "--dir", dir)
	assert.Equal(t, calls.Ended, out.Call.State)
	assert.Equal(t, "washington", out.Call.Decision.Rule)
	assert.Equal(t, "+442079460123", out.Call.From.Number)
	require.Len(t, out.Call.Recordings, 1)
	require.Len(t, out.Recordings, 4)
	assert.Equal(t, out.Recordings[0].URL, out.Call.Recordings[0].URL, "the call record holds the URL")
	assert.Len(t, out.Considered, 6)
	for _, r := range out.Recordings {
		assert.True(t, r.Verified)
		assert.Equal(t, 2, r.Channels)
		assert.InDelta(t, 49340, r.DurationMS, 1)
		assert.EqualValues(t, samplecall.AgentFrames, r.Frames)
	}
	requireSampleCall(t, readFile(t, out.Recordings[1].Path))
	info, err := mp3.Walk(bytes.NewReader(readFile(t, out.Recordings[0].Path)))
	require.NoError(t, err)
	assert.Equal(t, 2, info.Channels)

	runJSON(t, &out, "demo", "--dir", dir, "--codec", "wav")
	assert.True(t, strings.HasSuffix(out.Call.Recordings[0].URL, ".wav"))

	// The same directory again is another call beside the first.
	code, text, errs := run(t, "demo", "--dir", dir)
	require.Zero(t, code, errs)
	for _, part := range []string{"+442079460123", "rule washington", "took the call", "checked against its SHA-256", "49.34 s", "its waveform", "after hang-up", "a leg that is no sound", "quarantined", "next"} {
		assert.Contains(t, text, part)
	}
}

// sample writes the sample call's legs.
func sample(t *testing.T) (agent, customer string) {
	t.Helper()
	dir := t.TempDir()
	agent, customer = filepath.Join(dir, "agent.wav"), filepath.Join(dir, "customer.wav")
	require.NoError(t, os.WriteFile(agent, samplecall.Agent(), 0o600))
	require.NoError(t, os.WriteFile(customer, samplecall.Customer(), 0o600))
	return agent, customer
}

func TestRecord(t *testing.T) {
	t.Parallel()
	agent, customer := sample(t)
	out := filepath.Join(t.TempDir(), "x y@1.wav")
	var r record.Result
	runJSON(t, &r, "record", "--leg", "agent="+agent, "--leg", "customer="+customer+"@2s", "--layout", "stereo",
		"--codec", "wav", "--rate", "8000", "--out", out)
	assert.Equal(t, record.StatusCompleted, r.Status)
	requireSampleCall(t, readFile(t, out))
	assert.True(t, strings.HasPrefix(r.Outputs[0].URL, "file:///"), r.Outputs[0].URL)

	mulaw := []string{
		"record", "--leg", "agent=" + agent, "--leg", "customer=" + customer + "@2s",
		"--layout", "mono", "--codec", "mulaw", "--rate", "8000", "--out", out,
	}
	code, _, errs := run(t, mulaw...)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, out+" exists already")
	requireSampleCall(t, readFile(t, out))
	runJSON(t, &r, append(mulaw, "--force")...)
	assert.Equal(t, record.CodecMulaw, r.Outputs[0].Codec)
	assert.Len(t, readFile(t, out), int(r.Outputs[0].Bytes), "written over")

	runJSON(t, &r, "record", "--leg", "agent="+agent, "--leg", "customer="+customer+"@2s", "--codec", "wav",
		"--layout", "stereo", "--rate", "16000", "--out", "file://"+filepath.ToSlash(filepath.Dir(out))+"/z.wav")
	assert.EqualValues(t, 789418, r.Outputs[0].Frames)

	runJSON(t, &r, "record", "--leg", "agent="+agent, "--leg", "agent="+customer+"@1m", "--layout", "mono", "--span", "2m", "--force", "--out", out)
	assert.EqualValues(t, 120000, r.Duration.Milliseconds())
	assert.Len(t, r.Legs, 1, "the same name again is a segment of the same leg")

	runJSON(t, &r, "record", "--leg", "agent="+agent, "--leg", "customer=/nowhere/c.wav", "--allow-missing", "--force", "--out", out)
	assert.Equal(t, record.StatusCompletedDegraded, r.Status)
	assert.Contains(t, r.Defects[0].Detail, "/nowhere/c.wav")
	code, _, errs = run(t, "record", "--leg", "agent="+agent, "--force", "--out", agent)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "is the file of leg agent")
	unwritten := filepath.Join(t.TempDir(), "unwritten.mp3")
	code, _, errs = run(t, "record", "--leg", "agent="+agent, "--leg", "customer=/nowhere/c.wav", "--out", unwritten)
	assert.Equal(t, 1, code)
	assert.Contains(t, errs, "/nowhere/c.wav")
	assert.Contains(t, errs, "--allow-missing")
	code, _, errs = run(t, "record", "--leg", "agent="+agent+"@2", "--out", unwritten)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "@2 has no unit; write @2s")
	code, _, errs = run(t, "record", "--leg", "agent="+agent, "--codec", "wav", "--out", unwritten)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "its name says mp3")
	assert.NoFileExists(t, unwritten)
	redacted := filepath.Join(t.TempDir(), "redacted.wav")
	runJSON(t, &r, "record", "--leg", "agent="+agent, "--layout", "mono", "--redact", "10s-12s", "--redact", "20s-20500ms", "--out", redacted)
	heard, said := pcm16(t, readFile(t, redacted)), pcm16(t, samplecall.Agent())
	assert.Equal(t, make([]int16, 16000), heard[80000:96000])
	assert.Equal(t, make([]int16, 4000), heard[160000:164000])
	assert.Equal(t, said[:79000], heard[:79000])
	playback := filepath.Join(t.TempDir(), "call")
	runJSON(t, &r, "record", "--leg", "agent="+agent, "--layout", "mono", "--bitrate", "24k", "--out", playback)
	assert.Equal(t, record.CodecMP3, r.Outputs[0].Codec, "the default")
	assert.Equal(t, 24000, r.Outputs[0].Bitrate)
	info, err := mp3.Walk(bytes.NewReader(readFile(t, playback)))
	require.NoError(t, err)
	assert.EqualValues(t, samplecall.AgentFrames, info.Frames)
	entries, err := os.ReadDir(filepath.Dir(out))
	require.NoError(t, err)
	assert.Len(t, entries, 4, "two recordings, a manifest each, and no temporary file")
}

func TestRecordBadInput(t *testing.T) {
	t.Parallel()
	agent, customer := sample(t)
	dir := t.TempDir()
	empty, text := filepath.Join(dir, "empty.wav"), filepath.Join(dir, "text.wav")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.NoError(t, os.WriteFile(text, []byte("hello, this is no audio at all, only words"), 0o600))
	fifo := filepath.Join(dir, "pipe.wav")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"no flags":         {[]string{}, 2, "--leg"},
		"leg without name": {[]string{"--leg", agent, "--out", "x"}, 2, "NAME=URL"},
		"codec":            {[]string{"--leg", "a=" + agent, "--codec", "aac", "--out", "x"}, 2, "codec"},
		"bitrate":          {[]string{"--leg", "a=" + agent, "--bitrate", "fast", "--out", "x"}, 2, "32k"},
		"mp3 bitrate":      {[]string{"--force", "--leg", "a=" + agent, "--codec", "mp3", "--bitrate", "33k", "--out", "x"}, 1, "32000"},
		"three in stereo":  {[]string{"--leg", "a=" + agent, "--leg", "b=" + agent, "--leg", "c=" + agent, "--out", "x"}, 1, "multichannel"},
		"rate and bitrate": {[]string{"--leg", "a=" + agent, "--rate", "8", "--bitrate", "32", "--out", "x"}, 1, "did you mean 8000?"},
		"missing":          {[]string{"--allow-missing", "--leg", "a=/nowhere/a.wav", "--out", "x"}, 1, "leg_missing"},
		"empty":            {[]string{"--allow-missing", "--leg", "a=" + empty, "--out", "x"}, 1, "leg_empty"},
		"not audio":        {[]string{"--leg", "a=" + text, "--out", "x"}, 1, "unreadable_leg"},
		"a directory":      {[]string{"--leg", "a=" + dir, "--out", "x"}, 1, "is a directory"},
		"a pipe":           {[]string{"--leg", "a=" + fifo, "--out", "x"}, 1, "is a pipe or a device"},
		"an endless file":  {[]string{"--leg", "a=/dev/zero", "--out", "x"}, 1, "is a pipe or a device"},
		"unwritable":       {[]string{"--leg", "a=" + agent, "--out", "/nowhere/x.wav"}, 1, "can't be written"},
		"bucket":           {[]string{"--leg", "a=" + agent, "--out", "ftp://x/y"}, 1, "scheme must be"},
		"redaction":        {[]string{"--leg", "a=" + agent, "--redact", "soon", "--out", "x"}, 2, "1m10s-1m25s"},
		"backwards":        {[]string{"--leg", "a=" + agent, "--redact", "5s-2s", "--out", "x"}, 1, "redactions[0]"},
		"redact nothing":   {[]string{"--leg", "a=" + agent, "--redact", "5m-6m", "--out", "x"}, 1, "redactions[0]: 5m0s to 6m0s lies after the call's end at 49.339s"},
		"pause nothing":    {[]string{"--leg", "a=" + agent, "--pause", "5m-6m", "--out", "x"}, 1, "pauses[0]: 5m0s to 6m0s lies after"},
		"redact with":      {[]string{"--leg", "a=" + agent, "--redact", "1s-2s", "--redact-with", "noise", "--out", "x"}, 2, "redact-with"},
		"pause":            {[]string{"--leg", "a=" + agent, "--pause", "10", "--out", "x"}, 2, "--pause 10: give the times"},
		"pause backwards":  {[]string{"--leg", "a=" + agent, "--pause", "5s-2s", "--out", "x"}, 1, "pauses[0].to_ms"},
		"pause mode":       {[]string{"--leg", "a=" + agent, "--pause-mode", "beep", "--out", "x"}, 2, "pause-mode"},
		"paused for good":  {[]string{"--leg", "a=" + agent, "--pause", "0s-1h", "--pause-mode", "cut", "--out", "x"}, 1, "absent: paused"},
		"level":            {[]string{"--leg", "a=" + agent, "--level", "-5", "--out", "x"}, 1, "level_lufs: must be -40 to -10 LUFS"},
		"no level":         {[]string{"--leg", "a=" + agent, "--level", "loud", "--out", "x"}, 2, "give decibels"},
		"gain":             {[]string{"--leg", "a=" + agent, "--gain", "a", "--out", "x"}, 2, "agent=-6"},
		"gain of nobody":   {[]string{"--leg", "a=" + agent, "--gain", "b=3", "--out", "x"}, 2, "is not the name of a --leg"},
		"much gain":        {[]string{"--leg", "a=" + agent, "--gain", "a=300", "--out", "x"}, 1, "legs[0].gain_db"},
		"trim":             {[]string{"--leg", "a=" + agent, "--trim=-3", "--out", "x"}, 1, "trim.threshold_dbfs"},
		"rate of nobody":   {[]string{"--leg", "a=" + agent, "--correct-rate", "b", "--out", "x"}, 2, "--correct-rate: \"b\""},
		"no key":           {[]string{"--leg", "a=" + agent, "--out", "s3://bucket"}, 2, "key"},
		"bad span":         {[]string{"--leg", "a=" + agent, "--span=-1s", "--out", "x"}, 1, "span_ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"record"}, c.args...)
			for i := range args {
				if args[i] == "x" {
					args[i] = filepath.Join(t.TempDir(), "x.wav")
				}
			}
			code, out, errs := run(t, args...)
			assert.Equal(t, c.code, code, errs)
			assert.Contains(t, out+errs, c.says)
			for _, a := range args {
				if filepath.Base(a) == "x.wav" && !strings.HasPrefix(a, "/nowhere") {
					assert.NoFileExists(t, a, "nothing half-written")
				}
			}
		})
	}
	_ = customer
}

func rulesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestRoute(t *testing.T) {
	t.Parallel()
	rules := rulesFile(t, string(demoRules))
	var out routeOutput
	runJSON(t, &out, "route", "--rules", rules, "--from", "+442079460123", "--to", "+12025550143",
		"--at", "2026-03-02T15:00:00Z", "--call-id", "c1", "--tenant", "acme", "--priority", "3")
	assert.Equal(t, "washington", out.Decision.Rule)
	assert.Equal(t, "washington-a", out.Decision.Destinations[0].ID)
	assert.Empty(t, out.Considered)
	runJSON(t, &out, "route", "--rules", rules, "--from", "+442079460123", "--to", "(202) 555-0143", "--region", "us", "--explain")
	assert.Len(t, out.Considered, 6)

	runJSON(t, &out, "route", "--rules", rules, "--from", "sip:anonymous@anonymous.invalid", "--to", "+12025550143")
	assert.Equal(t, "anonymous", out.Request.From)
	assert.NotEmpty(t, out.Decision.Destinations)
	code, text, _ := run(t, "route", "--rules", rules, "--from", "+442079460123", "--to", "112", "--explain")
	assert.Zero(t, code)
	assert.Contains(t, text, "* emergency: every condition holds")
	assert.Contains(t, text, "as 112 ")
	code, text, _ = run(t, "route", "--rules", rules, "--from", "asterisk", "--to", "9911", "--outside-prefix", "default=9", "--region", "US")
	assert.Zero(t, code, "a caller that is no number refuses no call")
	assert.Contains(t, text, "as 911  from asterisk")
	runJSON(t, &out, "route", "--rules", rules, "--from", "asterisk", "--to", "tel:+12025550143;ext=7;postd=p9")
	assert.Equal(t, ";ext=7 p9", out.Decision.Params+" "+out.Decision.PostDial)

	asking := rulesFile(t, "destinations: {a: {uri: \"sip:a\"}}\nrules:\n  - {id: asking, match: {to: {prefix: \"+1\"}, trunk: t1, metadata: {plan: gold}, capabilities_all: [opus, srtp]}, route: [[{to: a}]]}\n")
	runJSON(t, &out, "route", "--rules", asking, "--from", "+442079460123", "--to", "+12025550143",
		"--trunk", "t1", "--metadata", "plan=gold", "--capability", "opus", "--capability", "srtp")
	assert.Equal(t, "asking", out.Decision.Rule)
	code, text, _ = run(t, "route", "--rules", asking, "--from", "+442079460123", "--to", "+12025550143",
		"--trunk", "t1", "--metadata", "plan=iron", "--capability", "opus,srtp", "--explain")
	assert.Equal(t, 1, code)
	assert.Contains(t, text, `metadata has plan "iron", not gold`)

	few := rulesFile(t, "destinations: {a: {uri: \"sip:a\"}}\nrules:\n  - {id: x, match: {to: {prefix: \"+1\"}}, route: [[{to: a}]]}\n")
	code, text, _ = run(t, "route", "--rules", few, "--from", "+12025550143", "--to", "+442079460123", "--json")
	assert.Equal(t, 1, code)
	assert.Contains(t, text, `"no_route": true`)

	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{"--rules", rules, "--from", "x", "--to", "y", "--at", "noon"}, 2, []string{"--to", "--at"}},
		{[]string{"--rules", "/nowhere/rules.yaml", "--from", "+12025550143", "--to", "+12025550143"}, 1, []string{"no such file"}},
		{[]string{
			"--rules", rulesFile(t, "destinations: {}\nrules:\n  - {id: x, route: [[{to: a}]]}\n  - {id: x}\n"),
			"--from", "+12025550143", "--to", "+12025550143",
		}, 1, []string{"line 3", "line 4", "faults"}},
	} {
		code, out, errs := run(t, append([]string{"route"}, c.args...)...)
		assert.Equal(t, c.code, code)
		for _, part := range c.says {
			assert.Contains(t, out+errs, part)
		}
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { t.Helper(); return calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db")) },
		"PostgreSQL": func(t *testing.T) string { t.Helper(); return pgtest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := at(t)
			code, _, errs := run(t, "jobs", "list", "--db", db)
			assert.Equal(t, 1, code)
			assert.NotEmpty(t, errs)
			code, out, errs := run(t, "migrate", "up", "--db", db)
			require.Zero(t, code, errs)
			assert.Contains(t, out, "applied")
			code, out, _ = run(t, "migrate", "up", "--db", db)
			require.Zero(t, code)
			assert.Contains(t, out, "up to date")
			var list struct {
				Migrations []migrationJSON `json:"migrations"`
			}
			runJSON(t, &list, "migrate", "status", "--db", db)
			for _, m := range list.Migrations {
				assert.True(t, m.Applied)
			}
			var jobs struct {
				Jobs []ledger.Job `json:"jobs"`
			}
			runJSON(t, &jobs, "jobs", "list", "--db", db)
			assert.Empty(t, jobs.Jobs)
			code, _, errs = run(t, "jobs", "show", "j000000000001-00000000", "--db", db)
			assert.Equal(t, 1, code)
			assert.Contains(t, errs, "not found")
			for range list.Migrations {
				code, _, errs = run(t, "migrate", "down", "--yes", "--db", db)
				require.Zero(t, code, errs)
			}
			code, out, _ = run(t, "migrate", "status", "--db", db)
			require.Zero(t, code)
			assert.Contains(t, out, "not applied")
		})
	}
}

// A database that says nothing holds no command for ever.
func TestJobsOfASilentDatabase(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and never answers
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	code, _, errs := run(t, "jobs", "list", "--timeout", "50ms", "--db", "postgres://user@"+l.Addr().String()+"/x?sslmode=disable")
	require.Equal(t, 1, code)
	assert.Contains(t, errs, "the database did not answer within 50ms")
}

// Jobs of other kinds are listed with what they are, and can be left out.
func TestJobsOfOtherKinds(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db"))
	db := openLedger(t, at)
	_, _, err := db.Enqueue(t.Context(), storetest.Request("c1"))
	require.NoError(t, err)
	id, _, err := db.Enqueue(t.Context(), ledger.Request{Kind: "verify", TenantID: "acme", CallID: "c1", Key: "r7", Payload: []byte(`{"n": 1}`), Priority: 1})
	require.NoError(t, err)
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w"})
	require.NoError(t, err)
	require.NoError(t, db.Complete(t.Context(), leases[0], ledger.Outcome{Result: []byte(`{"ok": true}`)}))
	code, out, errs := run(t, "jobs", "list", "--db", at)
	require.Zero(t, code, errs)
	assert.Equal(t, 2, strings.Count(out, "\n"))
	assert.Contains(t, out, "acme/c1 (verify r7)")
	code, out, errs = run(t, "jobs", "list", "--db", at, "--kind", "record")
	require.Zero(t, code, errs)
	assert.Equal(t, 1, strings.Count(out, "\n"))
	assert.NotContains(t, out, "verify")
	code, out, errs = run(t, "jobs", "show", string(id), "--db", at)
	require.Zero(t, code, errs)
	assert.Contains(t, out, `result      {"ok": true}`)
	var shown ledger.Job
	runJSON(t, &shown, "jobs", "show", string(id), "--db", at)
	assert.Equal(t, "verify", shown.Kind)
	assert.JSONEq(t, `{"n": 1}`, string(shown.Payload))
}

// An operator sees that a recording is on its call while its job goes on.
func TestJobsThatArePublished(t *testing.T) {
	t.Parallel()
	at := calldb.SQLiteURL(filepath.Join(t.TempDir(), "x.db"))
	db := openLedger(t, at)
	id, _, err := db.Enqueue(t.Context(), storetest.Request("c1"))
	require.NoError(t, err)
	claim := func() ledger.Lease {
		leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
		require.NoError(t, err)
		require.Len(t, leases, 1)
		return leases[0]
	}
	says := func(command []string, parts ...string) {
		t.Helper()
		code, out, errs := run(t, append(append([]string{"jobs"}, command...), "--db", at)...)
		require.Zero(t, code, errs)
		for _, part := range parts {
			assert.Contains(t, out, part)
		}
	}
	show := []string{"show", string(id)}
	says([]string{"list"}, "queued", "attempts 0")
	says(show, "not before")

	require.NoError(t, db.Publish(t.Context(), claim(), storetest.Completed("c1"), 0))
	require.NoError(t, db.Fail(t.Context(), claim(), ledger.Failure{Cause: "still growing: the file of leg agent", RetryIn: time.Hour, Uncounted: true}))
	j, err := db.Job(t.Context(), id)
	require.NoError(t, err)
	again := j.RunAt.Format(time.RFC3339)
	says([]string{"list", "--state", "queued"}, "attempts 0  published, again at "+again+": still growing: the file of leg agent")
	says(show, "state       queued", "not before  "+again, "on the call", "once its legs are whole", "c1.v1.wav", "truncated")

	says([]string{"quarantine", string(id), "--reason", "it is a fax"}, "state       quarantined", "it stays there", "c1.v1.wav")
	says([]string{"list"}, "quarantined", "published: it is a fax")
	says([]string{"retry", string(id)}, "state       queued", "c1.v1.wav")
	require.NoError(t, db.Complete(t.Context(), claim(), storetest.Completed("c1")))
	code, out, _ := run(t, append([]string{"jobs"}, append(show, "--db", at)...)...)
	require.Zero(t, code)
	assert.NotContains(t, out, "published")
	assert.Contains(t, out, "c1.v1.wav")
}

func TestServeBadInput(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("not a database, but long enough to be looked at"), 0o600))
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"port in use":       {[]string{"--dir", t.TempDir(), "--listen", l.Addr().String()}, "is in use"},
		"no directory":      {[]string{"--dir", filepath.Join(file, "below"), "--listen", "127.0.0.1:0"}, "can't be used"},
		"not a database":    {[]string{"--dir", t.TempDir(), "--db", calldb.SQLiteURL(file), "--listen", "127.0.0.1:0"}, "not a"},
		"open to the world": {[]string{"--dir", t.TempDir(), "--listen", "0.0.0.0:0"}, "--keys"},
		"bad rules":         {[]string{"--dir", t.TempDir(), "--rules", file, "--listen", "127.0.0.1:0"}, "rules"},
		"no rules":          {[]string{"--dir", t.TempDir(), "--rules", "/nowhere", "--listen", "127.0.0.1:0"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, errs := run(t, append([]string{"serve"}, c.args...)...)
			assert.Equal(t, 1, code)
			assert.Contains(t, errs, c.says)
		})
	}
}

func TestCodecOfAName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]record.Codec{
		"a.mp3": record.CodecMP3, "dir.v2/A.FLAC": record.CodecFLAC, "dir.wav/call": record.CodecMP3, "c1.2026.wav": record.CodecWAV,
		"s3://bucket/a.wav?region=eu-central-1": record.CodecWAV, "what?.opus": record.CodecOpus,
	} {
		c, err := codecOf(name)
		require.NoError(t, err, name)
		require.Equal(t, want, c, name)
	}
	for _, name := range []string{"a.ogg", "call.2026", "a.peaks.json", "s3://bucket/a.aac?x=.mp3"} {
		_, err := codecOf(name)
		require.ErrorContains(t, err, "take one of .wav, .mp3, .flac, .opus", name)
	}

	leg := filepath.Join(t.TempDir(), "agent.wav")
	require.NoError(t, os.WriteFile(leg, samplecall.Agent(), 0o600))
	code, _, text := run(t, "record", "--leg", "agent="+leg, "--out", leg+".ulaw")
	require.Equal(t, 2, code)
	require.Contains(t, text, "no codec has the extension .ulaw; take one of .wav, .mp3, .flac, .opus, or give --codec")
	require.NoFileExists(t, leg+".ulaw")
	code, _, text = run(t, "record", "--leg", "agent="+leg, "--codec", "mulaw", "--out", leg+".ulaw")
	require.Zero(t, code, text)
	code, _, text = run(t, "record", "--leg", "agent="+leg, "--out", leg+".mp3", "--also", "mono="+leg+".ogg")
	require.Equal(t, 2, code)
	require.Contains(t, text, "--also mono=")
}
