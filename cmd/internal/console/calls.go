package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// callsPerPage is how many calls a page lists.
const callsPerPage = 50

// callList is the page of calls.
type callList struct {
	Filter     url.Values // as it stands in the page's address
	Calls      []calls.Call
	Next       string // the address of the next page; "" at the end
	Export     string // what the addresses of the whole list begin with
	Live       string // what follows the list; "" for a list of the past
	States     []calls.State
	Recordings []calls.RecordingState
	Wrong      string // why the filter is none
}

// Get is what the filter says of a field.
func (l *callList) Get(name string) string { return l.Filter.Get(name) }

// filters are the fields of the search, as the API names them.
func filters() []string {
	return []string{"number", "state", "recording", "direction", "trunk", "metadata", "since", "until", "cursor"}
}

// callQuery is what the page's address asks the API for. Empty fields of the form are left
// out, and times of the form, which have no zone, are UTC.
func callQuery(r *http.Request) url.Values {
	q := url.Values{}
	given := r.URL.Query()
	for _, name := range filters() {
		for _, v := range given[name] {
			if v = strings.TrimSpace(v); v != "" {
				q.Add(name, v)
			}
		}
	}
	return q
}

// formTimes are the forms of a datetime-local field (HTML, section 2.3.5.5).
func formTimes() []string {
	return []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly}
}

// asked is the query for the API of that of the page.
func asked(q url.Values) url.Values {
	out := url.Values{"limit": {strconv.Itoa(callsPerPage)}}
	for name, values := range q {
		out[name] = slices.Clone(values)
	}
	for _, name := range []string{"since", "until"} {
		for _, layout := range formTimes() {
			if t, err := time.Parse(layout, out.Get(name)); err == nil {
				out.Set(name, t.UTC().Format(time.RFC3339))
			}
		}
	}
	return out
}

// calls asks the API for the list.
func (c *Console) callsOf(r *http.Request) (*callList, error) {
	q := callQuery(r)
	list := &callList{
		Filter: q, States: []calls.State{calls.Routed, calls.Ringing, calls.Answered, calls.Ended, calls.Failed, calls.Rejected},
		Recordings: calls.RecordingStates(),
	}
	got, err := get[struct {
		Calls []calls.Call `json:"calls"`
		Next  string       `json:"next"`
	}](c, r, "/v1/calls", asked(q))
	if refused, ok := isRefused(err); ok && refused.Status == http.StatusUnprocessableEntity {
		list.Wrong = refused.Error()
		return list, nil
	}
	if err != nil {
		return nil, err
	}
	list.Calls = got.Calls
	if got.Next != "" {
		more := url.Values(http.Header(q).Clone())
		more.Set("cursor", got.Next)
		list.Next = "/calls?" + more.Encode()
	}
	whole := url.Values(http.Header(q).Clone())
	whole.Del("cursor")
	list.Export = "/export/calls?" + whole.Encode()
	if !q.Has("cursor") && !q.Has("until") {
		list.Live = "/live/calls?" + q.Encode()
	}
	return list, nil
}

func (c *Console) listCalls(w http.ResponseWriter, r *http.Request) error {
	list, err := c.callsOf(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, "calls", "Calls", list)
}

// How a list is followed.
const (
	liveEvery   = 2 * time.Second
	liveLongest = 10 * time.Minute // then the browser comes again, with what it may do then
)

// liveCalls sends the rows of the list whenever they change, as server-sent events (HTML,
// section 9.2).
func (c *Console) liveCalls(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), liveLongest)
	defer cancel()
	flow := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a proxy in front must not wait for more
	var last [sha256.Size]byte
	every := time.NewTicker(liveEvery)
	defer every.Stop()
	for first := true; ; first = false {
		list, err := c.callsOf(r.WithContext(ctx))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return err
		case err == nil:
			var b bytes.Buffer
			if err := c.pages["calls"].ExecuteTemplate(&b, "rows", list); err != nil {
				return err
			}
			if sum := sha256.Sum256(b.Bytes()); sum != last {
				last = sum
				if err := sendEvent(w, flow, b.String()); err != nil {
					return nil // the browser is gone
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

// sendEvent sends one, and waits no longer for a browser that doesn't read.
func sendEvent(w http.ResponseWriter, flow *http.ResponseController, data string) error {
	_ = flow.SetWriteDeadline(time.Now().Add(askTimeout)) // not every writer has one
	var b strings.Builder
	for line := range strings.SplitSeq(data, "\n") {
		b.WriteString("data: ")
		b.WriteString(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	if _, err := fmt.Fprint(w, b.String()); err != nil {
		return err
	}
	return flow.Flush()
}

// party is how a number is shown.
func party(p calls.Party) string {
	if p.Number == "" {
		return "withheld"
	}
	return p.Number
}

// callID is the call of the page's path.
func callID(r *http.Request) (string, error) {
	id := r.PathValue("call")
	if !callmodel.ValidID(id) {
		return "", callmodel.Errorf(callmodel.CodeNotFound, "there is no such call")
	}
	return id, nil
}
