package callservice

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/callmodel/tracing"
)

// Created is the answer to a request for a call.
type Created struct {
	// Call is the call as it was stored, its decision in it.
	Call calls.Call
	// JSON is Call as JSON, as it was stored. Nil of an emergency call and of one that is
	// replayed.
	JSON json.RawMessage
	// NoRoute says why the call was rejected: a CodeNoRoute error. Nil for a call
	// that has somewhere to go.
	NoRoute error
	// Replayed says that the idempotency key was used before with this request,
	// and that nothing was stored. Call is as it stands now then; with an Encode
	// it is empty: the answer says it all.
	Replayed bool
	// Answer is what Idempotency.Encode made of the first answer. Nil without one.
	Answer *calls.StoredResponse
}

// Idempotency makes a request repeatable: the first answer is kept with the
// call, and given again to the same key from every process on the same stores.
// An error keeps nothing: its key is free.
type Idempotency struct {
	// Key is the caller's own, 1 to 255 printable ASCII characters without spaces.
	Key string
	// RequestSHA256 tells requests apart that use the same key: the hash, in hex,
	// of what they were made from. "": of the Request.
	RequestSHA256 string
	// Encode writes the answer in the form that is kept, for callers that have to
	// give the same bytes again. Nil: Create finds the call by its key.
	Encode func(c *Created) (calls.StoredResponse, error)
}

// Create routes a call and stores it. A call that no rule takes is stored as
// rejected: see Created.NoRoute. An emergency call is recognised, and goes to
// [Service.CreateEmergency] whatever else is wrong with it.
//
// Errors are FieldErrors with every fault of the request, CodeConflict for an id
// that is taken, CodeNoCapacity when every destination is full, CodeOverloaded
// when the lane is, CodeUnavailable when the stores are, and with a key
// CodeInFlight and CodeIdempotencyMismatch. key may be nil.
func (s *Service) Create(ctx context.Context, t callmodel.TenantID, req Request, actor string, key *Idempotency) (Created, error) {
	if help, ok := s.Emergency(t, req); ok {
		return s.CreateEmergencyOnce(ctx, t, help, actor, key), nil
	}
	urgency := urgencyCreate + min(max(req.Priority, 0), calls.MaxPriority)
	return inLane(ctx, s, turn{t, urgency}, s.opts.RequestTimeout, func(ctx context.Context) (Created, error) {
		if key == nil {
			return s.create(ctx, t, &req, actor, nil)
		}
		return s.createOnce(ctx, t, &req, actor, *key)
	})
}

// createOnce is create, unless the key was used before.
func (s *Service) createOnce(ctx context.Context, t callmodel.TenantID, req *Request, actor string, key Idempotency) (Created, error) {
	if err := checkKey(key.Key); err != nil {
		return Created{}, err
	}
	if err := key.hash(req); err != nil {
		return Created{}, err
	}
	end, ok := s.keys.begin(t, key.Key)
	if !ok {
		return Created{}, callmodel.Errorf(callmodel.CodeInFlight, "a request with this idempotency key is being answered; ask again for its answer")
	}
	defer end()
	if made, known, err := s.waitingAnswer(t, &key); known || err != nil {
		return made, err
	}
	// A key that is new, as most are, is not looked up: the stores find one that isn't as
	// they store the call. Other services are not asked for a call that has its answer.
	asks := s.opts.Decider != nil || s.opts.Settings != nil
	if asks {
		first, err := s.replay(ctx, t, &key)
		if err != nil {
			return Created{}, err
		}
		if first != nil {
			return s.replayed(ctx, t, &key, first)
		}
	}
	made, err := s.create(ctx, t, req, actor, &key)
	if err == nil || asks || callmodel.CodeOf(err) == callmodel.CodeUnavailable {
		return made, err
	}
	// What is in its way now was not, if the key has an answer.
	first, looked := s.replay(ctx, t, &key)
	switch {
	case first != nil:
		return s.replayed(ctx, t, &key, first)
	case callmodel.CodeOf(looked) == callmodel.CodeIdempotencyMismatch:
		return Created{}, looked
	}
	return Created{}, err
}

// create routes and stores the call, with the answer to its key if it has one.
func (s *Service) create(ctx context.Context, t callmodel.TenantID, req *Request, actor string, key *Idempotency) (Created, error) {
	call, err := s.newCall(t, req)
	if err != nil {
		return Created{}, err
	}
	if call.ID == "" {
		call.ID = s.newCallID()
	}
	place, noRoute, err := s.route(ctx, &call)
	if err != nil {
		return Created{}, err
	}
	defer func() { place.holdIfStored() }()
	text, err := json.Marshal(&call)
	if err != nil {
		return Created{}, callmodel.Errorf(callmodel.CodeInternal, "writing the call: %w", err)
	}
	made := Created{Call: call, JSON: text, NoRoute: noRoute}
	n := calls.NewCall{Call: call, Actor: actor, JSON: text}
	if key != nil {
		answer, err := key.encode(&made)
		if err != nil {
			return Created{}, err
		}
		n.IdempotencyKey, n.RequestSHA256, n.StatusCode, n.Response = key.Key, key.RequestSHA256, answer.StatusCode, answer.Body
		if key.Encode != nil {
			made.Answer = &answer
		}
	}
	storing, span := tracing.Start(ctx, s.opts.Tracer, storeCall)
	first, err := s.keep(storing, &n)
	span.End(err)
	if err != nil {
		return Created{}, err
	}
	if first != nil { // another process was faster with this key
		return s.replayed(ctx, t, key, first)
	}
	place.stored = true
	return made, nil
}

// storedStatus goes with answers that no Encode made: it is HTTP's for a thing
// that was created, so that a key that is used again over HTTP has an answer.
const storedStatus = 201

// encode is the answer in the form that is kept.
func (k *Idempotency) encode(c *Created) (calls.StoredResponse, error) {
	if k.Encode != nil {
		return k.Encode(c)
	}
	b := []byte(c.JSON)
	if b == nil {
		var err error
		if b, err = json.Marshal(&c.Call); err != nil {
			return calls.StoredResponse{}, callmodel.Errorf(callmodel.CodeInternal, "writing the answer: %w", err)
		}
	}
	return calls.StoredResponse{StatusCode: storedStatus, Body: withNewline(b)}, nil
}

// withNewline is the JSON with the end of a line behind it, in memory of its own.
func withNewline(text []byte) []byte {
	return append(append(make([]byte, 0, len(text)+1), text...), '\n')
}

// replayed is the answer to a key that was used before. Without an Encode the
// call is looked up by the id that every kept answer holds.
func (s *Service) replayed(ctx context.Context, t callmodel.TenantID, key *Idempotency, first *calls.StoredResponse) (Created, error) {
	if key.Encode != nil {
		return Created{Replayed: true, Answer: first}, nil
	}
	var kept struct {
		ID     callmodel.CallID `json:"id"`
		CallID callmodel.CallID `json:"call_id"` // of an answer over HTTP to a call that was rejected
	}
	if err := json.Unmarshal(first.Body, &kept); err != nil {
		return Created{}, callmodel.Errorf(callmodel.CodeInternal, "reading the answer that is kept for the key: %w", err)
	}
	call, err := s.stores.Call(ctx, t, cmp.Or(kept.ID, kept.CallID))
	if err != nil {
		return Created{}, err
	}
	made := Created{Call: call, Replayed: true}
	if call.State == calls.Rejected {
		made.NoRoute = callmodel.Errorf(callmodel.CodeNoRoute, "the call was rejected when it was created")
	}
	return made, nil
}

// hash sets RequestSHA256 if it isn't set.
func (k *Idempotency) hash(req *Request) error {
	if k.RequestSHA256 != "" {
		return nil
	}
	b, err := json.Marshal(req)
	if err != nil {
		return callmodel.Errorf(callmodel.CodeInternal, "hashing the request: %w", err)
	}
	sum := sha256.Sum256(b)
	k.RequestSHA256 = hex.EncodeToString(sum[:])
	return nil
}

const maxIdempotencyKey = 255

func checkKey(key string) error {
	bad := key == "" || len(key) > maxIdempotencyKey
	for i := range len(key) {
		bad = bad || key[i] < '!' || key[i] > '~'
	}
	if bad {
		return callmodel.Errorf(callmodel.CodeMalformed, "the idempotency key must be 1 to %d printable ASCII characters without spaces", maxIdempotencyKey)
	}
	return nil
}

// keysInUse are the idempotency keys of the requests that this process works on.
type keysInUse struct{ keys sync.Map }

// begin claims a key of a tenant; ok is false if it is claimed.
func (k *keysInUse) begin(t callmodel.TenantID, key string) (end func(), ok bool) {
	name := [2]string{string(t), key}
	if _, taken := k.keys.LoadOrStore(name, true); taken {
		return nil, false
	}
	return func() { k.keys.Delete(name) }, true
}
