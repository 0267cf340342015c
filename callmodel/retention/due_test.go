package retention_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
)

func TestRuleOf(t *testing.T) {
	t.Parallel()
	const day = retention.Day
	for name, c := range map[string]struct {
		users   map[string]int
		tenant  int
		service time.Duration
		want    retention.Rule
	}{
		"nobody":       {nil, 0, 0, retention.Rule{}},
		"the service":  {map[string]int{"ann": 0}, 0, 3 * day, retention.Rule{By: "service", Keep: 3 * day}},
		"the tenant":   {nil, 9, 3 * day, retention.Rule{By: "tenant", Keep: 9 * day}},
		"a user":       {map[string]int{"ann": 2}, 9, 3 * day, retention.Rule{By: "user ann", Keep: 2 * day}},
		"the longer":   {map[string]int{"ann": 2, "bob": 5}, 9, 0, retention.Rule{By: "user bob", Keep: 5 * day}},
		"both as long": {map[string]int{"cid": 5, "bob": 5}, 9, 0, retention.Rule{By: "user bob", Keep: 5 * day}},
	} {
		assert.Equal(t, c.want, retention.RuleOf(c.users, c.tenant, c.service), name)
	}
}

func TestConsent(t *testing.T) {
	t.Parallel()
	for c, good := range map[retention.Consent]bool{"": true, "given": true, "denied": true, "unknown": true, "refused": false} {
		var e callmodel.FieldErrors
		retention.CheckConsent(&e, "consent", c)
		assert.Equal(t, good, e.Err() == nil, "%q", c)
	}
	e := retention.Expired{By: retention.ByConsent}
	assert.Contains(t, e.Reason(), "did not consent")
}
