package routing_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/calendar"
)

// country is a part of a rate deck: how many of a million prefixes it has, how
// long its area codes are and how far blocks are told apart below them.
type country struct {
	code     string
	share    int
	area     int // digits
	areas    int // how many area codes are in use
	block    int // digits below an area code, at most
	national int // digits of a whole number without the country code
}

// countries is the world as a wholesale deck sees it, roughly: North America by
// exchange and thousands block, a few large numbering plans in detail, the rest
// by network. The structure is that of the plans; the shares are a guess.
func countries() []country {
	list := []country{
		{"1", 400_000, 3, 370, 4, 10},
		{"44", 70_000, 4, 600, 4, 10},
		{"49", 60_000, 3, 700, 4, 11},
		{"33", 30_000, 1, 9, 5, 9},
		{"39", 30_000, 3, 250, 4, 10},
		{"34", 25_000, 3, 300, 3, 9},
		{"91", 60_000, 4, 2500, 2, 10},
		{"86", 50_000, 3, 330, 4, 11},
		{"55", 50_000, 2, 67, 5, 11},
		{"52", 40_000, 3, 400, 3, 10},
		{"7", 40_000, 3, 300, 4, 10},
		{"81", 25_000, 2, 60, 4, 10},
		{"61", 20_000, 1, 5, 5, 9},
		{"90", 15_000, 3, 150, 3, 10},
		{"62", 15_000, 3, 300, 3, 10},
		{"31", 10_000, 2, 60, 4, 9},
		{"48", 10_000, 2, 60, 4, 9},
	}
	for i := range 140 { // everybody else
		list = append(list, country{strconv.Itoa(210 + i*5), 360, 2, 50, 2, 9})
	}
	return list
}

// deck is n different prefixes in E.164, from the shortest on, seeded. Every
// country's code and area codes are among them, so prefixes are nested as they
// are in decks.
func deck(n int) []string {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	seen := make(map[string]bool, n)
	list := make([]string, 0, n)
	add := func(p string) {
		if !seen[p] && len(list) < n {
			seen[p] = true
			list = append(list, p)
		}
	}
	all := countries()
	for _, c := range all {
		add("+" + c.code)
	}
	for _, c := range all {
		want := max(int(int64(c.share)*int64(n)/1_000_000), 1)
		areas := min(c.areas, max(want/4, 1))
		codes := make([]string, areas)
		for i := range codes {
			codes[i] = "+" + c.code + areaCode(rng, c.area)
			add(codes[i])
		}
		// Few areas have most of the blocks.
		pick := rand.NewZipf(rng, 1.2, float64(areas)/4+1, uint64(areas-1))
		for tries := 0; want > 0 && tries < 12; {
			area := codes[pick.Uint64()]
			block := area + digits(rng, 1+rng.IntN(c.block))
			if c.code == "1" {
				block = area + strconv.Itoa(2+rng.IntN(8)) + digits(rng, 2+rng.IntN(2))
			}
			if tries > 6 {
				block += digits(rng, 1+rng.IntN(2)) // the area is full
			}
			if before := len(list); !seen[block] {
				add(block)
				if want--; len(list) > before {
					tries = 0
				}
				continue
			}
			tries++
		}
	}
	for len(list) < n { // what rounding and full areas left over
		add(list[rng.IntN(len(list))] + digits(rng, 1+rng.IntN(2)))
	}
	list = slices.DeleteFunc(list, func(p string) bool { return len(p) > 16 })
	return list
}

func areaCode(rng *rand.Rand, n int) string {
	return strconv.Itoa(1+rng.IntN(9)) + digits(rng, n-1)
}

func digits(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + rng.IntN(10))
	}
	return string(b)
}

const (
	destinations = 200
	routes       = 500
)

// tenantCount is how many tenants a set of n rules has.
func tenantCount(n int) int { return min(max(n/100, 10), 10_000) }

// rules is a set of n rules: nine in ten are the deck's, one a prefix; the
// others are tenants' own, a default each and a few under the deck's prefixes.
// Some of either ask for more than the callee.
func rules(n int) *routing.RuleSet {
	rng := rand.New(rand.NewPCG(uint64(n), 8))
	rs := &routing.RuleSet{Destinations: map[string]routing.DestinationSpec{}, Rules: make([]routing.Rule, 0, n)}
	for i := range destinations {
		rs.Destinations[fmt.Sprintf("carrier-%03d", i)] = routing.DestinationSpec{URI: fmt.Sprintf("sip:gw%03d.carrier.example.com", i)}
	}
	plans := make([][]routing.Tier, routes)
	for i := range plans {
		at := rng.IntN(destinations)
		to := func(k int) string { return fmt.Sprintf("carrier-%03d", (at+k*7)%destinations) }
		plans[i] = tiers([][]routing.Target{{{To: to(0), Weight: 70}, {To: to(1), Weight: 30}}, {{To: to(2)}}}...)
	}
	prefixes := deck(n * 9 / 10)
	add := func(r routing.Rule) {
		r.ID = fmt.Sprintf("rule-%d", len(rs.Rules))
		r.Route = plans[rng.IntN(routes)]
		rs.Rules = append(rs.Rules, r)
	}
	for _, p := range prefixes {
		m := routing.Match{To: routing.NumberMatch{Prefix: []string{p}}}
		add(routing.Rule{Match: m})
	}
	add(routing.Rule{Default: true})
	tenants := tenantCount(n)
	popular := prefixes[:max(len(prefixes)/500, 10)]
	taken := map[[2]int]bool{}
	for i := 0; len(rs.Rules) < n; i++ {
		t := i % tenants
		r := routing.Rule{Priority: 10, Match: routing.Match{Tenant: []callmodel.TenantID{tenant(t)}}}
		if i < tenants {
			r.Default = true
		} else {
			at := rng.IntN(len(popular))
			if taken[[2]int{t, at}] {
				at = rng.IntN(len(prefixes))
			}
			if taken[[2]int{t, at}] {
				continue
			}
			taken[[2]int{t, at}] = true
			r.Match.To.Prefix = []string{prefixes[at]}
			switch rng.IntN(10) {
			case 0:
				r.Match.When = &calendar.Windows{TimeZone: "Europe/Berlin", Weekly: []string{"mon-fri 08:00-18:00"}, Except: []string{"2026-12-24..2026-12-26"}}
			case 1:
				r.Match.From.Prefix = []string{"+1212"}
			case 2:
				r.Match.Type = []calls.Type{calls.TypeVoice}
			}
		}
		add(r)
	}
	return rs
}

func tenant(i int) callmodel.TenantID { return callmodel.TenantID(fmt.Sprintf("tenant-%05d", i)) }

// call is what differs between the calls of a benchmark.
type call struct {
	to, from, id string
	tenant       callmodel.TenantID
}

const callCount = 1 << 16

// calls draws calls to numbers below the prefixes: by Zipf's law, few
// destinations get most calls, or each prefix as often as any.
func callList(prefixes []string, tenants int, zipf bool) []call {
	rng := rand.New(rand.NewPCG(uint64(len(prefixes)), 9))
	order := rng.Perm(len(prefixes))
	rank := rand.NewZipf(rng, 1.1, 50, uint64(len(prefixes)-1))
	who := rand.NewZipf(rng, 1.1, 10, uint64(tenants-1))
	list := make([]call, callCount)
	for i := range list {
		at := rng.IntN(len(prefixes))
		if zipf {
			at = order[rank.Uint64()]
		}
		p := prefixes[at]
		list[i] = call{
			to: p + digits(rng, max(12-len(p), 0)), from: "+1" + strconv.Itoa(2+rng.IntN(8)) + digits(rng, 9),
			id: fmt.Sprintf("call-%08d", rng.IntN(1e8)), tenant: tenant(int(who.Uint64())),
		}
	}
	return list
}

// prefixesOf is the callee prefixes of a set, each once.
func prefixesOf(rs *routing.RuleSet) []string {
	seen := make(map[string]bool, len(rs.Rules))
	var list []string
	for i := range rs.Rules {
		for _, p := range rs.Rules[i].Match.To.Prefix {
			if !seen[p] {
				seen[p] = true
				list = append(list, p)
			}
		}
	}
	return list
}

// once keeps what was made for a number of rules, since benchmarks run their
// functions several times. Only the last is kept.
type once[T any] struct {
	mu   sync.Mutex
	n    int
	have T
}

func (o *once[T]) get(n int, build func() T) T {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.n != n {
		o.n, o.have = n, build()
	}
	return o.have
}

// tiers are lists of targets by weight.
func tiers(lists ...[]routing.Target) []routing.Tier {
	out := make([]routing.Tier, len(lists))
	for i := range lists {
		out[i].Targets = lists[i]
	}
	return out
}
