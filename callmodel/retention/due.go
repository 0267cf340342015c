package retention

import (
	"fmt"
	"time"

	"github.com/switchtape/switchtape/callmodel"
)

// Day is what retention is counted in.
const Day = 24 * time.Hour

// MaxDays bounds how many days a recording is kept by its own request.
const MaxDays = 36500

// Rule says for how long a recording is kept, counted from when it was asked for by the
// database's clock, which of a call's own recording is the call's end.
type Rule struct {
	By   string        // who says so: "recording", "user ann", "tenant", "service"
	Keep time.Duration // 0: for ever
}

// RuleOf is the rule of a recording that doesn't say itself: that of the users of its call
// that say something, of two the longer one, else the tenant's, else the service's. Days of
// 0, and a service of 0, say nothing; by is for days of a user that has that id.
func RuleOf(byUser map[string]int, tenantDays int, service time.Duration) Rule {
	r := Rule{}
	for id, days := range byUser {
		if keep := time.Duration(days) * Day; keep > r.Keep || keep == r.Keep && keep > 0 && "user "+id < r.By {
			r = Rule{By: "user " + id, Keep: keep}
		}
	}
	switch {
	case r.Keep > 0:
	case tenantDays > 0:
		r = Rule{By: "tenant", Keep: time.Duration(tenantDays) * Day}
	case service > 0:
		r = Rule{By: "service", Keep: service}
	}
	return r
}

// ByConsent is in the place of the rule's name of a recording to which a party has not
// consented.
const ByConsent = "consent"

// Due asks for recordings whose time is over.
type Due struct {
	// DeniedOnly finds those alone to which a party has not consented.
	DeniedOnly bool
	Service    time.Duration // how long those are kept of which nobody else says it; 0: for ever
	After      DuePlace      // where to go on; the zero value is the beginning
}

// DuePlace is how far a look for recordings has come.
type DuePlace struct {
	Ruled  bool // those that say it themselves have been looked at
	Tenant callmodel.TenantID
	Micros int64
	Seq    int64
}

// Expired is a recording whose time is over.
type Expired struct {
	Recording

	JobID callmodel.JobID
	Queue string
	Until time.Time // when it was over
	By    string    // whose rule that is: see Rule
}

// Reason is why it is deleted, in words.
func (e *Expired) Reason() string {
	if e.By == ByConsent {
		return "a party did not consent to be recorded"
	}
	return fmt.Sprintf("its time was over at %s, by its %s", e.Until.UTC().Format(time.RFC3339), e.By)
}

// DuePage is a part of what is found.
type DuePage struct {
	Expired []Expired
	Next    DuePlace
	End     bool // nothing is behind it
}
