package userhttp

import (
	"errors"
	"net/http"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/problem"
	"github.com/switchtape/switchtape/callmodel/users"
)

func (h *Handler) getTenant(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	id, err := thisTenant(r, p)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	t, err := h.store.Tenant(ctx, id)
	if err != nil {
		return err
	}
	if !notModified(w, r, t.ETag()) {
		write(w, http.StatusOK, t.Revision, t)
	}
	return nil
}

func (h *Handler) putTenant(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	id, err := thisTenant(r, p)
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
	t, err := h.decodeTenant(body, id)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	t, made, err := h.store.PutTenant(ctx, t, users.Write{Actor: p.Subject, If: pre})
	if err != nil {
		return refusal(err)
	}
	write(w, created(w, "/v1/tenants/"+string(t.ID), made), t.Revision, t)
	return nil
}

func (h *Handler) patchTenant(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	id, err := thisTenant(r, p)
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
	t, err := patched(pre, func() (users.Tenant, error) { return h.store.Tenant(ctx, id) }, func(now users.Tenant) (users.Tenant, error) {
		if err := pre.Check(now.Version); err != nil {
			return now, err
		}
		body, err := merge(now, patch)
		if err != nil {
			return now, err
		}
		next, err := h.decodeTenant(body, id)
		if err != nil {
			return now, err
		}
		stored, _, err := h.store.PutTenant(ctx, next, users.Write{Actor: p.Subject, If: users.Precondition(now.Version)})
		return stored, err
	})
	if err != nil {
		return err
	}
	write(w, http.StatusOK, t.Revision, t)
	return nil
}

func (h *Handler) deleteTenant(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	id, err := thisTenant(r, p)
	if err != nil {
		return err
	}
	pre, err := required(r)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	if err := h.store.DeleteTenant(ctx, id, users.Write{Actor: p.Subject, If: pre}); err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, deleted{users.ID(id), true})
	return nil
}

// listTenants lists the principal's own tenant, if it has a document, or all.
func (h *Handler) listTenants(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	limit, err := problem.Int(r, "limit", usualPage, 1, maxPage)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	cursor := problem.Values(r).Get("cursor")
	page := users.Page[users.Tenant]{Items: []users.Tenant{}}
	if p.Allows(callmodel.ScopeTenantsEvery) {
		page, err = h.store.Tenants(ctx, cursor, limit)
	} else if cursor != "" {
		err = callmodel.FieldErrors{{Path: "cursor", Message: "is not a cursor of this list, which has one page"}}
	} else if own, ownErr := h.store.Tenant(ctx, p.TenantID); ownErr == nil {
		page.Items = append(page.Items, own)
	} else if !errors.Is(ownErr, callmodel.ErrNotFound) {
		err = ownErr
	}
	if err != nil {
		return err
	}
	problem.WriteJSON(w, http.StatusOK, struct {
		Tenants []users.Tenant `json:"tenants"`
		Next    string         `json:"next,omitempty"`
	}{page.Items, page.Next})
	return nil
}

func (h *Handler) tenantVersions(w http.ResponseWriter, r *http.Request, p callmodel.Principal) error {
	id, err := thisTenant(r, p)
	if err != nil {
		return err
	}
	before, limit, err := history(r)
	if err != nil {
		return err
	}
	ctx, cancel := h.within(r)
	defer cancel()
	list, err := h.store.TenantVersions(ctx, id, before, limit)
	if err != nil {
		return err
	}
	writeVersions(w, list, limit)
	return nil
}
