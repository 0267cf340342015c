package userhttp

import (
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/users"
)

func userID(r *http.Request) users.ID { return users.ID(r.PathValue("id")) }

func (h *Handler) getUser(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	u, err := h.store.User(ctx, t, userID(r))
	if err != nil {
		return err
	}
	if !notModified(w, r, u.ETag()) {
		write(w, http.StatusOK, u.Revision, u)
	}
	return nil
}

func (h *Handler) putUser(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	pre, refusal, err := onPut(r)
	if err != nil {
		return err
	}
	body, err := problem.Body(w, r, maxBody)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	region, err := h.regionOf(ctx, t)
	if err != nil {
		return err
	}
	u, err := decodeUser(body, t, userID(r), region)
	if err != nil {
		return err
	}
	u, made, err := h.store.PutUser(ctx, u, users.Write{Actor: p.Subject, If: pre})
	if err != nil {
		return refusal(err)
	}
	write(w, created(w, "/v1/users/"+string(u.ID), made), u.Revision, u)
	return nil
}

func (h *Handler) patchUser(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	pre, err := required(r)
	if err != nil {
		return err
	}
	patch, err := problem.Body(w, r, maxBody)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	region, err := h.regionOf(ctx, t)
	if err != nil {
		return err
	}
	u, err := patched(pre, func() (users.User, error) { return h.store.User(ctx, t, userID(r)) }, func(now users.User) (users.User, error) {
		if err := pre.Check(now.Version); err != nil {
			return now, err
		}
		body, err := merge(now, patch)
		if err != nil {
			return now, err
		}
		next, err := decodeUser(body, t, userID(r), region)
		if err != nil {
			return now, err
		}
		stored, _, err := h.store.PutUser(ctx, next, users.Write{Actor: p.Subject, If: users.Precondition(now.Version)})
		return stored, err
	})
	if err != nil {
		return err
	}
	write(w, http.StatusOK, u.Revision, u)
	return nil
}

// maxRaces bounds how often a patch of whatever is there is made anew because somebody
// else wrote meanwhile.
const maxRaces = 10

// patched reads the document and puts what a patch makes of it.
func patched[T any](pre users.Precondition, read func() (T, error), put func(T) (T, error)) (T, error) {
	for race := 0; ; race++ {
		now, err := read()
		if err != nil {
			return now, err
		}
		after, err := put(now)
		if callmodel.CodeOf(err) != callmodel.CodePrecondition || pre != users.IfPresent || race >= maxRaces {
			return after, err
		}
	}
}

func (h *Handler) deleteUser(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	pre, err := required(r)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	if err := h.store.DeleteUser(ctx, t, userID(r), users.Write{Actor: p.Subject, If: pre}); err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, deleted{userID(r), true})
	return nil
}

// deleted is the answer of a deletion.
type deleted struct {
	ID      users.ID `json:"id"`
	Deleted bool     `json:"deleted"`
}

func (h *Handler) listUsers(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	var faults callmodel.FieldErrors
	q := problem.Values(r)
	limit, err := problem.Int(r, "limit", usualPage, 1, maxPage)
	faults.AddAll("", err)
	f := users.Filter{TenantID: t, Number: plus(q.Get("number")), Limit: limit, After: q.Get("cursor")}
	region := q.Get("region")
	if region != "" && !normalize.ValidRegion(region) {
		faults.Add("region", "is not a known ISO 3166-1 code; give two capital letters, like \"DE\"")
	}
	if err := faults.Err(); err != nil {
		return err
	}
	if f.Number != "" && !e164.Short(f.Number) {
		if region == "" {
			if region, err = h.regionOf(ctx, t); err != nil {
				return err
			}
		}
		n, err := normalize.Parse(f.Number, region)
		if err != nil {
			faults.Add("number", "%s", err)
			return faults
		}
		f.Number = n.Value
	}
	page, err := h.store.Users(ctx, f)
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Users []users.User `json:"users"`
		Next  string       `json:"next,omitempty"`
	}{page.Items, page.Next})
	return nil
}

// plus mends a number in a query whose plus was not escaped, and so came as a space.
func plus(number string) string {
	if number != "" && number[0] == ' ' {
		return "+" + number[1:]
	}
	return number
}

func (h *Handler) userVersions(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	t, err := tenantOf(r, p)
	if err != nil {
		return err
	}
	before, limit, err := history(r)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	list, err := h.store.UserVersions(ctx, t, userID(r), before, limit)
	if err != nil {
		return err
	}
	writeVersions(w, list, limit)
	return nil
}
