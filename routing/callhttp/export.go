package callhttp

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// Media types of streams of calls.
const (
	ndjson  = "application/x-ndjson"
	csvType = "text/csv"
)

// exportStall is how long a client may take for a page. As long as it takes them an
// export goes on, however long the server otherwise lets an answer take.
const exportStall = time.Minute

// callWriter writes calls in a format.
type callWriter interface {
	begin() error
	write(c *calls.Call) error
	flush() error
}

// streamCalls answers with every call of the filter, a page at a time: what it takes of
// memory doesn't depend on how many there are. A fault before the first page is an
// answer of its own; after it the answer is broken off, so that nobody takes a part for
// the whole.
func (h *Handler) streamCalls(w http.ResponseWriter, r *http.Request, t callmodel.TenantID, f calls.Filter, kind string) error {
	var out callWriter = &jsonLines{json.NewEncoder(w)}
	if kind == csvType {
		out = &csvRecords{w: csv.NewWriter(w)}
	}
	control := http.NewResponseController(w)
	begun := false
	err := h.service.EveryCall(r.Context(), t, f, func(page []calls.Call) error {
		_ = control.SetWriteDeadline(time.Now().Add(exportStall)) //nolint:forbidigo // of a socket; else the server's own holds
		if !begun {
			begun = true
			head := w.Header()
			head.Set("Content-Type", kind)
			head.Set("Cache-Control", "no-store")
			head.Set("X-Content-Type-Options", "nosniff")
			w.WriteHeader(http.StatusOK)
			if err := out.begin(); err != nil {
				return err
			}
		}
		for i := range page {
			h.link(&page[i])
			if err := out.write(&page[i]); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		_ = control.Flush() // a writer that can't sends it later
		return r.Context().Err()
	})
	if err == nil || !begun {
		return err
	}
	if h.log != nil && r.Context().Err() == nil {
		h.log.ErrorContext(r.Context(), "an export of calls was broken off", "tenant", t, "error", err)
	}
	// Nothing can be written any more, not even the end: the connection, or the stream
	// of HTTP/2, is closed as it is.
	_ = control.SetWriteDeadline(time.Unix(1, 0))
	_, _ = io.WriteString(w, "\n")
	_ = control.Flush()
	return nil
}

// jsonLines are calls as JSON, each on a line of its own.
type jsonLines struct{ *json.Encoder }

func (*jsonLines) begin() error                { return nil }
func (j *jsonLines) write(c *calls.Call) error { return j.Encode(c) }
func (*jsonLines) flush() error                { return nil }

// csvColumns are the columns of calls as CSV (RFC 4180), in order. New ones are added
// at the end.
func csvColumns() []string {
	return []string{
		"id", "state", "type", "direction", "from", "to", "trunk", "priority", "emergency",
		"created_at", "ringing_at", "answered_at", "ended_at", "talk_ms", "cause_sip", "cause_q850", "cause",
		"rule", "destination", "host", "recording_state", "recording_job", "recording_link", "recording_ms", "metadata",
	}
}

// csvRecords are calls as CSV.
type csvRecords struct{ w *csv.Writer }

func (c *csvRecords) begin() error { return c.w.Write(csvColumns()) }

func (c *csvRecords) flush() error {
	c.w.Flush()
	return c.w.Error()
}

func (c *csvRecords) write(call *calls.Call) error {
	var cause calls.Cause
	if call.Cause != nil {
		cause = *call.Cause
	}
	rule, destination := "", ""
	if d := call.Decision; d != nil {
		rule = d.Rule
		if call.Attempt >= 0 && call.Attempt < len(d.Destinations) {
			destination = d.Destinations[call.Attempt].ID
		}
	}
	talk := ""
	if !call.AnsweredAt.IsZero() && !call.EndedAt.IsZero() {
		talk = strconv.FormatInt(call.EndedAt.Sub(call.AnsweredAt).Milliseconds(), 10)
	}
	recording := [4]string{string(calls.RecordingNone)}
	if len(call.Recordings) > 0 {
		r := &call.Recordings[0]
		recording = [4]string{r.State, string(r.JobID), r.Link, strconv.FormatInt(r.Duration.Milliseconds(), 10)}
	} else if (&calls.Filter{Recording: calls.RecordingMissing}).Matches(call) {
		recording[0] = string(calls.RecordingMissing)
	}
	return c.w.Write([]string{
		string(call.ID), string(call.State), string(call.Type), string(call.Direction), call.From.Number, call.To.Number, call.Trunk,
		strconv.Itoa(call.Priority), strconv.FormatBool(call.Emergency),
		csvTime(call.CreatedAt), csvTime(call.RingingAt), csvTime(call.AnsweredAt), csvTime(call.EndedAt), talk,
		csvNumber(cause.SIP), csvNumber(cause.Q850), cause.Text,
		rule, destination, call.Host, recording[0], recording[1], recording[2], recording[3], metadataText(call.Metadata),
	})
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func csvNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}
