package console

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// How much of a list is exported.
const (
	exportedAtOnce = 500              // calls
	exportedAtMost = 100_000          // calls
	exportLongest  = 10 * time.Minute // then it ends as if there were more
)

// exportCalls sends the calls of the search that the page shows, newest first, as
// comma-separated values (RFC 4180) or as a line of JSON each, in the API's form. They are
// sent as they are found. A list that isn't whole says so in its last line.
func (c *Console) exportCalls(w http.ResponseWriter, r *http.Request) error {
	q := callQuery(r)
	q.Del("cursor")
	format, rows := "csv", rowWriter(newCSV)
	switch given := r.URL.Query().Get("format"); given {
	case "", "csv":
	case "jsonl":
		format, rows = given, newLines
	default:
		return callmodel.FieldErrors{{Path: "format", Message: "is neither csv nor jsonl"}}
	}
	ctx, cancel := context.WithTimeout(r.Context(), exportLongest)
	defer cancel()
	r = r.WithContext(ctx)
	page, err := c.callsPage(r, q) // refused before a byte is sent
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", map[string]string{"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/x-ndjson"}[format])
	w.Header().Set("Content-Disposition", `attachment; filename="calls-`+c.opts.Now().UTC().Format("20060102T150405Z")+"."+format+`"`)
	flow := http.NewResponseController(w)
	body := bufio.NewWriter(w)
	out := rows(body)
	for sent := 0; ; {
		for i := range page.Calls {
			if sent == exportedAtMost {
				break
			}
			if err := out.row(&page.Calls[i]); err != nil {
				return nil // the browser is gone
			}
			sent++
		}
		why := ""
		switch {
		case page.Next == "":
		case sent == exportedAtMost:
			why = fmt.Sprintf("there are more than %d calls: search for less", exportedAtMost)
		case ctx.Err() != nil:
			why = "it took too long: search for less"
		default:
			_ = flow.SetWriteDeadline(time.Now().Add(askTimeout)) // not every writer has one
			if errors.Join(out.flush(), body.Flush(), flow.Flush()) != nil {
				return nil
			}
			q.Set("cursor", page.Next)
			if page, err = c.callsPage(r, q); err == nil {
				continue
			}
			why = "the rest could not be read: " + err.Error()
		}
		if why != "" {
			_ = out.cut(why)
		}
		_ = errors.Join(out.flush(), body.Flush())
		return nil
	}
}

// exported are some calls, and where the next ones are.
type exported struct {
	Calls []calls.Call `json:"calls"`
	Next  string       `json:"next"`
}

func (c *Console) callsPage(r *http.Request, q url.Values) (*exported, error) {
	asks := asked(q)
	asks.Set("limit", strconv.Itoa(exportedAtOnce))
	page, err := get[exported](c, r, "/v1/calls", asks)
	return &page, err
}

// rowWriter makes a writer of calls.
type rowWriter func(w io.Writer) callWriter

type callWriter interface {
	row(c *calls.Call) error
	cut(why string) error // the list ends here, and isn't whole
	flush() error
}

// lines are calls as JSON.
type lines struct{ *json.Encoder }

func newLines(w io.Writer) callWriter { return lines{json.NewEncoder(w)} }

func (l lines) row(c *calls.Call) error { return l.Encode(c) }
func (l lines) cut(why string) error    { return l.Encode(map[string]string{"cut": why}) }
func (l lines) flush() error            { return nil }

// table are calls as rows.
type table struct{ *csv.Writer }

func newCSV(w io.Writer) callWriter {
	t := table{csv.NewWriter(w)}
	t.UseCRLF = true
	_ = t.Write([]string{ // kept by the writer until it is asked for its error
		"id", "created_at", "state", "direction", "type", "from", "to", "trunk", "host", "answered_at", "ended_at",
		"destination", "cause", "recording", "recording_url", "metadata",
	})
	return t
}

func (t table) flush() error { t.Flush(); return t.Error() }

func (t table) cut(why string) error { return t.Write([]string{"cut: " + why}) }

func (t table) row(c *calls.Call) error {
	destination := ""
	if d := c.Decision; d != nil && c.Attempt >= 0 && c.Attempt < len(d.Destinations) && !c.AnsweredAt.IsZero() {
		destination = d.Destinations[c.Attempt].ID
	}
	var states, urls []string
	for i := range c.Recordings {
		states = append(states, c.Recordings[i].State)
		if at := c.Recordings[i].URL; at != "" {
			urls = append(urls, at)
		}
	}
	metadata := ""
	if len(c.Metadata) > 0 {
		metadata = asJSON(c.Metadata)
	}
	row := []string{
		string(c.ID), stamp(c.CreatedAt), string(c.State), string(c.Direction), string(c.Type), c.From.Number, c.To.Number, c.Trunk, c.Host,
		stamp(c.AnsweredAt), stamp(c.EndedAt), destination, causeText(c.Cause), strings.Join(states, " "), strings.Join(urls, " "), metadata,
	}
	for i := range row {
		row[i] = harmless(row[i])
	}
	return t.Write(row)
}

// stamp is a time for programs; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// number is a telephone number as it was normalised, which programs are to find as it is.
var number = regexp.MustCompile(`^\+[0-9]{1,15}$`)

// harmless is the text as spreadsheets take it for text: what callers and telephone servers
// sent may begin like a formula. A number does, too, and comes to the same number.
func harmless(text string) string {
	if text == "" || number.MatchString(text) || !strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return text
	}
	return "'" + text
}
