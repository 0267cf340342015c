package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/lint"
)

// What the editor takes, in bytes: of rules, and of the form, in which most characters of
// YAML that aren't letters are three.
const (
	maxEdited   = 1 << 20
	maxEditForm = 4 << 20
)

// newRules is what the editor begins with where there is nothing to begin with.
const newRules = `destinations:
  office: {uri: "sip:office.example.com"}
rules:
  - id: everything
    route: [[{to: office}]]
`

// editor is the page of the editor.
type editor struct {
	From   string // the version that is edited; "" for none
	Text   string
	Check  *checked // nil: not checked yet
	Call   triedCall
	Tried  *tried
	Active string // the version in service; "" if there is none
}

// checked is what is said of the text.
type checked struct {
	Report   *lint.Report
	Findings []lint.Finding // of the report, or why there is none
	Failed   int            // tests
}

// triedCall is a call as it is typed in.
type triedCall struct{ From, To, Region, At string }

// tried is what becomes of it.
type tried struct {
	Why *routing.Explanation // by the rules that are edited, or those in service
	Now *routing.Explanation // by those in service, where Why is by others
	At  time.Time
	// From and To are the numbers that were decided about.
	From, To string
	Wrong    string
}

// editRules opens the editor with a version, or with an example.
func (c *Console) editRules(w http.ResponseWriter, r *http.Request) error {
	page := &editor{From: r.URL.Query().Get("from"), Text: newRules}
	if page.From != "" {
		text, why, err := c.rulesText(r, page.From)
		if err != nil {
			return err
		}
		if why != "" {
			return callmodel.Errorf(callmodel.CodeTooLarge, "%s switchtape rules put takes what you have edited", why)
		}
		page.Text = text
	}
	var err error
	if page.Check, err = c.check(r, page.Text); err != nil {
		return err
	}
	return c.showEditor(w, r, http.StatusOK, page)
}

func (c *Console) showEditor(w http.ResponseWriter, r *http.Request, status int, page *editor) error {
	list, err := c.ruleVersionsOf(r)
	if _, err = told(err); err != nil { // who may write need not be one who may read
		return err
	}
	if a := list.Active(); a != nil {
		page.Active = a.Hash
	}
	title := "New rules"
	if page.From != "" {
		title = "Edit rules " + short(page.From)
	}
	return c.show(w, r, status, "rulesedit", title, page)
}

// editorOf reads the editor's form. Browsers send line ends as CR LF (HTML, section
// 4.10.21.8); the text has those that it had.
func editorOf(w http.ResponseWriter, r *http.Request) (*editor, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxEditForm)
	if err := r.ParseForm(); err != nil {
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the form can't be read: %w", err)
	}
	page := &editor{
		From: r.PostFormValue("from"), Text: strings.ReplaceAll(r.PostFormValue("text"), "\r\n", "\n"),
		Call: triedCall{
			From: strings.TrimSpace(r.PostFormValue("caller")), To: strings.TrimSpace(r.PostFormValue("callee")),
			Region: strings.TrimSpace(r.PostFormValue("region")), At: r.PostFormValue("at"),
		},
	}
	if len(page.Text) > maxEdited {
		return nil, callmodel.Errorf(callmodel.CodeTooLarge, "the rules have %d bytes, and the editor takes %d; switchtape rules put takes more", len(page.Text), maxEdited)
	}
	return page, nil
}

// check has the API look at the text. What it can't read is a finding, too.
func (c *Console) check(r *http.Request, text string) (*checked, error) {
	report, err := ask[lint.Report](c, r, http.MethodPost, "/v1/rules/check", []byte(text), "application/yaml")
	if refused, ok := isRefused(err); ok {
		switch refused.Status {
		case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge:
			return &checked{Findings: refusedFindings(refused)}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	out := &checked{Report: &report, Findings: report.Findings}
	for _, f := range report.Findings {
		if f.Code == lint.TestFailed {
			out.Failed++
		}
	}
	out.Failed += report.Omitted[lint.TestFailed]
	return out, nil
}

// refusedFindings are the faults for which the API refused the rules.
func refusedFindings(refused *refusal) []lint.Finding {
	if len(refused.Errors) == 0 {
		return []lint.Finding{{Code: lint.Invalid, Severity: lint.Error, Message: refused.Error()}}
	}
	list := make([]lint.Finding, 0, len(refused.Errors))
	for _, f := range refused.Errors {
		list = append(list, lint.Finding{Code: lint.Invalid, Severity: lint.Error, Line: f.Line, Path: f.Path, Message: f.Message})
	}
	return list
}

// part answers a script with a part of the editor, and a form with the whole of it.
func (c *Console) part(w http.ResponseWriter, r *http.Request, name string, page *editor) error {
	if r.Header.Get("HX-Request") == "true" {
		return c.write(w, r, http.StatusOK, "rulesedit", name, page)
	}
	if page.Check == nil {
		var err error
		if page.Check, err = c.check(r, page.Text); err != nil {
			return err
		}
	}
	return c.showEditor(w, r, http.StatusOK, page)
}

// checkRules checks what is typed.
func (c *Console) checkRules(w http.ResponseWriter, r *http.Request) error {
	page, err := editorOf(w, r)
	if err != nil {
		return err
	}
	if page.Check, err = c.check(r, page.Text); err != nil {
		return err
	}
	return c.part(w, r, "findings", page)
}

// tryRules says what the edited rules do with a call.
func (c *Console) tryRules(w http.ResponseWriter, r *http.Request) error {
	page, err := editorOf(w, r)
	if err != nil {
		return err
	}
	if page.Tried, err = c.tryCall(r, page.Call, page.Text); err != nil {
		return err
	}
	return c.part(w, r, "tried", page)
}

// routeAnswer is what GET /v1/route answers.
type routeAnswer struct {
	routing.Explanation

	Request struct {
		From string    `json:"from"`
		To   string    `json:"to"`
		At   time.Time `json:"at"`
	} `json:"request"`
}

// tryCall says what becomes of a call: by the rules in service and, with a text, by those.
func (c *Console) tryCall(r *http.Request, call triedCall, text string) (*tried, error) {
	at := c.opts.Now().UTC()
	q := url.Values{"to": {call.To}}
	for _, layout := range formTimes() {
		if t, err := time.Parse(layout, call.At); err == nil {
			at = t
		}
	}
	q.Set("at", at.Format(time.RFC3339))
	if call.From != "" {
		q.Set("from", call.From)
	}
	if call.Region != "" {
		q.Set("region", strings.ToUpper(call.Region))
	}
	out := &tried{At: at, From: call.From, To: call.To}
	answer, err := get[routeAnswer](c, r, "/v1/route", q)
	refused, isRefusal := isRefused(err)
	switch {
	case err == nil:
		out.Now = &answer.Explanation
		out.From, out.To = answer.Request.From, answer.Request.To
	case !isRefusal:
		return nil, err
	case text == "" || refused.Status == http.StatusUnprocessableEntity:
		out.Wrong = refused.Error()
		return out, nil
	}
	if text == "" {
		out.Why, out.Now = out.Now, nil
		return out, nil
	}
	body := map[string]any{
		"ruleset": map[string]string{"body": text},
		"call":    map[string]any{"call_id": "trial", "from": out.From, "to": out.To, "at": at.Format(time.RFC3339)},
	}
	why, err := post[routing.Explanation](c, r, "/v1/rules/explain", body)
	if out.Wrong, err = told(err); err != nil || out.Wrong != "" {
		return out, err
	}
	out.Why = &why
	return out, nil
}

// saveRules stores what is typed as a version. It decides no call.
func (c *Console) saveRules(w http.ResponseWriter, r *http.Request) error {
	page, err := editorOf(w, r)
	if err != nil {
		return err
	}
	head := http.Header{"Accept": {"application/json, application/problem+json"}, "Content-Type": {"application/yaml"}}
	state, err := askWith[struct {
		Hash   string `json:"hash"`
		Stored string `json:"stored"`
	}](c, r, http.MethodPut, "/v1/rules?activate=false", []byte(page.Text), head)
	if refused, ok := isRefused(err); ok && (refused.Status == http.StatusBadRequest || refused.Status == http.StatusUnprocessableEntity) {
		page.Check = &checked{Findings: refusedFindings(refused)}
		// The check knows the lines of what is refused, too, and what else is doubtful.
		if full, checkErr := c.check(r, page.Text); checkErr == nil && full.Report != nil && full.Report.Errors > 0 {
			page.Check = full
		}
		return c.showEditor(w, r, http.StatusUnprocessableEntity, page)
	}
	if err != nil {
		return err
	}
	if state.Stored == state.Hash {
		setFlash(w, r, "These are the rules in service: a version is known by what it decides, so comments and layout alone make no new one.")
	} else {
		setFlash(w, r, "Stored as "+short(state.Stored)+". It decides no call until you activate it: see first what it changes.")
	}
	c.redirect(w, r, "/rules/"+url.PathEscape(cmp.Or(state.Stored, state.Hash)))
	return nil
}

// explainRoute is the page that says where a call would go, and why.
func (c *Console) explainRoute(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	page := struct {
		Call  triedCall
		Tried *tried
	}{Call: triedCall{
		From: strings.TrimSpace(q.Get("from")), To: strings.TrimSpace(q.Get("to")),
		Region: strings.TrimSpace(q.Get("region")), At: q.Get("at"),
	}}
	if page.Call.To != "" {
		var err error
		if page.Tried, err = c.tryCall(r, page.Call, ""); err != nil {
			return err
		}
	}
	return c.show(w, r, http.StatusOK, "rulesexplain", "Explain a route", page)
}
