package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/record"
)

// form reads the small form of an action.
func form(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return callmodel.Errorf(callmodel.CodeMalformed, "the form can't be read: %w", err)
	}
	return nil
}

// moment of a form: seconds as "12.5", or as "1:02:03.5".
func formTime(r *http.Request, name string) (time.Duration, error) {
	text := strings.TrimSpace(r.PostFormValue(name))
	total := 0.0
	parts := strings.Split(text, ":")
	for _, part := range parts {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || f < 0 || len(parts) > 3 || f > 1e6 {
			return 0, callmodel.FieldErrors{{Path: name, Message: "is not a time like 12.5 or 1:02.5"}}
		}
		total = total*60 + f
	}
	return time.Duration(total*1000+0.5) * time.Millisecond, nil
}

// done says what an action came to, on the page of the call.
func (c *Console) done(w http.ResponseWriter, r *http.Request, text string) error {
	setFlash(w, r, text)
	c.redirect(w, r, "/calls/"+url.PathEscape(r.PathValue("call")))
	return nil
}

// redact has a range of the recording silenced for good, as the API does.
func (c *Console) redact(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	from, err := formTime(r, "from")
	if err != nil {
		return err
	}
	to, err := formTime(r, "to")
	if err != nil {
		return err
	}
	result, err := record.ResultOf(job)
	if err != nil {
		return err
	}
	red := record.Redaction{From: callTime(result, from), To: callTime(result, to), With: r.PostFormValue("with")}
	if leg := r.PostFormValue("leg"); leg != "" {
		red.Legs = []string{leg}
	}
	_, err = post[json.RawMessage](c, r, jobPath(job.ID)+"/redact", map[string]any{
		"reason": r.PostFormValue("reason"), "redactions": []record.Redaction{red},
	})
	if err != nil {
		return err
	}
	return c.done(w, r, "From "+clock(from)+" to "+clock(to)+" is being redacted: a new version follows, and the old one is destroyed.")
}

func jobPath(id callmodel.JobID) string { return "/v1/recordings/jobs/" + url.PathEscape(string(id)) }

// erase has the recording deleted, with proof.
func (c *Console) erase(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	if r.PostFormValue("sure") != "yes" {
		return callmodel.FieldErrors{{Path: "sure", Message: "must be ticked: a deleted recording can't be had back"}}
	}
	if _, err = post[json.RawMessage](c, r, jobPath(job.ID)+"/erase", map[string]string{"reason": r.PostFormValue("reason")}); err != nil {
		return err
	}
	return c.done(w, r, "The recording is being deleted.")
}

// hold places a legal hold on the call.
func (c *Console) hold(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	call, err := callID(r)
	if err != nil {
		return err
	}
	_, err = post[json.RawMessage](c, r, "/v1/holds", map[string]string{"scope": "call", "subject": call, "reason": r.PostFormValue("reason")})
	if err != nil {
		return err
	}
	return c.done(w, r, "The call is under a legal hold: nothing of it is deleted until the hold is lifted.")
}

// retryRecording puts the recording's job back.
func (c *Console) retryRecording(w http.ResponseWriter, r *http.Request) error {
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	if _, err := post[json.RawMessage](c, r, jobPath(job.ID)+"/retry", nil); err != nil {
		return err
	}
	return c.done(w, r, "The recording is made again.")
}

// sharedLink is a link that was made a moment ago. It is shown once: the service keeps only
// its hash.
type sharedLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

const shareCookie = "switchtape_share"

// share makes a link to a part of the recording.
func (c *Console) share(w http.ResponseWriter, r *http.Request) error {
	if err := form(w, r); err != nil {
		return err
	}
	job, err := c.jobOf(r)
	if err != nil {
		return err
	}
	body := map[string]any{"job_id": job.ID, "description": r.PostFormValue("description")}
	for field, name := range map[string]string{"from": "from_ms", "to": "to_ms"} {
		if r.PostFormValue(field) == "" {
			continue
		}
		at, err := formTime(r, field)
		if err != nil {
			return err
		}
		body[name] = at.Milliseconds()
	}
	if hours, err := strconv.ParseInt(r.PostFormValue("hours"), 10, 64); err == nil && hours > 0 {
		body["expires_in_s"] = hours * 3600
	}
	link, err := post[sharedLink](c, r, "/v1/shares", body)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(link)
	if err != nil {
		return err
	}
	setCookie(w, r, shareCookie, base64.RawURLEncoding.EncodeToString(raw))
	return c.done(w, r, "The link is below. It is shown this once.")
}

// takeShared is the link that was made a moment ago, once.
func takeShared(w http.ResponseWriter, r *http.Request) *sharedLink {
	raw, err := base64.RawURLEncoding.DecodeString(cookie(r, shareCookie))
	var link sharedLink
	if err != nil || len(raw) == 0 || json.Unmarshal(raw, &link) != nil {
		return nil
	}
	setCookie(w, r, shareCookie, "")
	if u, err := url.Parse(link.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return nil
	}
	return &link
}
