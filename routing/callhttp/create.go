package callhttp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing/callservice"
)

func (h *Handler) createCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	body, unread := problem.Body(w, r, maxCallBody)
	var req callservice.Request
	wrong := callmodel.DecodeJSON(body, &req)
	var help callservice.Request
	var ok bool
	if wrong == nil && unread == nil {
		help, ok = h.service.Emergency(p.TenantID, req)
	} else {
		help, ok = h.emergency(p.TenantID, body)
	}
	if !ok && callmodel.CodeOf(unread) == callmodel.CodeTooLarge {
		help, ok = h.emergencyBeyond(p.TenantID, body, r.Body)
	}
	if ok { // it is of whom asks for help, wherever it goes
		key, err := idempotency(r, body)
		if err != nil || unread != nil {
			key = nil // a fault of it is left out
		}
		created := h.service.CreateEmergencyOnce(r.Context(), p.TenantID, help, p.Subject, key)
		return writeCreated(w, &created)
	}
	if h.urgent(r) {
		if wrong != nil {
			req, _ = readable(body)
		}
		key, err := idempotency(r, body)
		if err != nil || unread != nil {
			key = nil
		}
		created, err := h.service.CreateUrgent(r.Context(), h.tenantOf(r.Context(), p, &req), req, p.Subject, key)
		if err != nil {
			return err
		}
		return writeCreated(w, &created)
	}
	// An emergency call is in the body, whatever stands before it.
	if err := problem.Refusal(r.Context()); err != nil {
		return err
	}
	if h.emergencyOnly {
		return callmodel.Errorf(callmodel.CodeMisdirected, "this server takes emergency calls alone; ask one of the low lane")
	}
	door := problem.Door{}
	if err := door.Check(r); err != nil {
		return err
	}
	if unread != nil {
		return unread
	}
	key, err := idempotency(r, body)
	if err != nil {
		return err
	}
	if wrong != nil {
		return h.everyFault(&req, wrong)
	}
	created, err := h.service.Create(r.Context(), h.tenantOf(r.Context(), p, &req), req, p.Subject, key)
	if err != nil {
		return err
	}
	return writeCreated(w, &created)
}

// tenantOf is whose call it is: the principal's, or that of the number that is called, for
// a principal that acts for every tenant.
func (h *Handler) tenantOf(ctx context.Context, p callmodel.Principal, req *callservice.Request) callmodel.TenantID {
	if p.Allows(callmodel.ScopeTenantsEvery) {
		return h.service.TenantOf(ctx, p.TenantID, req)
	}
	return p.TenantID
}

// everyFault is what is wrong with the form of a request, and with what of it could be read.
func (h *Handler) everyFault(req *callservice.Request, wrong error) error {
	var faults callmodel.FieldErrors
	if !errors.As(wrong, &faults) {
		return wrong
	}
	faults.AddAll("", h.service.Check(req))
	return firstOfEachPath(faults).Err()
}

// firstOfEachPath keeps the first fault of each path: a field that couldn't be
// read is not missing besides.
func firstOfEachPath(faults callmodel.FieldErrors) callmodel.FieldErrors {
	seen := make(map[string]bool, len(faults))
	out := faults[:0:0]
	for _, f := range faults {
		if !seen[f.Path] {
			out = append(out, f)
		}
		seen[f.Path] = true
	}
	return out
}

// idempotency is what the request's Idempotency-Key asks for, nil without one.
func idempotency(r *http.Request, body []byte) (*callservice.Idempotency, error) {
	values := r.Header.Values("Idempotency-Key")
	switch len(values) {
	case 0:
		return nil, nil //nolint:nilnil // no key is no fault
	case 1:
		sum := sha256.Sum256(body)
		return &callservice.Idempotency{Key: values[0], RequestSHA256: hex.EncodeToString(sum[:]), Encode: encode}, nil
	default:
		return nil, callmodel.Errorf(callmodel.CodeMalformed, "the Idempotency-Key must be given once, not %d times", len(values))
	}
}

// encode is the answer to a call that was created. It is stored with the call, so
// that the same key gets the same bytes.
func encode(c *callservice.Created) (calls.StoredResponse, error) {
	status, text := http.StatusCreated, []byte(c.JSON)
	var err error
	switch {
	case c.NoRoute != nil:
		p := problem.Of(c.NoRoute)
		p.CallID, p.Explanation = c.Call.ID, location(c.Call.ID)+"/explanation"
		status = p.Status
		text, err = json.Marshal(p)
	case text == nil:
		text, err = json.Marshal(&c.Call)
	}
	if err != nil {
		return calls.StoredResponse{}, callmodel.Errorf(callmodel.CodeInternal, "writing the answer: %w", err)
	}
	body := append(make([]byte, 0, len(text)+1), text...) // the call's own bytes are being stored
	return calls.StoredResponse{StatusCode: status, Body: append(body, '\n')}, nil
}

func location(id callmodel.CallID) string { return "/v1/calls/" + string(id) }

// writeCreated answers with the bytes that are kept for the key, or makes them.
func writeCreated(w http.ResponseWriter, c *callservice.Created) error {
	answer := c.Answer
	if answer == nil {
		made, err := encode(c)
		if err != nil {
			return err
		}
		answer = &made
	}
	h := w.Header()
	if c.Replayed {
		h.Set("Idempotent-Replayed", "true")
	} else {
		h.Set("Location", location(c.Call.ID))
	}
	h.Set("Content-Type", "application/json")
	if answer.StatusCode >= http.StatusBadRequest {
		h.Set("Content-Type", "application/problem+json")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(answer.Body) // the client may be gone
	return nil
}
