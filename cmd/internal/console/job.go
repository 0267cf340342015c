package console

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/reports"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// jobPage is the page of a job.
type jobPage struct {
	Job         ledger.Job
	Status      string // what it came to; "" if nothing yet
	Reason      string // why, for programs
	Why         reason // what that means
	Defects     []record.Defect
	Spec        string // JSON
	Result      string // JSON; "" for none
	CanRetry    bool
	CanSetAside bool
	Call        string // the address of its call; "" if it has none
}

// reason is what a reason of a job means, and what to do about it.
type reason struct {
	Means string
	Do    string
}

// reasons are those of waiting, of having failed, and of there being no recording, as the
// ledger, recordings and reports name them.
func reasons() map[string]reason {
	return map[string]reason{
		string(ledger.Unavailable): {
			"A service that the job needs is away. It is tried again by itself, and such attempts don't count.",
			"Look at the last error for what is away, and mend that.",
		},
		string(ledger.Undecodable): {
			"What is to be done, or what was made, isn't in the form that this version reads.",
			"Look whether workers of different versions run; retry it once they are the same.",
		},
		string(record.LegsMissing): {
			"Files of the call's legs aren't there yet, or are empty.",
			"Look on the telephone server whether they were written, and under which names. When they are there, it goes on by itself.",
		},
		string(record.LegsGrowing): {
			"Files of the call's legs are still being written.",
			"Nothing: it goes on when they are complete. If they never are, look at the telephone server.",
		},
		string(record.LegsAway): {
			"The directory or the bucket of the legs can't be looked into.",
			"Mend the mount, the permissions or the credentials; it goes on by itself.",
		},
		string(record.BucketAway): {
			"The bucket that the recording is to be stored in can't be used.",
			"Look at the fleet for why the bucket is away; it goes on by itself when that is mended.",
		},
		record.ReasonNoMedia: {
			"Every leg is missing or empty: there was nothing to record.",
			"If the files come later, retry the job. If calls of one server are often without, look at what records there.",
		},
		retention.ReasonNoConsent: {
			"A party has said that it may not be recorded, so nothing was made.",
			"Nothing. The call's legs are deleted as its retention says.",
		},
		record.ReasonTooShort: {"The call lasted no time at all.", "Nothing."},
		record.ReasonPaused:   {"Recording was paused throughout, and pauses are cut out.", "Nothing, if that was meant."},
		reports.ReasonNoJob:   {"Nothing records the call.", "Look whether its end was told, and for errors at that time."},
		reports.ReasonOverdue: {"Nobody has said why the job isn't done.", "Look whether a worker serves its queue."},
		reports.ReasonRunning: {"The recording is being made.", "Nothing."},
		reports.ReasonFollow:  {"There is a recording, and a whole one may follow.", "Nothing."},
		string(ledger.Quarantined): {
			"It was set aside for a person.",
			"Read why, mend that, and retry it. Its files are kept.",
		},
	}
}

// jobAt reads the job of the page's path.
func (c *Console) jobAt(r *http.Request) (ledger.Job, error) {
	id := r.PathValue("id")
	if !callmodel.ValidID(id) {
		return ledger.Job{}, callmodel.Errorf(callmodel.CodeNotFound, "there is no such job")
	}
	return get[ledger.Job](c, r, anyJobPath(id), nil)
}

func (c *Console) showJob(w http.ResponseWriter, r *http.Request) error {
	view, err := c.jobPageOf(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "job", "Job "+string(view.Job.ID), view)
}

// liveJob answers with the job as it is now. The page asks for it every few seconds; what is
// typed there stays so.
func (c *Console) liveJob(w http.ResponseWriter, r *http.Request) error {
	view, err := c.jobPageOf(r)
	if err != nil {
		return err
	}
	who, _ := callmodel.PrincipalFrom(r.Context())
	return c.write(w, r, http.StatusOK, "job", "live", &page{Who: who, Data: view})
}

// jobPageOf is the job of the page's path, with what the page says of it.
func (c *Console) jobPageOf(r *http.Request) (*jobPage, error) {
	job, err := c.jobAt(r)
	if err != nil {
		return nil, err
	}
	s := saidBy(&job)
	view := &jobPage{
		Job: job, Status: s.Status, Defects: s.Defects, Spec: indented(job.Payload), Result: indented(job.Result),
		CanSetAside: job.State == ledger.Queued || job.State == ledger.Running,
		CanRetry:    job.State == ledger.Quarantined || job.State == ledger.Done && retriable(&job),
	}
	switch {
	case job.Reason != "":
		view.Reason = string(job.Reason)
	case s.Reason != "" && reasons()[s.Reason] != reason{}:
		view.Reason = s.Reason
	case job.State == ledger.Quarantined:
		view.Reason = string(ledger.Quarantined)
	default:
		view.Reason = s.Reason
	}
	view.Why = reasons()[view.Reason]
	if job.CallID != "" {
		view.Call = "/calls/" + url.PathEscape(string(job.CallID))
	}
	return view, nil
}

// retriable reports whether more can come of a job that is done.
func retriable(j *ledger.Job) bool {
	return j.Retriable || j.Kind == record.Kind && record.Retriable(j)
}

// toJob says what an action came to, on the page of the job.
func (c *Console) toJob(w http.ResponseWriter, r *http.Request, text string) error {
	setFlash(w, r, text)
	c.redirect(w, r, "/jobs/"+url.PathEscape(r.PathValue("id")))
	return nil
}

func (c *Console) retryJob(w http.ResponseWriter, r *http.Request) error {
	job, err := c.jobAt(r)
	if err != nil {
		return err
	}
	if _, err := post[json.RawMessage](c, r, anyJobPath(string(job.ID))+"/retry", nil); err != nil {
		return err
	}
	return c.toJob(w, r, "The job was put back: it is done again.")
}

func (c *Console) quarantineJob(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	job, err := c.jobAt(r)
	if err != nil {
		return err
	}
	_, err = post[json.RawMessage](c, r, anyJobPath(string(job.ID))+"/quarantine", map[string]string{"reason": r.PostFormValue("reason")})
	if err != nil {
		return err
	}
	return c.toJob(w, r, "The job is set aside until somebody puts it back.")
}
