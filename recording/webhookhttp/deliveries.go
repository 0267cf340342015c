package webhookhttp

import (
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/webhooks"
)

// DeliveryPage is a part of a list.
type DeliveryPage struct {
	Deliveries []webhooks.Delivery `json:"deliveries"`
	Next       int64               `json:"next,omitempty"` // the "after" of the next page
}

func (h *Handler) deliveries(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var faults callmodel.FieldErrors
	fault := func(err error) {
		if err != nil {
			faults.AddAll("", err)
		}
	}
	f := webhooks.DeliveryFilter{TenantID: p.TenantID, EndpointID: r.PathValue("id")}
	var err error
	f.Limit, err = problem.Int(r, "limit", 100, 1, 1000)
	fault(err)
	f.From, err = problem.Time(r, "from", time.Time{})
	fault(err)
	f.To, err = problem.Time(r, "to", time.Time{})
	fault(err)
	if q := problem.Values(r); q.Has("after") {
		if f.After, err = strconv.ParseInt(q.Get("after"), 10, 64); err != nil || f.After < 0 || f.After > math.MaxInt64/2+1 {
			faults.Add("after", "is not the id of a delivery; give the next of the page before")
		}
	}
	if q := problem.Values(r); q.Has("state") {
		switch f.State = webhooks.DeliveryState(q.Get("state")); f.State {
		case webhooks.Waiting, webhooks.Delivered, webhooks.Failed:
		default:
			faults.Add("state", "is not one of %s, %s, %s", webhooks.Waiting, webhooks.Delivered, webhooks.Failed)
		}
	}
	if err := faults.Err(); err != nil {
		return err
	}
	page := DeliveryPage{}
	if page.Deliveries, err = h.store.WebhookDeliveries(r.Context(), f); err != nil {
		return err
	}
	if n := len(page.Deliveries); n == f.Limit {
		page.Next = page.Deliveries[n-1].ID
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// replaying is the body of POST /v1/webhooks/{id}/replay.
type replaying struct {
	IDs    []int64                  `json:"ids,omitempty"`
	States []webhooks.DeliveryState `json:"states,omitempty"`
	From   time.Time                `json:"from,omitzero"`
	To     time.Time                `json:"to,omitzero"`
	After  int64                    `json:"after,omitempty"`
}

// Replayed is what a replay has done.
type Replayed struct {
	Replayed int `json:"replayed"`
	// Next is set if as many were as are at once: the "after" to go on with.
	Next int64 `json:"next,omitempty"`
}

func (h *Handler) replay(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var in replaying
	if err := problem.Decode(w, r, maxBody, &in); err != nil {
		return err
	}
	if in.After < 0 {
		return callmodel.FieldErrors{{Path: "after", Message: "is not the id of a delivery; give the next of the replay before"}}
	}
	done, err := h.store.ReplayWebhook(r.Context(), webhooks.Replay{
		TenantID: p.TenantID, EndpointID: r.PathValue("id"), IDs: in.IDs, States: in.States, From: in.From, To: in.To, After: in.After, Actor: p.Subject,
	})
	if err != nil {
		return err
	}
	out := Replayed{Replayed: done.Count}
	if done.Count == webhooks.MaxReplay {
		out.Next = done.Last
	}
	problem.WriteJSON(w, http.StatusOK, out)
	return nil
}
