package routing_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/rulesets"
	"github.com/switchtape/switchtape/routing"
)

// everything is a set with something in every place of the binary form.
func everything(t testing.TB) *routing.RuleSet {
	t.Helper()
	rs, err := routing.Parse([]byte(`
name: "everything ☎"
order: priority-first
currency: EUR
lists: {vip: ["+1212*", "+12125550100"]}
failover: {retry: ["sip:5xx"], max_attempts: 3}
destinations:
  a: {uri: "sip:a", rates: deck, limits: {concurrent: 5}, caller: {policy: replace, replace: ["+12125550100"]}}
  b: {uri: "sip:b", strip: 1, prepend: "9"}
rates:
  deck:
    - {prefix: "+1", per_minute: 0.01}
    - {prefix: "+12", per_minute: 0.02, connect: 0.1, first_seconds: 30, next_seconds: 6, from: 2026-01-01T00:00:00+01:00}
    - {prefix: "+13", per_minute: 0.01}
rules:
  - {id: rest, default: true, priority: -3, route: {to: a}}
  - {id: one, match: {to: {prefix: ["+1", "+44"], exact: "112"}, tenant: [t1, t2], type: [voice, fax], from: {prefix: ["+1", "+49"]}}, route: {to: a}}
  - {id: two, priority: 1000, match: {to: {list: vip, service: emergency}, from: {exact: "+12125550199"},
      when: {timezone: Europe/Berlin, weekly: "mon-fri 08:00-18:00"},
      metadata: {plan: [gold]}, call_priority: {min: 1, max: 5}}, failover: {final: ["q850:17"]},
      route: [{order: cost, require_rate: true, targets: [{to: a}]}, [{to: b, weight: 7}]]}
`))
	require.NoError(t, err)
	return rs
}

func TestBinaryReadsBack(t *testing.T) {
	t.Parallel()
	rs := everything(t)
	b, err := rs.MarshalBinary()
	require.NoError(t, err)
	var got routing.RuleSet
	require.NoError(t, got.UnmarshalBinary(b))
	assert.Equal(t, rs.Hash(), got.Hash())
	assert.True(t, rs.Rates["deck"][1].From.Equal(got.Rates["deck"][1].From))
	again, err := got.MarshalBinary()
	require.NoError(t, err)
	assert.Equal(t, b, again)
	r, err := routing.Compile(&got)
	require.NoError(t, err)
	assert.Equal(t, rs.Hash(), r.Hash())
}

// TestBinaryDecidesAlike: what was written and read decides as before.
func TestBinaryDecidesAlike(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := draw(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "n") })
		rs := genRules(d)
		b, err := rs.MarshalBinary()
		require.NoError(t, err)
		var got routing.RuleSet
		require.NoError(t, got.UnmarshalBinary(b))
		require.Equal(t, rs.Hash(), got.Hash())
		want, err := routing.Compile(rs)
		have, herr := routing.Compile(&got)
		if err != nil {
			require.Equal(t, err, herr)
			return
		}
		require.NoError(t, herr)
		for range 5 {
			req := genCall(d)
			wd, werr := want.Route(req)
			hd, herr := have.Route(req)
			require.Equal(t, werr, herr)
			require.Equal(t, wd, hd)
		}
	})
}

func TestBinaryRefuses(t *testing.T) {
	t.Parallel()
	b, err := everything(t).MarshalBinary()
	require.NoError(t, err)
	refused := func(b []byte, why string) {
		t.Helper()
		rs := routing.RuleSet{Name: "before"}
		err := rs.UnmarshalBinary(b)
		require.ErrorContains(t, err, why)
		assert.Equal(t, callmodel.CodeMalformed, callmodel.CodeOf(err))
		assert.Equal(t, "before", rs.Name, "nothing is changed")
	}
	refused(nil, "not a rule set")
	refused([]byte("name: x"), "not a rule set")
	refused(append(b[:4:4], 9), "version 9")
	refused(append(slices.Clip(b), 0), "something follows")
	for n := range len(b) - 5 {
		refused(b[:n+5], "byte ")
	}
	refused([]byte("SWRS\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), "no end")
	refused([]byte("SWRS\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "are said to follow")
}

// bounded reads data and checks that it allocates no more than is said.
func bounded(t *testing.T, data []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var rs routing.RuleSet
	err := rs.UnmarshalBinary(data)
	runtime.ReadMemStats(&after)
	// A rule takes 3 bytes at least and some 600 in memory.
	if used := after.TotalAlloc - before.TotalAlloc; used > uint64(1<<20+600*len(data)) {
		t.Fatalf("%d bytes took %d to read", len(data), used)
	}
	if err == nil {
		if _, err := rs.MarshalBinary(); err != nil {
			t.Fatal("what was read can't be written:", err)
		}
		_, _ = routing.Compile(&rs)
	}
}

func FuzzUnmarshalBinary(f *testing.F) {
	rs := everything(f)
	b, err := rs.MarshalBinary()
	require.NoError(f, err)
	f.Add(b)
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		broken := append([]byte(nil), b...)
		for range 1 + rng.IntN(4) {
			broken[5+rng.IntN(len(b)-5)] = byte(rng.IntN(256))
		}
		f.Add(broken)
	}
	f.Add([]byte("SWRS\x01\x02{}\x00\x00\x00\xff\xff\xff\x7f"))
	f.Fuzz(bounded)
}

// TestVersionsDraw: the canary gets its share, of every kind of ids, the same
// calls each time, and others with another salt.
func TestVersionsDraw(t *testing.T) {
	t.Parallel()
	active, canary := compile(t, acme), compile(t, acme)
	const n = 200_000
	ids := make([]callmodel.CallID, n)
	for i := range ids {
		ids[i] = callmodel.CallID("c-" + string(rune('a'+i%26)) + time.UnixMicro(int64(i)).UTC().Format("05.000000"))
	}
	drawn := func(share rulesets.Share, salt string) map[callmodel.CallID]bool {
		v := routing.Versions{Active: active, Canary: canary, Share: share, Salt: salt}
		got := map[callmodel.CallID]bool{}
		for _, id := range ids {
			r, trial := v.Pick(id)
			if trial {
				require.Same(t, canary, r)
				got[id] = true
				continue
			}
			require.Same(t, active, r)
		}
		return got
	}
	assert.Empty(t, drawn(0, "s"))
	assert.Len(t, drawn(rulesets.AllCalls, "s"), n)
	few := drawn(1, "s")
	assert.InDelta(t, n/10_000, len(few), 20)
	one, five := drawn(100, "s"), drawn(500, "s")
	assert.InDelta(t, n/100, len(one), 200)
	assert.InDelta(t, n/20, len(five), 450)
	for id := range one {
		require.True(t, five[id], "a call that saw the canary still does")
	}
	both := 0
	for id := range drawn(500, "t") {
		if five[id] {
			both++
		}
	}
	assert.InDelta(t, n/400, both, 120, "another salt draws others")
	v := routing.Versions{Active: active, Canary: canary, Share: rulesets.AllCalls}
	r, trial := v.Pick("")
	assert.False(t, trial)
	assert.Same(t, active, r)
}

func TestPickingAllocatesNothing(t *testing.T) {
	active, canary := compile(t, acme), compile(t, acme)
	v := routing.Versions{Active: active, Canary: canary, Share: 5000, Salt: "s"}
	var table routing.Table
	table.Put("acme", v)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, _ = table.Pick("acme", "c-1")
		_ = table.Get("acme")
	}))
	table.Set("acme", canary)
	r, trial := table.Pick("acme", "c-1")
	assert.Same(t, canary, r)
	assert.False(t, trial, "a swap ends the canary")
}
