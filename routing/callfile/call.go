package callfile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
)

// Call is one recorded call.
type Call struct {
	calls.Request

	Line int // of the file, from 1
	// Length is how long the parties talked; NoLength if it isn't known.
	Length time.Duration
	Cause  *calls.Cause // why it ended; nil if it isn't known
}

// NoLength stands for a length that was not recorded.
const NoLength time.Duration = -1

// Limits of a line.
const (
	MaxLength   = 31 * 24 * time.Hour
	maxNumber   = 256 // bytes of from and to
	defaultLine = 64 << 10
)

// Billable returns the length in whole seconds, rounded up, or what to assume of a
// length that isn't known.
func (c *Call) Billable(assumed time.Duration) time.Duration {
	if c.Length < 0 {
		return assumed
	}
	if part := c.Length % time.Second; part > 0 {
		return c.Length + time.Second - part
	}
	return c.Length
}

// lengthOf returns a number of seconds as a duration; false if it is no length.
func lengthOf(seconds float64) (time.Duration, bool) {
	ok := seconds >= 0 && seconds <= MaxLength.Seconds()
	if !ok {
		return NoLength, false
	}
	return time.Duration(math.Round(seconds * float64(time.Second))), true
}

// record is a line as it is written.
type record struct {
	Tenant       callmodel.TenantID `json:"tenant"`
	TenantID     callmodel.TenantID `json:"tenant_id"` // the same
	CallID       callmodel.CallID   `json:"call_id"`
	From         string             `json:"from"`
	To           string             `json:"to"`
	Type         calls.Type         `json:"type"`
	Direction    calls.Direction    `json:"direction"`
	Priority     int                `json:"priority"`
	Emergency    bool               `json:"emergency"`
	Metadata     map[string]string  `json:"metadata"`
	Trunk        string             `json:"trunk"`
	Capabilities []string           `json:"capabilities"`
	At           time.Time          `json:"at"`
	DurationS    *float64           `json:"duration_s"`
	Cause        *calls.Cause       `json:"cause"`
}

// Decode reads one line, strictly. It reports every fault at once, as
// callmodel.FieldErrors.
func Decode(line []byte) (Call, error) {
	var r record
	var faults callmodel.FieldErrors
	if err := callmodel.DecodeJSON(line, &r); err != nil {
		if c, ok := fromRecord(line); ok {
			return c, c.check()
		}
		if !errors.As(err, &faults) {
			return Call{}, err
		}
	}
	if r.Tenant != "" && r.TenantID != "" {
		faults.Add("tenant_id", "is given, and tenant, too")
	}
	r.Tenant = cmp.Or(r.Tenant, r.TenantID)
	c := Call{Length: NoLength, Cause: r.Cause, Request: calls.Request{
		TenantID: r.Tenant, CallID: r.CallID, From: r.From, To: r.To, Type: r.Type, Direction: r.Direction, Priority: r.Priority,
		Metadata: r.Metadata, At: r.At, Emergency: r.Emergency, Trunk: r.Trunk, Capabilities: r.Capabilities,
	}}
	if r.DurationS != nil {
		var ok bool
		if c.Length, ok = lengthOf(*r.DurationS); !ok {
			faults.Add("duration_s", "must be 0 to %d, is %g", MaxLength/time.Second, *r.DurationS)
		}
	}
	if len(faults) > 0 {
		return c, faults
	}
	return c, c.check()
}

// fromRecord reads a call record as the service returns it.
func fromRecord(line []byte) (Call, bool) {
	var r calls.Call
	if json.Unmarshal(line, &r) != nil || r.ID == "" || r.TenantID == "" || r.State == "" {
		return Call{}, false
	}
	c := Call{Length: NoLength, Cause: r.Cause, Request: r.Request(r.CreatedAt)}
	switch {
	case !r.State.Final():
	case r.AnsweredAt.IsZero():
		c.Length = 0
	default:
		c.Length = max(r.EndedAt.Sub(r.AnsweredAt), 0)
	}
	return c, true
}

// check fills in defaults and reports what is wrong.
func (c *Call) check() error {
	if c.Type == "" {
		c.Type = calls.TypeVoice
	}
	err := c.Validate()
	if err == nil && c.CallID != "" && c.To != "" && len(c.To) <= maxNumber && len(c.From) <= maxNumber && !c.At.IsZero() {
		return nil
	}
	var faults callmodel.FieldErrors
	_ = errors.As(err, &faults)
	for i := range faults {
		faults[i].Path = strings.Replace(faults[i].Path, "tenant_id", "tenant", 1) // its name in these files
	}
	missing := func(path string, is bool) {
		if is {
			faults.Add(path, "is missing")
		}
	}
	missing("call_id", c.CallID == "")
	missing("to", c.To == "")
	missing("at", c.At.IsZero())
	for _, n := range []struct{ path, number string }{{"from", c.From}, {"to", c.To}} {
		if len(n.number) > maxNumber {
			faults.Add(n.path, "is longer than %d bytes", maxNumber)
		}
	}
	return faults.Err()
}

// Fault is a line that is no call.
type Fault struct {
	Line    int    `json:"line"` // from 1
	Message string `json:"message"`
}

func (f Fault) String() string { return fmt.Sprintf("line %d: %s", f.Line, f.Message) }
