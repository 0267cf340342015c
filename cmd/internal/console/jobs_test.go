package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
	"github.com/switchtape/switchtape/storage/storetest"
)

// jobsConsole is a console of the API of jobs over a ledger.
func jobsConsole(t *testing.T) (db *memdb.Store, s *httptest.Server, b *http.Client) {
	t.Helper()
	db = memdb.New(nil)
	s, key := newConsole(t, recordinghttp.New(db, &recordinghttp.Options{DeadLetters: db}), &hands{time.Now()}, "operator")
	b = browser(t)
	logIn(t, b, s.URL, key)
	return db, s, b
}

// enqueued puts a job into the ledger.
func enqueued(t *testing.T, db *memdb.Store, name string) callmodel.JobID {
	t.Helper()
	id, created, err := db.Enqueue(t.Context(), storetest.Request(name))
	require.NoError(t, err)
	require.True(t, created)
	return id
}

// absent ends a job without a recording.
func absent(t *testing.T, db *memdb.Store, name string) callmodel.JobID {
	t.Helper()
	id := enqueued(t, db, name)
	leases, err := db.Claim(t.Context(), ledger.Claim{Worker: "w", TTL: time.Hour})
	require.NoError(t, err)
	require.Len(t, leases, 1)
	require.NoError(t, db.Complete(t.Context(), leases[0], storetest.Outcome(record.Result{
		Status: record.StatusAbsent, Reason: record.ReasonNoMedia, Defects: []record.Defect{{Code: record.DefectLegMissing, Leg: "agent"}},
	})))
	return id
}

func stateOf(t *testing.T, db *memdb.Store, id callmodel.JobID) ledger.State {
	t.Helper()
	j, err := db.Job(t.Context(), id)
	require.NoError(t, err)
	return j.State
}

// act sends a form, and is led back: it returns where to, and what that page says.
func act(t *testing.T, s *httptest.Server, b *http.Client, page string, form url.Values) (to, body string) {
	t.Helper()
	status, head, said := send(t, b, http.MethodPost, s.URL+page, form, nil)
	require.Equal(t, http.StatusSeeOther, status, said)
	to = head.Get("Location")
	status, _, body = look(t, b, s.URL+to)
	require.Equal(t, http.StatusOK, status, body)
	return to, body
}

// TestJobsOneByOne: a job's page says why it failed in words and what to do; it is put back
// and set aside there, and what can't be is said.
func TestJobsOneByOne(t *testing.T) {
	t.Parallel()
	db, s, b := jobsConsole(t)
	id := absent(t, db, "c1")
	page := "/jobs/" + string(id)
	_, _, body := look(t, b, s.URL+page)
	assert.Contains(t, body, "Every leg is missing or empty")
	assert.Contains(t, body, "If the files come later, retry the job.")
	assert.Contains(t, body, "<strong>leg missing</strong> of agent: No file by the deadline")
	assert.Contains(t, body, `href="/calls/c1"`)
	assert.Contains(t, body, "&#34;recording_id&#34;: &#34;")
	assert.NotContains(t, body, "/quarantine", "it is done")

	to, body := act(t, s, b, page+"/retry", nil)
	assert.Equal(t, page, to)
	assert.Contains(t, body, "The job was put back")
	assert.Equal(t, ledger.Queued, stateOf(t, db, id))
	assert.NotContains(t, body, page+`/retry"`, "it waits")
	status, _, body := send(t, b, http.MethodPost, s.URL+page+"/retry", nil, nil)
	assert.Equal(t, http.StatusConflict, status, body)

	status, _, body = send(t, b, http.MethodPost, s.URL+page+"/quarantine", url.Values{"reason": {""}}, nil)
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, body, "say why the job is set aside")
	_, body = act(t, s, b, page+"/quarantine", url.Values{"reason": {"the <b>disk</b> is away"}})
	assert.Contains(t, body, "the &lt;b&gt;disk&lt;/b&gt; is away")
	assert.Equal(t, ledger.Quarantined, stateOf(t, db, id))
	for _, other := range []string{"nowhere", "a%20b"} {
		status, _, _ = look(t, b, s.URL+"/jobs/"+other)
		assert.Equal(t, http.StatusNotFound, status, other)
	}
}

// TestJobsList: the page without a query has the jobs that wait for a person, the query is
// what is searched for, pages follow one another, and a filter that is none is said to be.
func TestJobsList(t *testing.T) {
	t.Parallel()
	db, s, b := jobsConsole(t)
	var ids []string
	for i := range 55 {
		ids = append(ids, string(enqueued(t, db, "c"+strings.Repeat("x", i+1))))
	}
	aside := callmodel.JobID(ids[3])
	require.NoError(t, db.Quarantine(t.Context(), aside, "me", "a poison"))
	list := func(page string) (string, int) {
		status, _, body := look(t, b, s.URL+page)
		require.Equal(t, http.StatusOK, status, body)
		return body, strings.Count(body, `name="job"`)
	}
	body, n := list("/jobs")
	assert.Equal(t, 1, n)
	assert.Contains(t, body, "a poison")
	body, n = list("/jobs?state=")
	assert.Equal(t, 50, n)
	assert.Contains(t, body, `hx-get="/live/jobs?state="`)
	_, next, found := strings.Cut(body, `<nav class="pages" aria-label="Pages"><a href="`)
	require.True(t, found)
	next, _, _ = strings.Cut(next, `"`)
	body, n = list(strings.ReplaceAll(next, "&amp;", "&"))
	assert.Equal(t, 5, n)
	assert.Contains(t, body, ids[54])
	assert.NotContains(t, body, `rel="next"`)
	_, n = list("/live/jobs?call_id=cxxx")
	assert.Equal(t, 1, n)
	_, n = list("/jobs?state=queued&since=2000-01-01T00:00&until=2001-01-01T00:00")
	assert.Zero(t, n)
	body, n = list("/jobs?state=odd")
	assert.Zero(t, n)
	assert.Contains(t, body, "is not one of queued, running, done, quarantined")
}

// TestManyJobs: those that are ticked are put back or set aside, and the others stay as they
// are; all that match a filter are counted, confirmed and put back; a queue's are moved.
func TestManyJobs(t *testing.T) {
	t.Parallel()
	db, s, b := jobsConsole(t)
	one, two, three := absent(t, db, "c1"), absent(t, db, "c2"), enqueued(t, db, "c3")
	to, body := act(t, s, b, "/jobs/selected/retry", url.Values{"job": {string(one), string(three)}, "back": {"status=absent"}})
	assert.Equal(t, "/jobs?status=absent", to)
	assert.Contains(t, body, "1 job put back. 1 job stayed as before; job "+string(three))
	assert.Equal(t, ledger.Queued, stateOf(t, db, one))
	_, body = act(t, s, b, "/jobs/selected/quarantine", url.Values{"job": {string(one), string(three)}, "reason": {"wait"}, "back": {"//evil.example"}})
	assert.Contains(t, body, "2 jobs quarantined.")
	assert.Equal(t, ledger.Quarantined, stateOf(t, db, three))
	for _, form := range []url.Values{{}, {"job": make([]string, 51)}} {
		status, _, body := send(t, b, http.MethodPost, s.URL+"/jobs/selected/retry", form, nil)
		assert.Equal(t, http.StatusUnprocessableEntity, status)
		assert.Contains(t, body, "must be ticked")
	}

	_, _, body = look(t, b, s.URL+"/jobs")
	assert.Contains(t, body, `href="/jobs/retry?status=quarantined"`)
	for query, offered := range map[string]bool{
		"state=": false, "state=queued": false, "status=completed": false, "state=done": false, "call_id=c1&status=absent": false, "state=queued&code=leg_missing": false,
		"status=absent": true, "code=leg_missing": true, "state=done&status=absent": true, "state=quarantined&code=x": true,
	} {
		_, _, body = look(t, b, s.URL+"/jobs?"+query)
		assert.Equal(t, offered, strings.Contains(body, `href="/jobs/retry?`), query)
	}
	_, _, body = look(t, b, s.URL+"/jobs/retry?status=quarantined")
	assert.Contains(t, body, "<strong>2 jobs</strong>")
	assert.Equal(t, ledger.Quarantined, stateOf(t, db, three), "it was asked about")
	to, body = act(t, s, b, "/jobs/retry", url.Values{"status": {"quarantined"}, "back": {"state=quarantined"}})
	assert.Equal(t, "/jobs?state=quarantined", to)
	assert.Contains(t, body, "2 jobs put back.")
	assert.Equal(t, ledger.Queued, stateOf(t, db, three))
	assert.Equal(t, ledger.Done, stateOf(t, db, two), "it doesn't match")
	status, _, body := look(t, b, s.URL+"/jobs/retry?queue=default")
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, body, "say which jobs")

	_, _, body = look(t, b, s.URL+"/jobs/move?from=default&to=pbx-1")
	assert.Contains(t, body, "<strong>2 jobs</strong>")
	status, _, body = look(t, b, s.URL+"/jobs/move?from=default&to=default")
	assert.Equal(t, http.StatusUnprocessableEntity, status)
	assert.Contains(t, body, "is the queue that they are in")
	to, body = act(t, s, b, "/jobs/move", url.Values{"from": {"default"}, "to": {"pbx-1"}, "back": {"queue=pbx-1"}})
	assert.Equal(t, "/jobs?queue=pbx-1", to)
	assert.Contains(t, body, "2 jobs moved to pbx-1.")
	j, err := db.Job(t.Context(), three)
	require.NoError(t, err)
	assert.Equal(t, "pbx-1", j.Queue)
	assert.Contains(t, body, "nobody</span> Start a worker for this queue", "no worker serves it")
}

// TestDeadLettersPage: a message that could not be taken is shown with what it says, and let go.
func TestDeadLettersPage(t *testing.T) {
	t.Parallel()
	db, s, b := jobsConsole(t)
	letter, _, err := db.KeepLetter(t.Context(), deadletter.New{
		TenantID: "acme", Source: "nats://here/jobs", Fingerprint: deadletter.Fingerprint("m-1", nil), MessageID: "m-1", Kind: record.Kind,
		Code: callmodel.CodeInvalid, Reason: "legs: there are none", Body: []byte(`{"call_id":"<c1>"}`),
	})
	require.NoError(t, err)
	_, _, body := look(t, b, s.URL+"/jobs/dead-letters")
	assert.Contains(t, body, "legs: there are none")
	page := "/jobs/dead-letters/" + string(letter)
	_, _, body = look(t, b, s.URL+page)
	assert.Contains(t, body, "&#34;call_id&#34;: &#34;&lt;c1&gt;&#34;")
	status, _, body := send(t, b, http.MethodPost, s.URL+page+"/replay", nil, nil)
	assert.Equal(t, http.StatusUnprocessableEntity, status, body)
	to, body := act(t, s, b, page+"/discard", nil)
	assert.Equal(t, page, to)
	assert.Contains(t, body, "The message is let go.")
	assert.NotContains(t, body, "/replay", "it is settled")
	_, _, body = look(t, b, s.URL+"/jobs/dead-letters")
	assert.NotContains(t, body, page)
	_, _, body = look(t, b, s.URL+"/jobs/dead-letters?state=discarded")
	assert.Contains(t, body, page)
}
