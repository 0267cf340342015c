package routing

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/switchtape/switchtape/routing/internal/text"
)

// describeLoss says which condition of the rule doesn't hold.
func (s *search) describeLoss(why loss, c candidate) string {
	r, req, k := s.r, s.req, s.r.kindOf(c.posting)
	switch why {
	case lostTo:
		return "it takes calls to exactly " + r.index.Text(c.node) + ", not to " + req.To
	case lostType:
		return "the call's type is " + string(req.Type)
	case lostDirection:
		return "the call's direction is " + strconv.Quote(string(req.Direction))
	case lostCallPriority:
		return "the call's priority " + strconv.Itoa(req.Priority) + " is not within " + strconv.Itoa(int(k.prioMin)) + " to " + strconv.Itoa(int(k.prioMax))
	case lostTenant:
		return "it is for other tenants than " + string(req.TenantID)
	case lostFrom:
		if req.FromAsGiven {
			return "the caller is not known by a number, and must be one of " + r.callers[k.from-1].words
		}
		return "the caller " + req.From + " is not one of " + r.callers[k.from-1].words
	case lostRejectOfEmergency:
		return "it refuses calls, and no emergency call is refused"
	case lostNothing:
		return "it matches"
	default:
		return s.describeExtra(why, &r.extras[k.extra-1])
	}
}

// describeExtra says which of the rarer conditions doesn't hold.
func (s *search) describeExtra(why loss, x *extra) string {
	req := s.req
	switch why {
	case lostTrunk:
		return "the call came in by trunk " + strconv.Quote(req.Trunk) + ", not by " + describeList(x.trunks)
	case lostCapability:
		if len(x.all) > 0 {
			return "the call offers " + describeList(req.Capabilities) + ", and it asks for all of " + describeList(x.all) + anyOf(x.any)
		}
		return "the call offers " + describeList(req.Capabilities) + ", none of " + describeList(x.any)
	case lostMetadata:
		return x.lostTerm(req.Metadata).describe(req.Metadata)
	case lostUsersOfEmergency:
		return "it asks for users, and no emergency call is decided by those"
	case lostUser:
		return x.user.describe("caller", req.User, req.To)
	case lostCallee:
		return x.callee.describe("callee", req.Callee, req.To)
	case lostValidity, lostWindow:
		return describeTime(why, x, req.At)
	case lostNot:
		return "it leaves out calls like this one by its match.not." + x.not.holds(s.r, req)
	case lostExpr:
		return "its expression is false: " + text.Clip(x.pred.Source())
	case lostExprError:
		_, err := x.pred.Holds(req)
		if err == nil {
			return "its expression failed: " + text.Clip(x.pred.Source())
		}
		return "its expression failed: " + strings.Join(strings.Fields(err.Error()), " ")
	default:
		return "it matches"
	}
}

// describeTime says why a rule doesn't hold at the time of the call.
func describeTime(why loss, x *extra, at time.Time) string {
	switch {
	case at.IsZero():
		return "it holds at certain times only, and the call has no time"
	case why == lostWindow:
		return x.window.WhyClosed(at)
	case nanos(at) < x.from:
		return "it is not valid yet at " + at.Format(time.RFC3339)
	default:
		return "it is not valid any more at " + at.Format(time.RFC3339)
	}
}

// describe says why the term doesn't hold for the metadata m.
func (t *metadataTerm) describe(m map[string]string) string {
	value, ok := m[t.key]
	switch {
	case t.absent:
		return "the call's metadata has " + t.key + ", and it asks for calls without"
	case !ok:
		return "the call's metadata has no " + t.key
	default:
		return "the call's metadata has " + t.key + " " + strconv.Quote(text.Clip(value)) + ", not " + describeList(t.values)
	}
}

func anyOf(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return " and one of " + describeList(list)
}

// describeList names the first few of a list.
func describeList(list []string) string {
	if len(list) == 0 {
		return "nothing"
	}
	return describeNumbers(nil, list)
}

// describeNumbers names the first few of the numbers and prefixes.
func describeNumbers(prefixes, exact []string) string {
	const most = 3
	list := slices.Clone(exact[:min(len(exact), most)])
	for _, p := range prefixes[:min(len(prefixes), most)] {
		list = append(list, p+"…")
	}
	list = list[:min(len(list), most)]
	if n := len(prefixes) + len(exact) - len(list); n > 0 {
		return strings.Join(list, ", ") + " and " + strconv.Itoa(n) + " more"
	}
	return strings.Join(list, ", ")
}
