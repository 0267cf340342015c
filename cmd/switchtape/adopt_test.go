package main

import (
	"os"
	"path/filepath"
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

// archive is a directory with three calls, and what is none.
func archive(t *testing.T, dir string) {
	t.Helper()
	const short = wavHeader + 2*samplecall.SampleRateHz // a second
	for name, content := range map[string][]byte{
		"2026/11/*97 Müller-in.wav":  samplecall.Agent()[:short],
		"2026/11/*97 Müller-out.wav": samplecall.Customer()[:short],
		"2026/12/2-in.wav":           samplecall.Agent()[:short],
		"2026/12/2-out.wav":          samplecall.Customer()[:short],
		"3-in.wav":                   samplecall.Agent()[:short],
		"3-out.wav":                  {},
		"4-in.wav":                   []byte("this is no audio at all, but a text that somebody has named so"),
		"notes.txt":                  []byte("x"),
	} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o750))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	}
}

// An old archive is adopted: first it is told what would be, then it is done, and done
// once, whether by the database, by the API or by a spool.
func TestAdopt(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes seconds: not with -short")
	}
	dir := t.TempDir()
	old := filepath.Join(dir, "legs", "old archive")
	archive(t, old)
	p := serve(t, "--dir", dir, "--spool", "old archive?pattern=asterisk&quiet=50ms&wait=50ms&every=1h&index=none")
	url := calldb.SQLiteURL(filepath.Join(dir, "switchtape.db"))
	db := openLedger(t, url)
	require.Eventually(t, func() bool { return finished(t, db) >= 2 }, time.Minute, 5*time.Millisecond, "%s", p.log)

	second := filepath.Join(dir, "legs", "second")
	archive(t, second)
	legs := filepath.Join(dir, "legs")
	var would adoption
	runJSON(t, &would, "adopt", second, "--legs", legs, "--db", url)
	assert.Equal(t, "asterisk", would.Naming)
	assert.False(t, would.Adopted)
	require.Len(t, would.Calls, 3)
	reasons := map[string]string{}
	for _, l := range would.LeftOut {
		reasons[l.File] = l.Reason
	}
	assert.Len(t, reasons, 3)
	assert.Contains(t, reasons["3-out.wav"], "empty")
	assert.Contains(t, reasons["4-in.wav"], "not audio")
	assert.Contains(t, reasons["notes.txt"], "not audio")
	stats, err := db.Stats(t.Context())
	require.NoError(t, err)
	before := stats.Done + stats.Queued + stats.Running

	var done adoption
	runJSON(t, &done, "adopt", second, "--legs", legs, "--api", p.url, "--yes")
	require.Len(t, done.Calls, 3)
	for _, c := range done.Calls {
		require.Eventually(t, func() bool {
			j, err := db.Job(t.Context(), c.JobID)
			require.NoError(t, err)
			return j.State == ledger.Done
		}, time.Minute, 5*time.Millisecond)
		j, err := db.Job(t.Context(), c.JobID)
		require.NoError(t, err)
		r, err := record.ResultOf(&j)
		require.NoError(t, err)
		assert.True(t, r.Made(), "%s: %+v", c.CallID, r)
	}
	for _, by := range [][]string{{"--db", url, "--yes"}, {"--db", url}, {"--api", p.url}, {"--api", p.url, "--yes"}} {
		for _, tree := range []string{second, old} {
			var again adoption
			runJSON(t, &again, append([]string{"adopt", tree, "--legs", legs}, by...)...)
			calls := 0
			for _, l := range again.LeftOut {
				if l.Reason == "already adopted" {
					calls++
				}
			}
			assert.Empty(t, again.Calls, by)
			assert.Equal(t, 5, calls, by)
		}
	}
	// By another pattern the legs are others' calls, and not recorded once more.
	for _, by := range [][]string{{"--db", url, "--yes"}, {"--db", url}, {"--api", p.url}, {"--api", p.url, "--yes"}} {
		for _, tree := range []string{second, old} {
			var again adoption
			runJSON(t, &again, append([]string{"adopt", tree, "--legs", legs, "--pattern", "freeswitch"}, by...)...)
			calls := 0
			for _, l := range again.LeftOut {
				if strings.HasPrefix(l.Reason, "already recorded: it is a leg of the recording s-") {
					calls++
				}
			}
			assert.Empty(t, again.Calls, by)
			assert.Equal(t, 5, calls, by)
		}
	}
	stats, err = db.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, before+3, stats.Done+stats.Queued+stats.Running)
	p.terminate(t)
}

// What adopt is told wrongly, and what it says to people.
func TestAdoptSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archive(t, dir)
	code, out, _ := run(t, "adopt", dir)
	require.Zero(t, code)
	assert.Contains(t, out, "named as asterisk\n")
	assert.Contains(t, out, `in="2026/11/*97 Müller-in.wav"`)
	assert.Contains(t, out, "3 calls would be adopted, 3 files left out; nothing was done: see --yes\n")
	for part, args := range map[string][]string{
		"needs --db or --api":        {"adopt", dir, "--yes"},
		"not one of asterisk":        {"adopt", dir, "--pattern", "asterix"},
		"a pattern with {tenant}":    {"adopt", dir, "--tenants", "old.example=acme"},
		"as {call}-{leg:in|out}.wav": {"adopt", dir, "--pattern", "{call}-{leg:in|out}.wav", "--tenants", "old.example=acme"},
		"a --pattern with {tenant}":  {"adopt", "file://" + dir, "--tenants", "old.example=acme"},
		"is not a time zone":         {"adopt", dir, "--zone", "Berlin"},
		"where the worker takes leg": {"adopt", dir, "--legs", t.TempDir()},
	} {
		code, _, errs := run(t, args...)
		assert.Equal(t, 2, code, part)
		assert.Contains(t, errs, part)
	}
	doubtful := t.TempDir()
	for _, name := range []string{"anna/1.wav", "bob/1.wav"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(doubtful, name)), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(doubtful, name), samplecall.Agent()[:wavHeader+2*samplecall.SampleRateHz], 0o600))
	}
	for _, place := range []string{doubtful, "file://" + doubtful} {
		code, out, errs := run(t, "adopt", place)
		assert.Equal(t, 2, code, "%s%s", out, errs)
		assert.Contains(t, errs, "give --pattern, which may be\n  {dirs}{leg:anna|bob}/{call}.{ext}\n  freeswitch")
		assert.Empty(t, out)
	}
	code, out, _ = run(t, "adopt", doubtful, "--pattern", "freeswitch")
	require.Zero(t, code)
	assert.Contains(t, out, "2 calls would be adopted")
	code, out, _ = run(t, "adopt", t.TempDir())
	assert.Zero(t, code)
	assert.Contains(t, out, "no naming fits")
	assert.Equal(t, 1, strings.Count(out, "0 calls would be adopted"))
}
