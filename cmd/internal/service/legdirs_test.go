package service_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/cmd/internal/service"
)

func TestWhereLegsAre(t *testing.T) {
	t.Parallel()
	mapped := []string{"acme=monitor/acme", "acme@pbx2=calls", "*@pbx3=spool/{tenant}/in", "beta=.", "monitor@pbx9=m"}
	for name, c := range map[string]struct {
		legsOf  []string
		tenants int
		tenant  callmodel.TenantID
		host    string
		want    string
		refused bool
	}{
		"one tenant":                       {tenants: 1, tenant: "acme"},
		"two":                              {tenants: 2, tenant: "acme", want: "acme"},
		"two, on a host":                   {tenants: 2, tenant: "acme", host: "pbx1", want: "acme"},
		"all share":                        {legsOf: []string{"*=."}, tenants: 2, tenant: "acme"},
		"one is confined":                  {legsOf: []string{"*={tenant}"}, tenants: 1, tenant: "acme", want: "acme"},
		"mapped":                           {legsOf: mapped, tenants: 1, tenant: "acme", host: "pbx1", want: "monitor/acme"},
		"mapped on a host":                 {legsOf: mapped, tenants: 2, tenant: "acme", host: "pbx2", want: "calls"},
		"the tenant before the host":       {legsOf: mapped, tenants: 2, tenant: "acme", host: "pbx3", want: "monitor/acme"},
		"every tenant on a host":           {legsOf: mapped, tenants: 2, tenant: "gamma", host: "pbx3", want: "spool/gamma/in"},
		"everything":                       {legsOf: mapped, tenants: 2, tenant: "beta"},
		"not mapped":                       {legsOf: mapped, tenants: 2, tenant: "gamma", want: "gamma"},
		"its name is another's directory":  {legsOf: mapped, tenants: 2, tenant: "calls", refused: true},
		"its name holds another's":         {legsOf: mapped, tenants: 2, tenant: "monitor", refused: true},
		"unless it has one itself":         {legsOf: mapped, tenants: 2, tenant: "monitor", host: "pbx9", want: "m"},
		"it begins as another's directory": {legsOf: mapped, tenants: 2, tenant: "call", want: "call"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			below, err := service.LegsBelow(service.LegOptions{LegsOf: c.legsOf}, c.tenants)
			require.NoError(t, err)
			dir, err := below(c.tenant, c.host)
			if c.refused {
				require.Equal(t, callmodel.CodeForbidden, callmodel.CodeOf(err))
				require.ErrorContains(t, err, "--legs-of "+string(c.tenant)+"=DIR")
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, dir)
		})
	}
	_, err := service.LegsBelow(service.LegOptions{LegsOf: []string{"acme", "a/b=x", "acme@=x", "acme=/x", "acme=..", "acme=x/", "acme=ok", "acme=twice", "acme="}}, 2)
	for _, part := range []string{`"acme" is not`, `"a/b" is not a tenant`, `"" is not a host`, "is absolute", "'..'", `"acme=x/"`, "already", "is empty"} {
		require.ErrorContains(t, err, part)
	}
}
