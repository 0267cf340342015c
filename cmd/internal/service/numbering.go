package service

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164/normalize"
)

// NumberingOptions say what is known of numbers besides the world's numbering plans.
type NumberingOptions struct {
	EmergencyNumber   []string `help:"Emergency number besides those of the numbering plans, as REGION=NUMBER, or NUMBER for everywhere; may be repeated." placeholder:"CC=N"`
	NoEmergencyNumber []string `help:"Number that is no emergency number, written alike; may be repeated." placeholder:"CC=N"`
	OutsidePrefix     []string `help:"What is dialled for an outside line, as TENANT=DIGITS, or DIGITS for every tenant: emergency numbers are recognised behind it; may be repeated." placeholder:"[T=]N"`
}

// Numbering is what the options say for each tenant.
func (o *NumberingOptions) Numbering() (func(callmodel.TenantID) *normalize.Numbering, error) {
	everyones := &normalize.Numbering{Added: byRegion(o.EmergencyNumber), Removed: byRegion(o.NoEmergencyNumber)}
	prefixes := map[callmodel.TenantID][]string{}
	for _, s := range o.OutsidePrefix {
		tenant, digits, ok := strings.Cut(s, "=")
		if !ok {
			tenant, digits = "", s
		}
		prefixes[callmodel.TenantID(tenant)] = append(prefixes[callmodel.TenantID(tenant)], digits)
	}
	everyones.OutsidePrefixes = prefixes[""]
	faults := []error{everyones.Validate()}
	of := make(map[callmodel.TenantID]*normalize.Numbering, len(prefixes))
	for tenant, list := range prefixes {
		if tenant == "" {
			continue
		}
		if !callmodel.ValidID(string(tenant)) {
			faults = append(faults, fmt.Errorf("%q is not a tenant id", tenant))
		}
		own := &normalize.Numbering{OutsidePrefixes: list}
		faults = append(faults, own.Validate())
		own.Added, own.Removed, own.OutsidePrefixes = everyones.Added, everyones.Removed, slices.Concat(list, everyones.OutsidePrefixes)
		of[tenant] = own
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("--emergency-number, --no-emergency-number, --outside-prefix: %w", err)
	}
	return func(t callmodel.TenantID) *normalize.Numbering {
		if own := of[t]; own != nil {
			return own
		}
		return everyones
	}, nil
}

// byRegion reads "FR=114", or "114" for everywhere.
func byRegion(list []string) map[string][]string {
	m := map[string][]string{}
	for _, s := range list {
		region, number, ok := strings.Cut(s, "=")
		if !ok {
			region, number = "", s
		}
		region = strings.ToUpper(region)
		m[region] = append(m[region], number)
	}
	return m
}
