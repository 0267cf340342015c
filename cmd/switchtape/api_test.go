package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/cmd/apiclient"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

// TestAgainstAnAPI: calls, jobs and rules of a service are looked at and changed with
// its key.
func TestAgainstAnAPI(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const key = "an-operator's-key"
	sum := sha256.Sum256([]byte(key))
	keys, keyFile := filepath.Join(dir, "keys"), filepath.Join(dir, "key")
	require.NoError(t, os.WriteFile(keys, []byte(hex.EncodeToString(sum[:])+" acme operator ops\n"), 0o600))
	require.NoError(t, os.WriteFile(keyFile, []byte(key+"\n"), 0o600))
	p := serve(t, "--dir", filepath.Join(dir, "serve"), "--keys", keys)
	at := []string{"--api", p.url, "--api-key-file", keyFile}
	command := func(args ...string) []string { return append(args, at...) }

	var state apiclient.RulesState
	runJSON(t, &state, command("rules", "put", "demo-rules.yaml")...)
	require.True(t, state.Active)
	code, out, errs := run(t, command("rules", "get")...)
	require.Zero(t, code, errs)
	_, destinations, found := strings.Cut(out, "destinations:")
	require.True(t, found, out)
	changed := filepath.Join(dir, "changed.yaml")
	require.NoError(t, os.WriteFile(changed, []byte("name: changed\ndestinations:"+destinations), 0o600))
	code, _, errs = run(t, command("rules", "put", changed, "--store-only", "--if-active", state.Hash)...)
	require.Equal(t, 2, code, errs)
	code, out, errs = run(t, command("rules", "put", changed, "--store-only")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, " is stored\n"+state.Hash+" is in service\n")
	code, out, errs = run(t, command("rules", "put", changed, "--if-active", state.Hash)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "a rollback goes to "+state.Hash)
	code, _, errs = run(t, command("rules", "rollback", "--if-active", state.Hash)...)
	require.Equal(t, 1, code)
	assert.Contains(t, errs, "conflict, 409")
	code, out, errs = run(t, command("rules", "rollback")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, state.Hash+" is in service")
	code, out, errs = run(t, command("rules", "activate", state.Hash)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, state.Hash)
	rule := filepath.Join(dir, "paris.yaml")
	require.NoError(t, os.WriteFile(rule, []byte("# By contract.\nid: paris\ndescription: new\nmatch: {to: {prefix: \"+331\"}}\nreject: {sip: 403}\n"), 0o600))
	code, out, errs = run(t, command("rules", "add", rule, "--dry-run")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "added paris\n  + {\"id\":\"paris\"")
	assert.Contains(t, out, "nothing was changed")
	code, out, errs = run(t, command("rules", "add", rule, "--if-active", state.Hash)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "a rollback goes to "+state.Hash)
	code, out, errs = run(t, command("rules", "show", "paris")...)
	require.Zero(t, code, errs)
	assert.Equal(t, "# By contract.\nid: paris\ndescription: new\nmatch: {to: {prefix: \"+331\"}}\nreject: {sip: 403}\n", out)
	require.NoError(t, os.WriteFile(rule, []byte("id: paris\nmatch: {to: {prefix: \"+331\"}}\nreject: {sip: 480}\n"), 0o600))
	code, out, errs = run(t, command("rules", "edit", rule)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "changed paris\n  - {")
	code, _, errs = run(t, command("rules", "move", "paris")...)
	require.Equal(t, 2, code, errs)
	code, _, errs = run(t, command("rules", "move", "paris", "--before", "nobody")...)
	require.Equal(t, 1, code)
	assert.Contains(t, errs, "not_found, 404")
	code, out, errs = run(t, command("rules", "remove", "paris", "--if-active", "elsewhere")...)
	require.Equal(t, 1, code, out)
	assert.Contains(t, errs, "conflict, 409")
	code, out, errs = run(t, command("rules", "remove", "paris")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "removed paris\n")
	assert.Contains(t, out, state.Hash+" is in service", "the rules are as they were, and so is their hash")
	code, out, errs = run(t, command("rules", "versions")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "* "+state.Hash)
	assert.Equal(t, 4, strings.Count(out, "\n"))

	// A long set goes by gzip, and may lie there by gzip.
	var lines strings.Builder
	lines.WriteString("{\"destinations\":{\"a\":{\"uri\":\"sip:a\"}}}\n")
	for i := range 200 {
		fmt.Fprintf(&lines, "{\"id\":\"r%d\",\"match\":{\"to\":{\"prefix\":\"+49%03d\"}},\"route\":{\"to\":\"a\"}}\n", i, i)
	}
	plain, zipped := filepath.Join(dir, "long.ndjson"), filepath.Join(dir, "long.ndjson.gz")
	body, encoding, err := service.Gzip([]byte(lines.String()))
	require.NoError(t, err)
	require.Equal(t, "gzip", encoding)
	require.NoError(t, os.WriteFile(plain, []byte(lines.String()), 0o600))
	require.NoError(t, os.WriteFile(zipped, body, 0o600))
	var long, again apiclient.RulesState
	runJSON(t, &long, command("rules", "put", plain)...)
	runJSON(t, &again, command("rules", "put", zipped)...)
	assert.Equal(t, long.Hash, again.Hash)
	code, out, errs = run(t, "route", "--rules", zipped, "--from", "+12025550143", "--to", "+491231234567")
	require.Zero(t, code, errs)
	assert.Contains(t, out, "r123")
	code, out, errs = run(t, "rules", "check", zipped)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "200 rules")
	code, _, errs = run(t, command("rules", "activate", state.Hash)...)
	require.Zero(t, code, errs)

	client, err := apiclient.New(p.url, key)
	require.NoError(t, err)
	id, pref := "c1", true
	made, err := client.CreateCallWithResponse(t.Context(), nil, apiclient.CallRequest{
		Id: &id, From: given("+442079460123"), To: "+12025550143", Recording: &apiclient.RecordingPreference{Enabled: &pref},
		Metadata: &apiclient.Metadata{"order": "4711"},
	})
	require.NoError(t, err)
	require.NoError(t, apiclient.Error(made))
	require.NotNil(t, made.JSON201)
	told, err := client.PostCallEventWithResponse(t.Context(), id, apiclient.CallEvent{Id: "e1", Type: "answered"})
	require.NoError(t, err)
	require.NoError(t, apiclient.Error(told))
	legs := []apiclient.LegSpec{{Name: "agent", Segments: []apiclient.SegmentSpec{{Uri: "none.wav"}}}}
	told, err = client.PostCallEventWithResponse(t.Context(), id, apiclient.CallEvent{Id: "e2", Type: "ended", Host: given("elsewhere"), Legs: &legs})
	require.NoError(t, err)
	require.NoError(t, apiclient.Error(told))

	code, out, errs = run(t, command("calls", "list", "--metadata", "order=4711", "--number", "+12025550143")...)
	require.Zero(t, code, errs)
	assert.Regexp(t, `^c1  ended     \S+  \+442079460123 -> \+12025550143   \w+\n$`, out)
	var call calls.Call
	runJSON(t, &call, command("calls", "show", "c1")...)
	assert.Equal(t, calls.Ended, call.State)
	code, out, errs = run(t, command("calls", "show", "c1")...)
	require.Zero(t, code, errs)
	assert.Regexp(t, `(?s)state    ended.*rule .*recording .*answered\n.*ended\n$`, out)
	code, out, errs = run(t, command("calls", "route", "--from", "+442079460123", "--to", "+12025550143")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "rule ")
	code, _, errs = run(t, command("calls", "show", "none")...)
	require.Equal(t, 1, code)
	assert.Contains(t, errs, "not_found, 404")

	var list struct{ Jobs []ledger.Job }
	runJSON(t, &list, command("jobs", "list")...)
	require.Len(t, list.Jobs, 1)
	job := string(list.Jobs[0].ID)
	code, out, errs = run(t, command("jobs", "show", job)...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "acme/c1")
	code, out, errs = run(t, command("jobs", "retry", "--status", "absent", "--dry-run")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "would be put back")
	code, out, errs = run(t, command("jobs", "retry", job, "--dry-run")...)
	require.Zero(t, code, errs)
	assert.Equal(t, job+"\n1 would be put back\n", out)

	code, out, errs = run(t, command("jobs", "quarantine", job, "--reason", "a test")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "state       quarantined\n  queue       elsewhere")
	code, out, errs = run(t, command("jobs", "move", "--from", "elsewhere", "--to", "nowhere")...)
	require.Zero(t, code, errs)
	assert.Equal(t, job+"\n1 moved\n", out)
	code, out, errs = run(t, command("jobs", "queues")...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "QUEUE ")

	var one added
	verify := []string{"jobs", "add", "verify", "--key", "v1", "--payload", `{"recording": {"job_id": "` + job + `"}}`, "--queue", "night", "--priority", "3"}
	runJSON(t, &one, command(verify...)...)
	require.True(t, one.Created)
	code, out, errs = run(t, command(verify...)...)
	require.Zero(t, code, errs)
	assert.Equal(t, string(one.JobID)+"  it was there already\n", out)
	runJSON(t, &list, command("jobs", "list", "--kind", "verify")...)
	require.Len(t, list.Jobs, 1)
	assert.Equal(t, one.JobID, list.Jobs[0].ID)
	runJSON(t, &list, command("jobs", "list")...)
	require.Len(t, list.Jobs, 2)
	require.Eventually(t, func() bool {
		code, out, errs := run(t, command("jobs", "show", string(one.JobID))...)
		require.Zero(t, code, errs)
		return strings.Contains(out, "state       quarantined") && strings.Contains(out, "(verify v1)") &&
			strings.Contains(out, "recording c1 is quarantined: retry its job "+job+" first")
	}, 30*time.Second, 20*time.Millisecond)
	code, out, errs = run(t, command("jobs", "retry", string(one.JobID))...)
	require.Zero(t, code, errs)
	assert.Contains(t, out, "(verify v1)")
	code, out, errs = run(t, command("jobs", "retry", "--kind", "verify", "--status", "absent")...)
	require.Zero(t, code, errs)
	assert.Equal(t, "0 put back\n", out)
	code, out, errs = run(t, command("jobs", "move", "--kind", "export", "--from", "nowhere", "--to", "night")...)
	require.Zero(t, code, errs)
	assert.Equal(t, "0 moved\n", out, "it is a recording that is there")
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"an unknown kind":  {command("jobs", "add", "wash", "--key", "k", "--payload", "{}"), 1, "kind: \"wash\" is not one of"},
		"no JSON":          {command("jobs", "add", "verify", "--key", "k", "--payload", "{"), 2, "--payload"},
		"a list":           {command("jobs", "add", "verify", "--key", "k", "--payload", "[]"), 2, "--payload"},
		"a queue of all":   {command("jobs", "queues", "--tenant", "t"), 2, "--tenant"},
		"the same queue":   {command("jobs", "move", "--kind", "x", "--from", "a", "--to", "a"), 1, "to: is the queue"},
		"no API":           {[]string{"calls", "list"}, 2, "--api"},
		"neither":          {[]string{"jobs", "list"}, 2, "--db"},
		"both":             {command("jobs", "list", "--db", "sqlite:///x"), 2, "not both"},
		"another tenant":   {command("jobs", "list", "--tenant", "t"), 2, "--tenant"},
		"a wrong key":      {[]string{"calls", "list", "--api", p.url, "--api-key-file", keys}, 1, "unauthenticated, 401"},
		"no key there":     {[]string{"calls", "list", "--api", p.url, "--api-key-file", keys + "x"}, 1, "API key"},
		"nobody there":     {[]string{"calls", "list", "--api", "http://127.0.0.1:1"}, 1, "refused"},
		"a state of none":  {command("calls", "list", "--state", "lost"), 2, "--state must be one of"},
		"a cursor of none": {command("calls", "list", "--cursor", "lost"), 1, "cursor: "},
	} {
		code, _, errs := run(t, c.args...)
		assert.Equal(t, c.code, code, "%s: %s", name, errs)
		assert.Contains(t, errs, c.says, name)
		assert.NotContains(t, errs, key, name)
	}
	p.terminate(t)
}
