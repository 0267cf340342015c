package simulation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/lifecycle"
)

// known is what is known of a job, by the journal.
type known struct {
	seq       int64
	kind, key string
	state     string
	result    string         // the last that was published or committed
	recorded  *record.Result // the same
	ended     map[int64]bool
	counted   map[int64]bool
	done      time.Time // by the database's clock
}

func (k *known) String() string { return k.kind + "/" + k.key }

// keyOf is the key of a job whose unique name in the table is that.
func keyOf(kind, unique string) string { return strings.TrimPrefix(unique, kind+"/") }

// check holds what the last step has changed in the ledger against the rules.
func (w *world) check() {
	if w.current == nil {
		return
	}
	defer func() { w.current = nil }()
	if w.current.place != "database" {
		return
	}
	changes, err := w.changes()
	if err != nil {
		w.fail("the ledger can be read", "%v", err)
		return
	}
	if len(changes) == 0 && strings.HasPrefix(w.current.op, "claim") {
		w.idle++
	}
	if now := w.clock.now(); now.After(w.latest) {
		w.latest = now
	}
	events := map[string]int{} // of recordings, by job: how many more there are than should be
	for i := range changes {
		c := &changes[i]
		switch c.what {
		case "new job":
			w.checkNew(c)
		case "job":
			w.checkJob(c, events)
		case "event":
			if strings.HasPrefix(c.kind, "recording.") {
				events[c.key]++
			}
			w.events = append(w.events, c.err)
		case "entry":
			w.checkEntry(c)
		case "letter":
			w.letters[c.key] = c.err
			w.checkLetter(c)
		default:
			w.fail("nothing is forgotten", "%s: %s", c.what, c.key)
		}
	}
	for key, n := range events {
		if n != 0 {
			w.fail("one event for each outcome", "%s has %+d events more than outcomes after %s", key, n, w.doing())
		}
	}
}

// doing is what was done last.
func (w *world) doing() string {
	if w.current == nil {
		return "an event"
	}
	return w.current.id
}

func (w *world) op() string {
	if w.current == nil {
		return ""
	}
	return w.current.op
}

func (w *world) checkNew(c *change) {
	k := &known{seq: c.seq, kind: c.kind, key: keyOf(c.kind, c.key), state: c.state, ended: map[int64]bool{}, counted: map[int64]bool{}}
	if w.byName[k.String()] != nil {
		w.fail("one job for each message", "there are two of %s", k)
	}
	w.jobs[c.seq], w.byName[k.String()] = k, k
	switch c.kind {
	case record.Kind:
		if !slices.ContainsFunc(w.queue.messages, func(m *message) bool { return m.job == k.key }) {
			w.fail("no job that nobody asked for", "%s", k)
		}
	case lifecycle.KindDeleteLegs:
		if r := w.byName[record.Kind+"/"+k.key]; r == nil || r.state != "done" {
			w.fail("no job that nobody asked for", "%s: its recording isn't done", k)
		}
	}
}

// checkJob holds a change of a job's row against the state machine.
func (w *world) checkJob(c *change, events map[string]int) {
	k := w.jobs[c.seq]
	now := w.clock.now()
	expired := w.op() == "claim" && c.lease0 <= now.UnixMicro()
	own := w.current != nil && w.current.token == c.token0 // the lease that the step was made with is the newest
	counts := c.attempts - c.attempts0
	refuse := func(rule, format string, args ...any) {
		w.fail(rule, "%s, %s → %s by %s: %s", k, c.was, c.state, w.doing(), fmt.Sprintf(format, args...))
	}
	switch c.was + " " + c.state {
	case "queued queued":
		if c.attempts != c.attempts0 || c.token != c.token0 || c.retries != c.retries0 {
			refuse("the state machine", "a job that waits was changed: attempts %d → %d, token %d → %d", c.attempts0, c.attempts, c.token0, c.token)
		}
	case "queued running":
		if w.op() != "claim" || c.token != c.token0+1 || c.lease <= now.UnixMicro() {
			refuse("the state machine", "token %d → %d, lease until %v at %v", c.token0, c.token, time.UnixMicro(c.lease).UTC(), now)
		}
	case "running running":
		if w.op() != "extend" || !own || c.token != c.token0 {
			refuse("no two workers hold a lease", "token %d → %d, and the step's is %d", c.token0, c.token, w.current.token)
		}
	case "running queued":
		w.checkEnd(k, c, refuse)
		switch {
		case w.op() == "publish" && own:
			events[k.key]--
			w.checkResult(k, c, refuse)
		case (w.op() == "fail" || w.op() == "release") && own, expired:
		default:
			refuse("the newest lease alone ends a job", "its token is %d, its lease ends at %v, it is %v", c.token0, time.UnixMicro(c.lease0).UTC(), now)
		}
		if c.attempts >= ledger.MaxAttempts {
			refuse("attempts are limited", "it waits after %d of them", c.attempts)
		}
	case "running done":
		w.checkEnd(k, c, refuse)
		if w.op() != "complete" || !own {
			refuse("the newest lease alone ends a job", "its token is %d", c.token0)
		}
		k.done = now
		if k.kind == record.Kind {
			events[k.key]--
		}
		w.checkResult(k, c, refuse)
	case "running quarantined", "queued quarantined":
		if c.was == "running" && w.op() != "quarantine" {
			w.checkEnd(k, c, refuse)
		}
		byHand := w.op() == "quarantine"
		if !byHand && !expired && (!own || w.op() != "fail" && w.op() != "complete") || c.was == "queued" && !byHand {
			refuse("the newest lease alone ends a job", "its token is %d", c.token0)
		}
		if k.kind == record.Kind && c.published0 == 0 {
			events[k.key]--
		}
		// An attempt that takes too long counts, as a crash does, and so does a bucket that
		// refuses one object again and again, and takes others.
		own := strings.Contains(c.err, "the attempt timed out") || strings.Contains(c.err, "refuses this recording and takes others")
		if !byHand && !expired && !own && !w.poisonous(k.key) {
			refuse("nobody is set aside for a fault of something else", "after %d attempts, for: %s", c.attempts, c.err)
		}
	case "done queued", "quarantined queued":
		if w.op() != "retry" || c.retries != c.retries0+1 || c.attempts != 0 {
			refuse("a job that is done stays so unless somebody asks", "retries %d → %d, attempts %d → %d", c.retries0, c.retries, c.attempts0, c.attempts)
		}
		if k.made() && (c.published != 1 || c.result0 != "" && k.result != c.result0) {
			refuse("what is on the call is never made less", "the retry forgot what was made")
		}
	default:
		refuse("the state machine", "there is no such way")
	}
	switch {
	case c.attempts > ledger.MaxAttempts:
		refuse("attempts are limited", "there were %d", c.attempts)
	case counts > 1 || counts == 1 && (c.was != "running" || k.counted[c.token0]):
		refuse("an attempt counts once", "attempts %d → %d", c.attempts0, c.attempts)
	case counts == 1 && expired && c.alone == 0:
		refuse("only what ran alone is guilty", "attempts %d → %d", c.attempts0, c.attempts)
	}
	if counts == 1 {
		k.counted[c.token0] = true
	}
	k.state = c.state
}

// checkEnd: a lease ends once.
func (w *world) checkEnd(k *known, c *change, refuse func(string, string, ...any)) {
	if k.ended[c.token0] {
		refuse("a lease ends once", "that of token %d has ended before", c.token0)
	}
	k.ended[c.token0] = true
}

// made reports whether there is a recording on the call, by the journal.
func (k *known) made() bool {
	return k.recorded != nil && k.recorded.Made()
}

func resultOf(kind, text string) *record.Result {
	if kind != record.Kind || text == "" {
		return nil
	}
	r := &record.Result{}
	if r.UnmarshalJSON([]byte(text)) != nil {
		return nil
	}
	return r
}

// checkResult holds a result that was committed against the bucket, and against the one
// before.
func (w *world) checkResult(k *known, c *change, refuse func(string, string, ...any)) {
	if k.kind != record.Kind {
		return
	}
	text := c.result
	r := resultOf(k.kind, text)
	if r == nil {
		refuse("one of four outcomes", "its result is %.200q", text)
		return
	}
	if why := w.missing(r.Outputs, r.Manifest); why != "" {
		refuse("an object is there, and is the ledger's, before its URL", "%s", why)
	}
	if k.made() {
		if lost := r.Loses(k.recorded); lost != "" {
			refuse("what is on the call is never made less", "%s", lost)
		}
	}
	k.result, k.recorded = text, r
}

// missing says what is wrong with a recording's objects.
func (w *world) missing(outputs []record.OutputResult, m *record.ManifestResult) string {
	look := func(key, sum string, bytes int64) string {
		o := w.bucket.objects[key]
		switch {
		case o == nil:
			return "there is no object " + key
		case o.sha256 != sum || int64(len(o.body)) != bytes:
			return fmt.Sprintf("%s has %d bytes, sha256 %.8s, and the ledger says %d, %.8s", key, len(o.body), o.sha256, bytes, sum)
		}
		return ""
	}
	for i := range outputs {
		if why := look(outputs[i].Key, outputs[i].SHA256, outputs[i].Bytes); why != "" {
			return why
		}
	}
	if m != nil {
		return look(m.Key, m.SHA256, m.Bytes)
	}
	return ""
}

// checkEntry holds what a call says of its recording against the bucket.
func (w *world) checkEntry(c *change) {
	var e record.CallEntry
	if err := json.Unmarshal([]byte(c.result), &e); err != nil {
		w.fail("calls can be read", "%s: %v", c.key, err)
		return
	}
	if why := w.missing(e.Outputs, e.Manifest); why != "" {
		w.fail("an object is there, and is the ledger's, before its URL", "the call of %s: %s", c.key, why)
	}
	urls := map[string]bool{}
	for i := range e.Outputs {
		if urls[e.Outputs[i].URL] {
			w.fail("one URL for each output", "%s has %s twice", c.key, e.Outputs[i].URL)
		}
		urls[e.Outputs[i].URL] = true
	}
	if (e.URL != "") != (len(e.Outputs) > 0) {
		w.fail("one URL for each output", "%s has %d outputs, and the URL %q", c.key, len(e.Outputs), e.URL)
	}
	w.entries[c.key] = &e
}

// checkAck: the ledger has a message before the broker forgets it.
func (w *world) checkAck(m *message) {
	if m.job != "" && w.byName[record.Kind+"/"+m.job] != nil {
		return
	}
	if _, kept := w.letters[m.id]; !kept {
		w.fail("a message is in the ledger before it is acknowledged", "%s isn't", m.id)
	}
}

// checkLetter: what can be taken doesn't become a dead letter, unless whoever took it
// has crashed again and again.
func (w *world) checkLetter(c *change) {
	for _, m := range w.queue.messages {
		if m.id == c.key && m.job != "" && m.deliveries <= mostTries {
			w.fail("a good message becomes a job", "%s is a dead letter after %d deliveries: %s", m.id, m.deliveries, c.err)
		}
	}
}

// checkSent: events are sent in their order, however often.
func (w *world) checkSent(id string) {
	at := slices.Index(w.events, id)
	switch {
	case at < 0:
		w.fail("events are those of the outbox", "%s is not in it", id)
	case at > w.sent:
		w.fail("events are sent in their order", "%s was sent before %s", id, w.events[w.sent])
	case at == w.sent:
		w.sent++
	}
}

// checkRemoval: legs go last.
func (w *world) checkRemoval(uri string, f *file) {
	k := w.byName[record.Kind+"/"+f.job]
	refuse := func(why string) { w.fail("legs are never deleted early", "%s: %s", uri, why) }
	if k == nil || k.state != "done" {
		refuse("its recording isn't done")
		return
	}
	r := k.recorded
	switch {
	case r == nil || r.Status != record.StatusCompleted:
		refuse("its recording isn't complete")
		return
	case w.latest.Sub(k.done) < keepLegs:
		refuse(fmt.Sprintf("its recording was done %v ago", w.latest.Sub(k.done)))
	}
	if why := w.missing(r.Outputs, r.Manifest); why != "" {
		refuse(why)
	}
	if e := w.entries[f.job]; e == nil || e.URL != r.URL() {
		refuse("its recording's URL isn't on the call")
	}
}
