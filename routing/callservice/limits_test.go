package callservice_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// within sends calls abroad, of which the tenant may have two at once and the rule one.
const within = `
limits: {tenants: {acme: {concurrent: 2}}}
destinations:
  a: {uri: "sip:a.example.com"}
rules:
  - {id: city, match: {to: {prefix: "+1212"}}, limits: {concurrent: 1}, route: [[{to: a}]]}
  - {id: all, default: true, route: [[{to: a}]]}
`

// TestLimitsOfCalls: what is over the limit of a tenant or a rule is refused, and not
// stored.
func TestLimitsOfCalls(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	install(t, s, "acme", within)
	elsewhere := func(id callmodel.CallID) callservice.Request {
		r := nyc(string(id))
		r.To = "+13125550188"
		return r
	}
	create(t, s, nyc("one"))
	_, err := s.Create(t.Context(), "acme", nyc("two"), "test", nil)
	requireCode(t, callmodel.CodeNoCapacity, err)
	require.ErrorContains(t, err, "the rule city")
	create(t, s, elsewhere("three"))
	_, err = s.Create(t.Context(), "acme", elsewhere("four"), "test", nil)
	requireCode(t, callmodel.CodeNoCapacity, err)
	require.ErrorContains(t, err, "the tenant acme")
	_, err = s.Call(t.Context(), "acme", "four")
	requireCode(t, callmodel.CodeNotFound, err)
	assert.Equal(t, 2, carried(s, "a"), "what was refused has no place at the destination")
	help, err := s.Create(t.Context(), "acme", callservice.Request{From: "+12025550123", To: "911"}, "test", nil)
	require.NoError(t, err)
	assert.NotEmpty(t, help.Call.Decision.Destinations, "an emergency call is never refused")
}

// TestLimitsAreSharedAnew as processes come and go; while nobody can say how many there
// are, the parts stay.
func TestLimitsAreSharedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var of atomic.Int64
		s := callservice.New(memdb.New(nil), &callservice.Options{
			DefaultRegion: "US",
			Instances: func(context.Context) (int, int, error) {
				if of.Load() < 0 {
					return 0, 0, errors.New("the database is away")
				}
				return 0, int(of.Load()), nil
			},
		})
		of.Store(2)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		_, err := s.InstallRules(ctx, "acme", []byte(`
limits: {tenants: {acme: {concurrent: 4}}}
destinations: {a: {uri: "sip:a.example.com"}}
rules: [{id: all, default: true, route: [[{to: a}]]}]
`), "test", "")
		require.NoError(t, err)
		room := func() (n int) {
			for {
				made, err := s.Create(ctx, "acme", nyc(""), "test", nil)
				if err != nil {
					require.Equal(t, callmodel.CodeNoCapacity, callmodel.CodeOf(err))
					return n
				}
				require.NoError(t, made.NoRoute)
				n++
			}
		}
		time.Sleep(10 * time.Second)
		assert.Equal(t, 2, room(), "half of four")
		of.Store(1)
		time.Sleep(10 * time.Second)
		assert.Equal(t, 2, room(), "the other has gone")
		of.Store(-1)
		time.Sleep(10 * time.Second)
		assert.Equal(t, 0, room(), "all four are taken, and the part stays")
		of.Store(0)
		time.Sleep(10 * time.Second)
		assert.Equal(t, 0, room())
		cancel()
		require.NoError(t, <-ended)
	})
}
