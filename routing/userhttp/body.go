package userhttp

import (
	"cmp"
	"context"
	"errors"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
	"github.com/switchtape/switchtape/callmodel/users"
)

// userBody is a user as a body has it: decoding completes it, so that all of its faults
// are reported at once. What the store sets is read and left out.
type userBody struct {
	users.User

	complete func(*users.User) error
}

// Validate implements what callmodel.DecodeJSON asks for.
func (b *userBody) Validate() error { return b.complete(&b.User) }

// decodeUser reads the user of that id, whose numbers are written in the region if it
// doesn't say another.
func decodeUser(body []byte, t callmodel.TenantID, id users.ID, region string) (users.User, error) {
	b := userBody{complete: func(u *users.User) error {
		var e callmodel.FieldErrors
		if u.TenantID != "" && u.TenantID != t {
			e.Add("tenant_id", "is another than the request's; leave it out")
		}
		if id != "" && u.ID != "" && u.ID != id {
			e.Add("id", "is another than the path's; leave it out")
		}
		u.TenantID, u.ID, u.Revision = t, cmp.Or(id, u.ID), users.Revision{}
		if r := u.Preferences.Region; r != "" && !normalize.ValidRegion(r) {
			e.Add("preferences.region", "%.8q is not a known ISO 3166-1 code; give two capital letters, like \"DE\"", r)
		} else {
			normalizeNumbers(u, cmp.Or(r, region))
		}
		e.AddAll("", u.Validate())
		return firstOfEachPath(e).Err()
	}}
	err := callmodel.DecodeJSON(body, &b)
	return b.User, err
}

// normalizeNumbers brings the numbers that can be read into E.164. The others are left
// as they are, for Validate.
func normalizeNumbers(u *users.User, region string) {
	list := []*string{&u.Numbers.Mobile}
	for i := range u.Numbers.DIDs {
		list = append(list, &u.Numbers.DIDs[i])
	}
	if !normalize.Withheld(u.Preferences.CallerID) {
		list = append(list, &u.Preferences.CallerID)
	}
	for i := range u.Preferences.Forwarding {
		if to := &u.Preferences.Forwarding[i].To; !e164.Short(*to) {
			list = append(list, to)
		}
	}
	for _, s := range list {
		if n, err := normalize.Parse(*s, region); err == nil && e164.Valid(n.Value) && n.PostDial == "" && n.Params == "" && plainNumber(*s) {
			*s = n.Value
		}
	}
}

// plainNumber reports whether s is a number as people write it, and no URI.
func plainNumber(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == ':' || c == '@' {
			return false
		}
	}
	return s != ""
}

// regionOf is where the tenant's numbers are written.
func (h *Handler) regionOf(ctx context.Context, t callmodel.TenantID) (string, error) {
	tenant, err := h.store.Tenant(ctx, t)
	if err != nil && !errors.Is(err, callmodel.ErrNotFound) {
		return "", err
	}
	return cmp.Or(tenant.Defaults.Region, h.opts.DefaultRegion), nil
}

// tenantBody is userBody for tenants.
type tenantBody struct {
	users.Tenant

	complete func(*users.Tenant) error
}

// Validate implements what callmodel.DecodeJSON asks for.
func (b *tenantBody) Validate() error { return b.complete(&b.Tenant) }

func (h *Handler) decodeTenant(body []byte, id callmodel.TenantID) (users.Tenant, error) {
	b := tenantBody{complete: func(t *users.Tenant) error {
		var e callmodel.FieldErrors
		if t.ID != "" && t.ID != id {
			e.Add("id", "is another than the path's; leave it out")
		}
		t.ID, t.Revision = id, users.Revision{}
		if r := t.Defaults.Region; r != "" && !normalize.ValidRegion(r) {
			e.Add("defaults.region", "%.8q is not a known ISO 3166-1 code; give two capital letters, like \"DE\"", r)
		}
		e.AddAll("", t.Validate())
		if rec := t.Defaults.Recording; rec != nil && len(rec.Outputs) > 0 && rec.Validate() == nil {
			e.AddAll("defaults.recording", h.opts.CheckOutputs(rec.Outputs))
		}
		return firstOfEachPath(e).Err()
	}}
	err := callmodel.DecodeJSON(body, &b)
	return b.Tenant, err
}

// firstOfEachPath keeps the first fault of each path.
func firstOfEachPath(faults callmodel.FieldErrors) callmodel.FieldErrors {
	seen := make(map[string]bool, len(faults))
	out := faults[:0:0]
	for _, f := range faults {
		if !seen[f.Path] {
			out = append(out, f)
		}
		seen[f.Path] = true
	}
	return out
}
