package callhttp

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

// sosURN is where an emergency call goes that names no number (RFC 5031 section 4.2).
const sosURN = "urn:service:sos"

// emergency recognises an emergency call in a body that may be wrong in every
// other way: by its number or by its type.
func (h *Handler) emergency(body []byte) (createRequest, bool) {
	req, to := forgiving(body)
	for _, number := range to {
		for _, region := range []string{strings.ToUpper(req.Region), h.opts.DefaultRegion, ""} {
			if n, err := normalize.Parse(number, region); err == nil && n.Emergency {
				req.To = number
				return req, true
			}
		}
	}
	if strings.EqualFold(string(req.Type), string(calls.TypeEmergency)) {
		req.To = cmp.Or(req.To, sosURN)
		return req, true
	}
	return req, false
}

// forgiving reads what can be read of a body, up to where it stops being JSON.
// to is every callee that it names, should it name several.
func forgiving(body []byte) (req createRequest, to []string) {
	dec := json.NewDecoder(bytes.NewReader(body))
	if tok, err := dec.Token(); err != nil || tok != json.Delim('{') {
		return req, nil
	}
	for dec.More() {
		tok, err := dec.Token()
		key, isString := tok.(string)
		var val json.RawMessage
		if err != nil || !isString || dec.Decode(&val) != nil {
			return req, to
		}
		switch strings.ToLower(key) {
		case "to":
			req.To = cmp.Or(text(val), req.To)
			to = append(to, text(val))
		case "from":
			req.From = text(val)
		case "id":
			req.ID = callmodel.CallID(text(val))
		case "region":
			req.Region = text(val)
		case "type":
			req.Type = calls.Type(text(val))
		case "direction":
			req.Direction = calls.Direction(text(val))
		case "host":
			req.Host = text(val)
		case "trunk":
			req.Trunk = text(val)
		case "capabilities":
			if json.Unmarshal(val, &req.Capabilities) != nil {
				req.Capabilities = nil
			}
		case "metadata":
			if json.Unmarshal(val, &req.Metadata) != nil {
				req.Metadata = nil
			}
		case "recording":
			if json.Unmarshal(val, &req.Recording) != nil {
				req.Recording = nil
			}
		}
	}
	return req, to
}

// text is a JSON string's value; a number is taken as it is written.
func text(val json.RawMessage) string {
	var s string
	var n json.Number
	switch {
	case json.Unmarshal(val, &s) == nil:
		return s
	case json.Unmarshal(val, &n) == nil:
		return n.String()
	}
	return ""
}

// createEmergency answers an emergency call. Nothing of it can be refused: what
// is wrong is left out, and what can't be stored now is stored later.
func (h *Handler) createEmergency(w http.ResponseWriter, r *http.Request, p callmodel.Principal, req createRequest) error {
	call := h.emergencyCall(p, req)
	h.routeEmergency(r.Context(), &call)
	stored, err := h.storeEmergency(r.Context(), calls.NewCall{Call: call, Actor: p.Subject})
	if err != nil {
		return err
	}
	h.holdEmergency(&stored.Call)
	w.Header().Set("Location", "/v1/calls/"+string(stored.Call.ID))
	replay(w, &calls.StoredResponse{StatusCode: stored.StatusCode, Body: stored.Response})
	return nil
}

// emergencyCall is the call without what is wrong in it.
func (h *Handler) emergencyCall(p callmodel.Principal, req createRequest) calls.Call {
	call := calls.Call{
		ID: req.ID, TenantID: p.TenantID, State: calls.Routed, Type: calls.TypeEmergency,
		Priority: calls.MaxPriority, To: h.emergencyParty(req.To, req.Region), From: h.emergencyParty(req.From, req.Region),
		Emergency: true, Recording: req.Recording, CreatedAt: h.opts.Now().UTC(),
	}
	if rec := call.Recording; rec != nil &&
		(rec.Validate() != nil || len(rec.Outputs) > 0 && h.opts.CheckOutputs(rec.Outputs) != nil) {
		call.Recording = &calls.RecordingPreference{Enabled: rec.Enabled} // as the platform does by default
	}
	if callmodel.ValidID(req.Host) {
		call.Host = req.Host
	}
	valid := calls.Request{TenantID: p.TenantID, Type: call.Type}
	valid.Direction = req.Direction
	if valid.Validate() == nil {
		call.Direction = req.Direction
	}
	valid.Direction, valid.Metadata = "", req.Metadata
	if valid.Validate() == nil {
		call.Metadata = req.Metadata
	}
	valid.Metadata, valid.Trunk = nil, req.Trunk
	if valid.Validate() == nil {
		call.Trunk = req.Trunk
	}
	valid.Trunk, valid.Capabilities = "", req.Capabilities
	if valid.Validate() == nil {
		call.Capabilities = req.Capabilities
	}
	if !callmodel.ValidID(string(call.ID)) {
		call.ID = h.newCallID()
	}
	return call
}

// maxRawNumber bounds what is kept of a number that can't be read, in bytes.
const maxRawNumber = 128

// emergencyParty is the number as far as it can be made out.
func (h *Handler) emergencyParty(raw, region string) calls.Party {
	for _, region := range []string{strings.ToUpper(region), h.opts.DefaultRegion, ""} {
		if n, err := normalize.Parse(raw, region); err == nil {
			return party(n.Value, raw)
		}
	}
	return calls.Party{Number: strings.ToValidUTF8(raw[:min(len(raw), maxRawNumber)], "")}
}

// routeEmergency takes the rules in memory, else the configured destinations.
// The rules of a tenant that was not seen before are waited for, within the
// budget.
func (h *Handler) routeEmergency(ctx context.Context, call *calls.Call) {
	if !h.rules.ready(call.TenantID) {
		_ = h.within(ctx, func(ctx context.Context) error { return h.rules.prepare(ctx, call.TenantID) })
	}
	if router := h.rules.inMemory(call.TenantID); router != nil {
		req := call.Request(call.CreatedAt)
		if d, err := router.Route(&req); err == nil {
			call.Decision = &d
			h.opts.Decided(&d, nil)
			return
		}
	}
	d := calls.Decision{Source: calls.SourceEmergency, Destinations: []calls.Destination{}}
	for _, dest := range h.opts.EmergencyDestinations {
		dest.Number = cmp.Or(dest.Number, call.To.Number)
		d.Destinations = append(d.Destinations, dest)
	}
	if len(d.Destinations) == 0 {
		h.opts.Logger.ErrorContext(ctx, "an emergency call has no destination: no rule takes it and none is configured",
			"tenant", call.TenantID, "call", call.ID, "to", call.To.Number)
	}
	call.Decision = &d
	h.opts.Decided(&d, nil)
}
