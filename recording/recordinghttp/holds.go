package recordinghttp

import (
	"context"
	"net/http"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/retention"
)

// Keeper is where legal holds are kept, and what is left of recordings that were deleted.
// *calldb.DB and *memdb.Store are keepers: every one passes storetest.Retention. A method
// sees one tenant's alone; another's is ErrNotFound, just like none.
type Keeper interface {
	// PlaceHold keeps a new hold, with an audit line. An invalid one is refused with
	// FieldErrors.
	PlaceHold(ctx context.Context, h retention.Hold, actor string) (retention.Hold, error)
	// Hold is one; ErrNotFound.
	Hold(ctx context.Context, t callmodel.TenantID, id retention.HoldID) (retention.Hold, error)
	// Holds lists them in the order in which they were placed.
	Holds(ctx context.Context, f retention.HoldFilter) ([]retention.Hold, error)
	// LiftHold ends a hold, with an audit line. FieldErrors without a reason, CodeConflict
	// for one that was lifted already.
	LiftHold(ctx context.Context, l retention.Lift) (retention.Hold, error)
	// HeldBy and Erasures are lifecycle.ErasureLedger's.
	HeldBy(ctx context.Context, r retention.Recording) (*retention.HeldError, error)
	Erasures(ctx context.Context, t callmodel.TenantID, id callmodel.RecordingID) ([]retention.Erasure, error)
}

// keeper is where holds are; ErrNotFound where there is none.
func (h *Handler) keeper() (Keeper, error) {
	if h.opts.Keeper == nil {
		return nil, callmodel.ErrNotFound
	}
	return h.opts.Keeper, nil
}

// kept runs do on the keeper, within the ledger's time.
func kept[T any](h *Handler, r *http.Request, do func(context.Context, Keeper) (T, error)) (v T, err error) {
	k, err := h.keeper()
	if err != nil {
		return v, err
	}
	err = h.ledger.ask(r.Context(), func(ctx context.Context) error {
		v, err = do(ctx, k)
		return err
	})
	return v, err
}

// HoldPage is a part of the tenant's holds.
type HoldPage struct {
	Holds []retention.Hold `json:"holds"`
	Next  retention.HoldID `json:"next,omitempty"` // the "after" of the next page
}

// holdRequest is the body of POST /v1/holds.
type holdRequest struct {
	Scope   retention.HoldScope `json:"scope"`
	Subject string              `json:"subject,omitempty"`
	Reason  string              `json:"reason"`
}

func (q *holdRequest) hold() retention.Hold {
	return retention.Hold{Scope: q.Scope, Subject: q.Subject, Reason: q.Reason}
}

// Validate implements what callmodel.DecodeJSON calls.
func (q *holdRequest) Validate() error {
	h := q.hold()
	return h.Validate()
}

func (h *Handler) placeHold(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q holdRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	hold := q.hold()
	hold.TenantID = p.TenantID
	placed, err := kept(h, r, func(ctx context.Context, k Keeper) (retention.Hold, error) { return k.PlaceHold(ctx, hold, p.Subject) })
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/v1/holds/"+string(placed.ID))
	problem.WriteJSON(w, http.StatusCreated, placed)
	return nil
}

func (h *Handler) listHolds(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := problem.Values(r)
	var faults callmodel.FieldErrors
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	faults.AddAll("", err)
	if lifted := q.Get("lifted"); !slices.Contains([]string{"", "true", "false"}, lifted) {
		faults.Add("lifted", "is neither true nor false")
	}
	f := retention.HoldFilter{
		TenantID: p.TenantID, Scope: retention.HoldScope(q.Get("scope")), Subject: q.Get("subject"), Lifted: q.Get("lifted") == "true",
		After: retention.HoldID(q.Get("after")), Limit: limit + 1, // one more tells whether there is a next page
	}
	faults.AddAll("", f.Validate())
	if err := faults.Err(); err != nil {
		return err
	}
	page := HoldPage{Holds: []retention.Hold{}}
	if h.opts.Keeper != nil {
		if page.Holds, err = kept(h, r, func(ctx context.Context, k Keeper) ([]retention.Hold, error) { return k.Holds(ctx, f) }); err != nil {
			return err
		}
	}
	if len(page.Holds) > limit {
		page.Holds, page.Next = page.Holds[:limit], page.Holds[limit-1].ID
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

func (h *Handler) getHold(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	hold, err := kept(h, r, func(ctx context.Context, k Keeper) (retention.Hold, error) {
		return k.Hold(ctx, p.TenantID, retention.HoldID(r.PathValue("hold")))
	})
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, hold)
	return nil
}

// reasonRequest is the body of what needs a reason and nothing else.
type reasonRequest struct {
	Reason string `json:"reason"`
}

// Validate implements what callmodel.DecodeJSON calls.
func (q *reasonRequest) Validate() error {
	var faults callmodel.FieldErrors
	retention.CheckReason(&faults, "reason", q.Reason)
	return faults.Err()
}

func (h *Handler) liftHold(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q reasonRequest
	if err := problem.Decode(w, r, maxReasonBody, &q); err != nil {
		return err
	}
	lifted, err := kept(h, r, func(ctx context.Context, k Keeper) (retention.Hold, error) {
		return k.LiftHold(ctx, retention.Lift{TenantID: p.TenantID, ID: retention.HoldID(r.PathValue("hold")), Actor: p.Subject, Reason: q.Reason})
	})
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, lifted)
	return nil
}
