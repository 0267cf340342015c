package callhttp

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/routing/callservice"
)

func (h *Handler) createCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	body, err := problem.Body(w, r, maxCallBody)
	if err != nil {
		return err
	}
	if req, ok := h.emergency(body); ok {
		return writeCreated(w, &callservice.Created{Call: h.service.CreateEmergency(r.Context(), p.TenantID, req, p.Subject)})
	}
	key, err := idempotency(r, body)
	if err != nil {
		return err
	}
	req, err := h.decodeRequest(body)
	if err != nil {
		return err
	}
	created, err := h.service.Create(r.Context(), p.TenantID, req, p.Subject, key)
	if err != nil {
		return err
	}
	return writeCreated(w, &created)
}

// decodeRequest reads the body with every fault of its form and its content.
func (h *Handler) decodeRequest(body []byte) (callservice.Request, error) {
	var req callservice.Request
	var faults callmodel.FieldErrors
	err := callmodel.DecodeJSON(body, &req)
	if err == nil || !errors.As(err, &faults) {
		return req, err
	}
	faults.AddAll("", h.service.Check(&req))
	return req, firstOfEachPath(faults).Err()
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
	status, v := http.StatusCreated, any(&c.Call)
	if c.NoRoute != nil {
		p := problem.Of(c.NoRoute)
		p.CallID, p.Explanation = c.Call.ID, location(c.Call.ID)+"/explanation"
		status, v = p.Status, p
	}
	b, err := json.Marshal(v)
	if err != nil {
		return calls.StoredResponse{}, callmodel.Errorf(callmodel.CodeInternal, "writing the answer: %w", err)
	}
	return calls.StoredResponse{StatusCode: status, Body: append(b, '\n')}, nil
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
	if !c.Replayed {
		h.Set("Location", location(c.Call.ID))
	}
	h.Set("Content-Type", "application/json")
	if answer.StatusCode >= http.StatusBadRequest {
		h.Set("Content-Type", "application/problem+json")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(answer.Body) //nolint:gosec // JSON, and said to be; the client may be gone
	return nil
}

// emergency finds an emergency call in a body that may be wrong in every other
// way. If the body names several callees, one that is an emergency number counts.
func (h *Handler) emergency(body []byte) (callservice.Request, bool) {
	req, to := readable(body)
	for _, number := range to {
		byNumber := req
		byNumber.To, byNumber.Type = number, ""
		if help, ok := h.service.Emergency(byNumber); ok {
			return help, true
		}
	}
	if req.Type == "" {
		return req, false
	}
	return h.service.Emergency(req)
}

// readable is what can be read of a body, up to where it stops being JSON. to is
// every callee that it names, should it name several.
func readable(body []byte) (req callservice.Request, to []string) {
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
