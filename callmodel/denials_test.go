package callmodel_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
)

func TestDenials(t *testing.T) {
	t.Parallel()
	var d callmodel.Denials
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	loop := callmodel.Principal{TenantID: "acme", Subject: "loop"}
	kept := 0
	for range 5000 {
		if _, keep := d.Line(loop, "GET /x", now); keep {
			kept++
		}
	}
	assert.Equal(t, 30, kept)
	line, keep := d.Line(callmodel.Principal{TenantID: "acme", Subject: "other"}, "GET /x", now)
	assert.True(t, keep, "each principal has its own")
	assert.Equal(t, callmodel.AuditEvent{TenantID: "acme", Actor: "other", Action: callmodel.AuditAccessDenied, Subject: "GET /x"}, line)
	line, keep = d.Line(loop, "GET /x", now.Add(time.Minute))
	assert.True(t, keep)
	assert.Equal(t, map[string]string{"left_out": "4970"}, line.Detail)
}
