package recordinghttp

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/deadletter"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/recording/intake"
)

// timedDesk is a desk each of whose calls has the deadline of the ledger's.
type timedDesk struct {
	d     intake.Desk
	timed *timedLedger
}

func (t *timedDesk) Letter(ctx context.Context, of callmodel.TenantID, id deadletter.ID) (l deadletter.Letter, err error) {
	err = t.timed.ask(ctx, func(ctx context.Context) error {
		l, err = t.d.Letter(ctx, of, id)
		return err
	})
	return l, err
}

func (t *timedDesk) Letters(ctx context.Context, f deadletter.Filter) (list []deadletter.Letter, err error) {
	err = t.timed.ask(ctx, func(ctx context.Context) error {
		list, err = t.d.Letters(ctx, f)
		return err
	})
	return list, err
}

func (t *timedDesk) SettleLetter(ctx context.Context, c deadletter.Settle) (l deadletter.Letter, err error) {
	err = t.timed.ask(ctx, func(ctx context.Context) error {
		l, err = t.d.SettleLetter(ctx, c)
		return err
	})
	return l, err
}

// desk is where dead letters are looked after; ErrNotFound where there are none.
func (h *Handler) desk() (*timedDesk, error) {
	if h.opts.DeadLetters == nil {
		return nil, callmodel.ErrNotFound
	}
	return &timedDesk{d: h.opts.DeadLetters, timed: &h.ledger}, nil
}

func (h *Handler) listLetters(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	q := problem.Values(r)
	var faults callmodel.FieldErrors
	limit, err := problem.Int(r, "limit", defaultPage, 1, maxPage)
	faults.AddAll("", err)
	state := deadletter.State(q.Get("state"))
	if !slices.Contains([]deadletter.State{"", deadletter.Waiting, deadletter.Replayed, deadletter.Discarded}, state) {
		faults.Add("state", "is not one of waiting, replayed, discarded")
	}
	if err := faults.Err(); err != nil {
		return err
	}
	page := deadletter.Page{Letters: []deadletter.Letter{}}
	if desk, err := h.desk(); err == nil {
		if page, err = LetterPage(r.Context(), desk, deadletter.Filter{
			TenantID: p.TenantID, State: state, After: deadletter.ID(q.Get("after")), Limit: limit,
		}); err != nil {
			return err
		}
	}
	problem.WriteJSON(w, http.StatusOK, page)
	return nil
}

// LetterPage is a page of dead letters, without what they say.
func LetterPage(ctx context.Context, desk intake.Desk, f deadletter.Filter) (deadletter.Page, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultPage
	}
	f.Limit = limit + 1 // one more tells whether there is a next page
	letters, err := desk.Letters(ctx, f)
	if err != nil {
		return deadletter.Page{}, err
	}
	page := deadletter.Page{Letters: letters}
	if len(letters) > limit {
		page.Letters, page.Next = letters[:limit], letters[limit-1].ID
	}
	return page, nil
}

// letter runs do on the dead letter that the path names, and answers with what it is
// then. Another tenant's, and one of nobody, is not found, just like none.
func (h *Handler) letter(w http.ResponseWriter, r *http.Request, do func(context.Context, *timedDesk, deadletter.ID) (deadletter.Letter, error)) error {
	desk, err := h.desk()
	if err != nil {
		return err
	}
	l, err := do(r.Context(), desk, deadletter.ID(r.PathValue("letter")))
	if errors.Is(err, callmodel.ErrNotFound) {
		return callmodel.ErrNotFound
	}
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, l)
	return nil
}

func (h *Handler) getLetter(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.letter(w, r, func(ctx context.Context, desk *timedDesk, id deadletter.ID) (deadletter.Letter, error) {
		return desk.Letter(ctx, p.TenantID, id)
	})
}

func (h *Handler) replayLetter(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.letter(w, r, func(ctx context.Context, desk *timedDesk, id deadletter.ID) (deadletter.Letter, error) {
		l, err := h.door.Replay(ctx, &h.ledger, desk, p.TenantID, "", id, p.Subject)
		if err == nil {
			h.opts.JobEnqueued()
		}
		return l, err
	})
}

func (h *Handler) discardLetter(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	return h.letter(w, r, func(ctx context.Context, desk *timedDesk, id deadletter.ID) (deadletter.Letter, error) {
		return desk.SettleLetter(ctx, deadletter.Settle{ID: id, TenantID: p.TenantID, State: deadletter.Discarded, Actor: p.Subject})
	})
}
