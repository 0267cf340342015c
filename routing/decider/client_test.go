package decider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/switchtape/switchtape/callmodel"
	"github.com/switchtape/switchtape/callmodel/calls"
	"github.com/switchtape/switchtape/routing"
	"github.com/switchtape/switchtape/routing/decider"
)

// patient is a budget that no test on a busy machine runs out of.
const patient = 20 * time.Second

const good = `{"rule":"premium","destinations":[{"id":"a","uri":"sip:a.example.com"},{"id":"b","uri":"sip:b.example.com",` +
	`"number":"0049301234","caller_privacy":"id"}],"failover":{"max_attempts":2}}`

// service is a decision service that answers its n-th request, from 1, with handle.
type service struct {
	*httptest.Server
	asked atomic.Int64
}

func serve(t *testing.T, handle func(n int64, w http.ResponseWriter, r *http.Request)) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handle(s.asked.Add(1), w, r)
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = io.WriteString(w, body)
}

// hang keeps a request waiting until its client gives up.
func hang(r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // the server sees the client go only then
	<-r.Context().Done()
}

func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func client(t *testing.T, s *service, o decider.Options) *decider.Client {
	t.Helper()
	c, err := decider.New(s.URL+"/decide", &o)
	require.NoError(t, err)
	return c
}

func call(id callmodel.CallID) *calls.Request {
	return &calls.Request{
		TenantID: "acme", CallID: id, From: "+12025550123", To: "+4930123456", Type: calls.TypeVoice, Direction: calls.Outbound,
		Trunk: "carrier-7", Capabilities: []string{"opus", "pcmu"}, Metadata: map[string]string{"queue": "sales"},
		At: time.Date(2026, 1, 31, 15, 4, 5, 0, time.UTC),
	}
}

func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var f *routing.FallbackError
	require.ErrorAs(t, err, &f)
	return f.Reason
}

func TestDecide(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.JSONEq(t, `{"tenant_id":"acme","call_id":"c1","from":"+12025550123","to":"+4930123456","type":"voice",`+
			`"direction":"outbound","priority":0,"trunk":"carrier-7","capabilities":["opus","pcmu"],"metadata":{"queue":"sales"},`+
			`"at":"2026-01-31T15:04:05Z"}`, string(body))
		assert.Equal(t, http.MethodPost, r.Method)
		assert.Equal(t, "/decide", r.URL.Path)
		assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
		assert.Equal(t, "c1", r.Header.Get("Idempotency-Key"))
		assert.Equal(t, "Bearer secret", r.Header.Get("Authorization"))
		answer(w, good)
	})
	var outcomes []decider.Outcome
	c := client(t, s, decider.Options{
		Budget: patient, HedgeAfter: -1, Header: http.Header{"authorization": {"Bearer secret"}},
		Asked: func(o decider.Outcome) { outcomes = append(outcomes, o) },
	})
	d, err := c.Decide(t.Context(), call("c1"))
	require.NoError(t, err)
	assert.Equal(t, calls.Decision{
		Source: calls.SourceDecider, Rule: "premium", Failover: &calls.Failover{MaxAttempts: 2},
		Destinations: []calls.Destination{
			{ID: "a", URI: "sip:a.example.com", Number: "+4930123456", Caller: "+12025550123"},
			{ID: "b", URI: "sip:b.example.com", Number: "0049301234", Caller: "+12025550123", CallerPrivacy: "id"},
		},
	}, d)
	require.Len(t, outcomes, 1)
	assert.Equal(t, calls.SourceDecider, outcomes[0].Source)
	assert.False(t, outcomes[0].Hedged)
	assert.EqualValues(t, 1, s.asked.Load())
}

func TestRefusal(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		answer(w, `{"no_route":true,"reason":"the account is closed"}`)
	})
	c := client(t, s, decider.Options{Budget: patient})
	_, err := c.Decide(t.Context(), call("c1"))
	require.ErrorContains(t, err, "the account is closed")
	assert.Equal(t, callmodel.CodeNoRoute, callmodel.CodeOf(err))
	assert.Zero(t, c.Kept())
}

// TestBadService: whatever the service does, the call gets a reason within the budget.
func TestBadService(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, reason string
		handle       func(w http.ResponseWriter, r *http.Request)
	}{
		{"hangs", decider.ReasonTimeout, func(_ http.ResponseWriter, r *http.Request) { hang(r) }},
		{"hangs in its answer", decider.ReasonTimeout, func(w http.ResponseWriter, r *http.Request) {
			answer(w, good[:40])
			_ = http.NewResponseController(w).Flush()
			hang(r)
		}},
		{"resets", decider.ReasonConnection, func(w http.ResponseWriter, _ *http.Request) { reset(w) }},
		{"cuts off", decider.ReasonConnection, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			answer(w, good)
		}},
		{"fails", decider.ReasonStatus, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusInternalServerError) }},
		{"creates", decider.ReasonStatus, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, good)
		}},
		{"redirects", decider.ReasonStatus, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"says too much", decider.ReasonTooLarge, func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"rule":"`+strings.Repeat("x", 70<<10)+`"}`) }},
		{"never ends", decider.ReasonTooLarge, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 64<<10)); err != nil {
					return
				}
			}
		}},
		{"speaks HTML", decider.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }},
		{"speaks garbage", decider.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { answer(w, `{"destinations":`) }},
		{"lies", decider.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, `{"destinations":[{"id":"a","uri":"http://a"}]}`)
		}},
		{"says nothing", decider.ReasonGarbage, func(w http.ResponseWriter, _ *http.Request) { answer(w, `{}`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(_ int64, w http.ResponseWriter, r *http.Request) { c.handle(w, r) })
			var out decider.Outcome
			budget := patient
			if c.reason == decider.ReasonTimeout {
				budget = 300 * time.Millisecond
			}
			d := client(t, s, decider.Options{Budget: budget, Asked: func(o decider.Outcome) { out = o }})
			begun := time.Now()
			_, err := d.Decide(t.Context(), call("c1"))
			took := time.Since(begun)
			assert.Equal(t, c.reason, reasonOf(t, err), "%v", err)
			assert.Equal(t, c.reason, out.Reason)
			assert.Equal(t, calls.SourceRules, out.Source)
			assert.Less(t, took, budget+10*time.Second, "the machine may be busy, the service has no say")
			assert.True(t, out.Hedged, "a second request is sent")
		})
	}
	nobody, err := decider.New("http://127.0.0.1:1", nil)
	require.NoError(t, err)
	_, err = nobody.Decide(t.Context(), call("c1"))
	assert.Equal(t, decider.ReasonConnection, reasonOf(t, err))
}

func TestStrictAnswers(t *testing.T) {
	t.Parallel()
	dest := func(fields string) string { return `{"destinations":[{"id":"a","uri":"sip:a"` + fields + `}]}` }
	n, _, err := decider.CheckReply([]byte(dest(`,"number":"*61#","caller":"anonymous"`)))
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	for name, body := range map[string]string{
		"unknown field": dest(`,"prio":1`), "twice": `{"destinations":[{"id":"a","uri":"sip:a"},{"id":"a","uri":"sip:b"}]}`,
		"bad id": `{"destinations":[{"id":"../a","uri":"sip:a"}]}`, "no URI": `{"destinations":[{"id":"a"}]}`,
		"URI with a line": `{"destinations":[{"id":"a","uri":"sip:a\r\nX: y"}]}`,
		"long URI":        `{"destinations":[{"id":"a","uri":"sip:` + strings.Repeat("a", 300) + `"}]}`,
		"number":          dest(`,"number":"12a"`), "caller": dest(`,"caller":"sip:x"`), "privacy": dest(`,"caller_privacy":"full"`),
		"refusal with destinations": `{"no_route":true,"destinations":[{"id":"a","uri":"sip:a"}]}`,
		"failover":                  `{"destinations":[{"id":"a","uri":"sip:a"}],"failover":{"retry":["x"]}}`,
		"too many":                  `{"destinations":[` + strings.Repeat(`{"id":"a","uri":"sip:a"},`, 64) + `{"id":"b","uri":"sip:b"}]}`,
		"two values":                good + good, "list": `[]`, "null": `null`,
		"long rule": `{"rule":"` + strings.Repeat("x", 300) + `","destinations":[{"id":"a","uri":"sip:a"}]}`,
	} {
		_, _, err := decider.CheckReply([]byte(body))
		assert.Error(t, err, name)
	}
}

func TestHedging(t *testing.T) {
	t.Parallel()
	t.Run("the first hangs", func(t *testing.T) {
		t.Parallel()
		gone := make(chan struct{})
		s := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				hang(r)
				close(gone)
				return
			}
			answer(w, good)
		})
		var out decider.Outcome
		c := client(t, s, decider.Options{Budget: patient, HedgeAfter: time.Millisecond, Asked: func(o decider.Outcome) { out = o }})
		_, err := c.Decide(t.Context(), call("c1"))
		require.NoError(t, err)
		assert.True(t, out.Hedged)
		<-gone // the one that lost was told to end
	})
	t.Run("the first fails", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(n int64, w http.ResponseWriter, _ *http.Request) {
			if n == 1 {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			answer(w, good)
		})
		c := client(t, s, decider.Options{Budget: patient, HedgeAfter: patient})
		_, err := c.Decide(t.Context(), call("c1"))
		require.NoError(t, err)
		assert.EqualValues(t, 2, s.asked.Load())
	})
	t.Run("not wanted", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		c := client(t, s, decider.Options{Budget: patient, HedgeAfter: -1})
		_, err := c.Decide(t.Context(), call("c1"))
		assert.Equal(t, decider.ReasonStatus, reasonOf(t, err))
		assert.EqualValues(t, 1, s.asked.Load())
	})
	t.Run("by the percentile", func(t *testing.T) {
		t.Parallel()
		s := serve(t, func(n int64, w http.ResponseWriter, r *http.Request) {
			if n == 101 {
				hang(r)
				return
			}
			answer(w, good)
		})
		hedged := 0
		c := client(t, s, decider.Options{Budget: patient, Asked: func(o decider.Outcome) {
			if o.Hedged {
				hedged++
			}
		}})
		for i := range 101 {
			_, err := c.Decide(t.Context(), call(callmodel.CallID(fmt.Sprint("c", i))))
			require.NoError(t, err)
		}
		assert.Positive(t, hedged, "the one that hangs, and who was slower than 95 of 100")
	})
}

func TestCachedAnswers(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	body := good
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(w, body)
	})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := client(t, s, decider.Options{Budget: patient, CacheSize: 3, CacheTTL: time.Minute, BreakerFailures: 1 << 30, Now: func() time.Time { return now }})
	first, err := c.Decide(t.Context(), call("c1"))
	require.NoError(t, err)
	broken.Store(true)

	other := call("c2")
	other.From = "+12025559999" // of the same class
	d, err := c.Decide(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, calls.SourceCache, d.Source)
	assert.Equal(t, decider.ReasonStatus, d.Fallback)
	assert.Equal(t, first.Destinations[1].Number, d.Destinations[1].Number)
	assert.Equal(t, "+12025559999", d.Destinations[0].Caller, "the caller is this call's own")

	for name, change := range map[string]func(*calls.Request){
		"tenant": func(r *calls.Request) { r.TenantID = "other" }, "callee": func(r *calls.Request) { r.To += "1" },
		"class": func(r *calls.Request) { r.From = "+4930" }, "type": func(r *calls.Request) { r.Type = calls.TypeFax },
		"trunk":     func(r *calls.Request) { r.Trunk = "carrier-8" },
		"emergency": func(r *calls.Request) { r.Emergency = true },
	} {
		r := call("c3")
		change(r)
		_, err := c.Decide(t.Context(), r)
		require.Error(t, err, "another %s has no answer", name)
	}
	now = now.Add(time.Minute + 1)
	_, err = c.Decide(t.Context(), other)
	require.Error(t, err, "it is too old")

	// An answer that names the caller's number is for this caller alone.
	body = `{"destinations":[{"id":"a","uri":"sip:a","caller":"2025550123"}]}`
	broken.Store(false)
	_, err = c.Decide(t.Context(), call("c4"))
	require.NoError(t, err)
	broken.Store(true)
	_, err = c.Decide(t.Context(), other)
	require.Error(t, err)
	d, err = c.Decide(t.Context(), call("c5"))
	require.NoError(t, err)
	assert.Equal(t, "2025550123", d.Destinations[0].Caller)

	broken.Store(false)
	for i := range 10 {
		r := call("c6")
		r.To = fmt.Sprint("+4930", i)
		_, err = c.Decide(t.Context(), r)
		require.NoError(t, err)
	}
	assert.Equal(t, 3, c.Kept(), "it is bounded")
}

// TestWithheldCallersStayWithheld whatever the service answers.
func TestWithheldCallersStayWithheld(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		answer(w, `{"destinations":[{"id":"a","uri":"sip:a"},{"id":"b","uri":"sip:b","caller":"+4930100"}]}`)
	})
	r := call("c1")
	r.From = calls.AnonymousCaller
	d, err := client(t, s, decider.Options{Budget: patient}).Decide(t.Context(), r)
	require.NoError(t, err)
	assert.Equal(t, calls.AnonymousCaller, d.Destinations[0].Caller)
	for _, x := range d.Destinations {
		assert.Equal(t, calls.PrivacyID, x.CallerPrivacy)
	}
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	broken.Store(true)
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		answer(w, good)
	})
	var clock atomic.Int64
	c := client(t, s, decider.Options{
		Budget: patient, HedgeAfter: -1, BreakerFailures: 3, BreakerFor: time.Second,
		Now: func() time.Time { return time.Unix(1e9, clock.Load()) },
	})
	reason := func() string {
		_, err := c.Decide(t.Context(), call("c1"))
		if err == nil {
			return ""
		}
		return reasonOf(t, err)
	}
	for range 3 {
		assert.False(t, c.Open())
		assert.Equal(t, decider.ReasonStatus, reason())
	}
	assert.True(t, c.Open())
	// Open for 1 s, then 2, then 4: one request each time finds out.
	for _, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		asked := s.asked.Load()
		assert.Equal(t, decider.ReasonBreaker, reason())
		clock.Add(int64(wait) - 1)
		assert.Equal(t, decider.ReasonBreaker, reason())
		assert.Equal(t, asked, s.asked.Load(), "the service has its peace")
		clock.Add(1)
		assert.Equal(t, decider.ReasonStatus, reason())
		assert.Equal(t, asked+1, s.asked.Load())
	}
	broken.Store(false)
	clock.Add(int64(8 * time.Second))
	assert.Empty(t, reason())
	assert.False(t, c.Open())
	assert.Empty(t, reason())
}

// TestClientsThatGiveUp don't speak against the service.
func TestClientsThatGiveUp(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, _ http.ResponseWriter, r *http.Request) { hang(r) })
	c := client(t, s, decider.Options{Budget: patient, BreakerFailures: 1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := c.Decide(ctx, call("c1"))
	assert.Equal(t, decider.ReasonCancelled, reasonOf(t, err))
	assert.False(t, c.Open())
}

func TestEmergencyCallsAreNotAsked(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, w http.ResponseWriter, _ *http.Request) { answer(w, good) })
	r := call("c1")
	r.Emergency = true
	_, err := client(t, s, decider.Options{Budget: patient}).Decide(t.Context(), r)
	assert.Equal(t, decider.ReasonEmergency, reasonOf(t, err))
	assert.Zero(t, s.asked.Load())
}

// TestHangingServiceHoldsNothing: a thousand calls to a service that hangs end
// within the budget, most without asking.
func TestHangingServiceHoldsNothing(t *testing.T) {
	t.Parallel()
	s := serve(t, func(_ int64, _ http.ResponseWriter, r *http.Request) { hang(r) })
	var mu sync.Mutex
	reasons := map[string]int{}
	c := client(t, s, decider.Options{Budget: 100 * time.Millisecond, MaxInFlight: 10, Asked: func(o decider.Outcome) {
		mu.Lock()
		defer mu.Unlock()
		reasons[o.Reason]++
	}})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := c.Decide(t.Context(), call(callmodel.CallID(fmt.Sprint("c", i)))); err == nil {
					t.Error("an answer from a service that gives none")
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1000, reasons[decider.ReasonTimeout]+reasons[decider.ReasonBusy]+reasons[decider.ReasonBreaker], "%v", reasons)
	assert.Positive(t, reasons[decider.ReasonTimeout])
	assert.LessOrEqual(t, s.asked.Load(), int64(2*reasons[decider.ReasonTimeout]))
}

func TestNewRefusesURLs(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "decider:80", "ftp://x", "http://", "http://a b"} {
		_, err := decider.New(u, nil)
		assert.Equal(t, callmodel.CodeInvalid, callmodel.CodeOf(err), u)
	}
}

func FuzzReply(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte(`{"no_route":true,"reason":"x"}`))
	f.Add([]byte(`{"destinations":[{"id":"a","uri":"tel:+49","number":"*1#","caller":"anonymous","caller_privacy":"id"}],` +
		`"failover":{"retry":["sip:5xx"],"final":["q850:17"]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		n, noRoute, err := decider.CheckReply(body)
		if err != nil {
			var faults callmodel.FieldErrors
			if !errors.As(err, &faults) && callmodel.CodeOf(err) != callmodel.CodeMalformed {
				t.Fatal(err)
			}
			return
		}
		if noRoute == (n > 0) || n > routing.MaxTargets || !json.Valid(body) {
			t.Fatalf("%d destinations, refused %v: %q", n, noRoute, body)
		}
	})
}

func ExampleClient() {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"destinations":[{"id":"trunk-a","uri":"sip:trunk-a.example.com"}]}`)
	}))
	defer service.Close()
	c, err := decider.New(service.URL, &decider.Options{Budget: 5 * time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	d, err := c.Decide(context.Background(), &calls.Request{TenantID: "acme", CallID: "c1", From: "+12025550123", To: "+4930123456", Type: calls.TypeVoice})
	fmt.Println(d.Source, d.Destinations[0].URI, err)
	// Output:
	// decider sip:trunk-a.example.com <nil>
}
