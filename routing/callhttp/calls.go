package callhttp

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// link says of each recording of the call where its audio is.
func (h *Handler) link(c *calls.Call) {
	if h.linkTo == nil {
		return
	}
	for i := range c.Recordings {
		if r := &c.Recordings[i]; r.URL != "" {
			r.Link = h.linkTo(r.JobID)
		}
	}
}

func (h *Handler) getCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	call, err := h.service.Call(r.Context(), p.TenantID, callmodel.CallID(r.PathValue("id")))
	if err != nil {
		return err
	}
	h.link(&call)
	problem.WriteJSON(w, http.StatusOK, call)
	return nil
}

// callParameters are those of the list of calls.
func callParameters() []string {
	return []string{
		"state", "number", "region", "direction", "trunk", "metadata*", "recording", "idempotency_key",
		"since", "until", "cursor", "limit",
	}
}

// callTypes are the media types of the list of calls: pages, and streams of all of it.
func callTypes() []string { return []string{problem.JSON, ndjson, csvType} }

// callStates are the states to list by, "" for any.
func callStates() []calls.State {
	return []calls.State{
		"", calls.Routed, calls.Ringing, calls.Answered,
		calls.Ended, calls.Failed, calls.Rejected,
	}
}

// plus mends a number in a query whose plus was not escaped, and so came as a space.
func plus(number string) string {
	if rest, ok := strings.CutPrefix(number, " "); ok {
		return "+" + rest
	}
	return number
}

// callFilter is the filter that the query asks for, without a limit.
func (h *Handler) callFilter(r *http.Request, t callmodel.TenantID, faults *callmodel.FieldErrors) calls.Filter {
	q := problem.Values(r)
	f := calls.Filter{
		State: calls.State(q.Get("state")), Number: plus(q.Get("number")), Direction: calls.Direction(q.Get("direction")),
		Trunk: q.Get("trunk"), Recording: calls.RecordingState(q.Get("recording")), IdempotencyKey: q.Get("idempotency_key"),
		Before: q.Get("cursor"), Metadata: pairs(faults, q["metadata"]),
	}
	if !slices.Contains(callStates(), f.State) {
		faults.Add("state", "is not one of routed, ringing, answered, ended, failed, rejected")
	}
	if f.Recording != "" && !slices.Contains(calls.RecordingStates(), f.Recording) {
		faults.Add("recording", "is not one of none, missing, pending, completed, degraded, absent, quarantined")
	}
	like := calls.Request{TenantID: "any", Type: calls.TypeVoice, Direction: f.Direction, Trunk: f.Trunk, Metadata: f.Metadata}
	addFaults(faults, like.Validate()) // what no call can have
	var err error
	f.Since, err = problem.Time(r, "since", time.Time{})
	addFaults(faults, err)
	f.Until, err = problem.Time(r, "until", time.Time{})
	addFaults(faults, err)
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		faults.Add("until", "is not behind since")
	}
	if f.Number != "" {
		number, err := h.service.Normalize(t, f.Number, q.Get("region"))
		addFaults(faults, err)
		f.Number = number.Number
	}
	return f
}

// listCalls answers with a page of calls, or streams all of them.
func (h *Handler) listCalls(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var faults callmodel.FieldErrors
	f := h.callFilter(r, p.TenantID, &faults)
	kind := problem.Preferred(r, callTypes())
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	switch {
	case kind == problem.JSON:
		addFaults(&faults, err)
	case problem.Values(r).Has("limit"):
		faults.Add("limit", "is for pages, and %s is never cut; bound it by since and until", kind)
	}
	f.Limit = limit
	if err := faults.Err(); err != nil {
		return err
	}
	if kind != problem.JSON {
		return cursorFault(h.streamCalls(w, r, p.TenantID, f, kind))
	}
	page, err := h.service.Calls(r.Context(), p.TenantID, f)
	if err != nil {
		return cursorFault(err)
	}
	for i := range page.Calls {
		h.link(&page.Calls[i])
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Calls []calls.Call `json:"calls"`
		Next  string       `json:"next,omitempty"`
	}{some(page.Calls), page.Next})
	return nil
}

// cursorFault gives the faults of a cursor its name in this API.
func cursorFault(err error) error {
	if faults, ok := errors.AsType[callmodel.FieldErrors](err); ok {
		return renamed(faults, "before", "cursor")
	}
	return err
}

// metadataText is the pairs as one text, in order.
func metadataText(m map[string]string) string {
	var b strings.Builder
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(key + "=" + m[key])
	}
	return b.String()
}
