package recordinghttp

import (
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
	"github.com/switchtape/switchtape/recording/internal/plays"
)

// listened leaves an audit line that the principal listens to the output, once a play:
// the requests for its ranges are one. way is how it gets the audio. Who can't be noted
// doesn't listen. A waveform and an analysis hold nothing that could be listened to.
func (h *Handler) listened(r *http.Request, p callmodel.Principal, job *ledger.Job, out *record.OutputResult, way string) error {
	if r.Method == http.MethodHead || !out.Codec.Audio() {
		return nil
	}
	of := plays.Play{Tenant: p.TenantID, Subject: p.Subject, Key: out.Key}
	now := h.opts.Now()
	if h.plays.GoesOn(of, now) {
		return nil
	}
	detail := map[string]string{
		"call_id": string(job.CallID), "recording_id": job.Key, "codec": string(out.Codec), "object": out.Key, "way": way,
	}
	if job.Kind != record.Kind {
		delete(detail, "recording_id")
		detail["kind"], detail["key"] = job.Kind, job.Key
	}
	if out.Name != "" {
		detail["output"] = out.Name
	}
	if ranges := r.Header.Get("Range"); ranges != "" {
		detail["range"] = ranges[:min(len(ranges), 100)]
	}
	err := h.ledger.Audit(r.Context(), callmodel.AuditEvent{
		TenantID: p.TenantID, Actor: p.Subject, Action: callmodel.AuditListened, Subject: string(job.ID), Detail: detail,
	})
	if err == nil {
		h.plays.Began(of, now)
	}
	return err
}
