package callhttp

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/problem"
)

// createRequest is the body of POST /v1/calls.
type createRequest struct {
	ID        callmodel.CallID  `json:"id,omitempty"` // the caller's own; one is made if it is left out
	From      string            `json:"from"`
	To        string            `json:"to"`
	Region    string            `json:"region,omitempty"` // where the numbers were dialled, ISO 3166-1 alpha-2
	Type      calls.Type        `json:"type,omitempty"`   // "" means voice
	Direction calls.Direction   `json:"direction,omitempty"`
	Priority  int               `json:"priority,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Trunk     string            `json:"trunk,omitempty"` // the id of the trunk that it came in by
	// Capabilities is what the call offers: codecs and other tags.
	Capabilities []string                   `json:"capabilities,omitempty"`
	Recording    *calls.RecordingPreference `json:"recording,omitempty"`
	Host         string                     `json:"host,omitempty"` // the telephone server that carries the call
}

func (h *Handler) createCall(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	body, err := problem.Body(w, r, maxCallBody)
	if err != nil {
		return err
	}
	if req, ok := h.emergency(body); ok {
		return h.createEmergency(w, r, p, req)
	}
	return h.inLane(func(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
		return h.createNormal(w, r, p, body)
	})(w, r, p)
}

func (h *Handler) createNormal(w http.ResponseWriter, r *http.Request, p callmodel.Principal, body []byte) error {
	key, err := idempotencyKey(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if key != "" {
		end, ok := h.keys.begin(string(p.TenantID) + "/" + key)
		if !ok {
			return callmodel.Errorf(callmodel.CodeInFlight, "a request with this Idempotency-Key is being answered; ask again for its answer")
		}
		defer end()
		stored, err := h.stores.Replay(r.Context(), p.TenantID, key, hash)
		if err != nil {
			return err
		}
		if stored != nil {
			replay(w, stored)
			return nil
		}
	}
	call, err := h.newCall(body, p)
	if err != nil {
		return err
	}
	n := calls.NewCall{Actor: p.Subject, IdempotencyKey: key, RequestSHA256: hash}
	place, noRoute, err := h.route(r.Context(), &call)
	if err != nil {
		return err
	}
	defer func() { place.settle() }()
	n.Call = call
	if n.StatusCode, n.Response, err = answer(&call, noRoute); err != nil {
		return err
	}
	first, err := h.stores.CreateCall(r.Context(), n)
	if err != nil {
		return err
	}
	if first == nil {
		place.taken = true
		first = &calls.StoredResponse{StatusCode: n.StatusCode, Body: n.Response}
		w.Header().Set("Location", "/v1/calls/"+string(call.ID))
	}
	replay(w, first)
	return nil
}

// answer is the response to a call that was routed, or was not because of
// noRoute. It is stored with the call, so that the same key gets the same bytes.
func answer(call *calls.Call, noRoute error) (int, []byte, error) {
	status, v := http.StatusCreated, any(call)
	if noRoute != nil {
		p := problem.Of(noRoute)
		p.CallID, p.Explanation = call.ID, "/v1/calls/"+string(call.ID)+"/explanation"
		status, v = p.Status, p
	}
	b, err := json.Marshal(v)
	if err != nil {
		return 0, nil, callmodel.Errorf(callmodel.CodeInternal, "writing the answer: %w", err)
	}
	return status, append(b, '\n'), nil
}

func replay(w http.ResponseWriter, s *calls.StoredResponse) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if s.StatusCode >= http.StatusBadRequest {
		h.Set("Content-Type", "application/problem+json")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(s.StatusCode)
	_, _ = w.Write(s.Body) //nolint:gosec // JSON, and said to be; the client may be gone
}

const maxIdempotencyKey = 255

func idempotencyKey(r *http.Request) (string, error) {
	values := r.Header.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	bad := len(values) > 1 || key == "" || len(key) > maxIdempotencyKey
	for i := range len(key) {
		bad = bad || key[i] < '!' || key[i] > '~'
	}
	if bad {
		return "", callmodel.Errorf(callmodel.CodeMalformed, "the Idempotency-Key must be given once, as 1 to %d printable characters without spaces", maxIdempotencyKey)
	}
	return key, nil
}

// Anonymous is the caller's number of a call whose caller withheld it. No rule's
// caller condition holds for it.
const Anonymous = calls.AnonymousCaller

// caller is the party that calls. The number of one that withholds it is [Anonymous].
func (h *Handler) caller(faults *callmodel.FieldErrors, raw, region string) calls.Party {
	if normalize.Withheld(raw) {
		return calls.Party{Number: Anonymous, Raw: raw}
	}
	return h.number(faults, "from", raw, region)
}

// newCall is the call that the body asks for, normalised but not routed.
func (h *Handler) newCall(body []byte, p callmodel.Principal) (calls.Call, error) {
	var req createRequest
	var faults callmodel.FieldErrors
	if err := callmodel.DecodeJSON(body, &req); err != nil && !errors.As(err, &faults) {
		return calls.Call{}, err
	}
	region := h.region(&faults, req.Region)
	from := h.caller(&faults, req.From, region)
	to := h.number(&faults, "to", req.To, region)
	call := calls.Call{
		ID: req.ID, TenantID: p.TenantID, Type: cmp.Or(req.Type, calls.TypeVoice), Direction: req.Direction, Priority: req.Priority,
		From: from, To: to, Metadata: req.Metadata, Recording: req.Recording, Host: req.Host, CreatedAt: h.opts.Now().UTC(),
		Trunk: req.Trunk, Capabilities: req.Capabilities,
	}
	cr := call.Request(call.CreatedAt)
	cr.CallID = "" // checked below, under the name it has here
	var more callmodel.FieldErrors
	if err := cr.Validate(); errors.As(err, &more) {
		faults = append(faults, more...)
	}
	if req.ID != "" && !callmodel.ValidID(string(req.ID)) {
		faults.Add("id", "must be 1 to %d letters, digits, '.', '_' or '-', start with a letter or digit, and hold no \"..\"", callmodel.MaxIDLen)
	}
	if req.Host != "" && !callmodel.ValidID(req.Host) {
		faults.Add("host", "must be 1 to %d letters, digits, '.', '_' or '-', start with a letter or digit, and hold no \"..\"", callmodel.MaxIDLen)
	}
	if rec := req.Recording; rec != nil {
		var wrong callmodel.FieldErrors
		if !errors.As(rec.Validate(), &wrong) && len(rec.Outputs) > 0 {
			_ = errors.As(h.opts.CheckOutputs(rec.Outputs), &wrong)
		}
		faults.AddAll("recording", wrong)
	}
	if err := unique(faults).Err(); err != nil {
		return calls.Call{}, err
	}
	call.ID = cmp.Or(call.ID, h.newCallID())
	return call, nil
}

// unique keeps the first fault of each path: a field that couldn't be read is
// not missing besides.
func unique(faults callmodel.FieldErrors) callmodel.FieldErrors {
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

// region is the one that was given, or the default.
func (h *Handler) region(faults *callmodel.FieldErrors, given string) string {
	if given == "" || normalize.ValidRegion(given) {
		return cmp.Or(given, h.opts.DefaultRegion)
	}
	faults.Add("region", "is not a known ISO 3166-1 code; give two capital letters, like \"DE\"")
	return h.opts.DefaultRegion
}

func (h *Handler) number(faults *callmodel.FieldErrors, field, raw, region string) calls.Party {
	if raw == "" {
		faults.Add(field, "is missing; give a telephone number")
		return calls.Party{}
	}
	n, err := normalize.Parse(raw, region)
	if err != nil {
		faults.Add(field, "%s", err)
		return calls.Party{}
	}
	return party(n.Value, raw)
}

func party(number, raw string) calls.Party {
	if number == raw {
		raw = ""
	}
	return calls.Party{Number: number, Raw: raw}
}
