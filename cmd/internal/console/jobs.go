package console

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/recordinghttp"
)

func (c *Console) jobRoutes() []route {
	const read, write = callmodel.ScopeRecordingsRead, callmodel.ScopeJobsWrite
	return []route{
		{"GET /jobs", read, c.listJobs},
		{"GET /live/jobs", read, c.liveJobs},
		{"GET /live/jobs/{id}", read, c.liveJob},
		{"POST /jobs/selected/retry", write, c.retrySelected},
		{"POST /jobs/selected/quarantine", write, c.quarantineSelected},
		{"GET /jobs/retry", write, c.confirmRetry},
		{"POST /jobs/retry", write, c.retryMatching},
		{"GET /jobs/move", write, c.confirmMove},
		{"POST /jobs/move", write, c.moveQueue},
		{"GET /jobs/dead-letters", read, c.listLetters},
		{"GET /jobs/dead-letters/{letter}", read, c.showLetter},
		{"POST /jobs/dead-letters/{letter}/replay", write, c.replayLetter},
		{"POST /jobs/dead-letters/{letter}/discard", write, c.discardLetter},
		{"GET /jobs/{id}", read, c.showJob},
		{"POST /jobs/{id}/retry", write, c.retryJob},
		{"POST /jobs/{id}/quarantine", write, c.quarantineJob},
	}
}

// jobList is the page of jobs.
type jobList struct {
	Filter   url.Values // as it stands in the page's address
	Jobs     []jobRow
	Queues   []queueRow
	Next     string // the address of the next page; "" at the end
	Live     string // where the list is asked for again
	Here     string // the query of this page, to come back to
	Matching string // the address that puts back all that match; "" if they can't be put back
	States   []ledger.State
	Statuses []string
	Codes    []string
	Wrong    string // why the filter is none
}

// Get is what the filter says of a field.
func (l *jobList) Get(name string) string { return l.Filter.Get(name) }

// jobRow is a job with what the list says of it.
type jobRow struct {
	ledger.Job
	Status string        // what it came to; "" if nothing yet
	Why    string        // the reason and the defects, or the last error
	Age    time.Duration // since it was enqueued
}

// jobFilters are the fields of the search, as the API names them.
func jobFilters() []string {
	return []string{"state", "status", "queue", "kind", "code", "call_id", "since", "until", "after"}
}

// jobQuery is what the page's address asks the API for, without empty fields. An address
// without any field is that of the jobs that wait for a person.
func jobQuery(r *http.Request) url.Values {
	given, q := r.URL.Query(), url.Values{}
	if len(given) == 0 {
		return url.Values{"state": {string(ledger.Quarantined)}}
	}
	for _, name := range jobFilters() {
		if v := strings.TrimSpace(given.Get(name)); v != "" {
			q.Set(name, v)
		}
	}
	return q
}

// queryOf is the query of a page's address. One without any field would be another page.
func queryOf(q url.Values) string {
	if len(q) == 0 {
		return "state="
	}
	return q.Encode()
}

// jobsOf asks the API for the list.
func (c *Console) jobsOf(r *http.Request) (*jobList, error) {
	q := jobQuery(r)
	list := &jobList{
		Filter: q, Live: "/live/jobs?" + queryOf(q), Here: queryOf(q), Codes: jobCodes(),
		States:   []ledger.State{ledger.Queued, ledger.Running, ledger.Done, ledger.Quarantined},
		Statuses: append([]string{string(record.StatusCompleted)}, recordinghttp.RetriableStatuses()...),
	}
	var err error
	if list.Queues, err = c.queuesOf(r); err != nil {
		return nil, err
	}
	got, err := get[struct {
		Jobs []ledger.Job `json:"jobs"`
		Next string       `json:"next"`
	}](c, r, "/v1/jobs", asked(q))
	if refused, ok := isRefused(err); ok && refused.Status == http.StatusUnprocessableEntity {
		list.Wrong = refused.Error()
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	now := c.opts.Now()
	for i := range got.Jobs {
		list.Jobs = append(list.Jobs, rowOf(&got.Jobs[i], now))
	}
	if got.Next != "" {
		more := url.Values(http.Header(q).Clone())
		more.Set("after", got.Next)
		list.Next = "/jobs?" + more.Encode()
	}
	if match, ok := matching(q); ok {
		list.Matching = "/jobs/retry?" + match.Encode()
	}
	return list, nil
}

// said is what the results of all kinds of jobs say in the same words: see ledger.Outcome.
type said struct {
	Status  string          `json:"status"`
	Reason  string          `json:"reason"`
	Defects []record.Defect `json:"defects"`
}

// saidBy is what the job's result says; nothing if it has none, or one of another form.
func saidBy(j *ledger.Job) said {
	var s said
	if len(j.Result) > 0 && json.Unmarshal(j.Result, &s) != nil {
		return said{}
	}
	return s
}

func rowOf(j *ledger.Job, now time.Time) jobRow {
	s := saidBy(j)
	row := jobRow{Job: *j, Age: now.Sub(j.CreatedAt)}
	if j.State == ledger.Done || j.Published {
		row.Status = s.Status
	}
	var why []string
	if j.State != ledger.Done {
		why = append(why, strings.ReplaceAll(string(j.Reason), "_", " "), j.LastError)
	} else {
		why = append(why, strings.ReplaceAll(s.Reason, "_", " "))
		for i := range s.Defects {
			why = append(why, strings.ReplaceAll(string(s.Defects[i].Code), "_", " "))
		}
	}
	why = slices.DeleteFunc(why, func(w string) bool { return w == "" })
	row.Why = clipped(strings.Join(slices.Compact(why), ", "), maxWhy)
	return row
}

// maxWhy bounds what a list says of why, in characters; the job's page says all of it.
const maxWhy = 110

// clipped is s, or its first n characters.
func clipped(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return string(runes[:n]) + "…"
	}
	return s
}

// jobCodes are what a job can be found by: reasons, and defects of its recording.
func jobCodes() []string {
	var codes []string
	for code := range reasons() {
		codes = append(codes, code)
	}
	slices.Sort(codes)
	for _, k := range record.DefectKinds() {
		codes = append(codes, string(k.Code))
	}
	return codes
}

func (c *Console) listJobs(w http.ResponseWriter, r *http.Request) error {
	list, err := c.jobsOf(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "jobs", "Jobs", list)
}

// liveJobs answers with the queues and the rows of the list as they are now. The page asks
// for them every few seconds; what is ticked there stays so.
func (c *Console) liveJobs(w http.ResponseWriter, r *http.Request) error {
	list, err := c.jobsOf(r)
	if err != nil {
		return err
	}
	who, _ := callmodel.PrincipalFrom(r.Context())
	return c.write(w, r, http.StatusOK, "jobs", "live", &page{Who: who, Data: list})
}
