package console

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"

	"github.com/switchtape/switchtape/callmodel/calls"
)

// stampOf is another one once the call's page would show something else: where it stands,
// whom it is tried at, and what there is of its recordings.
func stampOf(call *calls.Call) string {
	h := sha256.New()
	fmt.Fprintln(h, call.State, call.Attempt, call.AnsweredAt.UnixNano(), call.EndedAt.UnixNano())
	for i := range call.Recordings {
		rec := &call.Recordings[i]
		fmt.Fprintln(h, rec.JobID, rec.State, rec.Status, rec.FinishedAt.UnixNano(), len(rec.Outputs))
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// newsOf is where the call's page asks whether there is something new; "" where nothing is
// to be expected.
func newsOf(call *calls.Call) string {
	waits := !call.State.Final() || call.State == calls.Ended && call.Recording != nil && call.Recording.Enabled && len(call.Recordings) == 0
	for i := range call.Recordings {
		waits = waits || call.Recordings[i].State == string(calls.RecordingPending)
	}
	if !waits {
		return ""
	}
	return "/live/calls/" + url.PathEscape(string(call.ID)) + "?seen=" + stampOf(call)
}

// callNews says that there is something new of a call, and nothing (204) until then. The
// page isn't changed by itself: somebody may be listening, or filling in a form.
func (c *Console) callNews(w http.ResponseWriter, r *http.Request) error {
	id, err := callID(r)
	if err != nil {
		return err
	}
	call, err := get[calls.Call](c, r, "/v1/calls/"+id, nil)
	if err != nil {
		return err
	}
	if stampOf(&call) == r.URL.Query().Get("seen") {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.write(w, r, http.StatusOK, "call", "news", &call)
}
