package callhttp

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/origin"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/users"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/callservice"
)

// Sizes of pages.
const (
	defaultPage  = 50
	maxPage      = 500
	maxAuditPage = 1000
	maxHistory   = 1000
)

// addFaults appends the faults of one more parameter.
func addFaults(faults *callmodel.FieldErrors, err error) {
	if err != nil {
		faults.AddAll("", err)
	}
}

// renamed gives the faults at a path the name that it has in this API.
func renamed(faults callmodel.FieldErrors, from, to string) callmodel.FieldErrors {
	for i := range faults {
		if faults[i].Path == from {
			faults[i].Path = to
		}
	}
	return faults
}

// some is the list, which JSON shows as [] when it is empty.
func some[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// postEvent answers 200 with the call as it is, or 202 when the event is accepted
// and stored later: with the call as it will be, or with its id alone if only the
// database knows it.
func (h *Handler) postEvent(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	body, leave, err := h.body(w, r, maxEventBody)
	if err != nil {
		return err
	}
	defer leave()
	var ev calls.Event
	if err := callmodel.DecodeJSON(body, &ev); err != nil {
		return err
	}
	id := callmodel.CallID(r.PathValue("id"))
	moved, err := h.service.Event(r.Context(), p.TenantID, id, ev, p.Subject)
	switch {
	case err != nil:
		return err
	case !moved.Later:
		h.link(&moved.Call)
		problem.WriteJSON(w, http.StatusOK, moved.Call)
	case moved.Call.State != "":
		problem.WriteJSON(w, http.StatusAccepted, moved.Call)
	default:
		problem.WriteJSON(w, http.StatusAccepted, struct {
			ID callmodel.CallID `json:"id"`
		}{id})
	}
	return nil
}

func (h *Handler) listEvents(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	events, err := h.service.Events(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Events []calls.Event `json:"events"`
	}{some(events)})
	return nil
}

// explanation is the answer to why a call was, or would be, routed as it was.
type explanation struct {
	routing.Explanation

	Request      explainedRequest           `json:"request"`
	Recording    *calls.RecordingPreference `json:"recording,omitempty"`
	SettingsFrom origin.Settings            `json:"settings_from,omitzero"`
}

type explainedRequest struct {
	From string `json:"from"`
	To   string `json:"to"`
	At   string `json:"at"`
	// User and Callee are who they are known to be.
	User   *explainedUser `json:"user,omitempty"`
	Callee *explainedUser `json:"callee,omitempty"`
}

// explainedUser is a user as rules see it.
type explainedUser struct {
	ID           users.ID               `json:"id"`
	Version      int64                  `json:"version"`
	Region       string                 `json:"region,omitempty"`
	Recording    users.RecordingMode    `json:"recording,omitempty"`
	Consent      users.RecordingConsent `json:"consent,omitempty"`
	DoNotDisturb bool                   `json:"dnd,omitempty"`
	Barring      []users.BarringClass   `json:"barring,omitempty"`
	Forwarding   []users.ForwardWhen    `json:"forwarding,omitempty"`
	Metadata     map[string]string      `json:"metadata,omitempty"`
}

func userOf(f *users.Facts) *explainedUser {
	if f == nil {
		return nil
	}
	u := &explainedUser{
		ID: f.ID, Version: f.Version, Region: f.Region(), Recording: f.Recording(), Consent: f.Consent(), DoNotDisturb: f.DoNotDisturb(),
		Metadata: f.AllMetadata(),
	}
	for _, c := range users.BarringClasses() {
		if f.Bars(c) {
			u.Barring = append(u.Barring, c)
		}
	}
	for _, w := range users.ForwardConditions() {
		if f.Forwards(w) {
			u.Forwarding = append(u.Forwarding, w)
		}
	}
	return u
}

func writeExplanation(w http.ResponseWriter, x *callservice.Explanation) {
	problem.WriteJSON(w, http.StatusOK, explanation{x.Explanation, explainedRequest{
		From: x.Request.From, To: x.Request.To, At: x.Request.At.Format("2006-01-02T15:04:05.000Z07:00"),
		User: userOf(x.Request.User), Callee: userOf(x.Request.Callee),
	}, x.Recording, x.SettingsFrom})
}

func (h *Handler) explainCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	x, err := h.service.Explain(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	writeExplanation(w, &x)
	return nil
}

// pairs reads the metadata of a query, each "key=value".
func pairs(faults *callmodel.FieldErrors, list []string) map[string]string {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string]string, len(list))
	for i, kv := range list {
		key, value, ok := strings.Cut(kv, "=")
		if _, dup := m[key]; !ok || dup {
			faults.Add(fmt.Sprintf("metadata[%d]", i), "%q must be key=value, each key once", kv)
			continue
		}
		m[key] = value
	}
	return m
}

// tryRoute decides and explains for the numbers of the query, and stores nothing.
func (h *Handler) tryRoute(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := problem.Values(r)
	var faults callmodel.FieldErrors
	at, err := problem.Time(r, "at", time.Time{})
	addFaults(&faults, err)
	priority, err := problem.Int(r, "priority", 0, calls.MinPriority, calls.MaxPriority)
	addFaults(&faults, err)
	req := callservice.Request{
		ID: callmodel.CallID(q.Get("call_id")), From: plus(q.Get("from")), To: plus(q.Get("to")), Region: q.Get("region"),
		Type: calls.Type(q.Get("type")), Direction: calls.Direction(q.Get("direction")), Priority: priority,
		Trunk: q.Get("trunk"), Capabilities: q["capability"], Metadata: pairs(&faults, q["metadata"]),
	}
	if len(faults) > 0 { // then all at once
		addFaults(&faults, h.service.Check(&req))
		return renamed(faults, "id", "call_id").Err()
	}
	x, err := h.service.Try(r.Context(), p.TenantID, req, at)
	if fields, ok := errors.AsType[callmodel.FieldErrors](err); ok {
		return renamed(fields, "id", "call_id").Err()
	}
	if err != nil {
		return err
	}
	writeExplanation(w, &x)
	return nil
}

func (h *Handler) listAudit(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxAuditPage)
	if err != nil {
		return err
	}
	after, err := problem.Int(r, "after", 0, 0, 1<<62)
	if err != nil {
		return err
	}
	var events []callmodel.AuditEvent
	if about := r.URL.Query()["subject"]; len(about) > 0 {
		events, err = h.service.AuditAbout(r.Context(), p.TenantID, about, int64(after), limit)
	} else {
		events, err = h.service.AuditEvents(r.Context(), p.TenantID, int64(after), limit)
	}
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Events []callmodel.AuditEvent `json:"events"`
	}{some(events)})
	return nil
}
