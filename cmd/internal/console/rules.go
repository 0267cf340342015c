package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/rulesets"
)

func (c *Console) ruleRoutes() []route {
	const read, write = callmodel.ScopeRulesRead, callmodel.ScopeRulesWrite
	list := []route{
		{"GET /rules", read, func(w http.ResponseWriter, r *http.Request) error { return c.listRules(w, r, http.StatusOK, "") }},
		{"GET /rules/explain", callmodel.ScopeCallsRead, c.explainRoute},
		{"GET /rules/edit", write, c.editRules},
		{"POST /rules/check", write, c.checkRules},
		{"POST /rules/try", write, c.tryRules},
		{"POST /rules/save", write, c.saveRules},
		{"POST /rules/rollback", write, c.changeRules(rulesets.ActionRollback)},
		{"GET /rules/{hash}", read, func(w http.ResponseWriter, r *http.Request) error {
			return c.showRules(w, r, r.PathValue("hash"), http.StatusOK, "")
		}},
	}
	for _, a := range []rulesets.Action{rulesets.ActionActivate, rulesets.ActionCanary, rulesets.ActionPromote, rulesets.ActionAbort} {
		list = append(list, route{"POST /rules/{hash}/" + string(a), write, c.changeRules(a)})
	}
	return list
}

// Bounds of what the pages list.
const (
	maxVersions    = 200
	maxActivations = 50
)

// ruleVersion is a stored version of the rules.
type ruleVersion struct {
	Hash      string         `json:"hash"`
	Active    bool           `json:"active"`
	Canary    bool           `json:"canary"`
	Percent   rulesets.Share `json:"percent"` // of the calls, of a canary
	CreatedAt time.Time      `json:"created_at"`
	CreatedBy string         `json:"created_by"`
}

// ruleVersions are the stored versions, and which are in service.
type ruleVersions struct {
	Versions []ruleVersion    `json:"rulesets"` // newest first
	Previous string           `json:"previous"` // where a rollback goes
	Canary   *rulesets.Canary `json:"canary"`
}

// noneActive stands in forms for the version in service where there is none.
const noneActive = "none"

// Active is the version in service; nil if there is none.
func (v *ruleVersions) Active() *ruleVersion {
	for i := range v.Versions {
		if v.Versions[i].Active {
			return &v.Versions[i]
		}
	}
	return nil
}

// Expected is the version in service as a form says it.
func (v *ruleVersions) Expected() string {
	if a := v.Active(); a != nil {
		return a.Hash
	}
	return noneActive
}

// of is the version with the hash; nil if there is none.
func (v *ruleVersions) of(hash string) *ruleVersion {
	for i := range v.Versions {
		if v.Versions[i].Hash == hash {
			return &v.Versions[i]
		}
	}
	return nil
}

// rulesPage is the page of the versions.
type rulesPage struct {
	ruleVersions

	History []rulesets.Activation
	More    int    // versions that aren't listed
	Wrong   string // why the last action was refused
}

func (c *Console) ruleVersionsOf(r *http.Request) (ruleVersions, error) {
	return get[ruleVersions](c, r, "/v1/rules", nil)
}

// activations is which version was active when, newest first.
func (c *Console) activations(r *http.Request) ([]rulesets.Activation, error) {
	got, err := get[struct {
		Activations []rulesets.Activation `json:"activations"`
	}](c, r, "/v1/rules/history", nil)
	return got.Activations[:min(len(got.Activations), maxActivations)], err
}

func (c *Console) listRules(w http.ResponseWriter, r *http.Request, status int, wrong string) error {
	list, err := c.ruleVersionsOf(r)
	if err != nil {
		return err
	}
	page := &rulesPage{ruleVersions: list, Wrong: wrong}
	if page.History, err = c.activations(r); err != nil {
		return err
	}
	slices.SortStableFunc(page.Versions, func(a, b ruleVersion) int { return cmp.Compare(rankOf(&a), rankOf(&b)) })
	if n := len(page.Versions); n > maxVersions {
		page.Versions, page.More = page.Versions[:maxVersions], n-maxVersions
	}
	return c.show(w, r, status, "rules", "Rules", page)
}

// rankOf puts what is in service before all others.
func rankOf(v *ruleVersion) int {
	switch {
	case v.Active:
		return 0
	case v.Canary:
		return 1
	default:
		return 2
	}
}

// versionPage is the page of a version.
type versionPage struct {
	ruleVersion

	Expected   string // the version in service, for the forms
	ActiveHash string // "" if there is none
	Trial      *rulesets.Canary
	Text       string
	TextWhy    string // why the text isn't shown
	Changes    *setChanges
	ChangesWhy string
	Calls      *comparison // nil where there is nothing to compare
	Wrong      string
}

// showRules shows a version: its text, what it changes of the active one, and of the calls
// of a period.
func (c *Console) showRules(w http.ResponseWriter, r *http.Request, hash string, status int, wrong string) error {
	list, err := c.ruleVersionsOf(r)
	if err != nil {
		return err
	}
	v := list.of(hash)
	if v == nil {
		return callmodel.Errorf(callmodel.CodeNotFound, "there is no version %.64s of the rules", hash)
	}
	page := &versionPage{ruleVersion: *v, Expected: list.Expected(), Trial: list.Canary, Wrong: wrong}
	page.Text, page.TextWhy, err = c.rulesText(r, hash)
	if err != nil {
		return err
	}
	if a := list.Active(); a != nil {
		page.ActiveHash = a.Hash
	}
	if page.ActiveHash != "" && !v.Active {
		changes, err := c.changesOf(r, page.ActiveHash, hash)
		if page.ChangesWhy, err = told(err); err != nil {
			return err
		}
		page.Changes = changes
		if page.Calls, err = c.compareCalls(r, hash); err != nil {
			return err
		}
	}
	return c.show(w, r, status, "rulesversion", "Rules "+short(hash), page)
}

// told is what the API's refusal says, where err is one; other errors are returned.
func told(err error) (why string, other error) {
	if refused, ok := isRefused(err); ok {
		return refused.Error(), nil
	}
	return "", err
}

// short is enough of a hash for people to tell versions apart.
func short(hash string) string { return hash[:min(len(hash), 12)] }

// rulePath is the path of a version in the API.
func rulePath(hash string) string { return "/v1/rules/" + url.PathEscape(hash) }

// rulesText is the version as it was put; why says why it can't be shown.
func (c *Console) rulesText(r *http.Request, hash string) (text, why string, err error) {
	raw, err := c.exchange(r, http.MethodGet, rulePath(hash)+"?format=text", nil, http.Header{"Accept": {"text/plain, application/problem+json"}})
	if err != nil {
		return "", "", err
	}
	if len(raw) > maxEdited {
		return "", "The text has " + size(int64(len(raw))) + ", which is too much for a page: switchtape rules get prints it.", nil
	}
	return string(raw), "", nil
}

// changeRules changes which versions are in service, if the one that the page showed as
// active still is: what somebody else has done meanwhile isn't undone unseen.
func (c *Console) changeRules(action rulesets.Action) func(w http.ResponseWriter, r *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := form(w, r); err != nil {
			return err
		}
		var faults callmodel.FieldErrors
		expected, hash := r.PostFormValue("expected"), r.PathValue("hash")
		if expected == "" {
			faults.Add("expected", "is missing; open the page again and decide by what it shows then")
		}
		if action == rulesets.ActionRollback && r.PostFormValue("sure") != "yes" {
			faults.Add("sure", "must be ticked: every call is decided by the version before at once")
		}
		if err := faults.Err(); err != nil {
			return err
		}
		stale, err := c.staleness(r, expected)
		if err != nil {
			return err
		}
		if stale == "" {
			err = c.sendChange(r, action, hash, expected)
		}
		if refused, ok := isRefused(err); ok && (refused.Status == http.StatusConflict || refused.Status == http.StatusPreconditionFailed) {
			// Somebody was faster than this request.
			if stale, err = c.staleness(r, expected); err != nil {
				return err
			}
			stale = cmp.Or(stale, refused.Error())
		} else if refused, ok := isRefused(err); ok && refused.Status == http.StatusUnprocessableEntity {
			return c.shownAgain(w, r, action, hash, refused.Status, refused.Error())
		}
		if err != nil {
			return err
		}
		if stale != "" {
			return c.shownAgain(w, r, action, hash, http.StatusConflict, stale)
		}
		setFlash(w, r, changed(action, short(hash), r.PostFormValue("percent")))
		c.redirect(w, r, "/rules")
		return nil
	}
}

// shownAgain shows the page on which the action was asked for, with why it was refused.
func (c *Console) shownAgain(w http.ResponseWriter, r *http.Request, action rulesets.Action, hash string, status int, why string) error {
	if action == rulesets.ActionActivate || action == rulesets.ActionCanary {
		return c.showRules(w, r, hash, status, why)
	}
	return c.listRules(w, r, status, why)
}

// staleness says what is in service instead of what was expected; "" if that still is.
func (c *Console) staleness(r *http.Request, expected string) (string, error) {
	list, err := c.ruleVersionsOf(r)
	if err != nil || list.Expected() == expected {
		return "", err
	}
	history, err := c.activations(r)
	if err != nil || len(history) == 0 {
		return "The version in service isn't the one any more that this page was of. Nothing was changed. Look at what is here now.", err
	}
	by := cmp.Or(history[0].Actor, "somebody")
	return "Meanwhile " + by + " has put " + short(history[0].Hash) + " in service (" + string(history[0].Action) +
		"), so nothing was changed. Below is what is in service now: look at the difference from that, and decide again.", nil
}

// sendChange asks the API for the change.
func (c *Console) sendChange(r *http.Request, action rulesets.Action, hash, expected string) error {
	path := "/v1/rules/rollback"
	if action != rulesets.ActionRollback {
		path = rulePath(hash) + "/" + string(action)
	}
	head := http.Header{"Accept": {"application/json, application/problem+json"}}
	if expected != noneActive {
		head.Set("If-Match", `"`+expected+`"`)
	}
	var body []byte
	if action == rulesets.ActionCanary {
		var err error
		if body, err = json.Marshal(map[string]string{"percent": strings.TrimSpace(r.PostFormValue("percent"))}); err != nil {
			return err
		}
		head.Set("Content-Type", problem.JSON)
	}
	_, err := askWith[json.RawMessage](c, r, http.MethodPost, path, body, head)
	return err
}

// changed says what a change has come to.
func changed(action rulesets.Action, hash, percent string) string {
	switch action {
	case rulesets.ActionActivate:
		return hash + " decides every call now."
	case rulesets.ActionRollback:
		return "The version before decides every call again."
	case rulesets.ActionCanary:
		return hash + " decides " + percent + " % of the calls now."
	case rulesets.ActionPromote:
		return hash + " has passed its trial: it decides every call now."
	case rulesets.ActionAbort:
		return "The trial of " + hash + " is over: the active version decides every call."
	default:
		return string(action)
	}
}
