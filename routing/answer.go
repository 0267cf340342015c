package routing

import (
	"fmt"
	"math"
	"strings"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/e164"
)

// DestinationSpec is a place that calls can be sent to.
type DestinationSpec struct {
	URI string `json:"uri"` // "sip:trunk-a.example.com"
	// Strip removes so many leading digits of the callee's number, 0 to 15.
	Strip int `json:"strip,omitempty"`
	// Prepend is put before what is left: digits, '*', '#', and a leading '+'.
	// When a number is rewritten at all, its own plus is dropped; prepend "+"
	// to keep it.
	Prepend string `json:"prepend,omitempty"`
}

// Target is one destination of a tier.
type Target struct {
	To string `json:"to"` // the destination's id
	// Weight is its share of the tier's calls in relation to the others', 1 to
	// 1000000. 0 means 1.
	Weight int `json:"weight,omitempty"`
}

func (v *validation) destination(id string, d DestinationSpec) {
	p := "destinations." + id
	if !callmodel.ValidID(id) {
		v.fault(p, "the id must be letters, digits, '.', '_' or '-'")
	}
	scheme, rest, ok := strings.Cut(d.URI, ":")
	switch {
	case d.URI == "":
		v.fault(p+".uri", "is missing; give where to send the call, like \"sip:trunk-a.example.com\"")
	case !ok || rest == "" || scheme != "sip" && scheme != "sips" && scheme != "tel":
		v.fault(p+".uri", "%q is not a sip:, sips: or tel: URI", d.URI)
	case strings.ContainsAny(d.URI, " \t\r\n<>\""):
		v.fault(p+".uri", "%q holds white space or quotes", d.URI)
	}
	if d.Strip < 0 || d.Strip > e164.MaxDigits {
		v.fault(p+".strip", "must be 0 to %d digits, is %d", e164.MaxDigits, d.Strip)
	}
	if bad := strings.Trim(strings.TrimPrefix(d.Prepend, "+"), "0123456789*#"); bad != "" || len(d.Prepend) > 16 {
		v.fault(p+".prepend", "%q must be at most 16 of the digits, '*' and '#', with an optional leading '+'", d.Prepend)
	}
}

func (v *validation) route(p string, tiers [][]Target) {
	if len(tiers) == 0 || len(tiers) > MaxTiers {
		v.fault(p, "must have 1 to %d tiers, has %d", MaxTiers, len(tiers))
	}
	used := map[string]string{}
	for i, tier := range tiers {
		tp := fmt.Sprintf("%s[%d]", p, i)
		if len(tier) == 0 || len(tier) > MaxTargets {
			v.fault(tp, "must have 1 to %d destinations, has %d", MaxTargets, len(tier))
		}
		for j, t := range tier {
			gp := fmt.Sprintf("%s[%d]", tp, j)
			if _, ok := v.rs.Destinations[t.To]; !ok {
				v.fault(gp+".to", "no destination %q is defined", t.To)
			}
			if first, dup := used[t.To]; dup {
				v.fault(gp+".to", "%q stands in %s already; a destination is tried once", t.To, first)
			}
			used[t.To] = gp
			if t.Weight < 0 || t.Weight > MaxWeight {
				v.fault(gp+".weight", "must be 1 to %d, is %d", MaxWeight, t.Weight)
			}
		}
	}
}

// plan is a compiled route: its tiers, flattened.
type plan struct {
	targets []target
	tierEnd []int // index behind the last target of each tier
}

type target struct {
	dest   uint32
	weight uint32
}

type destination struct {
	id     string
	uri    string
	prep   string
	strip  int
	idHash uint64
}

func (c *compiler) plan(tiers [][]Target) uint32 {
	var key strings.Builder
	for _, tier := range tiers {
		for _, t := range tier {
			fmt.Fprintf(&key, "%s:%d,", t.To, max(t.Weight, 1))
		}
		key.WriteByte(';')
	}
	if i, ok := c.planIndex[key.String()]; ok {
		return i
	}
	var p plan
	for _, tier := range tiers {
		for _, t := range tier {
			p.targets = append(p.targets, target{c.destIndex[t.To], uint32(max(t.Weight, 1))})
		}
		p.tierEnd = append(p.tierEnd, len(p.targets))
	}
	i := uint32(len(c.r.plans))
	c.r.plans = append(c.r.plans, p)
	c.planIndex[key.String()] = i
	return i
}

// choose appends the plan's destinations in the order to try them: tier by
// tier, within a tier by weighted rendezvous hashing. A target's score is
// -ln(u)/w with u drawn from the call's and the target's hash; the lowest goes
// first, which it does with probability w ÷ the tier's sum of weights
// (Thaler & Ravishankar 1998, with Efraimidis & Spirakis' 2006 exponential keys).
func (r *Router) choose(p *plan, req *callmodel.CallRequest, d *callmodel.Decision) {
	call := hashString(string(req.CallID))
	start := 0
	var scores [MaxTargets]float64
	for _, end := range p.tierEnd {
		tier := p.targets[start:end]
		first := len(d.Destinations)
		for i, t := range tier {
			dest := &r.dests[t.dest]
			score := 0.0
			if len(tier) > 1 {
				score = -math.Log(unit(mix(call^dest.idHash))) / float64(t.weight)
			}
			// Insertion keeps the few targets of a tier sorted without
			// allocating.
			d.Destinations = append(d.Destinations, callmodel.Destination{})
			j := i
			for ; j > 0 && scores[j-1] > score; j-- {
				scores[j] = scores[j-1]
				d.Destinations[first+j] = d.Destinations[first+j-1]
			}
			scores[j] = score
			d.Destinations[first+j] = callmodel.Destination{ID: dest.id, URI: dest.uri, Number: dest.rewrite(req.To)}
		}
		start = end
	}
}

// rewrite is the callee's number in the form that the destination wants.
func (d *destination) rewrite(number string) string {
	if d.strip == 0 && d.prep == "" || !e164.Digits(strings.TrimPrefix(number, "+")) {
		return number
	}
	digits := strings.TrimPrefix(number, "+")
	digits = digits[min(d.strip, len(digits)):]
	if d.prep == "" {
		return digits
	}
	return d.prep + digits
}

// hashString is FNV-1a, 64 bit.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix spreads every bit of x over the whole word: the finaliser of SplitMix64
// (Steele, Lea & Flood 2014), without which call ids that count up would give
// scores that do too.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps a hash to (0, 1).
func unit(x uint64) float64 { return (float64(x>>11) + 0.5) / (1 << 53) }
