package recordinghttp

import (
	"net/http"
	"sync"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/ledger"
	"github.com/switchtape/switchtape/callmodel/record"
)

const (
	// playGap is how long after a request for a recording the next one of the same
	// principal is of the same play: players ask for a recording in ranges.
	playGap  = 10 * time.Minute
	maxPlays = 4096 // remembered
)

// plays tells which requests for audio are of a play that the audit log has a line of.
type plays struct {
	mu   sync.Mutex
	seen map[play]time.Time // when it was asked for last
}

// play is somebody who listens to something.
type play struct {
	tenant       callmodel.TenantID
	subject, key string // who, and the object
}

// goesOn reports whether the play goes on.
func (p *plays) goesOn(of play, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := p.seen[of]
	if ok = ok && now.Sub(at) < playGap; ok {
		p.seen[of] = now
	}
	return ok
}

// began notes that the audit log has the play.
func (p *plays) began(of play, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil {
		p.seen = map[play]time.Time{}
	}
	if len(p.seen) >= maxPlays {
		for other, at := range p.seen {
			if now.Sub(at) >= playGap {
				delete(p.seen, other)
			}
		}
		if len(p.seen) >= maxPlays {
			clear(p.seen) // those that go on have another line
		}
	}
	p.seen[of] = now
}

// listened leaves an audit line that the principal listens to the output, once a play:
// the requests for its ranges are one. way is how it gets the audio. Who can't be noted
// doesn't listen.
func (h *Handler) listened(r *http.Request, p callmodel.Principal, job *ledger.Job, out *record.OutputResult, way string) error {
	if r.Method == http.MethodHead {
		return nil
	}
	of := play{p.TenantID, p.Subject, out.Key}
	now := h.opts.Now()
	if h.plays.goesOn(of, now) {
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
		h.plays.began(of, now)
	}
	return err
}
