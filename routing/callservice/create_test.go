package callservice_test

import (
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing/callservice"
	"github.com/switchtape/switchtape/storage/calldb/memdb"
)

// abroad asks for a call that no rule takes.
func abroad(id string) callservice.Request {
	return callservice.Request{ID: callmodel.CallID(id), From: "+12025550123", To: "+442079460123"}
}

// TestLife: a call from its creation to its end, with its explanation.
func TestLife(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		bells := 0
		s := on(t, db, callservice.Options{JobEnqueued: func() { bells++ }})
		req := nyc("")
		req.Recording = &calls.RecordingPreference{Enabled: true}
		c := create(t, s, req)
		assert.Regexp(t, `^c-[0-9a-f]{12}-[0-9a-f]{20}$`, c.ID)
		assert.Equal(t, calls.Party{Number: "+12125550188", Raw: "(212) 555-0188"}, c.To)
		assert.Equal(t, "nyc", c.Decision.Rule)
		assert.Equal(t, noon, tell(t, s, c.ID, calls.Event{ID: "e1", Type: calls.EventAnswered}).AnsweredAt, "the clock's, when the event doesn't say")
		ended := tell(t, s, c.ID, calls.Event{ID: "e2", Type: calls.EventEnded})
		assert.Equal(t, calls.Ended, ended.State)
		assert.Equal(t, 1, bells)
		got, err := s.Call(t.Context(), "acme", c.ID)
		require.NoError(t, err)
		assert.Equal(t, ended, got)
		events, err := s.Events(t.Context(), "acme", c.ID)
		require.NoError(t, err)
		assert.Len(t, events, 2)
		x, err := s.Explain(t.Context(), "acme", c.ID)
		require.NoError(t, err)
		assert.Equal(t, *c.Decision, x.Decision)
		assert.Equal(t, "+12125550188", x.Request.To)
		page, err := s.Calls(t.Context(), "acme", calls.Filter{})
		require.NoError(t, err)
		assert.Len(t, page.Calls, 1)
		for _, err := range []error{
			second(s.Call(t.Context(), "globex", c.ID)), second(s.Events(t.Context(), "globex", c.ID)), second(s.Explain(t.Context(), "globex", c.ID)),
		} {
			require.ErrorIs(t, err, callmodel.ErrNotFound, "another's call is none")
		}
		lines, err := s.AuditEvents(t.Context(), "acme", 0, 100)
		require.NoError(t, err)
		assert.Equal(t, callmodel.AuditCallCreated, lines[2].Action)
		assert.Equal(t, "test", lines[2].Actor)
	})
}

func second[T any](_ T, err error) error { return err }

func TestCreateReportsEveryFault(t *testing.T) {
	t.Parallel()
	db := memdb.New(nil)
	s := on(t, db, callservice.Options{})
	req := callservice.Request{ID: "a/b", Region: "XX", Type: "x", Direction: "up", Priority: 10, Host: "h h", Metadata: map[string]string{"": "v"}}
	_, err := s.Create(t.Context(), "acme", req, "test", nil)
	var faults callmodel.FieldErrors
	require.ErrorAs(t, err, &faults)
	paths := make([]string, 0, len(faults))
	for _, f := range faults {
		paths = append(paths, f.Path)
	}
	assert.ElementsMatch(t, []string{"id", "to", "region", "type", "direction", "priority", "host", `metadata[""]`}, paths)
	assert.Equal(t, err, s.Check(&req))
	assert.Empty(t, stored(t, db), "nothing is stored")

	_, err = s.Normalize("acme", "x", "XX")
	require.ErrorAs(t, err, &faults)
	assert.Len(t, faults, 2)
	p, err := s.Normalize("acme", "030 901820", "DE")
	require.NoError(t, err)
	assert.Equal(t, "+4930901820", p.Number)
}

// TestIdempotency: a key gets the first answer again, from every process, in the
// form that the caller keeps or as the call it made.
func TestIdempotency(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		here, there := on(t, db, callservice.Options{}), on(t, db, callservice.Options{})
		for key, req := range map[string]callservice.Request{"routed": nyc(""), "rejected": abroad("")} {
			first, err := here.Create(t.Context(), "acme", req, "test", &callservice.Idempotency{Key: key})
			require.NoError(t, err)
			assert.False(t, first.Replayed)
			assert.Equal(t, key == "rejected", callmodel.CodeOf(first.NoRoute) == callmodel.CodeNoRoute)
			for _, s := range []*callservice.Service{here, there} {
				again, err := s.Create(t.Context(), "acme", req, "test", &callservice.Idempotency{Key: key})
				require.NoError(t, err)
				assert.True(t, again.Replayed)
				assert.Equal(t, first.Call, again.Call)
				assert.Equal(t, callmodel.CodeOf(first.NoRoute), callmodel.CodeOf(again.NoRoute))
				assert.Nil(t, again.Answer)
			}
			req.Priority = 1
			_, err = there.Create(t.Context(), "acme", req, "test", &callservice.Idempotency{Key: key})
			requireCode(t, callmodel.CodeIdempotencyMismatch, err)
		}
		assert.Len(t, stored(t, db), 2)

		// The bytes are the first answer's, whatever has become of the call.
		mine := &callservice.Idempotency{Key: "bytes", RequestSHA256: "ab", Encode: func(c *callservice.Created) (calls.StoredResponse, error) {
			b, err := json.Marshal(map[string]any{"call_id": c.Call.ID, "state": c.Call.State})
			return calls.StoredResponse{StatusCode: 299, Body: b}, err
		}}
		first, err := here.Create(t.Context(), "acme", nyc("own"), "test", mine)
		require.NoError(t, err)
		require.JSONEq(t, `{"call_id":"own","state":"routed"}`, string(first.Answer.Body))
		tell(t, here, "own", calls.Event{ID: "e1", Type: calls.EventEnded})
		again, err := there.Create(t.Context(), "acme", nyc("own"), "test", mine)
		require.NoError(t, err)
		assert.Equal(t, callservice.Created{Replayed: true, Answer: first.Answer}, again)
		// Who keeps no form finds the call by the other's.
		plain, err := there.Create(t.Context(), "acme", nyc("own"), "test", &callservice.Idempotency{Key: "bytes", RequestSHA256: "ab"})
		require.NoError(t, err)
		assert.Equal(t, calls.Ended, plain.Call.State, "as it stands now")

		// A refused request doesn't use its key up, and not every text is a key.
		_, err = here.Create(t.Context(), "acme", callservice.Request{}, "test", &callservice.Idempotency{Key: "k3"})
		requireCode(t, callmodel.CodeInvalid, err)
		_, err = here.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "k3"})
		require.NoError(t, err)
		for _, bad := range []string{"", "a b", "ü", strings.Repeat("k", 256)} {
			_, err := here.Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: bad})
			requireCode(t, callmodel.CodeMalformed, err)
		}
	})
}

// TestConcurrentKey: of many requests with one key, from two processes, one makes
// the call. The others get it, or are told that the key is in flight.
func TestConcurrentKey(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		services := []*callservice.Service{on(t, db, callservice.Options{}), on(t, db, callservice.Options{})}
		made := make([]callservice.Created, 40)
		errs := make([]error, len(made))
		var wg sync.WaitGroup
		for i := range made {
			wg.Go(func() {
				made[i], errs[i] = services[i%2].Create(t.Context(), "acme", nyc(""), "test", &callservice.Idempotency{Key: "one"})
			})
		}
		wg.Wait()
		list := stored(t, db)
		require.Len(t, list, 1)
		fresh := 0
		for i := range made {
			if errs[i] != nil {
				requireCode(t, callmodel.CodeInFlight, errs[i])
				continue
			}
			assert.Equal(t, list[0].ID, made[i].Call.ID)
			if !made[i].Replayed {
				fresh++
			}
		}
		assert.Equal(t, 1, fresh)
	})
}

// TestNoRoute: a call that nothing takes is stored and explained like any other.
func TestNoRoute(t *testing.T) {
	t.Parallel()
	s := on(t, memdb.New(nil), callservice.Options{})
	for _, tenant := range []callmodel.TenantID{"acme", "poor"} { // poor has no rules at all
		c, err := s.Create(t.Context(), tenant, abroad("lost"), "test", nil)
		require.NoError(t, err)
		requireCode(t, callmodel.CodeNoRoute, c.NoRoute)
		assert.Equal(t, calls.Rejected, c.Call.State)
		x, err := s.Explain(t.Context(), tenant, "lost")
		require.NoError(t, err)
		assert.True(t, x.NoRoute)
	}
	_, err := s.Try(t.Context(), "poor", nyc(""), noon)
	requireCode(t, callmodel.CodeNoRoute, err)
}

func TestPlatformRules(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, db callservice.Stores) {
		t.Helper()
		s := on(t, db, callservice.Options{PlatformTenant: "platform"})
		platform := install(t, s, "platform", renamed("city"))
		c, err := s.Create(t.Context(), "poor", nyc(""), "test", nil)
		require.NoError(t, err)
		assert.Equal(t, "city", c.Call.Decision.Rule, "a tenant without rules takes the platform's")
		assert.Equal(t, "nyc", create(t, s, nyc("")).Decision.Rule)
		v, err := s.ActiveRuleSet(t.Context(), "poor")
		require.NoError(t, err)
		assert.Equal(t, platform, v.Hash)
		assert.Equal(t, renamed("city"), string(v.Body))

		fresh := over(db, callservice.Options{PlatformTenant: "platform"})
		x, err := fresh.Explain(t.Context(), "poor", c.Call.ID)
		require.NoError(t, err)
		assert.Equal(t, "city", x.Decision.Rule)
		_, err = over(db, callservice.Options{}).ActiveRuleSet(t.Context(), "poor")
		require.ErrorIs(t, err, callmodel.ErrNotFound)
	})
}

// TestImports: the service knows no HTTP, and brings neither the tools to work on
// rules nor databases, clouds and audio.
func TestImports(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	require.NoError(t, err)
	for dep := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		assert.NotEqual(t, "net/http", dep)
		for _, bad := range []string{
			"routing/dialimport", "routing/lint", "routing/diff", "routing/simulate", "database/sql", "gocloud.dev",
			"go-audio", "switchtape/recording", "switchtape/storage",
		} {
			assert.NotContains(t, dep, bad)
		}
	}
	assert.Contains(t, string(out), "switchtape/routing/trunk")
}
