package service

import (
	"errors"
	"fmt"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
)

// LegOptions say which legs are whose.
type LegOptions struct {
	LegsOf []string `help:"In which directory below the place of the legs a tenant's legs are, on one telephone server (TENANT@HOST=DIR) or on all; a job can't name others. TENANT * is every tenant, {tenant} in DIR its name, and DIR . the whole place; may be repeated. Default: *={tenant} if there are API keys of more than one tenant, else *=." placeholder:"T[@HOST]=DIR" sep:"none"`
}

// everyone stands for every tenant.
const everyone = "*"

// wholePlace is the directory in which all legs are.
const wholePlace = "."

// holder is whose legs a directory holds, on a host ("" for all).
type holder struct {
	tenant callmodel.TenantID
	host   string
}

// legDirs are the directories of the tenants' legs.
type legDirs struct {
	dirs    map[holder]string
	tenants func() int // how many there are
}

// legDirs reads the options. tenants tells how many tenants there are now.
func (o *LegOptions) legDirs(tenants func() int) (*legDirs, error) {
	d := &legDirs{dirs: make(map[holder]string, len(o.LegsOf)), tenants: tenants}
	var faults []error
	for _, s := range o.LegsOf {
		who, dir, ok := strings.Cut(s, "=")
		tenant, host, onHost := strings.Cut(who, "@")
		h := holder{callmodel.TenantID(tenant), host}
		switch why := callmodel.ValidateRelativePath(inDir(dir, "tenant")); {
		case !ok:
			faults = append(faults, fmt.Errorf("%q is not TENANT=DIR or TENANT@HOST=DIR", s))
		case tenant != everyone && !callmodel.ValidID(tenant):
			faults = append(faults, fmt.Errorf("%q: %q is not a tenant id; * is every tenant", s, tenant))
		case onHost && !callmodel.ValidID(host):
			faults = append(faults, fmt.Errorf("%q: %q is not a host's name", s, host))
		case dir != wholePlace && why != nil:
			faults = append(faults, fmt.Errorf("%q: the directory %w", s, why))
		case d.dirs[h] != "":
			faults = append(faults, fmt.Errorf("%q: %s has a directory already", s, who))
		default:
			d.dirs[h] = dir
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("--legs-of: %w", err)
	}
	return d, nil
}

// below is the directory that legs of a tenant on a host must be in; "" for any.
func (d *legDirs) below(t callmodel.TenantID, host string) (string, error) {
	for _, h := range []holder{{t, host}, {t, ""}} {
		if dir := d.dirs[h]; dir != "" {
			return place(inDir(dir, t)), nil
		}
	}
	dir := ""
	for _, h := range []holder{{everyone, host}, {everyone, ""}} {
		if dir == "" {
			dir = d.dirs[h]
		}
	}
	switch {
	case dir != "":
	case d.tenants() > 1:
		dir = "{tenant}"
	default:
		dir = wholePlace
	}
	if dir = place(inDir(dir, t)); dir == "" {
		return "", nil
	}
	// It isn't t's if it was given to another tenant, as where acme's legs are in
	// "incoming" and a tenant has that name.
	for h, given := range d.dirs {
		if given = place(given); h.tenant != t && h.tenant != everyone && given != "" && nested(given, dir) {
			return "", callmodel.Errorf(callmodel.CodeForbidden,
				"the legs of this tenant have no directory of their own, as %s is another's; have the operator give one by --legs-of %s=DIR", dir, t)
		}
	}
	return dir, nil
}

// inDir is the directory of that tenant.
func inDir(dir string, t callmodel.TenantID) string {
	return strings.ReplaceAll(dir, "{tenant}", string(t))
}

// place is the directory as jobs say it.
func place(dir string) string {
	if dir == wholePlace {
		return ""
	}
	return dir
}

// nested reports whether one of two directories is in the other, or is it.
func nested(a, b string) bool {
	return strings.HasPrefix(a+"/", b+"/") || strings.HasPrefix(b+"/", a+"/")
}
