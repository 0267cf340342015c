package calls

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/internal/text"
)

// Failover says when a call whose destination failed is tried at the next one.
// The zero value does as [Cause.Retryable] says, for every destination.
type Failover struct {
	// Retry lists causes after which the next destination is tried, and Final
	// those that end the call. A pattern that names a cause goes before one that
	// names a class ("sip:5xx"); a cause that neither names does as
	// [Cause.Retryable] says.
	Retry []CausePattern `json:"retry,omitempty"`
	Final []CausePattern `json:"final,omitempty"`
	// MaxAttempts bounds how many destinations are tried, the first included.
	// 0: all of them.
	MaxAttempts int `json:"max_attempts,omitempty" unsaid:"give 1 or more, or leave it out for no limit"`
	// Total is how long after its creation a call is still tried at another
	// destination, in whole seconds up to an hour. 0: without end.
	Total time.Duration `json:"total_seconds,omitempty" unsaid:"give 1 or more, or leave it out for no limit"`
	// Attempt is how long the telephone server waits for a destination to answer or
	// fail, in whole seconds up to an hour. 0: as long as it does by itself.
	Attempt time.Duration `json:"attempt_seconds,omitempty" unsaid:"give 1 or more, or leave it out for no limit"`
}

// MarshalJSON writes the durations as numbers of seconds.
func (f Failover) MarshalJSON() ([]byte, error) { return callmodel.MarshalDurations(f) }

// UnmarshalJSON reads what MarshalJSON writes.
func (f *Failover) UnmarshalJSON(b []byte) error { return callmodel.UnmarshalDurations(b, f) }

// Limits of a failover policy.
const (
	MaxFailoverPatterns = 64
	MaxFailoverAttempts = 1024
	MaxFailoverTime     = time.Hour
)

// CausePattern names causes: "q850:34" and "sip:503" name one, "sip:5xx" a
// class of SIP's status codes.
type CausePattern string

// parse is the pattern's numbers: kind is 'q' or 's', and from to to its causes.
func (p CausePattern) parse() (kind byte, from, to int, ok bool) {
	if rest, isQ850 := strings.CutPrefix(string(p), "q850:"); isQ850 {
		n, err := strconv.Atoi(rest)
		return 'q', n, n, err == nil && n >= 1 && n <= 127 && strconv.Itoa(n) == rest
	}
	rest, isSIP := strings.CutPrefix(string(p), "sip:")
	if !isSIP || len(rest) != 3 || rest[0] < '3' || rest[0] > '6' {
		return 0, 0, 0, false
	}
	if rest[1:] == "xx" {
		from = int(rest[0]-'0') * 100
		return 's', from, from + 99, true
	}
	n, err := strconv.Atoi(rest)
	return 's', n, n, err == nil
}

// matches reports whether the pattern names c, and whether it names it alone.
func (p CausePattern) matches(c *Cause) (yes, exact bool) {
	kind, from, to, ok := p.parse()
	n := c.SIP
	if kind == 'q' {
		n = c.Q850
	}
	return ok && n >= from && n <= to, from == to
}

// Retryable reports whether another destination is to be tried after c. f may
// be nil. Of a cause that is given both ways, SIP and Q.850, a pattern may name
// either; what Final names so ends the call whatever Retry says.
func (f *Failover) Retryable(c Cause) bool {
	if f == nil {
		return c.Retryable()
	}
	for _, wantExact := range [2]bool{true, false} {
		for _, list := range [2]struct {
			patterns []CausePattern
			verdict  bool
		}{{f.Final, false}, {f.Retry, true}} {
			for _, p := range list.patterns {
				if yes, exact := p.matches(&c); yes && exact == wantExact {
					return list.verdict
				}
			}
		}
	}
	return c.Retryable()
}

// Allows reports whether the attempt with index attempt may be made, so long
// after the call was created. f may be nil.
func (f *Failover) Allows(attempt int, sinceCreation time.Duration) bool {
	if f == nil {
		return true
	}
	return (f.MaxAttempts == 0 || attempt < f.MaxAttempts) &&
		(f.Total == 0 || sinceCreation < f.Total)
}

// Validate reports every fault of the policy at once, as [FieldErrors].
func (f *Failover) Validate() error {
	var e callmodel.FieldErrors
	named := map[CausePattern]string{}
	for _, list := range []struct {
		name     string
		patterns []CausePattern
	}{{"retry", f.Retry}, {"final", f.Final}} {
		if len(list.patterns) > MaxFailoverPatterns {
			e.Add(list.name, "has %d causes, at most %d are allowed", len(list.patterns), MaxFailoverPatterns)
			continue
		}
		for i, p := range list.patterns {
			at := fmt.Sprintf("%s[%d]", list.name, i)
			if _, _, _, ok := p.parse(); !ok {
				e.Add(at, "%q is not a cause; give \"q850:1\" to \"q850:127\", \"sip:300\" to \"sip:699\" or a class like \"sip:5xx\"", text.Clip(string(p)))
			}
			if first, dup := named[p]; dup {
				e.Add(at, "%q stands in %s already", text.Clip(string(p)), first)
			}
			named[p] = at
		}
	}
	if n := f.MaxAttempts; n < 0 || n > MaxFailoverAttempts {
		e.Add("max_attempts", "must be 1 to %d, or left out, is %d", MaxFailoverAttempts, n)
	}
	for _, one := range []struct {
		name string
		d    time.Duration
	}{{"total_seconds", f.Total}, {"attempt_seconds", f.Attempt}} {
		if one.d < 0 || one.d > MaxFailoverTime || one.d%time.Second != 0 {
			e.Add(one.name, "must be a whole number, 1 to %d, or left out, is %g", MaxFailoverTime/time.Second, one.d.Seconds())
		}
	}
	return e.Err()
}
