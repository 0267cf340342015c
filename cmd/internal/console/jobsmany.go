package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

// maxAtOnce is how many jobs the API changes in one request (openapi.yaml, RetryRequest).
const maxAtOnce = 500

// manyJobs is the page on which a change of many jobs is confirmed.
type manyJobs struct {
	Filter url.Values
	Which  []fact // the filter in words
	Count  int
	Jobs   string // the count with its noun
	More   bool   // there are more than are changed at once
	Queues []queueRow
	Back   string // the list's query
	Wrong  string
}

// fact is something that a page says of a thing.
type fact struct{ Name, Value string }

// Get is what the filter says of a field.
func (m *manyJobs) Get(name string) string { return m.Filter.Get(name) }

// selected are the jobs that were ticked.
func selected(w http.ResponseWriter, r *http.Request) ([]string, error) {
	if err := form(w, r); err != nil {
		return nil, err
	}
	ids := r.PostForm["job"]
	if len(ids) == 0 || len(ids) > callsPerPage {
		return nil, callmodel.FieldErrors{{Path: "job", Message: fmt.Sprintf("must be ticked: 1 to %d of the jobs of the list", callsPerPage)}}
	}
	return ids, nil
}

// toList says what an action came to, on the list that it was chosen from.
func (c *Console) toList(w http.ResponseWriter, r *http.Request, text string) error {
	setFlash(w, r, text)
	to := "/jobs"
	if q, err := url.ParseQuery(r.PostFormValue("back")); err == nil && len(q) > 0 {
		to += "?" + q.Encode()
	}
	c.redirect(w, r, to)
	return nil
}

// each does something with each of the jobs, and says what it came to: one that has moved
// meanwhile doesn't keep the others from it.
func (c *Console) each(w http.ResponseWriter, r *http.Request, ids []string, change func(id string) error, done string) error {
	n, refused := 0, ""
	for _, id := range ids {
		err := change(id)
		p, ok := isRefused(err)
		switch {
		case err == nil:
			n++
		case !ok || n == 0 && len(ids) == 1:
			return err
		default:
			refused = cmp.Or(refused, "job "+id+": "+p.Error())
		}
	}
	text := jobs(n) + " " + done + "."
	if n < len(ids) {
		text += " " + jobs(len(ids)-n) + " stayed as before; " + refused
	}
	return c.toList(w, r, clipped(text, maxFlash))
}

// maxFlash bounds what is said in a cookie, in characters.
const maxFlash = 600

// jobs is a number of them with the noun.
func jobs(n int) string {
	if n == 1 {
		return "1 job"
	}
	return fmt.Sprintf("%d jobs", n)
}

func anyJobPath(id string) string { return "/v1/jobs/" + url.PathEscape(id) }

// retrySelected puts the ticked jobs back.
func (c *Console) retrySelected(w http.ResponseWriter, r *http.Request) error {
	ids, err := selected(w, r)
	if err != nil {
		return err
	}
	return c.each(w, r, ids, func(id string) error {
		_, err := post[json.RawMessage](c, r, anyJobPath(id)+"/retry", nil)
		return err
	}, "put back")
}

// quarantineSelected sets the ticked jobs aside.
func (c *Console) quarantineSelected(w http.ResponseWriter, r *http.Request) error {
	ids, err := selected(w, r)
	if err != nil {
		return err
	}
	reason := map[string]string{"reason": r.PostFormValue("reason")}
	return c.each(w, r, ids, func(id string) error {
		_, err := post[json.RawMessage](c, r, anyJobPath(id)+"/quarantine", reason)
		return err
	}, "quarantined")
}

// matching is the list's filter as one of jobs to put back; false if it isn't one that the
// API puts back exactly: jobs of a call, jobs that wait or run, or jobs that are well.
func matching(q url.Values) (url.Values, bool) {
	status, state := q.Get("status"), ledger.State(q.Get("state"))
	switch {
	case q.Has("call_id") || status == string(record.StatusCompleted):
		return nil, false
	case state == ledger.Quarantined && (status == "" || status == string(record.StatusQuarantined)):
		status = string(record.StatusQuarantined)
	case state == ledger.Done && (status == string(record.StatusAbsent) || status == string(record.StatusCompletedDegraded)):
	case state != "":
		return nil, false
	}
	m := url.Values{}
	for _, name := range []string{"kind", "code", "queue", "since", "until"} {
		if v := q.Get(name); v != "" {
			m.Set(name, v)
		}
	}
	if status != "" {
		m.Set("status", status)
	}
	return m, m.Has("status") || m.Has("code")
}

// changedJobs is what the API says of a change of many jobs.
type changedJobs struct {
	Jobs []string `json:"jobs"`
	More bool     `json:"more"`
}

// retryBody is the API's request for the filter.
func retryBody(q url.Values, dryRun bool) map[string]any {
	times := asked(q)
	body := map[string]any{"limit": maxAtOnce, "dry_run": dryRun}
	for _, name := range []string{"kind", "status", "code", "queue"} {
		if v := q.Get(name); v != "" {
			body[name] = v
		}
	}
	for _, name := range []string{"since", "until"} {
		if v := times.Get(name); v != "" {
			body[name] = v
		}
	}
	return body
}

// inWords are the fields of a filter that are set.
func inWords(q url.Values, names ...string) []fact {
	var list []fact
	for _, name := range names {
		if v := q.Get(name); v != "" {
			list = append(list, fact{name, v})
		}
	}
	return list
}

// confirmRetry shows how many jobs a filter puts back. Nothing is changed.
func (c *Console) confirmRetry(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	view := &manyJobs{Filter: q, Which: inWords(q, "status", "code", "kind", "queue", "since", "until"), Back: listOf(q)}
	would, err := post[changedJobs](c, r, "/v1/jobs/retry", retryBody(q, true))
	if refused, ok := isRefused(err); ok && refused.Status < http.StatusInternalServerError {
		view.Wrong = refused.Error()
		return c.show(w, r, refused.Status, "retry", "Retry jobs", view)
	}
	if err != nil {
		return err
	}
	view.Count, view.Jobs, view.More = len(would.Jobs), jobs(len(would.Jobs)), would.More
	return c.show(w, r, http.StatusOK, "retry", "Retry jobs", view)
}

// listOf is the list's query for a filter of jobs to put back.
func listOf(q url.Values) string {
	back := url.Values{}
	for _, name := range []string{"kind", "code", "queue", "since", "until", "status"} {
		if v := q.Get(name); v != "" {
			back.Set(name, v)
		}
	}
	if back.Get("status") == string(record.StatusQuarantined) {
		back.Del("status")
		back.Set("state", string(ledger.Quarantined))
	}
	return queryOf(back)
}

// retryMatching puts back all jobs that a filter selects.
func (c *Console) retryMatching(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	done, err := post[changedJobs](c, r, "/v1/jobs/retry", retryBody(r.PostForm, false))
	if err != nil {
		return err
	}
	text := jobs(len(done.Jobs)) + " put back."
	if done.More {
		text += " There are more: do it again for the next."
	}
	return c.toList(w, r, text)
}

// moveBody is the API's request to move the jobs of a queue.
func moveBody(q url.Values, dryRun bool) map[string]any {
	body := map[string]any{"from": q.Get("from"), "to": strings.TrimSpace(q.Get("to")), "limit": maxAtOnce, "dry_run": dryRun}
	for _, name := range []string{"kind", "state"} {
		if v := q.Get(name); v != "" {
			body[name] = v
		}
	}
	return body
}

// confirmMove shows which jobs a queue has, and asks where they are to go.
func (c *Console) confirmMove(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	queues, err := c.queuesOf(r)
	if err != nil {
		return err
	}
	view := &manyJobs{Filter: q, Queues: queues, Back: url.Values{"queue": {q.Get("from")}}.Encode()}
	if q.Get("from") == "" || q.Get("to") == "" {
		return c.show(w, r, http.StatusOK, "move", "Move jobs", view)
	}
	would, err := post[changedJobs](c, r, "/v1/jobs/move", moveBody(q, true))
	if refused, ok := isRefused(err); ok && refused.Status < http.StatusInternalServerError {
		view.Wrong = refused.Error()
		return c.show(w, r, refused.Status, "move", "Move jobs", view)
	}
	if err != nil {
		return err
	}
	view.Count, view.Jobs, view.More, view.Which = len(would.Jobs), jobs(len(would.Jobs)), would.More, inWords(q, "from", "to", "state", "kind")
	return c.show(w, r, http.StatusOK, "move", "Move jobs", view)
}

// moveQueue moves the jobs of a queue.
func (c *Console) moveQueue(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	done, err := post[changedJobs](c, r, "/v1/jobs/move", moveBody(r.PostForm, false))
	if err != nil {
		return err
	}
	text := jobs(len(done.Jobs)) + " moved to " + r.PostFormValue("to") + "."
	if done.More {
		text += " There are more: do it again for the next."
	}
	return c.toList(w, r, text)
}
