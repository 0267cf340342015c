package console

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/switchtape/switchtape/callmodel/deadletter"
)

// letterList is the page of dead letters.
type letterList struct {
	State   string
	States  []deadletter.State
	Letters []deadletter.Letter
	Next    string // the address of the next page; "" at the end
}

func (c *Console) listLetters(w http.ResponseWriter, r *http.Request) error {
	states := []deadletter.State{deadletter.Waiting, deadletter.Replayed, deadletter.Discarded}
	given := r.URL.Query()
	list := &letterList{State: string(deadletter.Waiting), States: states}
	if given.Has("state") {
		list.State = given.Get("state")
	}
	if !slices.Contains(states, deadletter.State(list.State)) {
		list.State = ""
	}
	q := url.Values{"state": {list.State}, "limit": {strconv.Itoa(callsPerPage)}}
	if after := given.Get("after"); after != "" {
		q.Set("after", after)
	}
	got, err := get[deadletter.Page](c, r, "/v1/dead-letters", q)
	if err != nil {
		return err
	}
	list.Letters = got.Letters
	if got.Next != "" {
		list.Next = "/jobs/dead-letters?" + url.Values{"state": {list.State}, "after": {string(got.Next)}}.Encode()
	}
	return c.show(w, r, http.StatusOK, "letters", "Dead letters", list)
}

// letterPage is the page of a dead letter.
type letterPage struct {
	deadletter.Letter
	Body string // as text, or in base64
}

func letterPath(r *http.Request) string {
	return "/v1/dead-letters/" + url.PathEscape(r.PathValue("letter"))
}

func (c *Console) showLetter(w http.ResponseWriter, r *http.Request) error {
	l, err := get[deadletter.Letter](c, r, letterPath(r), nil)
	if err != nil {
		return err
	}
	view := &letterPage{Letter: l, Body: indented([]byte(l.Text))}
	if len(l.Base64) > 0 {
		view.Body = base64.StdEncoding.EncodeToString(l.Base64)
	}
	return c.show(w, r, http.StatusOK, "letter", "Dead letter", view)
}

// settleLetter has the API do something with the letter, and says what it came to.
func (c *Console) settleLetter(w http.ResponseWriter, r *http.Request, what, text string) error {
	if _, err := post[deadletter.Letter](c, r, letterPath(r)+"/"+what, nil); err != nil {
		return err
	}
	setFlash(w, r, text)
	c.redirect(w, r, "/jobs/dead-letters/"+url.PathEscape(r.PathValue("letter")))
	return nil
}

func (c *Console) replayLetter(w http.ResponseWriter, r *http.Request) error {
	return c.settleLetter(w, r, "replay", "The message was taken: its job is below.")
}

func (c *Console) discardLetter(w http.ResponseWriter, r *http.Request) error {
	return c.settleLetter(w, r, "discard", "The message is let go. If it is delivered again, it doesn't come back here.")
}
