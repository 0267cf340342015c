package service

import "github.com/switchtape/switchtape/callmodel"

// LegsBelow is where the options say that legs are, while there are so many tenants.
func LegsBelow(o LegOptions, tenants int) (func(t callmodel.TenantID, host string) (string, error), error) {
	d, err := o.legDirs(func() int { return tenants })
	if err != nil {
		return nil, err
	}
	return d.below, nil
}
