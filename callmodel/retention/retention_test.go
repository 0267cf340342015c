package retention_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/retention"
)

func TestHoldIsValidated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hold retention.Hold
		path string // of the fault; "" for none
	}{
		"a call":               {retention.Hold{Scope: retention.HoldCall, Subject: "c1", Reason: "case 7"}, ""},
		"a number":             {retention.Hold{Scope: retention.HoldNumber, Subject: "+12025550123", Reason: "case 7"}, ""},
		"an extension":         {retention.Hold{Scope: retention.HoldNumber, Subject: "201", Reason: "case 7"}, ""},
		"a tenant":             {retention.Hold{Scope: retention.HoldTenant, Reason: "case 7"}, ""},
		"a tenant by its name": {retention.Hold{Scope: retention.HoldTenant, Subject: "acme", Reason: "case 7"}, "subject"},
		"no number":            {retention.Hold{Scope: retention.HoldNumber, Subject: "ann", Reason: "case 7"}, "subject"},
		"no id":                {retention.Hold{Scope: retention.HoldRecording, Subject: "../c1", Reason: "case 7"}, "subject"},
		"no subject":           {retention.Hold{Scope: retention.HoldUser, Reason: "case 7"}, "subject"},
		"no scope":             {retention.Hold{Subject: "c1", Reason: "case 7"}, "scope"},
		"no reason":            {retention.Hold{Scope: retention.HoldCall, Subject: "c1", Reason: " "}, "reason"},
		"a long reason":        {retention.Hold{Scope: retention.HoldCall, Subject: "c1", Reason: strings.Repeat("x", retention.MaxReason+1)}, "reason"},
		"an odd reason":        {retention.Hold{Scope: retention.HoldCall, Subject: "c1", Reason: "a\x00b"}, "reason"},
	} {
		err := c.hold.Validate()
		if c.path == "" {
			assert.NoError(t, err, name)
			continue
		}
		var faults callmodel.FieldErrors
		if assert.ErrorAs(t, err, &faults, name) {
			assert.Equal(t, c.path, faults[0].Path, name)
		}
	}
}

func TestHeldErrorIsAConflict(t *testing.T) {
	t.Parallel()
	err := error(&retention.HeldError{Hold: retention.Hold{ID: "h1", Scope: retention.HoldCall, Subject: "c1", Reason: "case 7", PlacedBy: "ann"}})
	assert.Equal(t, callmodel.CodeConflict, callmodel.CodeOf(err))
	assert.Contains(t, err.Error(), "h1 on call c1, placed by ann")
	assert.Contains(t, err.Error(), "case 7")
}

// What could make a line of a log or a list read as another is no reason.
func TestReasons(t *testing.T) {
	t.Parallel()
	for reason, good := range map[string]bool{
		"case 7": true, "Fall 7, Müller ./. שמיר": true, " ": false, "a\nb": false, "case \u202e7": false, "case \u2066x\u2069": false, "a\u2028b": false, "\xff": false,
	} {
		var e callmodel.FieldErrors
		retention.CheckReason(&e, "reason", reason)
		assert.Equal(t, good, e.Err() == nil, "%q", reason)
	}
	h := retention.Hold{Scope: retention.HoldTenant, Subject: "acme", Reason: "case 7"}
	assert.ErrorContains(t, h.Validate(), "goes with no hold on the tenant")
}
