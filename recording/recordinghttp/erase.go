package recordinghttp

import (
	"context"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/callmodel/retention"
	"github.com/switchtape/switchtape/recording/erasure"
)

// erase enqueues the job that deletes the recording.
func (h *Handler) erase(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q reasonRequest
	return h.order(w, r, p, &q, func(j *ledger.Job) (ledger.Request, error) { return erasure.Job(j, q.Reason, p.Subject) })
}

// redactRequest is the body of POST …/redact.
type redactRequest struct {
	reasonRequest

	Redactions []record.Redaction `json:"redactions"`
}

// redact enqueues the job that redacts the recording.
func (h *Handler) redact(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	var q redactRequest
	return h.order(w, r, p, &q, func(j *ledger.Job) (ledger.Request, error) {
		order, err := erasure.RedactionJob(j, q.Redactions, q.Reason, p.Subject)
		if err == nil {
			err = erasure.CheckRedaction(r.Context(), asked{h, r}, j, q.Redactions)
		}
		return order, err
	})
}

// order reads q and enqueues the job that make makes of the recording's, unless that is held
// or gone.
func (h *Handler) order(w http.ResponseWriter, r *http.Request, p callmodel.Principal, q any, order func(*ledger.Job) (ledger.Request, error)) error {
	if _, err := h.keeper(); err != nil {
		return err
	}
	job, err := h.own(r, p)
	if err != nil {
		return err
	}
	if err := problem.Decode(w, r, maxOrderBody, q); err != nil {
		return err
	}
	if err := h.gone(r, &job); err != nil {
		return err
	}
	req, err := order(&job)
	if err != nil {
		return err
	}
	held, err := kept(h, r, func(ctx context.Context, k Keeper) (*retention.HeldError, error) {
		return k.HeldBy(ctx, retention.Recording{TenantID: job.TenantID, CallID: job.CallID, RecordingID: callmodel.RecordingID(job.Key)})
	})
	if err != nil {
		return err
	}
	if held != nil {
		return held
	}
	id, created, err := h.ledger.Enqueue(r.Context(), req)
	if err != nil {
		return err
	}
	if created {
		h.opts.JobEnqueued()
	}
	w.Header().Set("Location", "/v1/jobs/"+string(id))
	problem.WriteJSON(w, http.StatusAccepted, accepted{JobID: id, Kind: req.Kind, Key: req.Key, Created: created})
	return nil
}

// maxOrderBody bounds the body of a redaction, in bytes.
const maxOrderBody = 1 << 20

// gone is an error of CodeGone that says when and why, if the recording was deleted, or what
// the job has made was deleted with its recording.
func (h *Handler) gone(r *http.Request, job *ledger.Job) error {
	return erasure.Gone(r.Context(), asked{h, r}, job)
}

// erasures are the deletions of the recording, without the names of legs' files.
func (h *Handler) erasures(r *http.Request, job *ledger.Job) ([]retention.Erasure, error) {
	list, err := kept(h, r, func(ctx context.Context, k Keeper) ([]retention.Erasure, error) {
		return k.Erasures(ctx, job.TenantID, callmodel.RecordingID(job.Key))
	})
	for i := range list {
		for k := range list[i].Legs {
			list[i].Legs[k].URIs, list[i].Legs[k].Below = nil, ""
		}
	}
	return list, err
}

// asked is what package erasure asks of the ledger, each within its time.
type asked struct {
	h *Handler
	r *http.Request
}

func (a asked) Jobs(ctx context.Context, f ledger.Filter) ([]ledger.Job, error) {
	return a.h.ledger.Jobs(ctx, f)
}

func (a asked) Erasures(_ context.Context, t callmodel.TenantID, id callmodel.RecordingID) ([]retention.Erasure, error) {
	if a.h.opts.Keeper == nil {
		return nil, nil
	}
	return kept(a.h, a.r, func(ctx context.Context, k Keeper) ([]retention.Erasure, error) { return k.Erasures(ctx, t, id) })
}

// listErasures shows what was deleted of a recording, and what is asked for and isn't done.
func (h *Handler) listErasures(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	job, err := h.own(r, p)
	if err != nil {
		return err
	}
	list := []retention.Erasure{}
	if h.opts.Keeper != nil {
		found, err := h.erasures(r, &job)
		if err != nil {
			return err
		}
		list = append(list, found...)
	}
	orders, err := erasure.Orders(r.Context(), asked{h, r}, &job)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Erasures []retention.Erasure `json:"erasures"`
		Orders   []erasure.Order     `json:"orders"`
	}{list, orders})
	return nil
}
