//go:build linux

package crashtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/recording/broker"
	"github.com/switchtape/switchtape/storage/calldb"
)

// faultsTold is how many faults of one kind are told one by one.
const faultsTold = 10

// checks collects what doesn't hold.
type checks struct {
	s    *scene
	told map[string]int
}

// that fails the test unless ok, by the invariant's name.
func (c *checks) that(ok bool, invariant, format string, args ...any) {
	c.s.report.Checked[invariant]++
	if ok {
		return
	}
	c.s.report.Broken[invariant]++
	if c.told[invariant]++; c.told[invariant] <= faultsTold {
		c.s.t.Errorf("%s: %s", invariant, fmt.Sprintf(format, args...))
	}
}

// made is a job and what it came to.
type made struct {
	job    *ledger.Job
	result *record.Result // nil: none
	status record.Status  // one of the four outcomes
}

// check holds everything against what was asked for.
func (s *scene) check() {
	c := &checks{s, map[string]int{}}
	db := s.open()
	defer db.Close()
	jobs := c.jobs(db)
	objects := c.objects(jobs)
	c.calls(db, jobs)
	c.events(db, jobs)
	c.ends(db, jobs)
	c.letters(db)
	c.promise(db)
	c.legs(jobs)
	c.files()
	c.programs()
	c.verify()
	s.report.Objects = objects
}

// jobs are the recordings' jobs by their calls: one each, at its end, as its legs allow.
func (c *checks) jobs(db *calldb.DB) map[string]*made {
	t := c.s.t
	t.Helper()
	found := map[string]*made{}
	for after := callmodel.JobID(""); ; {
		jobs, err := db.Jobs(t.Context(), ledger.Filter{Limit: 1000, After: after, Kind: record.Kind})
		require.NoError(t, err)
		if len(jobs) == 0 {
			break
		}
		for i := range jobs {
			j := &jobs[i]
			after = j.ID
			spec, err := record.SpecOf(j)
			require.NoError(t, err)
			id := string(spec.CallID)
			c.that(found[id] == nil, "one job a call", "%s has %s, too", id, j.ID)
			m := &made{job: j}
			m.result, err = record.ResultOf(j)
			require.NoError(t, err)
			switch {
			case j.State == ledger.Quarantined:
				m.status = record.StatusQuarantined
			case j.State == ledger.Done && m.result != nil:
				m.status = m.result.Status
			}
			c.that(slices.Contains([]record.Status{record.StatusCompleted, record.StatusCompletedDegraded, record.StatusAbsent, record.StatusQuarantined}, m.status),
				"one of four outcomes", "%s is %s with %+v", id, j.State, m.result)
			c.s.report.Jobs[string(m.status)]++
			found[id] = m
		}
	}
	for _, made := range c.s.callsMade() {
		m := found[made.id]
		c.that(m != nil, "no call lost", "%s (%s) has no job", made.id, made.kind.name)
		if m == nil {
			continue
		}
		c.that(m.status == made.kind.outcome || m.status == made.kind.or, "the outcome is that of the legs", "%s (%s) is %s, attempts %d: %s", made.id, made.kind.name, m.status, m.job.Attempts, m.job.LastError)
	}
	c.that(len(found) == len(c.s.callsMade()), "no job of nobody", "%d jobs of %d calls", len(found), len(c.s.callsMade()))
	return found
}

// objects holds each object against the hash of its job, and returns how many there are.
func (c *checks) objects(jobs map[string]*made) int {
	t := c.s.t
	t.Helper()
	keys, err := c.s.home.objects()
	require.NoError(t, err)
	unknown := map[string]bool{}
	for _, k := range keys {
		unknown[k] = true
	}
	alike := map[string]string{}
	for _, made := range c.s.callsMade() {
		m := jobs[made.id]
		if m == nil || m.result == nil {
			continue
		}
		c.that(!m.result.InBackup, "nothing stays in the backup", "%s is in the backup", made.id)
		type object struct{ key, sha256 string }
		var all []object
		for _, o := range m.result.Outputs {
			all = append(all, object{o.Key, o.SHA256})
			of := made.kind.name + " " + string(made.codec) + " " + string(m.status)
			audio, err := hashOf(filepath.Join(c.s.home.srv.Dir, o.Key), true)
			if alike[of] == "" {
				alike[of] = audio
			}
			c.that(err == nil && alike[of] == audio, "the same legs give the same bytes", "%s (%s) differs from others, %v", made.id, of, err)
		}
		if m.result.Manifest != nil {
			all = append(all, object{m.result.Manifest.Key, m.result.Manifest.SHA256})
		}
		for _, o := range all {
			sum, err := hashOf(filepath.Join(c.s.home.srv.Dir, o.key), false)
			c.that(err == nil && sum == o.sha256, "every object has its hash", "%s: %s is %s, %v", o.key, sum, o.sha256, err)
			delete(unknown, o.key)
		}
	}
	for k := range unknown {
		c.that(c.earlier(k, jobs), "no other object", "%s is nobody's", k)
	}
	for _, b := range []*bucket{&c.s.home, &c.s.backup} {
		left, err := b.srv.Uploads(t.Context())
		c.that(err == nil && len(left) == 0, "no upload that never ended", "%v, %v", left, err)
	}
	left, err := c.s.backup.objects()
	require.NoError(t, err)
	c.that(len(left) == 0, "nothing stays in the backup", "%v", left)
	return len(keys)
}

// earlier reports whether the object is an earlier version of a recording whose leg came
// late: a worker that was killed, or lost its lease, has put it there without that leg. It
// stays, and the whole one is the next version.
func (c *checks) earlier(name string, jobs map[string]*made) bool {
	key, ok := record.ParseObjectKey(name)
	if !ok {
		return false
	}
	for _, made := range c.s.callsMade() {
		m := jobs[made.id]
		if made.id != string(key.CallID) || !made.kind.late || m == nil || m.result == nil || len(m.result.Outputs) == 0 {
			continue
		}
		linked, ok := record.ParseObjectKey(m.result.Outputs[0].Key)
		return ok && key.Version < linked.Version
	}
	return false
}

// hashOf is the SHA-256 of a file, or of its audio: what is behind the ID3v2 tag, which
// names the call.
func hashOf(path string, audio bool) (string, error) {
	body, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	const header = 10
	if audio && len(body) > header && string(body[:3]) == "ID3" {
		size := 0
		for _, b := range body[6:header] { // four times seven bits
			size = size<<7 | int(b)
		}
		body = body[min(header+size, len(body)):]
	}
	h := sha256.Sum256(body)
	return hex.EncodeToString(h[:]), nil
}

// calls holds the calls' URLs against what was made.
func (c *checks) calls(db *calldb.DB, jobs map[string]*made) {
	t := c.s.t
	t.Helper()
	var waited []time.Duration
	for _, made := range c.s.callsMade() {
		m := jobs[made.id]
		if made.message || m == nil {
			continue
		}
		call, err := db.Call(t.Context(), tenant, callmodel.CallID(made.id))
		require.NoError(t, err)
		c.that(call.State == calls.Ended, "every call has ended", "%s is %s", made.id, call.State)
		c.that(len(call.Recordings) == 1, "one recording a call", "%s has %d", made.id, len(call.Recordings))
		if len(call.Recordings) != 1 {
			continue
		}
		url := ""
		if m.result != nil {
			url = m.result.URL()
		}
		c.that(call.Recordings[0].URL == url && (url != "") == (m.result != nil && m.result.Made()), "one URL a call", "%s has %q, and %q was made", made.id, call.Recordings[0].URL, url)
		if m.result != nil && m.result.Made() {
			took := m.job.FinishedAt.Sub(m.job.CreatedAt)
			if took >= hours { // it was made older before it was done
				took -= hours
			}
			waited = append(waited, took)
		}
	}
	if slices.Sort(waited); len(waited) > 0 {
		c.s.report.HangUpToURL = map[string]float64{
			"p50": seconds(waited[len(waited)/2]), "p99": seconds(waited[len(waited)*99/100]), "longest": seconds(waited[len(waited)-1]),
		}
	}
}

// told are the events of a recording, by their ids, and whether each is of one that isn't the
// last word.
type told map[string]bool

// final is how many of them tell how it ended.
func (t told) final() (n int) {
	for _, provisional := range t {
		if !provisional {
			n++
		}
	}
	return n
}

// events holds what was told of the recordings against what was made. One that was in the
// backup was told of as provisional, and is once more when it is home, by another id, as its
// URL is another.
func (c *checks) events(db *calldb.DB, jobs map[string]*made) {
	t := c.s.t
	t.Helper()
	kept, sent, copies := map[string]told{}, map[string]told{}, 0
	note := func(all map[string]told, subject, id string, body []byte) (again bool) {
		var e struct {
			Provisional bool `json:"provisional"`
		}
		require.NoError(t, json.Unmarshal(body, &e), "%s", body)
		if all[subject] == nil {
			all[subject] = told{}
		}
		_, again = all[subject][id]
		all[subject][id] = e.Provisional
		return again
	}
	for after := int64(0); ; {
		events, err := db.OutboxEvents(t.Context(), after, 1000)
		require.NoError(t, err)
		if len(events) == 0 {
			break
		}
		for _, e := range events {
			after = e.ID
			if strings.HasPrefix(e.Type, "recording.") {
				again := note(kept, e.Subject, e.Key, e.Body)
				c.that(!again, "one event a recording", "%s is twice in the outbox", e.Key)
			}
		}
	}
	for _, m := range c.s.told.Messages(t) {
		if strings.HasPrefix(m.Header.Get(broker.HeaderEvent), "recording.") && note(sent, m.Header.Get(broker.HeaderSubject), m.Header.Get(broker.HeaderID), m.Data) {
			copies++
		}
	}
	c.s.report.EventCopies = copies
	c.that(len(kept) == len(jobs), "one event a recording", "%d recordings have events, and there are %d", len(kept), len(jobs))
	for subject, n := range kept {
		c.that(n.final() == 1 && len(n) <= 2, "one event a recording", "%s has %v in the outbox", subject, n)
		c.that(maps.Equal(n, sent[subject]), "every event is published", "%s: %v is in the outbox, and %v was sent", subject, n, sent[subject])
		if len(n) > 1 {
			c.s.report.Homecomings++
		}
	}
	c.that(len(sent) == len(kept), "every event is published", "of %d recordings something was told, and of %d it was to be", len(sent), len(kept))
}

// ends looks in the audit log for the ends of the jobs: whoever slept past a lease, or was
// taken for dead, ends none a second time.
func (c *checks) ends(db *calldb.DB, jobs map[string]*made) {
	ends := map[string]int{}
	for after := int64(0); ; {
		lines, err := db.AuditEvents(c.s.t.Context(), tenant, after, 1000)
		require.NoError(c.s.t, err)
		if len(lines) == 0 {
			break
		}
		for i := range lines {
			after = lines[i].ID
			if lines[i].Action == callmodel.AuditJobCompleted || lines[i].Action == callmodel.AuditJobQuarantined {
				ends[lines[i].Subject]++
			}
		}
	}
	for id, m := range jobs {
		c.that(ends[string(m.job.ID)] == 1, "every job ends once", "%s of %s has ended %d times", m.job.ID, id, ends[string(m.job.ID)])
	}
}

// letters looks for messages that were refused: none was to be.
func (c *checks) letters(db *calldb.DB) {
	letters, err := db.Letters(c.s.t.Context(), deadletter.Filter{Limit: faultsTold})
	require.NoError(c.s.t, err)
	c.that(len(letters) == 0, "no message is a dead letter", "%+v", letters)
}

// promise has the report say how many calls are unexplained. It fails nothing: when a call
// ended is by the clock of the process that was told of it, and the clocks are set meanwhile.
func (c *checks) promise(db *calldb.DB) {
	now := time.Now()
	r, err := db.ReportPromise(c.s.t.Context(), &reports.Query{TenantID: tenant, Since: now.Add(-3 * 24 * time.Hour), Until: now.Add(3 * 24 * time.Hour)})
	require.NoError(c.s.t, err)
	var all reports.Promise
	for i := range r.Rows {
		all.Add(&r.Rows[i].Sums, 1)
	}
	c.s.report.Unexplained = all.Unexplained
}

// legs holds which legs are gone against which might.
func (c *checks) legs(jobs map[string]*made) {
	gone, err := c.s.gone(c.s.callsMade())
	require.NoError(c.s.t, err)
	for _, g := range gone {
		m := jobs[g.id]
		c.that(m != nil && m.status == record.StatusCompleted && c.s.aged.has(g.id), "no leg deleted early", "%s (%s)", g.id, g.kind.name)
		c.s.report.LegsDeleted++
	}
}

// files looks for what programs have left lying about. Whole notes of finished recordings,
// which others have ended, are no temporary files: they are kept for a week.
func (c *checks) files() {
	for _, dir := range []string{"small", "switchtape-*-tmp-0", "spool-*", "finished-*"} {
		found, err := filepath.Glob(filepath.Join(c.s.dir, dir))
		require.NoError(c.s.t, err)
		for _, d := range found {
			require.NoError(c.s.t, filepath.WalkDir(d, func(path string, e os.DirEntry, err error) error {
				if err == nil && !e.IsDir() && filepath.Ext(path) != ".json" {
					c.that(false, "no file is left", "%s", path)
				}
				return err
			}))
			c.that(true, "no file is left", "")
		}
	}
}

// programs looks at how the programs have ended.
func (c *checks) programs() {
	for _, p := range c.s.all() {
		log, err := os.ReadFile(p.log)
		require.NoError(c.s.t, err)
		for _, word := range []string{"panic:", "fatal error:", "[running]:"} {
			c.that(!strings.Contains(string(log), word), "no program crashes", "%s: %s", p.log, word)
		}
		c.s.report.Starts += p.starts
		for _, end := range p.odd {
			c.s.report.Refused++
			c.that(end == "exit status 1", "no program ends by itself but for want of its database", "%s: %s", p.name, end)
		}
	}
}

// verify has the command compare everything.
func (c *checks) verify() {
	t := c.s.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.s.bin, "switchtape"), "verify", "--db", c.s.primary.URL, "--bucket", c.s.home.srv.URL,
		"--backup-bucket", c.s.backup.srv.URL, "--backup-age", "1ns", "--hash", "--legs-dir", c.s.legs.dir, "--record-codec", "wav")
	cmd.Env = append(os.Environ(), c.s.home.srv.Env...)
	out, err := cmd.CombinedOutput()
	c.that(err == nil, "switchtape verify finds nothing", "%v\n%s", err, out)
	c.s.report.Verified = strings.TrimSpace(string(out))
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
